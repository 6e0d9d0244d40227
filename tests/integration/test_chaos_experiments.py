"""Each experiment against a relay on real litecoinds, and against one on the devnet, looked at from outside.

Its fault is seen by sockets, /proc and files of the test's own; what the breakers did is told, or why none
is due; afterwards nothing is left; and the test's own subscriber was given each block that the node has, once
and in order. A real node is not made to lie: such experiments say that they can't be run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sprint.core.chaos.named import NAMED
from sprint.tools.chaos.embedded import EmbeddedOptions, EmbeddedStack
from tests.integration.chaos_litecoinds import LitecoindStage
from tests.integration.chaos_scene import has_nft
from tests.integration.chaos_stage import ChaosStage, EmbeddedStage, Outcome
from tests.integration.chaos_view import Way
from tests.integration.real_servers import Litecoind

# Beyond the 20 s in which a silent source's breaker is due.
DURATION = "24s"
DURATION_SHORT = "6s"
COULD_NOT_RUN = 3
NOT_OF_REAL_NODES = ("upstream-lies", "clock-skew")
# A machine that others use too may be late by as much.
LATE_MS = 80.0
MEMORY_MIB, DESCRIPTORS = 256, 512


def silent(way: Way) -> bool:
    return way.ends["silent"] >= 2


# What the way to a source that was hit looks like.
WAYS: dict[str, Callable[[Way], bool]] = {
    "network-partition": silent,
    "cascade": lambda way: way.ends["silent"] >= 1,
    "upstream-stall": silent,
    "latency": lambda way: way.worst_ms > 800.0,
    "bandwidth": lambda way: way.worst_ms > 300.0,
    "packet-loss": lambda way: sum(ms > LATE_MS for ms in way.answers_ms) >= 2,
    "reset-peer": lambda way: way.ends["reset"] >= 3,
    "errors": lambda way: way.ends["refused"] >= 3,
}
HOGS = {
    "resource-exhaustion": {"cpu", "memory", "descriptors"},
    "resource-exhaustion-cpu": {"cpu"},
    "resource-exhaustion-memory": {"memory"},
    "resource-exhaustion-fds": {"descriptors"},
    "resource-exhaustion-disk": {"disk"},
}
FORCED = {"force-open": "force_open", "force-close": "force_close"}


def unseen(name: str, outcome: Outcome) -> list[str]:
    """Return what should have been seen of an experiment's faults and was not."""
    view, found = outcome.view, []
    if name in WAYS:
        found += [
            f"the way to {each}: {view.ways[each]}" for each in outcome.hit if not WAYS[name](view.ways[each])
        ]
        found += [
            f"{each} stood aside: {way}"
            for each, way in view.ways.items()
            if each not in outcome.hit and silent(way)
        ]
    hogs = view.hogs_of(outcome.result.run)
    if set(hogs) != HOGS.get(name, set()):
        found.append(f"hogs of {set(hogs)}")
    if "memory" in hogs and hogs["memory"].memory_mib < MEMORY_MIB:
        found.append(f"{hogs['memory'].memory_mib:.0f} MiB taken")
    if "descriptors" in hogs and hogs["descriptors"].descriptors < DESCRIPTORS:
        found.append(f"{hogs['descriptors'].descriptors} descriptors taken")
    if "cpu" in hogs and hogs["cpu"].cpu_s < 1.0:
        found.append(f"{hogs['cpu'].cpu_s:.1f} s of a processor taken")
    if name in FORCED:
        states = {state for each in outcome.hit for state in view.breakers[f"source:litecoin-regtest:{each}"]}
        found += [] if FORCED[name] in states else [f"breakers were {states}"]
    return found


def unsettled(outcome: Outcome) -> list[str]:
    """Return the breakers of which neither a reaction in time nor the reason for none is told.

    A breaker that the tool says opened was seen open from outside too, as it stays so for a second at least.
    """
    facts = outcome.result.facts
    if facts is None:
        return ["there are no facts"]
    found = []
    for each in facts.breakers:
        if each.due_within_s is not None and (each.opened_after_s or 1e9) > each.due_within_s:
            found.append(f"{each.breaker} opened after {each.opened_after_s} s: {each.withheld}")
        if each.due_within_s is None and not each.why:
            found.append(f"{each.breaker}: no reason told")
        if each.opened_after_s is not None and not outcome.view.breakers[each.breaker] & {
            "open",
            "force_open",
        }:
            found.append(f"{each.breaker} was not seen open")
    return found


