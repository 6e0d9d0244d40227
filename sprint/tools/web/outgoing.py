"""The way out of one connection: bounded, and never awaited by who offers.

What is not yet out is counted wherever it waits: in our own queue (while a coalescing window is open), in
the transport's buffer, and in the socket's. At the bound the rest is dropped and `overflow` is called with
the cursor of the last event queued; from then on nothing is taken. WebSocket and NDJSON stand on it alike:
an event is encoded once for each and the same bytes go to every transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence

from sprint.tools.net import SEND_BUFFER_SIZE

MESSAGES_MAX = 500
BYTES_MAX = 1024 * 1024
# Above the high mark a replay waits. It is low enough that a page of replay on top of it stays in bounds.
HIGH_WATER_SIZE = 32 * 1024
LOW_WATER_SIZE = 8 * 1024
# So much in a window has it close early; a few connections a turn, as ever.
WINDOW_MESSAGES_MAX = 64
WINDOW_SIZE_MAX = HIGH_WATER_SIZE
# A burst must not close a peer that reads well because its turn has not come: so much is written at once.
UNWRITTEN_MESSAGES_MAX = 256
UNWRITTEN_SIZE_MAX = 256 * 1024
# Connections flushed in one turn of the loop, so that others' events go out between.
FLUSHED_PER_TURN = 32
NOTES_MAX = 1_024
log = logging.getLogger(__name__)
_RESET = struct.pack("ii", 1, 0)  # linger on, for 0 s: close sends a reset


class FlushWindow:
    """Joins what is offered within `window_s` into one write; one timer for all who share it.

    A few connections are flushed in each turn of the loop: a thousand writes in one would hold up those who
    have no window.
    """

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._due: list[Outgoing] = []
        self._notes: list[Callable[[], None]] = []
        # Of windows that have closed: who is to be flushed, and the notes behind them.
        self._closed: deque[Outgoing | Callable[[], None]] = deque()
        self._flushing = False
        self._timer: asyncio.Handle | None = None
        self._hurried = False

    def add(self, outgoing: Outgoing) -> None:
        """Have `outgoing` flushed when the window closes; opens it if need be."""
        self._open()
        self._due.append(outgoing)

    def when_flushed(self, note: Callable[[], None]) -> None:
        """Have `note` called once all that was offered by now is written."""
        self._open()
        self._notes.append(note)
        if len(self._notes) >= NOTES_MAX:
            self._flush()

    def close_early(self) -> None:
        """Close the window in the next turn of the loop: enough waits for it."""
        if not self._hurried and self._timer is not None:
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_soon(self._flush)
            self._hurried = True

    def _open(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.window_s, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hurried = False
        self._closed += self._due
        self._closed += self._notes
        self._due, self._notes = [], []
        if not self._flushing:
            self._flush_some()

    def _flush_some(self) -> None:
        """Flush as many as may be in one turn; the rest in the next ones, of all closed windows in order."""
        flushed = 0
        while self._closed and flushed < FLUSHED_PER_TURN:
            first = self._closed.popleft()
            try:
                if isinstance(first, Outgoing):
                    flushed += 1
                    first.flush()
                else:
                    first()
            except Exception:  # the others' bytes still have to go
                log.exception("what waited for a window's close could not be written")
        self._flushing = bool(self._closed)
        if self._flushing:
            asyncio.get_running_loop().call_soon(self._flush_some)


class Outgoing:
    """Bounded writer of one transport, called on its event loop."""

    def __init__(
        self,
        transport: asyncio.Transport,
        overflow: Callable[[str], None],
        window: FlushWindow | None = None,
        *,
        messages_max: int = MESSAGES_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._transport = transport
        self._overflow = overflow
        self.window = window
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._socket_size = _send_buffer_size(transport)
        self._queue: list[bytes] = []
        self._queue_size = 0
        self._cursor = ""
        # Sizes of the frames given to the transport while it held others: how many it holds is told by
        # how many bytes it holds.
        self._sizes: deque[int] = deque()
        self._sizes_sum = 0
        self._writable = asyncio.Event()
        self._writable.set()
        self.ended = asyncio.Event()
        transport.set_write_buffer_limits(high=HIGH_WATER_SIZE, low=LOW_WATER_SIZE)

    def __repr__(self) -> str:
        return f"Outgoing(bytes={self.waiting_size}, messages={self.waiting_messages})"

    def offer(self, frame: bytes, cursor: str) -> bool:
        """Send or queue a frame; False where it was dropped. Never awaits."""
        if self.window is None and not self._transport.get_write_buffer_size() and not self.ended.is_set():
            if self._sizes:
                self._sizes.clear()
                self._sizes_sum = 0
            self._transport.write(frame)
            self._cursor = cursor
            return True
        return self._offer_behind(frame, cursor)

    def offer_run(self, frames: Sequence[bytes], cursors: Sequence[str], joined: bytes) -> bool:
        """Offer several frames; `joined` is all of them, written as one where nothing waits before them."""
        if self.window is None and not self._transport.get_write_buffer_size() and not self.ended.is_set():
            self._sizes.clear()
            self._sizes_sum = 0
            self._write(joined, tuple(map(len, frames)))
            self._cursor = cursors[-1]
            return True
        if self.window is not None and self._has_room(len(frames), len(joined)):
            self._keep(self.window, frames, len(joined))
            self._cursor = cursors[-1]
            return True
        return all(self._offer_behind(*pair) for pair in zip(frames, cursors, strict=True))

    def send(self, frame: bytes) -> bool:
        """Send what is no event (an answer, a ping), within the same bounds."""
        return self.offer(frame, self._cursor)

    @property
    def waiting_size(self) -> int:
        """Bytes not yet taken by the peer's machine, as far as they can be counted."""
        buffered = self._transport.get_write_buffer_size()
        # A transport holds bytes back only when the socket's own buffer is full.
        return self._queue_size + buffered + (self._socket_size if buffered else 0)

    @property
    def waiting_messages(self) -> int:
        buffered = self._transport.get_write_buffer_size()
        sizes = self._sizes
        while sizes and self._sizes_sum - sizes[0] >= buffered:
            self._sizes_sum -= sizes.popleft()
        return len(self._queue) + len(sizes)

    def _offer_behind(self, frame: bytes, cursor: str) -> bool:
        if self.ended.is_set():
            return False
        if self.waiting_size and not self._has_room(1, len(frame)):
            self.overflow()
            return False
        if self.window is not None:
            self._keep(self.window, (frame,), len(frame))
        else:
            self._write(frame, (len(frame),))
        self._cursor = cursor
        return True

    def _has_room(self, messages: int, size: int) -> bool:
        """Tell whether so much more may wait. What has ended has none."""
        if self.ended.is_set() or self.waiting_messages + messages > self._messages_max:
            return False
        return self.waiting_size + size <= self._bytes_max

    def _keep(self, window: FlushWindow, frames: Sequence[bytes], size: int) -> None:
        """Keep frames for the window; have it closed early, or don't wait for it, where much waits."""
        if not self._queue:
            window.add(self)
        self._queue.extend(frames)
        self._queue_size += size
        messages, size = len(self._queue), self._queue_size
        if messages >= UNWRITTEN_MESSAGES_MAX or size >= UNWRITTEN_SIZE_MAX:
            self.flush()
        elif messages >= WINDOW_MESSAGES_MAX or size >= WINDOW_SIZE_MAX:
            window.close_early()

    def flush(self) -> None:
        """Give the transport what waits for the window to close, as one write."""
        if self._queue:
            queue, self._queue, self._queue_size = self._queue, [], 0
            if not self._transport.is_closing():
                self._write(b"".join(queue), tuple(map(len, queue)))

    def _write(self, data: bytes, sizes: tuple[int, ...]) -> None:
        self._sizes.extend(sizes)
        self._sizes_sum += len(data)
        self._transport.write(data)

    def overflow(self) -> None:
        """Take no more, and have the connection closed as slow."""
        if not self.ended.is_set():
            self.end()
            self._overflow(self._cursor)

    def end(self) -> None:
        """Flush, then take no more: the connection is being closed or is lost."""
        self.flush()
        self.ended.set()
        self._writable.set()

    def pause(self) -> None:
        """Told by the protocol: the transport holds more than the high mark."""
        if not self.ended.is_set():
            self._writable.clear()

    def resume(self) -> None:
        """Told by the protocol: the transport is below the low mark."""
        self._writable.set()

    async def drained(self) -> bool:
        """Wait until more may be offered at leisure; False once nothing is taken any more."""
        self.flush()
        await self._writable.wait()
        return not self.ended.is_set()


def reset(transport: asyncio.Transport) -> None:
    """Drop the connection at once, with what the socket still holds."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):  # closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


def _send_buffer_size(transport: asyncio.Transport) -> int:
    sock = transport.get_extra_info("socket")
    return SEND_BUFFER_SIZE if sock is None else int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
