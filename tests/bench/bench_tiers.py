"""Three tiers on one relay under bursts: does turbo hold its goal while the others coalesce?

    python -m tests.bench.bench_tiers [--free 100] [--business 100] [--turbo 100] [--events 3000] [--size 400]

One relay with the packaged policies runs in a child process on uvloop and serves all tiers to WebSocket
clients. A burst is so many events, published one a turn of the loop; the pause after it is 20 to 80 ms. A
few clients of each tier are read here and timed, from the moment before `publish` to the moment after `recv`,
so the network and this reader are in the figure; the others are read by a third process. `within goal` is the
relay's own `sprint_delivery_seconds` and `events/write` its own count of writes, both over all clients.

A busy machine keeps the relay from its core for longer than turbo's goal, so the scenes tell what is whose:
turbo with next to no other client, all tiers at bursts of several sizes, and all with the relay's times taken
on its own CPU clock. Where they may, relay and timed clients run before all else; the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import select
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any, cast
from unittest.mock import patch

import msgspec
import uvloop
from prometheus_client import CollectorRegistry

from sprint.core.relay.event_log import LoggedEvent
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.api import Api
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.metrics import DELIVERY_BOUNDS_S, DeliverySeconds, DeliveryTimes
from sprint.tools.relay.service import packaged_tiers
from sprint.tools.relay.stages import StageTimes
from sprint.tools.runtime import leave_start_up_to_itself
from sprint.tools.web import websocket
from sprint.tools.web.outgoing import FlushWindow, Outgoing
from sprint.tools.web.websocket import encode_text_frame
from tests.bench.bench_fanout import clients
from tests.bench.figures import environment, percentile
from tests.bench.rows import tell
from tests.tools.relay.serving import LOG_ID, Relay, resolve, until

TIERS = ("free", "business", "turbo")
BURSTS = (1, 20, 200)
BURST = 20
BURSTS_MAX = 200  # a scene must end before the relay asks its clients for a pong
TIMED_OF_EACH = 5
PAUSE_S = (0.02, 0.08)
STAMP = b'{"at":%020d,"data":"'
STAMP_AT = 6  # where the digits start
STAMP_DIGITS = 20
SEED = 4

Overflow = Callable[[str], None]


class Scene(msgspec.Struct, frozen=True):
    """What is run: how many clients of each tier, how many events, and on which clock the relay counts."""

    name: str
    clients: dict[str, int]
    burst: int
    events: int
    clock: str = "wall"


class OfTier(msgspec.Struct, frozen=True):
    """What the relay itself says of a tier: the share of deliveries within the goal, events in a write."""

    within_goal: float
    events_per_write: float


def main() -> None:
    parser = argparse.ArgumentParser()
    for tier in TIERS:
        parser.add_argument(f"--{tier}", type=int, default=100)
    parser.add_argument("--events", type=int, default=3_000)
    parser.add_argument("--burst", type=int, default=BURST, help="of a child that serves")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--serve", choices=("wall", "cpu"))
    parser.add_argument("--drain", nargs=2, type=int, metavar=("PORT", "CLIENTS"))
    options = parser.parse_args()
    if options.serve:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options))
    elif options.drain:
        drain(*options.drain)
    else:
        measure(options)


def measure(options: argparse.Namespace) -> None:
    """Run the scenes and print the table."""
    print(f"{environment()}, {priority()}")
    print(f"up to {options.events} events of {options.size} B a scene, seed {SEED}")
    print(
        f"{'scene':14}{'tier':10}{'clients':>8}{'window ms':>10}{'p50 ms':>9}{'p99 ms':>9}{'p99.9 ms':>10}"
        f"{'goal p99':>10}{'within goal':>13}{'events/write':>14}"
    )
    every = {tier: getattr(options, tier) for tier in TIERS}
    few = every | dict.fromkeys(TIERS[:-1], TIMED_OF_EACH)
    events = {burst: min(options.events, BURSTS_MAX * burst) for burst in (*BURSTS, BURST)}
    scenes = [Scene(f"{TIERS[-1]} alone", few, BURST, events[BURST])]
    scenes += [Scene(f"bursts of {burst}", every, burst, events[burst]) for burst in BURSTS]
    scenes += [Scene(f"of {BURST}, CPU", every, BURST, events[BURST], "cpu")]
    within: list[tuple[float, str, str]] = []
    for scene in scenes:
        latencies_s, said = run_scene(options, scene)
        for tier, policy in policies(scene.clients).items():
            print(row(scene, policy, latencies_s[tier], said[tier]), flush=True)
            within.append((100 * said[tier].within_goal, scene.name, tier))
    share, name, tier = min(within)
    tell("deliveries within their tier's goal, least of all scenes", share, ours=f"{tier}, {name}")


def priority() -> str:
    """Have this reader and its children run before all else on the machine, where that is allowed; say so.

    With two cores the relay is otherwise kept waiting by its own clients, which are woken by every write.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except (AttributeError, PermissionError):
        return "all at the usual priority"
    return "relay and timed clients before all else (SCHED_FIFO)"


