"""Listeners: limits, time limits, stopping; on both event loops."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from sprint.core.errors import ListenError
from sprint.tools.net import bind
from sprint.tools.web import http, server, websocket
from sprint.tools.web.guard import TARGET_LENGTH_MAX, Guard
from sprint.tools.web.http import HEAD_SIZE_MAX, REFUSED_CONNECTIONS_MAX
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.problems import PROBLEMS
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, connections_limit, serve
from sprint.tools.web.websocket import WebSocketConnection, encode_text_frame


class Echo:
    """A session that says back what it is told."""

    window: FlushWindow | None = None

    def __init__(self) -> None:
        self.connection: WebSocketConnection | None = None

    def opened(self, connection: WebSocketConnection) -> None:
        self.connection = connection

    def message(self, text: str) -> None:
        assert self.connection is not None
        self.connection.send(text.encode())

    def malformed(self) -> None:
        assert self.connection is not None
        self.connection.count_malformed()

    def closed(self) -> None:
        self.connection = None


async def hello(request: Request) -> Response:
    return Response(json.dumps({"name": request.parameters.get("name", "you")}).encode())


@asynccontextmanager
async def listening(connections_max: int = 100) -> AsyncIterator[Listener]:
    router = Router()
    router.add("GET", "/hello", hello)
    router.add("GET", "/hello/{name}", hello)
    router.add_websocket("/echo", lambda _: Echo())
    bound = bind("127.0.0.1", 0)
    site = Site(router, Guard(bound.getsockname()[1]), connections_max=connections_max)
    listener = await serve(site, bound)
    try:
        yield listener
    finally:
        await listener.stop()


class Peer:
    """A plain socket to a listener, for what no client library would send."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.socket = socket.socket()
        self.socket.settimeout(0)

    async def __aenter__(self) -> Self:
        await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", self.listener.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self) -> bytes:
        """Return what comes next; empty at the end, also where it is a reset."""
        try:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 65_536), 10)
        except ConnectionResetError:
            return b""

    async def answer(self) -> tuple[int, str]:
        """Return status and problem code of an answer."""
        received = b""
        while True:
            head, separator, body = received.partition(b"\r\n\r\n")
            if separator and body.endswith(b"}"):
                status = int(head.split()[1])
                return status, json.loads(body).get("code", "")
            part = await self.receive()
            assert part, received
            received += part


def request(listener: Listener, target: str = "/hello", headers: str = "", host: str | None = None) -> bytes:
    host = f"127.0.0.1:{listener.port}" if host is None else host
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode()


