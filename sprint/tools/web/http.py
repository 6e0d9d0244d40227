"""uvicorn's HTTP protocol with what it leaves open: a bounded head, time limits on slow clients, problems
instead of plain text, and streams that are written straight to the transport.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sprint.tools.web.outgoing import Outgoing, reset
from sprint.tools.web.problems import raw_problem
from sprint.tools.web.router import Response, StreamResponse

HEAD_SIZE_MAX = 32 * 1024
HEAD_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 10.0
SLOW_DRAIN_S = 2.0
# Answers given at once to what one read brought; requests behind them wait for a turn of the loop each, so
# that nobody who sends a thousand in one piece has the loop for itself.
AT_ONCE_MAX = 16
CLOSE_HEADER = ("Connection", "close")
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
    _answered_at_once = 0
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
        self._answered_at_once = 0
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

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Answer at once where that can be done, as uvicorn would in a task of its own."""
        if (
            self._answered_at_once >= AT_ONCE_MAX
            or self.pipeline
            or self.flow.write_paused
            or not cycle.keep_alive
            or self.scope["method"] != "GET"
            or cycle.scope is not self.scope
        ):
            super()._start_asgi_task(cycle, app)
            return
        response = self.app.answer_at_once(self.scope)
        if response is None:
            super()._start_asgi_task(cycle, app)
            return
        self._answered_at_once += 1
        self.transport.write(self._encoded(response))
        cycle.response_started = cycle.response_complete = True
        if CLOSE_HEADER in response.headers:
            self.transport.close()
        self.on_response_complete()

    def _encoded(self, response: Response) -> bytes:
        """Return an answer as bytes; the last one is kept, as what is asked most is the same to all."""
        told = self.server_state.default_headers
        kept: tuple[Response, object, bytes] | None = self.app.encoded_last
        if kept is not None and kept[0] is response and kept[1] is told:
            return kept[2]
        headers = [*told, *self.app.headers_of(response)]
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        raw = b"".join((STATUS_LINE[response.status], *lines, b"\r\n", response.body))
        self.app.encoded_last = (response, told, raw)
        return raw

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