def step_back() -> None:
    """Run as anybody else: what only drains must not stand before the relay."""
    with contextlib.suppress(AttributeError, PermissionError):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def run_scene(options: argparse.Namespace, scene: Scene) -> tuple[dict[str, list[float]], dict[str, OfTier]]:
    """Run one relay with its clients; return what the timed ones saw, and what the relay says."""
    with contextlib.ExitStack() as stack:
        asked = [f"--events={scene.events}", f"--size={options.size}", f"--burst={scene.burst}"]
        asked += [f"--{tier}={count}" for tier, count in scene.clients.items()]
        server = stack.enter_context(child("--serve", scene.clock, *asked))
        ports = dict(zip(TIERS, map(int, server.readline().split()), strict=True))
        for tier, port in ports.items():
            stack.enter_context(child("--drain", str(port), str(scene.clients[tier] - TIMED_OF_EACH)))
        peers = {tier: stack.enter_context(clients(port, TIMED_OF_EACH)) for tier, port in ports.items()}
        latencies_s = receive(peers, len(encode_text_frame(body(0, options.size))), scene.events)
        return latencies_s, msgspec.json.decode(server.readline(), type=dict[str, OfTier])


def row(scene: Scene, policy: TierPolicy, latencies_s: list[float], said: OfTier) -> str:
    p50, p99, p999 = (1000 * percentile(latencies_s, share) for share in (0.5, 0.99, 0.999))
    return (
        f"{scene.name:14}{policy.name:10}{scene.clients[policy.name]:8}{policy.coalescing_window_ms:10g}"
        f"{p50:9.3f}{p99:9.3f}{p999:10.3f}{policy.delivery_goal_ms:10g}{said.within_goal:13.2%}"
        f"{said.events_per_write:14.1f}"
    )


def receive(peers: dict[str, list[socket.socket]], frame_size: int, events: int) -> dict[str, list[float]]:
    """Read until every timed client has all events; each event is timed when its last byte is read."""
    poll = select.epoll()
    tier_of: dict[int, tuple[str, socket.socket, bytearray]] = {}
    for tier, sockets in peers.items():
        for peer in sockets:
            tier_of[peer.fileno()] = (tier, peer, bytearray())
            poll.register(peer.fileno(), select.EPOLLIN)
    latencies_s: dict[str, list[float]] = {tier: [] for tier in peers}
    wanted = {tier: events * len(sockets) for tier, sockets in peers.items()}
    while any(len(latencies_s[tier]) < wanted[tier] for tier in peers):
        for descriptor, _ in poll.poll():
            tier, peer, pending = tier_of[descriptor]
            data = peer.recv(1 << 20)
            now = time.monotonic_ns()
            if not data:
                raise RuntimeError(f"the relay closed a {tier} client")
            pending += data
            while len(pending) >= frame_size:
                at = pending.index(b"{") + STAMP_AT
                latencies_s[tier].append((now - int(pending[at : at + STAMP_DIGITS])) / 1e9)
                del pending[:frame_size]
    poll.close()
    return latencies_s


