"""Fan-out of events to many WebSocket clients, beside websockets' broadcast, picows and a send loop in C.

    python -m tests.bench.bench_fanout [--deliveries 300000] [--size 400] [--runs 5]

Each server runs in a child process (tests/bench/fanout_servers.py, on uvloop; send_loop.c where there is a
compiler); the clients are plain sockets in this process, which count bytes. All are given the same payload,
without compression, and stay at most `WINDOW` events ahead of the slowest client. Printed are deliveries a
second by the clock, and the server's own CPU time for a delivery, which a busy machine disturbs less.

Ours hands an event over in turns of the loop and joins those that wait behind it to one write a client; the
others write each by itself, so those rows are named as joined and have no goal. The goals are for each event
alone: the next is asked for when the slowest client has it, and nothing can be joined.

The last client is timed with one event under way: from its being asked for to all clients having it. In
bursts, 20 events are published at once, which ours joins to one write a client, as the loop in C does too.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from sprint.tools.web.websocket import encode_text_frame
from tests.bench import c_programs
from tests.bench.c_programs import Absent
from tests.bench.fanout_servers import SERVERS, Plan, allow_descriptors, payload
from tests.bench.figures import environment, median
from tests.bench.rows import skip, tell

WINDOW = 32
BURST = 20
TIMEOUT_S = 30.0
OURS, LOOP = "sprint", "send loop in C"
ALONE = "each event alone"
AHEAD = "up to 32 events ahead of the slowest, which ours joins"
HANDSHAKE = (
    "GET /ws/bitcoin/blocks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Result(msgspec.Struct, frozen=True):
    per_second: float
    server_cpu_us: float


Results = dict[str, list[Result]]


class Fanout:
    """Measures scenes, the servers in turns."""

    def __init__(self, options: argparse.Namespace, loop: Path | Absent) -> None:
        self._options = options
        self.loop = loop

    def scene(self, title: str, plan: Plan, names: Sequence[str]) -> Results:
        """Measure the servers and print what was found."""
        here = [name for name in names if name != LOOP or not isinstance(self.loop, Absent)]
        results: Results = {name: [] for name in here}
        rng = random.Random(plan.clients)
        for _ in range(self._options.runs):
            rng.shuffle(here)
            for name in here:
                results[name].append(measure(self._command(name, plan), plan))
        print(
            f"\n{title}: {plan.clients:,} clients x {plan.size} B, {plan.events} events,"
            f" {self._options.runs} runs"
        )
        for name, found in results.items():
            speed, cpu = median([r.per_second for r in found]), median([r.server_cpu_us for r in found])
            print(f"{name:16}{speed:>12,.0f} deliveries/s{cpu:>8.2f} µs server CPU each", flush=True)
        return results

    def plan(self, clients: int, *, window: int = WINDOW, burst: int = 1, share: int = 1) -> Plan:
        events = max(burst, self._options.deliveries // clients // share // burst * burst)
        return Plan(clients=clients, events=events, size=self._options.size, window=window, burst=burst)

    def _command(self, name: str, plan: Plan) -> list[str]:
        fields = {field: str(getattr(plan, field)) for field in Plan.__annotations__}
        if name == LOOP:
            return [str(self.loop), *fields.values()]
        options = [word for field, value in fields.items() for word in (f"--{field}", value)]
        return [sys.executable, "-m", "tests.bench.fanout_servers", name, *options]


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of fan-out")
    parser.add_argument("--deliveries", type=int, default=300_000, help="of each server in each run")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    allow_descriptors(2 * 5_000 + 512)
    print(environment())
    with tempfile.TemporaryDirectory(prefix="sprint-bench-") as folder:
        fanout = Fanout(options, build(Path(folder)))
        for clients in (100, 5_000):
            found = fanout.scene(ALONE, fanout.plan(clients, window=0, share=3), (OURS, "websockets"))
            tell_rate(f"fan-out to {clients:,} / websockets.broadcast", found, "websockets")
            found = fanout.scene(AHEAD, fanout.plan(clients), (OURS, "websockets"))
            tell_rate(f"fan-out to {clients:,}, 32 ahead, ours joined / broadcast", found, "websockets")
        found = fanout.scene(AHEAD, fanout.plan(1_000), (*SERVERS, LOOP))
        tell_rate("fan-out to 1,000, 32 ahead, ours joined / broadcast", found, "websockets")
        tell_rate("fan-out to 1,000, 32 ahead, ours joined / picows", found, "picows")
        tell_beside_loop("fan-out to 1,000, 32 ahead, ours joined / send loop in C", found, fanout.loop)
        tell_last(fanout)
        tell_bursts(fanout)


def tell_beside_loop(target: str, results: Results, loop: Path | Absent) -> None:
    if isinstance(loop, Absent):
        skip(target, loop.reason)
    else:
        tell_rate(target, results, LOOP)


def tell_rate(target: str, results: Results, peer: str) -> None:
    ours = results[OURS]
    rates = [one.per_second / other.per_second for one, other in zip(ours, results[peer], strict=True)]
    cpu = [other.server_cpu_us / one.server_cpu_us for one, other in zip(ours, results[peer], strict=True)]
    tell(
        target,
        median(rates),
        ours=f"{median([r.per_second for r in ours]):,.0f}/s",
        peer=f"{median([r.per_second for r in results[peer]]):,.0f}/s, {median(cpu):.2f}x by CPU",
    )


def tell_last(fanout: Fanout) -> None:
    """When the last of 1,000 clients has an event that is alone under way."""
    target = "last of 1,000 receives / send loop in C"
    plan = fanout.plan(1_000, window=0, share=3)
    results = fanout.scene(ALONE, plan, (*SERVERS, LOOP))
    tell_rate("fan-out to 1,000 / websockets.broadcast", results, "websockets")
    tell_rate("fan-out to 1,000 / picows on uvloop", results, "picows")
    tell_beside_loop("fan-out to 1,000 / send loop in C", results, fanout.loop)
    last_ms = {
        name: [1000 * plan.clients / each.per_second for each in found] for name, found in results.items()
    }
    for name, values in last_ms.items():
        print(f"{name:16}{median(values):>12.2f} ms until the last has it")
    if isinstance(fanout.loop, Absent):
        skip(target, fanout.loop.reason)
        return
    shares = [one / other for one, other in zip(last_ms[OURS], last_ms[LOOP], strict=True)]
    ours, loop = (f"{median(last_ms[name]):.2f} ms" for name in (OURS, LOOP))
    tell(target, median(shares), ours=ours, peer=loop)


def tell_bursts(fanout: Fanout) -> None:
    plan = fanout.plan(1_000, burst=BURST, window=2 * BURST)
    found = fanout.scene(f"bursts of {BURST}, coalesced", plan, (OURS, LOOP))
    rate = {name: median([r.per_second for r in runs]) for name, runs in found.items()}
    peer = f"{rate[LOOP]:,.0f}/s, {LOOP}" if LOOP in rate else "-"
    tell("fan-out to 1,000 in bursts, coalesced", rate[OURS], ours=f"{rate[OURS]:,.0f}/s", peer=peer)


def build(folder: Path) -> Path | Absent:
    """Build the loop in C; what is said where it can't be."""
    program = folder / "send_loop"
    absent = c_programs.build(Path(__file__).with_name("send_loop.c"), program)
    if absent is None:
        return program
    print(f"{LOOP}: skipped, {absent.reason}")
    return absent


