"""Faults: the schedule replays and keeps its bounds, a line loses nothing, a fault shows what it says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Block, Header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE
from sprint.core.errors import ConfigError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import HeadersReceived
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.faults import (
    LIE_PAUSE_S,
    LIES,
    LIES_OF_ANY_KIND,
    PAUSE_MAX_S,
    PAUSE_MIN_S,
    RULES,
    SCHEDULED,
    Fault,
    PlannedFault,
    checked_amount,
    fault_of,
    schedule,
)
from sprint.tools.devnet.line import DRIP_INTERVAL_S, LINE_BYTES_MAX, Line, LineConditions
from sprint.tools.devnet.seeded_bits import SeededBits
from tests.tools.devnet.test_edge import CHAIN_OF, Peer, running
from tests.tools.relay.serving import until

CHAIN = "bitcoin-regtest"
UNPUBLISHED = [fault for fault in SCHEDULED if fault not in {Fault.LOSE, Fault.LYING_JSON}]
PROCESSOR = CHAIN_OF[CHAIN].processor("regtest")


def planned(seed: str, count: int) -> list[PlannedFault]:
    return list(itertools.islice(schedule(SeededBits(seed)), count))


@given(st.text(max_size=8))
def test_a_seed_gives_the_same_faults_again_and_another_seed_others(seed: str) -> None:
    assert planned(seed, 20) == planned(seed, 20)
    assert planned(seed, 20) != planned(f"{seed}+", 20)


@given(st.text(max_size=8))
def test_a_schedule_keeps_its_pauses_and_amounts(seed: str) -> None:
    faults = planned(seed, 60)
    for before, after in itertools.pairwise(faults):
        assert after.at_s - before.at_s >= PAUSE_MIN_S - 0.001
    assert faults[0].at_s <= 2 * PAUSE_MAX_S
    lies = [each.at_s for each in faults if each.fault in LIES_OF_ANY_KIND]
    assert all(after - before >= LIE_PAUSE_S - 0.001 for before, after in itertools.pairwise(lies))
    for each in faults:
        assert 1 <= each.amount <= min(2 * RULES[each.fault].amount_default, RULES[each.fault].amount_max)


def test_every_kind_of_fault_comes_up_in_a_long_schedule() -> None:
    assert {each.fault for each in planned("long", 400)} == set(SCHEDULED)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_is_taken_up_to_its_limit_and_no_further(fault: Fault) -> None:
    limit = RULES[fault].amount_max
    assert fault_of(str(fault)) is fault
    assert checked_amount(fault, limit) == limit
    assert checked_amount(fault, None) == RULES[fault].amount_default
    for refused in (limit + 1, 0, -1):
        with pytest.raises(ConfigError, match=f"the amount is 1 to {limit} "):
            checked_amount(fault, refused)


def test_an_unknown_fault_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="no fault 'earthquake'; there is duplicate, reorder"):
        fault_of("earthquake")


class Source:
    """What a session has to say, in chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = list(chunks)

    def pull(self) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""


def drained(line: Line, source: Source, now: float) -> Iterator[tuple[float, bytes]]:
    """Let time pass as the line's timer asks for it, until nothing is held back."""
    while True:
        if data := line.send(source.pull, now):
            yield now, data
            continue
        due = line.next_timer(now)
        if due is None:
            return
        assert due > now, "nothing goes out, and yet a timer is due now"
        now = due


chunks = st.lists(st.binary(min_size=1, max_size=300), max_size=12)
seconds = st.floats(0, 20)


@given(chunks, seconds, seconds, seconds, st.integers(1, 5_000))
def test_a_line_holds_back_and_loses_nothing(
    sent: list[bytes], stall_s: float, delay_s: float, drip_s: float, rate: int
) -> None:
    conditions = LineConditions()
    conditions.stall(stall_s, 100.0)
    conditions.delay(delay_s, 10.0, 100.0)
    conditions.drip(rate, drip_s, 100.0)
    out = list(drained(Line(conditions), Source(sent), 100.0))
    assert b"".join(data for _, data in out) == b"".join(sent)
    assert all(at >= 100.0 + stall_s for at, _ in out)
    assert all(len(data) <= max(1, rate * DRIP_INTERVAL_S) for at, data in out if at < 100.0 + drip_s)


