"""The check of the stream: silent on whatever a relay may rightly give, and on nothing else."""

from __future__ import annotations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from sprint.core.chaos import stream_check
from sprint.core.chaos.observation import BlockSeen, EventSeen, GapSeen, OtherSeen, ReorgSeen
from sprint.core.chaos.stream_check import StreamCheck, StreamVerdict, Truth

CHAIN = "litecoin-regtest"


class Relay:
    """Gives a stream by the rules: blocks, reorgs, switches back, gaps with blocks that come late."""

    def __init__(self) -> None:
        self.branch: list[tuple[str, str]] = []
        self.given: set[str] = set()
        self.events: list[EventSeen] = []
        self.left: list[list[tuple[str, str]]] = []
        self.missed: list[tuple[int, tuple[str, str]]] = []
        self._names = 0

    def block(self) -> None:
        self._give(self._mine())

    def other(self) -> None:
        self.events.append(OtherSeen(0.0, CHAIN, self._position(), "finalized"))

    def gap(self, count: int) -> None:
        begin = len(self.branch)
        for _ in range(count):
            self.missed.append((len(self.branch), self._mine()))
        self.events.append(GapSeen(0.0, CHAIN, self._position(), begin, begin + count - 1, "no body"))
        self.block()

    def late(self) -> None:
        for height, (name, parent) in self.missed:
            place = self._position()
            self.events.append(BlockSeen(0.0, CHAIN, place, name, parent, height, late=True))
            self.given.add(name)
        self.missed.clear()

    def reorg(self, depth: int, *, back: bool) -> None:
        """Replace the newest blocks by one more; `back`: by a branch that was left before, where one fits."""
        fork = len(self.branch) - depth
        removed = self.branch[fork:]
        del self.branch[fork:]
        self.left.append([*self.branch, *removed])
        old = next((b for b in self.left if back and b[:fork] == self.branch and len(b) > fork), None)
        added = [] if old is None or old[fork] == removed[0] else old[fork:]
        self.branch += added
        while len(self.branch) < fork + depth + 1:
            added.append(self._mine())
        names = tuple(name for name, _ in added)
        gone = tuple(name for name, _ in reversed(removed))
        self.events.append(ReorgSeen(0.0, CHAIN, self._position(), fork - 1, gone, names))
        for height, one in enumerate(added, start=fork):
            if one[0] not in self.given:
                self._give(one, height)

    def truth(self) -> Truth:
        return Truth(CHAIN, 0, tuple(name for name, _ in self.branch))

    def _mine(self) -> tuple[str, str]:
        self._names += 1
        one = (f"{self._names:04x}", self.branch[-1][0] if self.branch else "0000")
        self.branch.append(one)
        return one

    def _give(self, one: tuple[str, str], height: int | None = None) -> None:
        place = len(self.branch) - 1 if height is None else height
        self.events.append(BlockSeen(0.0, CHAIN, self._position(), *one, place))
        self.given.add(one[0])

    def _position(self) -> int:
        return len(self.events) + 1


@st.composite
def relays(draw: st.DrawFn) -> Relay:
    relay = Relay()
    for _ in range(3):
        relay.block()
    for step in draw(st.lists(st.sampled_from(["block", "other", "gap", "reorg", "back"]), max_size=20)):
        settled = not relay.missed
        if step == "gap":
            relay.gap(draw(st.integers(1, 3)))
            relay.late()
        elif step in {"reorg", "back"} and settled:
            relay.reorg(draw(st.integers(1, min(3, len(relay.branch) - 1))), back=step == "back")
        elif step == "other":
            relay.other()
        else:
            relay.block()
    return relay


def checked(events: list[EventSeen], *truths: Truth) -> StreamVerdict:
    check = StreamCheck()
    for event in events:
        check.add(event)
    return check.verdict(truths)


def renumbered(events: list[EventSeen]) -> list[EventSeen]:
    return [msgspec.structs.replace(each, position=n) for n, each in enumerate(events, start=1)]


@given(relays())
def test_whatever_a_relay_rightly_gives_is_whole(relay: Relay) -> None:
    verdict = checked(relay.events, relay.truth())
    assert verdict.whole, verdict
    assert (verdict.findings, verdict.missing) == ((), 0)
    assert verdict.compared == len(relay.branch)


@given(relays(), st.integers(0, 100))
def test_a_subscriber_that_came_in_the_middle_sees_a_whole_stream(relay: Relay, at: int) -> None:
    events = relay.events[at % len(relay.events) :]
    assume(not any(isinstance(each, BlockSeen) and each.late for each in events))
    verdict = checked(events)
    assert verdict.whole, verdict


@given(relays(), st.integers(0, 100))
def test_one_event_that_did_not_come_is_found_by_its_position(relay: Relay, at: int) -> None:
    place = 1 + at % (len(relay.events) - 1)
    assume(place < len(relay.events) - 1)
    events = relay.events[:place] + relay.events[place + 1 :]
    assert not checked(events).whole


