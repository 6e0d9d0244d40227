"""One connection through a proxy: two sockets and the channels between them, on the event loop.

Without toxics what one end sends is written to the other in the same turn. Otherwise the channel says what is
to be written when. An end that doesn't read has the other end not read either, so no more than the channel's
limit, and a transport's, is held. A half-close is passed on as one, a reset as a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast

from sprint.core.faultproxy.channel import Channel
from sprint.core.faultproxy.connection import ConnectionFaults, Ending
from sprint.core.faultproxy.stages import End, Piece
from sprint.core.faultproxy.toxics import ActiveToxic, Direction
from sprint.tools.faultproxy.reading import BULK_READ_SIZE_MAX, READ_SIZE_MAX, ReadBuffer
from sprint.tools.runtime import clock

# Written to a transport and not yet taken by its socket.
WRITE_SIZE_HIGH = 262_144
# A closed end that doesn't read is let go after so long.
CLOSE_TIMEOUT_S = 10.0
# What has come and is not read any more, before its end is closed: more than a socket's buffer has.
UNREAD_SIZE_MAX = 16 * 1024 * 1024


class LinkEnd(asyncio.BufferedProtocol):
    """One of the two sockets. `other` is the end that gets what this one sends, through `channel`."""

    other: LinkEnd

    def __init__(self, link: Link, channel: Channel) -> None:
        self._link = link
        self.channel = channel
        self.transport: asyncio.Transport | None = None
        self.is_paused = False  # it doesn't read what is written to it
        self.is_read = True
        self.has_sent_all = False  # its end of stream was read, so there is nothing more to read
        self.has_ended = False  # it was told the end of the stream
        self.is_closing = False  # what still comes is thrown away
        self.received_size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # a TCP socket makes no other kind
        self.transport.set_write_buffer_limits(high=WRITE_SIZE_HIGH)
        reset_when_closed(transport.get_extra_info("socket"), on=False)
        self._link.made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        is_bulk = self.channel.is_clear and self.other.transport is not None
        return self._link.reading.room(BULK_READ_SIZE_MAX if is_bulk else READ_SIZE_MAX)

    def buffer_updated(self, nbytes: int) -> None:
        if self.is_closing:
            return
        self.received_size += nbytes
        transport, reading = self.other.transport, self._link.reading
        if transport is None or not self.channel.is_clear:
            self._link.feed(self, reading.copied(nbytes))
        elif nbytes <= WRITE_SIZE_HIGH:
            transport.write(reading.copied(nbytes))
        else:
            # More than a transport holds without a pause is written at once, as far as the socket takes it.
            transport.write(reading.lent(nbytes))
            if transport.get_write_buffer_size():
                reading.leave()

    def eof_received(self) -> bool:
        self.has_sent_all = True
        self._link.feed(self, End.EOF)
        return True  # it may still be written to

    def pause_writing(self) -> None:
        self.is_paused = True
        self.other.balance()

    def resume_writing(self) -> None:
        self.is_paused = False
        if self.is_closing:
            self._close_in_order()
        else:
            self._link.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.transport = None
        self._link.lost(self)

    def balance(self) -> None:
        """Read on, or stop reading, by what is held of it and whether the other end reads."""
        if self.transport is None or self.has_sent_all:
            return
        channel = self.channel
        if self.is_read and (self.other.is_paused or channel.is_full):
            self.is_read = False
            self.transport.pause_reading()
        elif not self.is_read and not self.other.is_paused and channel.has_room:
            self.is_read = True
            self.transport.resume_reading()

    def reset(self) -> None:
        """End it so that the peer sees a reset."""
        if self.transport is not None:
            bound = self.transport.get_extra_info("socket")
            if bound is not None and bound.fileno() >= 0:  # what is closed already is told of in a later turn
                reset_when_closed(bound, on=True)
            self.transport.abort()

    def end_if_dead(self) -> None:
        """End it if its peer has reset it while nobody read it, which no loop tells of."""
        is_watched = self.is_read and not self.has_sent_all
        if self.transport is None or is_watched:
            return
        bound = self.transport.get_extra_info("socket")
        if bound is None or bound.fileno() < 0:
            return
        # Of the state nothing could be told: one whose both streams have ended in order is as closed.
        if bound.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()

    def close(self) -> None:
        """End it once all that was written is taken; what it sends meanwhile is read and thrown away."""
        if self.transport is None or self.is_closing:
            return
        self.is_closing = True
        if not self.transport.get_write_buffer_size():
            self._close_in_order()
            return
        if not self.is_read and not self.has_sent_all:
            self.transport.resume_reading()
        self.transport.set_write_buffer_limits(high=0)  # so that it is told when all is taken

    def _close_in_order(self) -> None:
        if self.transport is not None:
            bound = self.transport.get_extra_info("socket")
            if not self.has_sent_all and bound is not None and bound.fileno() >= 0:
                read_unread(bound)
            self.transport.close()

    def end_stream(self) -> None:
        """Pass on the end of what is sent to it."""
        self.has_ended = True
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()


class Link:
    """A connection from a client to the target, read into the memory of its proxy.

    `begun` is called once the target is connected, before anything it says is read, and `gone` once neither
    socket is left.
    """

    def __init__(
        self,
        faults: ConnectionFaults,
        reading: ReadBuffer,
        begun: Callable[[Link], None],
        gone: Callable[[Link], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.reading = reading
        self._faults = faults
        self._begun = begun
        self._gone = gone
        self.client = LinkEnd(self, faults.channels[Direction.UPSTREAM])
        self.target = LinkEnd(self, faults.channels[Direction.DOWNSTREAM])
        self.client.other, self.target.other = self.target, self.client
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Handle | None = None
        self._ending: Ending | None = None  # how it was ended, also for a socket that is made later
        self._is_over = False

    def __repr__(self) -> str:
        return f"Link({self._faults!r})"

    def made(self, end: LinkEnd) -> None:
        """Take note that a socket is there: what came for it before may be written."""
        if self._ending is not None:
            self._end_one(end, self._ending)
        elif end is self.target:
            self._begun(self)
        else:
            self._write(self.target)

    def adopt(self, active: Sequence[ActiveToxic]) -> None:
        """Have these toxics from now on."""
        if self._ending is None:
            self._faults.adopt(active, clock())
            self.flush()

    def feed(self, end: LinkEnd, piece: Piece) -> None:
        """Take what an end sent."""
        if self._ending is not None:
            return
        end.channel.feed(piece, clock())
        self._write(end)
        self._arm()

    def flush(self) -> None:
        """Do all that is due."""
        if self._ending is not None:
            return
        now = clock()
        ending = self._faults.due_ending(now)
        if ending is not None:
            self.end(ending)
            return
        for end in (self.client, self.target):
            end.channel.advance(now)
            self._write(end)
        self._arm()

    def lost(self, end: LinkEnd) -> None:
        """Take note that a socket has gone; the other end is told as the toxics let it."""
        if self.client.transport is None and self.target.transport is None:
            self._over()
        elif self._ending is None:
            self.feed(end, End.RESET)

    def end(self, ending: Ending) -> None:
        """End both sockets, each by a reset or a close."""
        self._ending = ending
        self._disarm()
        for end in (self.client, self.target):
            self._end_one(end, ending)
        if self.client.transport is None and self.target.transport is None:
            self._over()
        elif not all(ending):
            self._timer = self._loop.call_later(CLOSE_TIMEOUT_S, self.drop)

    def _end_one(self, end: LinkEnd, ending: Ending) -> None:
        if ending.resets_client if end is self.client else ending.resets_target:
            end.reset()
        else:
            end.close()

    def drop(self) -> None:
        """End both sockets at once by a reset."""
        self.end(Ending(resets_client=True, resets_target=True))

    def end_if_dead(self) -> None:
        """Look whether an end that is not read is still there."""
        self.client.end_if_dead()
        self.target.end_if_dead()

    def abandon(self) -> None:
        """End it while its sockets are being made. uvloop tells no end of one whose making is cancelled."""
        self.drop()
        for end in (self.client, self.target):
            end.transport = None
        self._over()

    def _write(self, end: LinkEnd) -> None:
        """Write what has come through from an end to the other, as far as that one reads."""
        other, channel = end.other, end.channel
        if channel.is_reset and other.is_paused:
            self.drop()
            return
        while self._ending is None and other.transport is not None and not other.is_paused:
            piece = channel.take()
            if piece is None:
                break
            if isinstance(piece, End):
                self._pass_on(end, piece)
                continue
            other.transport.write(piece)
            if channel.writes_apart:
                # Two writes of one turn of the loop may go out as one.
                self._turn = self._turn or self._loop.call_soon(self._next_turn)
                break
        end.balance()

    def _next_turn(self) -> None:
        self._turn = None
        self.flush()

    def _pass_on(self, end: LinkEnd, piece: End) -> None:
        if piece is End.EOF:
            end.other.end_stream()
            if end.has_ended:
                self.end(Ending(resets_client=False, resets_target=False))
        elif piece is End.CLOSE:
            self.end(Ending(resets_client=False, resets_target=False))
        else:
            self.drop()

    def _arm(self) -> None:
        if self._ending is not None:
            return
        due = self._faults.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_later(timer_s(due - clock()), self._due)

    def _due(self) -> None:
        self._timer = None
        self.flush()

    def _disarm(self) -> None:
        for handle in (self._timer, self._turn):
            if handle is not None:
                handle.cancel()
        self._timer = self._turn = None

    def _over(self) -> None:
        self._disarm()
        # The target may go before the client's socket is made.
        self._ending = self._ending or Ending(resets_client=True, resets_target=True)
        if not self._is_over:
            self._is_over = True
            self._gone(self)


def reset_when_closed(bound: socket.socket, *, on: bool) -> None:
    """Have the peer of a socket see a reset, not an end, once it is closed."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, 0))


def read_unread(bound: socket.socket) -> None:
    """Tell a peer the end, and read what it has sent: it would see a reset otherwise (RFC 1122, 4.2.2.13)."""
    # A transport's own socket, of uvloop at least, can't be read.
    with socket.fromfd(bound.fileno(), bound.family, bound.type) as same, contextlib.suppress(OSError):
        same.settimeout(0)
        same.shutdown(socket.SHUT_WR)
        for _ in range(UNREAD_SIZE_MAX // READ_SIZE_MAX):
            if not same.recv(READ_SIZE_MAX):
                return


def timer_s(wait_s: float) -> float:
    """Return what to ask of the loop for a wait: uvloop's timers count whole milliseconds, down too."""
    return max(1, math.ceil(wait_s * 1000)) / 1000