def test_a_line_with_nothing_wrong_hands_on_what_it_is_given() -> None:
    line, source = Line(LineConditions()), Source([b"one", b"two"])
    assert (line.send(source.pull, 1.0), line.send(source.pull, 1.0)) == (b"one", b"two")
    assert line.next_timer(1.0) is None


def test_a_delay_is_as_long_as_it_says_and_ends() -> None:
    conditions = LineConditions()
    conditions.delay(0.3, 10.0, 100.0)
    line = Line(conditions)
    assert line.send(Source([b"late"]).pull, 100.0) == b""
    assert line.next_timer(100.0) == pytest.approx(100.3)
    assert line.send(Source([]).pull, 100.31) == b"late"
    assert line.send(Source([b"in time"]).pull, 110.1) == b"in time"


def test_what_a_line_holds_back_is_bounded() -> None:
    conditions = LineConditions()
    conditions.delay(5.0, 10.0, 100.0)
    line, source = Line(conditions), Source([bytes(1 << 16)] * 100)
    line.send(source.pull, 100.0)
    assert sum(map(len, source.chunks)) == (100 << 16) - LINE_BYTES_MAX


def shown(fault: Fault, amount: int | None = None, blocks: int = 8) -> tuple[list[list[bytes]], Devnet]:
    """Show a fault to a synced peer; return the runs of headers it hears, and the devnet."""

    async def main() -> tuple[list[list[bytes]], Devnet]:
        options = DevnetOptions(block_interval_s=0, blocks_at_start=blocks)
        async with running(CHAIN, options=options) as (devnet, addresses), Peer(addresses[0]) as peer:
            devnet.show(CHAIN, fault, amount)
            return await heard_before(peer, devnet.ledger(CHAIN).tip), devnet

    return asyncio.run(main())


async def heard_before(peer: Peer, tip: bytes) -> list[list[bytes]]:
    """Ask for what is above the tip, and return what was announced before the answer: nothing."""
    peer.session.request_headers([tip], 0.0)
    runs: list[list[bytes]] = []
    while run := list((await peer.next(HeadersReceived)).headers):
        runs.append(run)
    return runs


def hashes_of(runs: list[list[bytes]]) -> list[bytes]:
    return [sha256d(header[:HEADER_SIZE]) for run in runs for header in run]


def parent_of(header: bytes) -> bytes:
    return header[4:36]


def body_verdict(devnet: Devnet, block_hash: bytes) -> object:
    raw = devnet.ledger(CHAIN).body(block_hash, witness=True)
    assert raw is not None
    return PROCESSOR.process_block(raw)


def newest(devnet: Devnet, count: int) -> list[bytes]:
    ledger = devnet.ledger(CHAIN)
    return ledger.best_chain_from(ledger.height() - count + 1, count)


def test_duplicate_announces_the_newest_blocks_once_more() -> None:
    runs, devnet = shown(Fault.DUPLICATE, 2)
    assert [len(run) for run in runs] == [2]
    assert hashes_of(runs) == newest(devnet, 2)


def test_replay_announces_old_heads_one_by_one_oldest_first() -> None:
    runs, devnet = shown(Fault.REPLAY, 4)
    assert [len(run) for run in runs] == [1] * 4
    assert hashes_of(runs) == newest(devnet, 4)


def test_reorder_announces_new_blocks_newest_first() -> None:
    runs, devnet = shown(Fault.REORDER, 3)
    assert devnet.ledger(CHAIN).height() == 11
    assert [len(run) for run in runs] == [1] * 3
    assert hashes_of(runs) == newest(devnet, 3)[::-1]


def test_fork_announces_a_branch_with_more_work() -> None:
    runs, devnet = shown(Fault.FORK, 2)
    assert devnet.ledger(CHAIN).height() == 9
    assert hashes_of(runs) == newest(devnet, 3)


def test_short_fork_announces_a_sound_branch_with_less_work() -> None:
    runs, devnet = shown(Fault.SHORT_FORK, 3)
    ledger = devnet.ledger(CHAIN)
    assert ledger.height() == 8
    branch = hashes_of(runs)
    assert len(branch) == 2
    assert not set(branch) & set(ledger.best_chain_from(0, 100))
    assert parent_of(runs[0][0]) == ledger.best_chain_hash_at(5)
    assert all(isinstance(body_verdict(devnet, each), Block) for each in branch)


