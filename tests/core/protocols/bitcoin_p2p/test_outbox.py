"""What waits for a peer: order, sizes, and replies that are made when their turn comes."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.protocols.bitcoin_p2p.outbox import Outbox

parts = st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.booleans()))


@given(parts, st.integers(1, 50))
def test_all_comes_out_in_order_and_is_counted_while_it_waits(
    queued: list[tuple[bytes, bool]], wanted: int
) -> None:
    outbox = Outbox()
    for frame, later in queued:
        if later:
            outbox.defer(partial(bytes, frame))
        else:
            outbox.add(frame)
    assert outbox.deferred == sum(later for _, later in queued)
    assert outbox.size_bytes == sum(len(frame) for frame, later in queued if not later)
    taken = []
    while data := outbox.take(wanted):
        taken.append(data)
    assert b"".join(taken) == b"".join(frame for frame, _ in queued)
    assert (outbox.deferred, outbox.size_bytes) == (0, 0)


def test_whole_frames_are_taken_until_there_is_as_much_as_wanted() -> None:
    outbox = Outbox()
    for frame in (b"aaa", b"bbb", b"ccc"):
        outbox.add(frame)
    assert [outbox.take(4), outbox.take(3), outbox.take(1)] == [b"aaabbb", b"ccc", b""]


def test_clearing_drops_all() -> None:
    outbox = Outbox()
    outbox.add(b"a")
    outbox.defer(lambda: b"b")
    outbox.clear()
    assert (outbox.take(9), outbox.size_bytes, outbox.deferred) == (b"", 0, 0)