@pytest.mark.parametrize(
    ("target", "headers", "host", "code"),
    [
        ("/hello", "", "evil.example", "host_refused"),
        ("/hello", "Origin: http://evil.example\r\n", None, "origin_refused"),
        ("/hello", "Content-Length: 5\r\n", None, "body_too_large"),
        ("/hello", "X: y\r\n" * 64, None, "headers_too_large"),
        ("/hello", f"X: {'y' * 17_000}\r\n", None, "headers_too_large"),
        ("/hello?" + "x" * TARGET_LENGTH_MAX, "", None, "target_too_long"),
        ("/hell", "", None, "not_found"),
        ("/echo", "", None, "upgrade_required"),
        ("http://[", "", None, "bad_request"),
    ],
)
def test_request_that_is_refused_is_answered_with_its_problem(
    target: str, headers: str, host: str | None, code: str
) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(request(listener, target, headers, host))
            assert await peer.answer() == (PROBLEMS[code].status, code)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)],
)
def test_websocket_from_another_host_or_page_is_refused(headers: dict[str, str], status: int) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            named = {"Host": f"127.0.0.1:{listener.port}"} | headers
            lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
            await peer.send(
                f"GET /echo HTTP/1.1\r\n{lines}Upgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert (await peer.answer())[0] == status
            assert await peer.receive() == b""

    asyncio.run(run())


@pytest.mark.parametrize("key", ["", "Sec-WebSocket-Key: short\r\n"])
def test_broken_handshake_is_a_problem(key: str) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{key}Sec-WebSocket-Version: 13\r\n"
            await peer.send(request(listener, "/echo", upgrade))
            assert await peer.answer() == (400, "bad_request")

    asyncio.run(run())


def test_keep_alive_pipelining_and_parameters_work() -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(request(listener, "/hello/ann") + request(listener, "/hello/b%20c"))
            received = b""
            while received.count(b'{"name"') < 2:
                received += await peer.receive()
            assert b'{"name": "ann"}' in received
            assert b'{"name": "b c"}' in received
            assert b"date: " in received

    asyncio.run(run())


def test_what_is_no_http_is_a_problem_and_the_end() -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(b"\x16\x03\x01 not http\r\n\r\n")
            assert await peer.answer() == (400, "bad_request")
            assert await peer.receive() == b""

    asyncio.run(run())


def test_head_without_end_is_refused_at_its_limit() -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(b"GET /hello HTTP/1.1\r\nX: " + b"x" * HEAD_SIZE_MAX)
            assert await peer.answer() == (431, "headers_too_large")

    asyncio.run(run())


@pytest.mark.parametrize("first", [b"", b"GET /hello HTTP/1.1\r\n"])
def test_head_that_does_not_come_in_time_is_dropped(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(first)
            assert await peer.receive() == b""

    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", 0.02)
    asyncio.run(run())


def test_second_head_of_a_connection_has_the_same_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(request(listener))
            assert b"200 OK" in await peer.receive()
            await peer.send(b"GET /hello HTTP/1.1\r\n")
            while await peer.receive():
                pass

    monkeypatch.setattr(http, "HEAD_TIMEOUT_S", 0.02)
    asyncio.run(run())


def test_connections_at_the_limit_are_served_and_one_over_is_told_so() -> None:
    async def run() -> None:
        async with (
            listening(connections_max=2) as listener,
            Peer(listener) as first,
            Peer(listener) as second,
        ):
            for peer in (first, second):
                await peer.send(request(listener))
                assert (await peer.answer())[0] == 200
            async with Peer(listener) as third:
                await third.send(request(listener))
                assert await third.answer() == (503, "too_many_connections")
                assert await third.receive() == b""
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{listener.port}/echo")
            assert refused.value.response.status_code == 503

    asyncio.run(run())


def test_connections_far_above_the_limit_are_dropped() -> None:
    async def run() -> None:
        async with listening(connections_max=0) as listener:
            peers = [await Peer(listener).__aenter__() for _ in range(REFUSED_CONNECTIONS_MAX + 1)]
            assert await peers[-1].receive() == b""
            for peer in peers:
                peer.socket.close()

    asyncio.run(run())


def test_websocket_sends_back_and_answers_pings() -> None:
    async def run() -> None:
        async with listening() as listener, connect(f"ws://127.0.0.1:{listener.port}/echo") as connection:
            await connection.send("wörd")
            assert await connection.recv() == "wörd"
            await connection.send(["frag", "", "mented"])
            assert await connection.recv() == "fragmented"
            await asyncio.wait_for(await connection.ping(), 5)

    asyncio.run(run())


def test_peer_that_answers_no_ping_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(
                request(
                    listener,
                    "/echo",
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                )
            )
            received = b""
            while part := await peer.receive():
                received += part
            assert b"\x89\x04\x00\x00\x00\x01" in received  # a ping
            assert b"no pong" in received

    monkeypatch.setattr(websocket, "PING_INTERVAL_S", 0.02)
    monkeypatch.setattr(websocket, "PING_TIMEOUT_S", 0.02)
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 0.02)
    asyncio.run(run())


def test_peer_that_answers_pings_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with listening() as listener, connect(f"ws://127.0.0.1:{listener.port}/echo") as connection:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.2)
            await connection.send("still here")
            assert await connection.recv() == "still here"

    monkeypatch.setattr(websocket, "PING_INTERVAL_S", 0.01)
    asyncio.run(run())


def test_text_that_is_not_utf8_closes_with_1007() -> None:
    async def run() -> None:
        async with listening() as listener, connect(f"ws://127.0.0.1:{listener.port}/echo") as connection:
            await connection.send(b"\xff", text=True)
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007

    asyncio.run(run())


def test_stop_ends_within_its_bound_although_a_peer_never_answers_the_close() -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer, Peer(listener) as idle:
            upgrade = (
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
            await peer.send(request(listener, "/echo", upgrade))
            assert b"101" in await peer.receive()
            await idle.send(request(listener))
            assert b"200" in await idle.receive()
            async with asyncio.timeout(server.STOP_TIMEOUT_S + 0.5):
                await listener.stop()
            assert b"\x03\xe9going away" in await peer.receive()  # 1001
            late = Peer(listener)
            with pytest.raises(ConnectionRefusedError):
                await late.__aenter__()
            late.socket.close()

    asyncio.run(run())


def test_taken_port_is_named_with_its_option() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port} \(--admin-port\).*in use"):
        bind("127.0.0.1", port, option="--admin-port")
    taken.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "relay.example"])
def test_address_off_loopback_is_refused(host: str) -> None:
    with pytest.raises(ListenError, match="loopback"):
        bind(host, 0)


def test_several_listeners_run_at_once_each_on_its_port() -> None:
    async def run() -> None:
        async with listening() as one, listening() as two:
            assert one.port != two.port
            for listener in (one, two):
                async with Peer(listener) as peer:
                    await peer.send(request(listener))
                    assert (await peer.answer())[0] == 200

    asyncio.run(run())


def test_unlimited_means_what_the_descriptor_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_descriptor_limit", lambda: server.DESCRIPTORS_RESERVED + 50)
    assert connections_limit(0) == 50
    assert connections_limit(20) == 20
    assert connections_limit(51) == 50


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_text_frame_is_the_one_websockets_would_send(size: int) -> None:
    payload = b"x" * size
    assert encode_text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_answers_do_not_name_the_server_software() -> None:
    async def run() -> None:
        async with listening() as listener, Peer(listener) as peer:
            await peer.send(request(listener))
            assert b"server:" not in (await peer.receive()).lower()

    asyncio.run(run())
