"""Receivers of alerts on loopback: an HTTP server and a mail server, which may answer with failures."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from sprint.tools import runtime
from tests.integration.real_servers import free_ports

WAIT_S = 20.0


class Received:
    """What came in, for who waits for it in another thread; `at_s` are the times in seconds since 1970."""

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self._changed = threading.Condition()
        self._messages: list[Any] = []

    def add(self, message: Any) -> None:
        with self._changed:
            self.at_s.append(runtime.wall_clock())
            self._messages.append(message)
            self._changed.notify_all()

    def wait(self, count: int) -> list[Any]:
        """Return the messages once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._messages) >= count, WAIT_S), (
                f"{len(self._messages)} messages, not {count}"
            )
            return list(self._messages)

    def all(self) -> list[Any]:
        with self._changed:
            return list(self._messages)


class HttpReceiver:
    """`statuses` are the next answers, then `confirms`; what is answered otherwise isn't `received`."""

    def __init__(self, port: int = 0) -> None:
        self.received = Received()
        self.failed = Received()
        self.statuses: list[int] = []
        self.confirms = 200
        self.before_answer: Callable[[], object] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # its sender is gone
                    return
                status = receiver.statuses.pop(0) if receiver.statuses else receiver.confirms
                kept = receiver.received if status == receiver.confirms else receiver.failed
                kept.add((dict(self.headers), body))
                receiver.before_answer()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook?token=in-the-url"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that were confirmed, in the order in which they came."""
        return [alert for _, body in self.received.all() for alert in msgspec.json.decode(body)["alerts"]]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def http_receiver(port: int = 0) -> Iterator[HttpReceiver]:
    receiver = HttpReceiver(port)
    try:
        yield receiver
    finally:
        receiver.stop()


def free_port() -> int:
    """Return a port where nobody listens, and that the kernel gives to nobody who connects meanwhile."""
    return free_ports(1)[0]


class MailReceiver:
    """A mail server of RFC 5321's few words. `answers` are the next words after a mail; then 250.

    `refused` are those of recipients that aren't taken.
    """

    def __init__(self) -> None:
        self.received = Received()
        self.answers: list[str] = []
        self.refused: list[str] = []
        receiver = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b"".join(iter(self.rfile.readline, b".\r\n"))
                        answer = receiver.answers.pop(0) if receiver.answers else "250 kept"
                        if answer.startswith("2"):
                            receiver.received.add(text.decode())
                        self.wfile.write(f"{answer}\r\n".encode())
                    elif word == b"RCPT" and receiver.refused:
                        self.wfile.write(f"{receiver.refused.pop(0)}\r\n".encode())
                    elif word == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        self.wfile.write(b"250 well\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def dripping(first: bytes, piece: bytes, interval_s: float = 0.02) -> Iterator[int]:
    """Serve who begins an answer and then sends a piece of it at a time, without end; yield the port."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):  # its client is gone
                self.request.sendall(first)
                while not ended.wait(interval_s):
                    self.request.sendall(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        ended.set()
        server.shutdown()


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    receiver = MailReceiver()
    try:
        yield receiver
    finally:
        receiver.stop()
