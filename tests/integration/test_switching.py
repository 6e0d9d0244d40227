"""Nodes and a publisher are stopped, killed, frozen, restarted and cut off in turn: subscribers miss nothing.

One relay follows two litecoinds with a stand-in publisher beside one of them, and two bcoins, over P2P and
RPC each. So each chain has a live node while something else of it is out. What the nodes have in the end is
the truth. Printed: how long the relay takes to switch, by kind of fault and by what was struck.
"""

from __future__ import annotations

import math
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from sprint.core.model import ChainStatusEvent, Event
from tests.integration.branch_follower import BranchFollower
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import LineReader, wait_until_delivered
from tests.integration.switching import ENVIRONMENT, Fault, Pair, Subject, bitcoin_pair, litecoin_pair
from tests.integration.switching_drill import AGREE_S, Drill, Outage, Pace, Watch

pytestmark = [pytest.mark.real("litecoind"), pytest.mark.real("bcoin")]

SOAK_S = 3600.0
SOAK_PACE = Pace(pause_s=(0.5, 1.5), outage_s=(2.0, 60.0), calm_blocks=(2, 6))
SHORT_PACE = Pace(pause_s=(0.2, 0.4), outage_s=(3.5, 4.0), calm_blocks=(1, 2))
# A litecoind takes up to 25 s to stop, so in the short run the bcoins are those that do.
SHORT_FAULTS = {
    "litecoin-regtest": (Fault.KILL, Fault.FREEZE, Fault.CUT),
    "bitcoin-regtest": (Fault.STOP, Fault.RESTART),
}
LATE_S_MAX = 2.5  # from asking a live node for a block to its event, whatever was struck just before


def test_subscribers_miss_nothing_while_sources_are_stopped_killed_frozen_restarted_and_cut_in_turn(
    tmp_path: Path, seed: int
) -> None:
    soak = os.environ.get("SPRINT_SOAK") == "1"
    run_drills(tmp_path, seed, SOAK_S if soak else None)


def run_drills(folder: Path, seed: int, length_s: float | None) -> None:
    """Drill both chains for a time; without one, each kind of fault comes once."""
    pace = SHORT_PACE if length_s is None else SOAK_PACE
    with (
        litecoin_pair(folder / "litecoin", extension_blocks=length_s is not None) as litecoin,
        bitcoin_pair(folder / "bitcoin") as bitcoin,
        relay_on(folder, [litecoin, bitcoin]) as relay,
        Watch(relay.url) as watch,
        LineReader(relay.url) as lines,
    ):
        drills = [
            Drill(pair, watch, random.Random(f"{seed}{pair.chain}"), pace) for pair in (litecoin, bitcoin)
        ]
        began = time.monotonic()
        run_together(drills, length_s)
        print(f"\nseed {seed}, {time.monotonic() - began:.0f} s")
        for drill in drills:
            print_tables(drill)
            judge(drill, watch, lines)
        assert relay.running


@contextmanager
def relay_on(folder: Path, pairs: Sequence[Pair]) -> Iterator[RelayProcess]:
    """A relay that has delivered the tips of all pairs."""
    sources = [option for pair in pairs for option in pair.source_options()]
    arguments = (*sources, "--data-dir", str(folder / "data"))
    with RelayProcess(folder, *arguments, environment=ENVIRONMENT) as relay:
        for pair in pairs:
            wait_until_delivered(relay.url, pair.chain, pair.nodes[0].tip)
        yield relay


def run_together(drills: Sequence[Drill], length_s: float | None) -> None:
    """Run the drills side by side; when one fails the others end as well."""
    stopping = threading.Event()

    def run(drill: Drill) -> None:
        turns = short_turns(drill) if length_s is None else drill.schedule()
        until = math.inf if length_s is None else time.monotonic() + length_s
        try:
            drill.run(turns, until, stopping)
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(len(drills)) as pool:
        for future in [pool.submit(run, drill) for drill in drills]:
            future.result()


def short_turns(drill: Drill) -> Iterable[tuple[Subject, Fault]]:
    """Each kind of fault once, over subjects and in an order that the seed says."""
    return zip(drill.shuffled(drill.pair.subjects), SHORT_FAULTS[drill.pair.chain], strict=True)


def judge(drill: Drill, watch: Watch, lines: LineReader) -> None:
    """Hold what both subscribers were given against what the nodes have."""
    chain, tip = drill.pair.chain, drill.pair.nodes[0].tip
    watch.wait_for_block(tip)
    lines.wait_for_block(tip)
    events = of_chain(watch.events, chain)
    follower = BranchFollower()
    for event in events:
        follower.take(event)
    follower.finish()
    depths = sorted(follower.reorg_depths)
    print(f"{chain}: {len(follower.branch)} blocks, {drill.mined} mined, reorgs of depths {depths}")
    assert follower.branch == drill.pair.branch(follower.first_height)
    by_line = of_chain(lines.events, chain)
    count = min(len(by_line), len(events))
    assert by_line[:count] == events[:count]
    assert not [event for event in events if isinstance(event, ChainStatusEvent)], (
        "a live node was always there"
    )
    # Where the struck node mined just then there may be two blocks of a height: the next one decides, and
    # after a restart, during which one block is mined, it comes when the nodes have not agreed by themselves.
    late_s_max = LATE_S_MAX + drill.pace.pause_s[1]
    tie_s = AGREE_S + drill.pace.pause_s[1]
    late = [
        each
        for each in drill.outages
        if each.late_s > late_s_max + tie_s * (each.in_mid_block and each.fault is Fault.RESTART)
    ]
    assert not late, f"over {late_s_max:g} s late, or {tie_s:g} s more at a restart in mid-block: {late}"


def of_chain(events: Sequence[Event], chain: str) -> list[Event]:
    return [event for event in list(events) if event.chain == chain]


def print_tables(drill: Drill) -> None:
    """Print p50 and max: to the next block's event, how late that was, to the relay's words."""
    calm_ms = sorted(1000 * each for each in drill.calm_s)
    print(
        f"\n{drill.pair.chain}, calm: {len(calm_ms)} blocks, from asking a node for one to its event: "
        f"p50 {statistics.median(calm_ms):.1f} ms, max {calm_ms[-1]:.1f} ms"
    )
    heads = ("struck", "count", "switched s", "block late ms", "told", "after s", "back after s")
    print("{:9}{:9}{:>6}{:>16}{:>18}{:>6}{:>14}{:>14}".format("fault", *heads))
    for fault in Fault:
        for subject in drill.pair.subjects:
            found = [each for each in drill.outages if (each.subject, each.fault) == (subject.name, fault)]
            if found:
                print(f"{fault:9}{subject.name:9}{row(found)}")
    for fault in Fault:
        if found := [each for each in drill.outages if each.fault is fault]:
            print(f"{fault:9}{'all':9}{row(found)}")


def row(outages: Sequence[Outage]) -> str:
    def spread(value: Callable[[Outage], float | None], digits: int) -> str:
        values = [each for each in map(value, outages) if each is not None]
        return f"{statistics.median(values):.{digits}f} / {max(values):.{digits}f}" if values else "-"

    told = sum(each.told_s is not None for each in outages)
    return (
        f"{len(outages):6}{spread(lambda each: each.switched_s, 2):>16}"
        f"{spread(lambda each: 1000 * each.late_s, 1):>18}{told:6}"
        f"{spread(lambda each: each.told_s, 1):>14}{spread(lambda each: each.returned_s, 1):>14}"
    )
