"""A peer that stops reading, over real sockets: it is closed within its bound, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sprint.tools.relay.hand_over import Published
from sprint.tools.web.outgoing import BYTES_MAX, MESSAGES_MAX
from tests.tools.relay.serving import Relay, block_data, policy, until, websocket_url

BLOCKS = "/ws/bitcoin/blocks"
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
Loop = Callable[[], asyncio.AbstractEventLoop]
T = TypeVar("T")
STREAM = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"


both_loops = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


def run_on(loop: Loop, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


async def open_without_reading(port: int, path: str, request: str) -> socket.socket:
    """Send a request on a socket that takes little and is not read before the test wants to."""
    loop = asyncio.get_running_loop()
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    peer.settimeout(0)
    await loop.sock_connect(peer, ("127.0.0.1", port))
    await loop.sock_sendall(peer, request.format(path=path, port=port).encode())
    return peer


async def read_to_end(peer: socket.socket) -> tuple[bytes, bool]:
    """Read all there is; the second is whether it ended by a reset."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    try:
        while part := await asyncio.wait_for(loop.sock_recv(peer, 65_536), 10):
            received += part
    except ConnectionResetError:
        return bytes(received), True
    return bytes(received), False


@both_loops
@pytest.mark.parametrize("window_ms", [0, 5])
def test_subscriber_that_reads_late_gets_the_rest_and_4008_with_the_last_cursor(
    loop: Loop, window_ms: float
) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening(policy(window_ms=window_ms)) as listener:
            peer = await open_without_reading(listener.port, BLOCKS, HANDSHAKE)
            await until(lambda: relay.delivery.subscriber_count == 1)
            height = 0
            while relay.delivery.subscriber_count:
                height += 1
                relay.block(height, padding=8_000)
                await asyncio.sleep(0)
                assert height < 2 * MESSAGES_MAX
            received, was_reset = await read_to_end(peer)
            peer.close()
            assert not was_reset
            assert received[-2 - 125 :].find(b"\x0f\xa8") >= 0  # 4008
            last = json.loads(received[received.rindex(b'{"type":"block"') : received.rindex(b"}") + 1])
            assert received.endswith(last["cursor"].encode())
            assert received.count(b'"type":"block"') == last["seq"]

    run_on(loop, run())


@both_loops
def test_subscriber_that_never_reads_is_reset_and_others_get_all(loop: Loop) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            url = websocket_url(listener, BLOCKS)
            readers = [await connect(url, compression=None, max_queue=None) for _ in range(5)]
            peer = await open_without_reading(listener.port, BLOCKS, HANDSHAKE)
            await until(lambda: relay.delivery.subscriber_count == 6)
            total = 600
            for height in range(1, total + 1):
                relay.block(height, padding=8_000)
                for reader in readers:
                    assert json.loads(await asyncio.wait_for(reader.recv(), 10))["seq"] == height
            assert relay.delivery.subscriber_count == 5
            await until(lambda: listener.connection_count == 5)
            _, was_reset = await read_to_end(peer)
            assert was_reset
            assert relay.api.sites["rank-5"].subscribers_slow == 1
            peer.close()
            for reader in readers:
                await reader.close()

    run_on(loop, run())


@both_loops
def test_stream_that_is_read_late_ends_with_slow_and_the_last_cursor(loop: Loop) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            peer = await open_without_reading(listener.port, "/api/v1/events", STREAM)
            await until(lambda: relay.delivery.subscriber_count == 1)
            height = 0
            while relay.delivery.subscriber_count:
                height += 1
                relay.block(height, padding=8_000)
                await asyncio.sleep(0)
                assert height < 2 * MESSAGES_MAX
            loop = asyncio.get_running_loop()
            received = bytearray()
            while not received.endswith(b"0\r\n\r\n"):
                received += await asyncio.wait_for(loop.sock_recv(peer, 65_536), 10)
            peer.close()
            lines = [json.loads(line) for line in received.split(b"\r\n") if line.startswith(b'{"')]
            assert (lines[-1]["type"], lines[-1]["code"]) == ("error", "slow")
            assert lines[-1]["cursor"] == lines[-2]["cursor"]
            assert [line["seq"] for line in lines[:-1]] == list(range(1, len(lines)))

    run_on(loop, run())


@both_loops
def test_relay_does_not_grow_by_a_subscriber_that_does_not_read(loop: Loop) -> None:
    async def run() -> int:
        relay = Relay()
        async with relay.listening() as listener:
            peer = await open_without_reading(listener.port, BLOCKS, HANDSHAKE)
            await until(lambda: relay.delivery.subscriber_count == 1)
            relay.delivery._ring._size_max = 0
            event = relay.commit("bitcoin", block_data(1, padding=8_000))
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(4_000):  # 32 MB offered
                relay.delivery._backlog.append(Published(event, 0.0))
                relay.delivery.finish()
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            peer.close()
            return after - before

    assert run_on(loop, run()) < 2 * BYTES_MAX


@both_loops
def test_client_that_lost_its_place_is_told_where_by_the_close_reason(loop: Loop) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            # A client whose window is small and that reads nothing until it is closed.
            url = websocket_url(listener, BLOCKS)
            connection = await connect(url, compression=None, max_queue=1)
            await until(lambda: relay.delivery.subscriber_count == 1)
            height = 0
            while relay.delivery.subscriber_count and height < 2 * MESSAGES_MAX:
                height += 1
                relay.block(height, padding=60_000)
                await asyncio.sleep(0)
            events = []
            with suppress(ConnectionClosed):
                while True:
                    events.append(json.loads(await asyncio.wait_for(connection.recv(), 10)))
            assert (connection.close_code, connection.close_reason) == (4008, events[-1]["cursor"])
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))

    run_on(loop, run())