class CountedTransport:
    """A transport as the way out uses it, its writes counted."""

    def __init__(self, transport: asyncio.Transport, window: FlushWindow | None, tally: Tally) -> None:
        self._window, self._tally = window, tally
        self._write = transport.write
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.set_write_buffer_limits = transport.set_write_buffer_limits
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        self._tally[self._window] += 1
        self._write(data)


Tally = Counter[FlushWindow | None]


class OwnTimes(DeliveryTimes):
    """On the process's own clock, which stands still while others have the core."""

    def now(self) -> float:
        return time.process_time()


async def serve(options: argparse.Namespace) -> None:
    """Serve both tiers, publish the bursts once all clients are there, print the share within each goal."""
    relay = Relay()
    seconds = DeliverySeconds()
    kind = DeliveryTimes if options.serve == "wall" else OwnTimes
    observer = kind(StageTimes(CollectorRegistry()), seconds)
    relay.delivery = Delivery(relay.store, LOG_ID, 0, observer=observer)
    relay.api = Api(relay.view, relay.store, relay.delivery, resolve)
    counts = {tier: getattr(options, tier) for tier in TIERS}
    rng = random.Random(SEED)
    tally: Tally = Counter()

    def counted(transport: asyncio.Transport, overflow: Overflow, window: FlushWindow | None) -> Outgoing:
        return Outgoing(cast("Any", CountedTransport(transport, window, tally)), overflow, window)

    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(patch.object(websocket, "Outgoing", counted))
        tiers = policies(counts)
        ports = [(await stack.enter_async_context(relay.listening(tiers[name]))).port for name in TIERS]
        print(*ports, flush=True)
        await until(lambda: relay.delivery.subscriber_count == sum(counts.values()))
        leave_start_up_to_itself()  # as the relay does when it begins to serve
        for position in range(1, options.events + 1):
            event_body = body(time.monotonic_ns(), options.size)
            event = LoggedEvent(position, "bitcoin", position, "block", "c" * 48, event_body)
            relay.delivery.publish([event])
            pause_s = 0.0 if position % options.burst else rng.uniform(*PAUSE_S)
            await asyncio.sleep(pause_s)
        await asyncio.sleep(max(tier.coalescing_window_ms for tier in tiers.values()) / 1000 + PAUSE_S[1])
        said = {}
        for name, tier in tiers.items():
            writes = tally[relay.api._served[name][0].window]
            said[name] = OfTier(share_within(seconds, tier), options.events * counts[name] / writes)
        print(msgspec.json.encode(said).decode(), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def share_within(seconds: DeliverySeconds, tier: TierPolicy) -> float:
    """Return the share of a tier's deliveries within its goal, by the relay's own histogram."""
    counts = seconds.counts("bitcoin", tier.name)
    reached = bisect_left(DELIVERY_BOUNDS_S, tier.delivery_goal_ms / 1000)
    return sum(counts[: reached + 1]) / sum(counts)


def drain(port: int, count: int) -> None:
    """Read and forget until the relay or the parent ends."""
    step_back()
    with clients(port, count) as peers, select.epoll() as poll:
        by_descriptor = {peer.fileno(): peer for peer in peers}
        for descriptor in (*by_descriptor, sys.stdin.fileno()):
            poll.register(descriptor, select.EPOLLIN)
        buffer = bytearray(1 << 20)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor not in by_descriptor or not by_descriptor[descriptor].recv_into(buffer):
                    return


@contextlib.contextmanager
def child(*arguments: str) -> Iterator[IO[bytes]]:
    command = [sys.executable, "-m", "tests.bench.bench_tiers", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout
        process.stdin.close()


def policies(counts: dict[str, int]) -> dict[str, TierPolicy]:
    """Return the packaged policies, with room for the clients."""
    tiers = packaged_tiers({})
    return {
        name: msgspec.structs.replace(
            tiers[name], connections_max=max(count, tiers[name].connections_max), port=0
        )
        for name, count in counts.items()
    }


def body(at_ns: int, size: int) -> bytes:
    stamp = STAMP % at_ns
    return stamp + b"x" * (size - len(stamp) - 2) + b'"}'


if __name__ == "__main__":
    main()
