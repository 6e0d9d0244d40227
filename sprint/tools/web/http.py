"""uvicorn's HTTP protocol with what it leaves open: a bounded head, time limits on slow clients, problems
instead of plain text, and streams that are written straight to the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sprint.tools.web.outgoing import Outgoing, reset
from sprint.tools.web.problems import raw_problem
from sprint.tools.web.router import StreamResponse

HEAD_SIZE_MAX = 32 * 1024
HEAD_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 10.0
SLOW_DRAIN_S = 2.0
# Connections above the site's limit that are still told so; more than that are dropped unanswered.
REFUSED_CONNECTIONS_MAX = 32


def encode_line_chunk(payload: bytes) -> bytes:
    """Encode one NDJSON line as a chunk of a chunked answer."""
    return b"%x\r\n%b\n\r\n" % (len(payload) + 1, payload)


class HttpConnection(HttpToolsProtocol):
    """One HTTP/1.1 connection of a `Site`."""

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _stream: Outgoing | None = None
    _in_head = True
    _head_size = 0
    _ended = False
    _tell_ended: Callable[[], None] | None = None

    @property
    def target_length(self) -> int:
        return len(self.url)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.app.arrived(transport)
        if self.app.connection_count > self.app.connections_max + REFUSED_CONNECTIONS_MAX:
            self.app.connections_refused += 1
            reset(transport)
            return
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self._end()
        self.app.left(self.transport)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._head_size += len(data)
        super().data_received(data)
        if not self._in_head:
            self._head_size = 0
        elif self._head_size > HEAD_SIZE_MAX:
            self._refuse("headers_too_large", f"request head over {HEAD_SIZE_MAX} bytes")
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._head_late)

    def on_message_begin(self) -> None:
        self._in_head = True
        super().on_message_begin()
        self.scope["extensions"] = {"sprint": self}  # type: ignore[dict-item]  # how the site finds us

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stream = self._tell_ended = None
        if self.transport.is_closing() and self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_TIMEOUT_S, self._stalled)

    def handle_websocket_upgrade(self) -> None:
        self._cancel_timers()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse("bad_request", msg)

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            reset(self.transport)
        else:
            super().timeout_keep_alive_handler()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stream is not None:
            self._stream.pause()
        elif self._stall_timer is None:
            self._stall_timer = self.loop.call_later(STALL_TIMEOUT_S, self._stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stream is not None:
            self._stream.resume()
        if self._stall_timer is not None and not self.transport.is_closing():
            self._stall_timer.cancel()
            self._stall_timer = None

    def open_stream(self, response: StreamResponse) -> Outgoing:
        """Begin writing a stream past uvicorn; the answer's head is out already."""

        def overflow(cursor: str) -> None:
            self.app.subscribers_slow += 1
            self.transport.write(response.last_words(cursor))
            self._stall_timer = self.loop.call_later(SLOW_DRAIN_S, self._stalled)

        self._stream = Outgoing(self.transport, overflow, response.window)
        return self._stream

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when the answer in work is no longer waited for; at once if that is so."""
        self._tell_ended = tell
        if self._ended:
            tell()

    def shutdown(self) -> None:
        self._end()
        super().shutdown()

    def _end(self) -> None:
        self._ended = True
        if self._stream is not None:
            self._stream.end()
        if self._tell_ended is not None:
            self._tell_ended()

    def _refuse(self, code: str, detail: str) -> None:
        if not self.transport.is_closing():
            self.transport.write(raw_problem(code, detail))
            self.transport.close()
            self._stall_timer = self.loop.call_later(STALL_TIMEOUT_S, self._stalled)

    def _head_late(self) -> None:
        self._head_timer = None
        reset(self.transport)

    def _stalled(self) -> None:
        self._stall_timer = None
        if self.transport.get_write_buffer_size():
            reset(self.transport)

    def _cancel_timers(self) -> None:
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._stall_timer = None