def test_wrong_parent_announces_a_worked_header_on_a_block_that_there_is_not() -> None:
    runs, devnet = shown(Fault.WRONG_PARENT)
    ((header,),) = runs
    assert isinstance(PROCESSOR.process_header(header), Header)
    assert devnet.ledger(CHAIN).header(parent_of(header)) is None
    assert devnet.ledger(CHAIN).height() == 8


@pytest.mark.parametrize(
    ("fault", "check"), [(Fault.BAD_MERKLE, "merkle_root"), (Fault.BAD_PROOF, "proof_of_work")]
)
def test_a_lie_is_announced_served_and_refused_for_its_reason(fault: Fault, check: str) -> None:
    runs, devnet = shown(fault)
    (false,) = hashes_of(runs)
    assert false == devnet.ledger(CHAIN).tip
    verdict = body_verdict(devnet, false)
    assert not isinstance(verdict, Block | Header)
    assert getattr(verdict, "check", None) == check


@pytest.mark.parametrize("chain_id", CHAIN_OF)
@pytest.mark.parametrize("fault", sorted(LIES))
def test_a_node_drops_a_lie_and_mines_on_below_it(
    chain_id: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprint.tools.devnet.listening_node.FALSE_BLOCK_KEPT_S", 0.01)

    async def main() -> None:
        async with running(chain_id) as (devnet, addresses), Peer(addresses[0]) as peer:
            ledger = devnet.ledger(chain_id)
            true_tip = ledger.tip
            (false,) = devnet.show(chain_id, fault)
            await until(lambda: ledger.tip != false)
            assert ledger.tip == true_tip
            (after,) = devnet.mine(chain_id)
            header = ledger.header(after)
            assert header is not None
            assert parent_of(header) == true_tip
            await peer.sync(peer.genesis)

    asyncio.run(main())


def test_a_stalled_node_keeps_connections_and_says_nothing_until_it_is_over() -> None:
    async def main() -> None:
        async with running(CHAIN) as (devnet, addresses), Peer(addresses[0]) as peer:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            devnet.show(CHAIN, Fault.STALL, 1)
            (mined,) = devnet.mine(CHAIN)
            assert hashes_of([await peer.sync(peer.genesis)]) == [mined]
            assert loop.time() - begun >= 1.0

    asyncio.run(main())


def test_disconnect_cuts_every_connection_and_new_ones_are_served() -> None:
    async def main() -> None:
        async with running(CHAIN) as (devnet, addresses):
            async with Peer(addresses[0]) as peer:
                devnet.show(CHAIN, Fault.DISCONNECT)
                await peer.ended()
            async with Peer(addresses[0]) as again:
                assert len(await again.sync(again.genesis)) == 3

    asyncio.run(main())


def test_a_devnet_with_faults_shows_the_seeds_first_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedule's times are cut to nothing; what is shown, and in which order, is the seed's."""
    seen: list[tuple[Fault, int]] = []
    enough = asyncio.Event()

    def note(_: object, fault: Fault, amount: int) -> list[bytes]:
        seen.append((fault, amount))
        if len(seen) == 10:
            enough.set()
        return []

    def at_once(rng: SeededBits, kinds: list[Fault]) -> Iterator[PlannedFault]:
        assert kinds == UNPUBLISHED
        return (PlannedFault(0.0, each.fault, each.amount) for each in schedule(rng, kinds))

    monkeypatch.setattr("sprint.tools.devnet.listening_node.ListeningNode.show", note)
    monkeypatch.setattr("sprint.tools.devnet.listening_node.schedule", at_once)

    async def main() -> None:
        async with (
            running(CHAIN, options=DevnetOptions(block_interval_s=0, faults="7")),
            asyncio.timeout(10),
        ):
            await enough.wait()

    asyncio.run(main())
    expected = itertools.islice(schedule(SeededBits(f"7/{CHAIN}/faults"), UNPUBLISHED), 10)
    assert seen[:10] == [(each.fault, each.amount) for each in expected]