def held(stage: ChaosStage, name: str, duration: str, *options: str) -> Outcome:
    """Run one experiment; it is met, its fault was seen, nothing is left, and no block was lost."""
    before = stage.relay_pid
    outcome = stage.run_experiment(name, "--duration", duration, *options)
    result = outcome.result
    assert (outcome.code, result.verdict) == (0, "met"), (result.reason, outcome.stderr)
    assert unseen(name, outcome) == []
    assert unsettled(outcome) == []
    assert (stage.relay_pid != before) == (name == "process-kill")
    assert all(each.gone for each in result.gone)
    assert result.left_behind == ()
    assert stage.left(result.run) == []
    assert stage.stream_faults() == []
    print(told(name, outcome))
    return outcome


def told(name: str, outcome: Outcome) -> str:
    """Return a run in a line, as a long proof keeps it."""
    result, facts = outcome.result, outcome.result.facts
    points = "no" if result.score is None or result.score.points is None else f"{result.score.points:.0f}"
    opened = {
        each.breaker.rpartition(":")[2]: f"{each.opened_after_s:.1f} s"
        for each in (facts.breakers if facts else ())
        if each.opened_after_s is not None
    }
    whom = ", ".join(sorted(outcome.hit)) or "the machine"
    breakers = ", ".join(f"{key} after {after}" for key, after in opened.items()) or "none"
    return f"{name}: {points} points; hit: {whom}; opened: {breakers}; {result.reason}"


@pytest.mark.real("litecoind")
def test_on_real_nodes_a_fault_is_seen_from_outside_and_gone_afterwards_and_no_block_is_lost(
    tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    with LitecoindStage(tmp_path, litecoind_factory) as stage:
        outcome = held(stage, "errors", DURATION_SHORT)
        assert outcome.hit <= {"alice-chaos", "bob-chaos"}
        (fact,) = outcome.result.facts.breakers if outcome.result.facts else ()
        assert (fact.opened_after_s or 1e9) < (fact.due_within_s or 0.0)


@pytest.mark.real("litecoind")
def test_what_real_nodes_or_the_machine_do_not_allow_is_not_run_and_it_is_said_why(
    tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    with LitecoindStage(tmp_path, litecoind_factory) as stage:
        for name in NOT_OF_REAL_NODES:
            outcome = stage.run_experiment(name)
            assert (outcome.code, outcome.result.verdict) == (COULD_NOT_RUN, "could_not_run")
            assert "real nodes are not made to lie" in outcome.result.reason
            assert stage.left(outcome.result.run) == []
        outcome = stage.run_experiment(
            "resource-exhaustion-memory", "--duration", "1s", "--figure", "memory_mib=1e6"
        )
        assert (outcome.code, outcome.result.verdict) == (COULD_NOT_RUN, "could_not_run")
        assert "no fault was put on" in outcome.result.reason
        assert "50% of the" in outcome.result.reason
        assert (outcome.result.score, stage.left(outcome.result.run)) == (None, [])


@pytest.mark.skipif(not has_nft(), reason="wants root, and nft")
@pytest.mark.real("litecoind")
def test_packets_to_a_real_node_are_dropped_by_the_kernels_own_count_and_its_blocks_come_all_the_same(
    tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    with LitecoindStage(tmp_path, litecoind_factory) as stage:
        outcome = held(stage, "packet-loss", DURATION_SHORT, "--packets", "--figure", "share=0.3")
        assert outcome.hit <= set(stage.names)
        of_the_run = outcome.result.run.replace("-", "_")
        assert [count > 0 for table, count in outcome.view.dropped.items() if of_the_run in table] == [True]


@pytest.mark.soak
@pytest.mark.real("litecoind")
@pytest.mark.parametrize("name", [name for name in NAMED if name not in NOT_OF_REAL_NODES])
def test_each_experiment_on_real_nodes(
    name: str, tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    with LitecoindStage(tmp_path, litecoind_factory) as stage:
        held(stage, name, DURATION)


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMED)
def test_each_experiment_on_the_devnet(name: str, tmp_path: Path) -> None:
    with EmbeddedStack(EmbeddedOptions()) as stack, EmbeddedStage(tmp_path, stack) as stage:
        outcome = held(stage, name, DURATION)
        shut_out = {
            each
            for each, states in outcome.view.sources.items()
            if states - {"ready", "connecting", "waiting"}
        }
        assert name != "upstream-lies" or shut_out & outcome.hit
