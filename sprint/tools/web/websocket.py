"""WebSocket out: the protocol class that uvicorn hands an upgraded connection to.

Handshake and incoming frames are judged by websockets' sans-I/O protocol. Outgoing events are encoded once
by `encode_text_frame` and go through `Outgoing` to the transport, the same bytes to everybody. Everything
else that is sent (answers, pings, closes) keeps the same order and the same bounds.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from sprint.core.errors import RequestError, SprintError
from sprint.tools.web.outgoing import Outgoing, reset
from sprint.tools.web.problems import PROBLEMS, body_of, code_of, raw_problem, raw_response
from sprint.tools.web.router import Request, Session, Site

MESSAGE_SIZE_MAX = 64 * 1024
PING_INTERVAL_S = 20.0
PING_TIMEOUT_S = 20.0
CLOSE_TIMEOUT_S = 2.0
MALFORMED_MESSAGES_MAX = 3
CLOSE_REASON_SIZE_MAX = 123

GOING_AWAY = 1001
INVALID_DATA = 1007
POLICY = 1008
SLOW = 4008

_TEXT_FINAL = 0x81
logger = logging.getLogger("sprint.web")
frames_logger = logging.getLogger("sprint.web.frames")
frames_logger.setLevel(logging.WARNING)  # a line per connection is what metrics are for


def encode_text_frame(payload: bytes) -> bytes:
    """Encode a server's text frame: final, unmasked."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT_FINAL, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