def measure(command: Sequence[str], plan: Plan) -> Result:
    """Run one server and count what its clients receive."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        port = int(child.stdout.readline())
        with clients(port, plan.clients) as peers:
            child.stdin.write(b"g")
            frame_size = len(encode_text_frame(payload(plan.size)))
            started = time.perf_counter()
            receive(peers, frame_size, plan.events, child.stdin.write)
            elapsed = time.perf_counter() - started
            cpu_s = float(child.stdout.readline())
            child.stdin.close()
    deliveries = plan.clients * plan.events
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
        ready = poll.poll(TIMEOUT_S)
        if not ready:
            raise RuntimeError(
                f"nothing came for {TIMEOUT_S:g} s, {complete} of {events} events are complete"
            )
        for descriptor, _ in ready:
            before = counts[descriptor]
            size = by_descriptor[descriptor].recv_into(buffer)
            if not size:
                raise RuntimeError(f"a client's connection ended after {before} bytes")
            counts[descriptor] = after = before + size
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
        peer = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        peer.sendall(HANDSHAKE.format(port=port).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = peer.recv(1)
            if not part:
                raise RuntimeError(f"the handshake ended after {head!r}")
            head += part
        peers.append(peer)
    try:
        yield peers
    finally:
        for peer in peers:
            peer.close()


if __name__ == "__main__":
    main()
