"""Fan-out of one event to many WebSocket clients, beside `websockets`' own broadcast in the same run.

    python -m tests.bench.bench_fanout [--clients 1000] [--events 300] [--size 400] [--runs 5]

Each server runs in a child process on uvloop; the clients are plain sockets in this process, which count
bytes. The server publishes one event per turn of its loop and stays at most `WINDOW` events ahead of the
slowest client. Both are given the same payload, one connection a client, no compression. Printed are
deliveries a second by the clock, and the server's own CPU time for a delivery, which a busy machine
disturbs less.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as serve_websockets

from sprint.core.relay.event_log import LoggedEvent
from sprint.tools.web.websocket import encode_text_frame
from tests.tools.relay.serving import Relay, policy, until

WINDOW = 32
HANDSHAKE = (
    "GET /ws/bitcoin/blocks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Result(msgspec.Struct, frozen=True):
    per_second: float
    server_cpu_us: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--serve", choices=("sprint", "websockets"))
    options = parser.parse_args()
    _allow_descriptors(2 * options.clients + 512)
    if options.serve:
        serving = serve_sprint if options.serve == "sprint" else serve_broadcast
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serving(options.clients, options.events, options.size))
        return
    results: dict[str, list[Result]] = {"sprint": [], "websockets": []}
    for number in range(options.runs):
        for name in sorted(results, reverse=bool(number % 2)):
            results[name].append(measure(name, options))
    report(results, options)


def report(results: dict[str, list[Result]], options: argparse.Namespace) -> None:
    print(f"{options.clients} clients x {options.size} B, {options.events} events, {options.runs} runs")
    speed, cpu = {}, {}
    for name, found in results.items():
        speed[name] = statistics.median(result.per_second for result in found)
        cpu[name] = statistics.median(result.server_cpu_us for result in found)
        print(f"{name:<12}{speed[name]:>12,.0f} deliveries/s{cpu[name]:>8.2f} us server CPU each")
    print(
        f"sprint / websockets.broadcast: {speed['sprint'] / speed['websockets']:.2f}x deliveries/s, ", end=""
    )
    print(f"{cpu['websockets'] / cpu['sprint']:.2f}x less server CPU")


def measure(name: str, options: argparse.Namespace) -> Result:
    """Run one server in a child and count what its clients receive."""
    command = [sys.executable, "-m", "tests.bench.bench_fanout", "--serve", name]
    for key in ("clients", "events", "size"):
        command += [f"--{key}", str(getattr(options, key))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        port = int(child.stdout.readline())
        with clients(port, options.clients) as peers:
            child.stdin.write(b"g")
            frame_size = len(encode_text_frame(payload(options.size)))
            started = time.perf_counter()
            receive(peers, frame_size, options.events, child.stdin.write)
            elapsed = time.perf_counter() - started
            cpu_s = float(child.stdout.readline())
            child.stdin.close()
    deliveries = options.clients * options.events
    return Result(deliveries / elapsed, cpu_s / deliveries * 1e6)


def receive(
    peers: list[socket.socket], frame_size: int, events: int, acknowledge: Callable[[bytes], object]
) -> None:
    """Read until every client has all events; acknowledge each event that all of them have."""
    poll = select.epoll()
    by_descriptor = {peer.fileno(): peer for peer in peers}
    counts = dict.fromkeys(by_descriptor, 0)
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    buffer = bytearray(65_536)
    reached = [len(peers)] + [0] * events
    complete = 0
    while complete < events:
        for descriptor, _ in poll.poll():
            before = counts[descriptor]
            counts[descriptor] = after = before + by_descriptor[descriptor].recv_into(buffer)
            for event in range(before // frame_size + 1, after // frame_size + 1):
                reached[event] += 1
        first = complete
        while complete < events and reached[complete + 1] == len(peers):
            complete += 1
        if complete > first:
            acknowledge(b"a" * (complete - first))
    poll.close()


@contextlib.contextmanager
def clients(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Open that many WebSocket connections as plain sockets."""
    peers = []
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(HANDSHAKE.format(port=port).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += peer.recv(1)
        peers.append(peer)
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()


def payload(size: int) -> bytes:
    return b'{"type":"block","data":"' + b"x" * (size - 26) + b'"}'


class Acknowledged:
    """Counts what the clients have told on standard input."""

    def __init__(self) -> None:
        self.events = -1  # the first byte says go
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)

    def _read(self) -> None:
        self.events += len(os.read(sys.stdin.fileno(), 4_096))
        self._changed.set()

    async def reach(self, events: int) -> None:
        while self.events < events:
            self._changed.clear()
            await self._changed.wait()


async def publish_all(publish: Callable[[int], None], events: int) -> None:
    """Publish one event a turn, within the window, and print the CPU time it took."""
    acknowledged = Acknowledged()
    await acknowledged.reach(0)
    started = time.process_time()
    for number in range(events):
        await acknowledged.reach(number - WINDOW)
        publish(number)
        await asyncio.sleep(0)
    await acknowledged.reach(events)
    print(time.process_time() - started, flush=True)


async def serve_sprint(count: int, events: int, size: int) -> None:
    relay = Relay()
    body = payload(size)
    async with relay.listening(policy(connections_max=count)) as listener:
        print(listener.port, flush=True)
        await until(lambda: relay.delivery.subscriber_count == count)

        def publish(number: int) -> None:
            event = LoggedEvent(number + 1, "bitcoin", number + 1, "block", "c" * 48, body)
            relay.delivery.publish([event])

        await publish_all(publish, events)


async def serve_broadcast(count: int, events: int, size: int) -> None:
    connections: set[ServerConnection] = set()

    async def keep(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    text = payload(size).decode()
    async with serve_websockets(keep, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await until(lambda: len(connections) == count)
        await publish_all(lambda _: broadcast(connections, text), events)


def _allow_descriptors(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


if __name__ == "__main__":
    main()