class WebSocketConnection(asyncio.Protocol):
    """One connection. A `Session` decides what it is sent and what its messages mean."""

    outgoing: Outgoing
    _transport: asyncio.Transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        del app_state  # uvicorn gives it by name; nothing of ours lives there
        self._site = cast("Site", config.loaded_app)
        self._connections = cast("set[Any]", server_state.connections)
        self._loop = _loop or asyncio.get_running_loop()
        self._protocol = ServerProtocol(max_size=MESSAGE_SIZE_MAX, logger=frames_logger)
        self._session: Session | None = None
        self._message = bytearray()
        self._message_is_text = False
        self._malformed = 0
        self._ping_number = 0
        self._ping_waiting = False
        self._ping_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"WebSocketConnection({self._protocol.state.name}, {getattr(self, 'outgoing', None)!r})"

    # What the session calls.

    def send(self, payload: bytes) -> None:
        """Send an answer, within the same bounds as events."""
        self.outgoing.send(encode_text_frame(payload))

    def close(self, code: int, reason: str = "") -> None:
        """Queue a close frame behind what is queued, take no more, and see that the end comes."""
        if self._protocol.state is not State.OPEN:
            return
        self.outgoing.end()
        self._protocol.send_close(code, reason[:CLOSE_REASON_SIZE_MAX])
        self._write_protocol()
        self._ended()

    def count_malformed(self) -> None:
        """Count a message that was no use; at the limit the connection is closed."""
        self._malformed += 1
        if self._malformed >= MALFORMED_MESSAGES_MAX:
            self.close(POLICY, f"{self._malformed} malformed messages, limit {MALFORMED_MESSAGES_MAX}")

    # What the event loop and uvicorn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._connections.discard(self)
        self._site.left(self._transport)
        if hasattr(self, "outgoing"):
            self.outgoing.end()
        self._ended()
        if self._close_timer is not None:
            self._close_timer.cancel()

    def eof_received(self) -> None:
        self._protocol.receive_eof()

    def pause_writing(self) -> None:
        if hasattr(self, "outgoing"):
            self.outgoing.pause()

    def resume_writing(self) -> None:
        if hasattr(self, "outgoing"):
            self.outgoing.resume()

    def shutdown(self) -> None:
        """Close because the server stops."""
        if self._protocol.state is State.OPEN:
            self.close(GOING_AWAY, "going away")
        else:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        if self._protocol.handshake_exc is not None:
            self._protocol.data_to_send()  # its plain text gives way to a problem
            self._reject(raw_problem("bad_request", str(self._protocol.handshake_exc)[:256]))
            return
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                self._handshake(event)
            elif isinstance(event, Frame) and self._session is not None:
                self._frame(event)
        if self._protocol.state is not State.OPEN and self._session is not None:
            self.outgoing.end()
            self._ended()
        self._write_protocol()

    # The handshake.

    def _handshake(self, handshake: Handshake) -> None:
        try:
            session = self._make_session(handshake)
        except SprintError as error:
            self._refuse(error)
            return
        except Exception:  # a mistake of ours must not end the connection without an answer
            logger.exception("handshake failed: %s", handshake.path)
            self._refuse(SprintError("handshake failed"))
            return
        response = self._protocol.accept(handshake)
        if response.status_code != 101:
            detail = (response.body or b"").decode("utf-8", "replace").strip()
            self._reject(raw_problem("bad_request", detail[:256]))
            return
        for name, value in self._site.headers:
            response.headers[name] = value
        self._protocol.send_response(response)
        self.outgoing = Outgoing(self._transport, self._overflow, session.window)
        self._write_protocol()
        self._session = session
        self._ping_timer = self._loop.call_later(PING_INTERVAL_S, self._ping)
        session.opened(self)

    def _make_session(self, handshake: Handshake) -> Session:
        path, _, query = handshake.path.partition("?")
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in handshake.headers.raw_items()
        ]
        self._site.check(self._transport, len(handshake.path), headers)
        maker, parameters = self._site.router.session(unquote(path))
        scope = {"path": unquote(path), "query_string": query.encode("latin-1"), "headers": headers}
        return maker(Request(scope, parameters))

    def _refuse(self, error: SprintError) -> None:
        headers = error.headers if isinstance(error, RequestError) else ()
        headers = tuple(pair for pair in headers if pair[0] != "Connection")
        self._reject(raw_response(body_of(error), PROBLEMS[code_of(error)].status, headers))

    def _reject(self, response: bytes) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(response)
        self._transport.close()
        self._close_timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._close_late)

    # Frames in.

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._pong(bytes(frame.data))
            return
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._message_is_text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if frame.fin and self._protocol.state is State.OPEN and self._session is not None:
            message, self._message = bytes(self._message), bytearray()
            self._take(self._session, message)

    def _take(self, session: Session, message: bytes) -> None:
        if not self._message_is_text:
            session.malformed()
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self.close(INVALID_DATA, "text that is not UTF-8")
            return
        session.message(text)

    # Time.

    def _ping(self) -> None:
        if self._protocol.state is not State.OPEN:
            return  # the peer has begun to close; no frame may follow
        if self._ping_waiting:
            self.close(GOING_AWAY, f"no pong within {PING_TIMEOUT_S:g} s")
            return
        self._ping_waiting = True
        self._ping_number += 1
        self._protocol.send_ping(self._ping_number.to_bytes(4, "big"))
        self._write_protocol()
        self._ping_timer = self._loop.call_later(PING_TIMEOUT_S, self._ping)

    def _pong(self, payload: bytes) -> None:
        if self._ping_waiting and payload == self._ping_number.to_bytes(4, "big"):
            self._ping_waiting = False
            if self._ping_timer is not None:
                self._ping_timer.cancel()
                self._ping_timer = self._loop.call_later(PING_INTERVAL_S, self._ping)

    # Ends.

    def _overflow(self, cursor: str) -> None:
        self._site.subscribers_slow += 1
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(SLOW, cursor)
            self._write_protocol()
        self._ended()

    def _ended(self) -> None:
        """Tell the session once, and give the peer a bounded time to take the rest."""
        session, self._session = self._session, None
        if self._ping_timer is not None:
            self._ping_timer.cancel()
            self._ping_timer = None
        if self._close_timer is None:
            self._close_timer = self._loop.call_later(CLOSE_TIMEOUT_S, self._close_late)
        if session is not None:
            session.closed()

    def _close_late(self) -> None:
        if self._transport.get_write_buffer_size():
            reset(self._transport)
        else:
            self._transport.close()

    def _write_protocol(self) -> None:
        """Send what the sans-I/O protocol has to say; an empty piece means the end of the stream."""
        for data in self._protocol.data_to_send():
            if not data:
                # Half closed, not closed: a reset for what we did not read could overtake the close frame.
                self._transport.write_eof()
            elif self._protocol.state is State.OPEN and hasattr(self, "outgoing"):
                self.outgoing.send(data)
            elif not self._transport.is_closing():
                self._transport.write(data)