@given(relays(), st.integers(0, 100))
def test_a_block_that_was_left_out_is_found_though_the_positions_are_whole(relay: Relay, at: int) -> None:
    """As of a relay that numbers what it gives, and gives too little."""
    blocks = [n for n, each in enumerate(relay.events) if isinstance(each, BlockSeen) and n > 0]
    place = blocks[at % len(blocks)]
    lost = relay.events[place]
    assert isinstance(lost, BlockSeen)
    assume(lost.hash in relay.truth().hashes)
    events = renumbered(relay.events[:place] + relay.events[place + 1 :])
    assert not checked(events, relay.truth()).whole


@given(relays(), st.integers(0, 100))
def test_a_block_that_comes_twice_is_found(relay: Relay, at: int) -> None:
    blocks = [each for each in relay.events if isinstance(each, BlockSeen)]
    verdict = checked(renumbered([*relay.events, blocks[at % len(blocks)]]))
    assert verdict.twice == 1
    assert not verdict.whole


def test_events_out_of_order_are_told_as_that() -> None:
    relay = Relay()
    for _ in range(5):
        relay.block()
    events = [*relay.events[:2], relay.events[3], relay.events[2], relay.events[4]]
    verdict = checked(events)
    assert verdict.out_of_order == 1
    assert not verdict.whole


def test_heights_that_a_gap_passed_over_and_that_never_came_are_counted() -> None:
    relay = Relay()
    relay.block()
    relay.gap(3)
    assert checked(relay.events).passed_over == 3
    relay.late()
    assert checked(relay.events, relay.truth()).whole


def test_blocks_that_a_reorg_names_and_that_never_come_are_lost() -> None:
    relay = Relay()
    for _ in range(4):
        relay.block()
    relay.reorg(2, back=False)
    assert checked(relay.events[:-1]).lost == 1


def test_a_gap_for_an_expired_cursor_stands_at_a_position_of_its_own_and_counts_as_passed_over() -> None:
    events: list[EventSeen] = [
        BlockSeen(0.0, CHAIN, 5, "05", "04", 5),
        GapSeen(0.0, CHAIN, 9, 6, 9, stream_check.EXPIRED_GAP_REASON),
        BlockSeen(0.0, CHAIN, 10, "0a", "09", 10),
    ]
    verdict = checked(events)
    assert (verdict.lost, verdict.passed_over) == (0, 4)


def test_the_nodes_blocks_that_did_not_come_are_named() -> None:
    relay = Relay()
    for _ in range(3):
        relay.block()
    truth = Truth(CHAIN, 0, (*relay.truth().hashes, "beef"))
    verdict = checked(relay.events, truth)
    assert verdict.missing == 1
    assert "beef" in verdict.findings[-1].text


def test_a_chain_of_which_no_block_came_is_said_not_to_be_compared() -> None:
    verdict = checked([], Truth(CHAIN, 0, ("aa",)))
    assert verdict.notes == (f"{CHAIN}: no block came, so none was compared with the node's",)


def test_what_is_remembered_is_bounded_and_what_was_forgotten_is_said() -> None:
    limit = stream_check.BLOCKS_REMEMBERED_MAX
    check = StreamCheck()
    for n in range(limit + 2):
        check.add(BlockSeen(0.0, CHAIN, n + 1, f"{n + 1:06x}", f"{n:06x}", n + 1))
    verdict = check.verdict([Truth(CHAIN, 1, tuple(f"{n + 1:06x}" for n in range(limit + 2)))])
    assert (verdict.blocks, verdict.missing, verdict.compared) == (limit + 2, 0, limit)
    assert "2 older blocks were forgotten" in verdict.notes[0]


def test_a_block_on_another_than_the_one_before_is_found_though_its_height_follows() -> None:
    verdict = checked([BlockSeen(0.0, CHAIN, 1, "01", "00", 1), BlockSeen(0.0, CHAIN, 2, "02", "ff", 2)])
    assert (verdict.lost, verdict.findings[0].text) == (
        1,
        "the parent of block 02 at height 2 did not come",
    )


def test_more_heights_than_a_gap_told_of_are_found() -> None:
    events: list[EventSeen] = [
        BlockSeen(0.0, CHAIN, 1, "01", "00", 1),
        GapSeen(0.0, CHAIN, 2, 2, 3, "no body"),
        BlockSeen(0.0, CHAIN, 3, "06", "05", 6),
    ]
    assert checked(events).findings[0].text == "after height 3 came 6, with no gap told"


def test_a_stream_that_fell_behind_the_relay_has_lost_what_is_between() -> None:
    check = StreamCheck()
    check.add(BlockSeen(0.0, CHAIN, 1, "01", "00", 1))
    check.fell_behind(9.0, CHAIN, 1, 4)
    verdict = check.verdict()
    assert (verdict.lost, verdict.whole, verdict.findings[0].at_s) == (3, False, 9.0)
