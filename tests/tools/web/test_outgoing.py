"""The bounded way out of one connection."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from sprint.tools.net import SEND_BUFFER_SIZE
from sprint.tools.web.outgoing import (
    FLUSHED_PER_TURN,
    MESSAGES_MAX,
    NOTES_MAX,
    WINDOW_MESSAGES_MAX,
    FlushWindow,
    Outgoing,
)


class HoldingTransport:
    """A transport whose buffer drains when the test says so."""

    def __init__(self) -> None:
        self.held = 0
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        self.held += len(data)

    def get_write_buffer_size(self) -> int:
        return self.held

    def set_write_buffer_limits(self, **_: int) -> None: ...

    def get_extra_info(self, _: str) -> None: ...

    def is_closing(self) -> bool:
        return False


def bounded(
    messages_max: int, bytes_max: int, window: FlushWindow | None = None
) -> tuple[Outgoing, HoldingTransport, list[str]]:
    transport = HoldingTransport()
    overflows: list[str] = []
    outgoing = Outgoing(
        cast("Any", transport), overflows.append, window, messages_max=messages_max, bytes_max=bytes_max
    )
    return outgoing, transport, overflows


def test_messages_are_taken_up_to_the_limit_and_one_over_overflows_with_the_last_cursor() -> None:
    outgoing, transport, overflows = bounded(3, 10**9)
    # The first goes straight to a transport that held nothing; three may then wait behind it.
    assert [outgoing.offer(b"x", str(n)) for n in range(5)] == [True, True, True, True, False]
    assert overflows == ["3"]
    transport.held = 0
    assert not outgoing.offer(b"x", "5")
    assert overflows == ["3"]
    assert transport.writes == [b"x"] * 4


def test_bytes_are_counted_with_the_sockets_buffer() -> None:
    outgoing, _, overflows = bounded(10**6, SEND_BUFFER_SIZE + 100)
    assert outgoing.offer(b"x" * 60, "1")
    assert outgoing.offer(b"x" * 40, "2")
    assert not outgoing.offer(b"x", "3")
    assert overflows == ["2"]


def test_one_frame_over_the_limit_is_taken_where_nothing_waits() -> None:
    outgoing, _, overflows = bounded(10, 100)
    assert outgoing.offer(b"x" * 1_000, "1")
    assert not overflows


def test_a_run_is_one_write_where_nothing_waits_and_is_counted_frame_by_frame() -> None:
    outgoing, transport, overflows = bounded(3, 10**9)
    frames, cursors = [b"a", b"bb", b"cc"], ["1", "2", "3"]
    assert outgoing.offer_run(frames, cursors, b"abbcc")
    assert transport.writes == [b"abbcc"]
    assert outgoing.waiting_messages == 3
    assert not outgoing.offer(b"d", "4")
    assert overflows == ["3"]
    transport.held = 0
    assert not outgoing.offer_run(frames, cursors, b"abbcc")
    assert transport.writes == [b"abbcc"]


def test_a_run_behind_what_waits_is_taken_up_to_the_limit_and_no_further() -> None:
    outgoing, transport, overflows = bounded(3, 10**9)
    assert outgoing.offer(b"x", "0")
    assert not outgoing.offer_run([b"a", b"b", b"c", b"d"], ["1", "2", "3", "4"], b"abcd")
    assert transport.writes == [b"x", b"a", b"b", b"c"]
    assert overflows == ["3"]


def test_what_the_peer_has_taken_no_longer_counts() -> None:
    outgoing, transport, overflows = bounded(4, 10**9)
    for number in range(100):
        assert outgoing.offer(b"xx", str(number))
        transport.held = min(transport.held, 5)  # never empty, always moving
    assert not overflows


@given(st.lists(st.one_of(st.integers(1, 50), st.integers(-200, -1)), max_size=60))
def test_waiting_is_never_above_the_bounds_nor_less_than_the_transport_holds(steps: list[int]) -> None:
    outgoing, transport, overflows = bounded(8, SEND_BUFFER_SIZE + 150)
    for step in steps:
        if step < 0:
            transport.held = max(0, transport.held + step)
        else:
            outgoing.offer(b"x" * step, "c")
        assert transport.held <= 150 + 50
        assert outgoing.waiting_messages <= 8
        assert outgoing.waiting_size >= transport.held
    assert len(overflows) <= 1


def test_window_joins_frames_into_one_write_and_counts_them_meanwhile() -> None:
    async def run() -> None:
        window = FlushWindow(0.001)
        outgoing, transport, overflows = bounded(3, 10**9, window)
        other, other_transport, _ = bounded(3, 10**9, window)
        assert [outgoing.offer(frame, "c") for frame in (b"a", b"b", b"c")] == [True] * 3
        assert other.offer(b"z", "c")
        assert not transport.writes
        assert outgoing.waiting_messages == 3
        window._flush()
        assert (transport.writes, other_transport.writes) == ([b"abc"], [b"z"])
        assert outgoing.waiting_messages == 3
        assert not outgoing.offer(b"d", "d")
        assert overflows == ["c"]

    asyncio.run(run())


def test_overflow_writes_what_waited_for_the_window() -> None:
    async def run() -> None:
        outgoing, transport, overflows = bounded(2, 10**9, FlushWindow(60))
        assert [outgoing.offer(frame, frame.decode()) for frame in (b"a", b"b", b"c")] == [True, True, False]
        assert transport.writes == [b"ab"]
        assert overflows == ["b"]

    asyncio.run(run())


def test_burst_within_a_window_does_not_close_a_peer_that_reads_as_slow() -> None:
    """A catch-up of more than MESSAGES_MAX events within one window closed every subscriber of the tier."""

    async def run() -> None:
        outgoing, transport, overflows = bounded(MESSAGES_MAX, 10**9, FlushWindow(60))
        for number in range(4 * MESSAGES_MAX):
            assert outgoing.offer(b"%04d" % number, "c")
            transport.held = 0
        outgoing.end()
        assert not overflows
        assert b"".join(transport.writes) == b"".join(b"%04d" % n for n in range(4 * MESSAGES_MAX))
        assert len(transport.writes) <= 4 * MESSAGES_MAX / WINDOW_MESSAGES_MAX + 1

    asyncio.run(run())


def test_one_that_cannot_be_written_to_stops_no_window_for_the_others() -> None:
    """An error in a later turn left the window as if it were flushing, and it wrote nothing ever again."""

    async def run() -> None:
        window = FlushWindow(60)
        peers = [bounded(3, 10**9, window) for _ in range(2 * FLUSHED_PER_TURN)]
        broken = peers[FLUSHED_PER_TURN][0]

        def fail() -> None:
            raise RuntimeError("a mistake of ours")

        broken.flush = fail  # type: ignore[method-assign]  # no connection fails so by itself
        for round_number in (1, 2):
            for outgoing, _, _ in peers:
                outgoing.offer(b"a", "c")
            window._flush()
            for _ in range(3):
                await asyncio.sleep(0)
            written = [transport.writes for outgoing, transport, _ in peers if outgoing is not broken]
            assert written == [[b"a"] * round_number] * (len(peers) - 1)

    asyncio.run(run())


def test_window_flushes_a_few_connections_a_turn_and_tells_when_all_are_written() -> None:
    async def run() -> None:
        window = FlushWindow(60)
        told: list[int] = []
        peers = [bounded(3, 10**9, window) for _ in range(2 * FLUSHED_PER_TURN + 1)]
        written = [transport.writes for _, transport, _ in peers]
        for outgoing, _, _ in peers:
            outgoing.offer(b"a", "c")
        window.when_flushed(lambda: told.append(written.count([b"a"])))
        window._flush()
        assert written.count([b"a"]) == FLUSHED_PER_TURN
        # What is offered between two turns waits for the next window, or goes out behind the first.
        peers[0][0].offer(b"b", "c")
        peers[-1][0].offer(b"b", "c")
        for _ in range(3):
            await asyncio.sleep(0)
        assert told == [len(peers) - 1]
        assert (written[0], written[-1]) == ([b"a"], [b"ab"])
        window._flush()
        assert written[0] == [b"a", b"b"]

    asyncio.run(run())


def test_window_with_too_many_notes_closes_early() -> None:
    async def run() -> None:
        window = FlushWindow(60)
        told: list[int] = []
        for number in range(NOTES_MAX):
            assert not told
            window.when_flushed(partial(told.append, number))
        assert told == list(range(NOTES_MAX))

    asyncio.run(run())


def test_drained_waits_while_paused_and_says_when_it_is_over() -> None:
    async def run() -> None:
        outgoing, _, _ = bounded(10, 10**9)
        outgoing.pause()
        waiting = asyncio.create_task(outgoing.drained())
        await asyncio.sleep(0)
        assert not waiting.done()
        outgoing.resume()
        assert await waiting
        outgoing.pause()
        waiting = asyncio.create_task(outgoing.drained())
        await asyncio.sleep(0)
        outgoing.end()
        assert not await waiting

    asyncio.run(run())
