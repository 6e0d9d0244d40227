"""Two tiers on one relay under bursts: does turbo hold its goal while free coalesces?

    python -m tests.bench.bench_tiers [--free 100] [--turbo 100] [--bursts 150] [--burst 20] [--size 400]

One relay with the packaged policies runs in a child process on uvloop and serves both tiers to WebSocket
clients. A burst is so many events, published one a turn of the loop; the pause after it is 20 to 80 ms. A
few clients of each tier are read here and timed, from the moment before `publish` to the moment after `recv`,
so the network and this reader are in the figure; the others are read by a third process. `within goal` is the
relay's own `sprint_delivery_seconds`, over all clients.

A busy machine keeps the relay from its core for longer than turbo's goal, so three scenes tell what is whose:
turbo with next to no free client, both tiers, and both with the relay's times taken on its own CPU clock.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import select
import socket
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from typing import IO

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
from sprint.tools.web.websocket import encode_text_frame
from tests.bench.bench_fanout import clients
from tests.bench.figures import environment, percentile
from tests.tools.relay.serving import LOG_ID, Relay, resolve, until

TIERS = ("free", "turbo")
TIMED_OF_EACH = 5
PAUSE_S = (0.02, 0.08)
STAMP = b'{"at":%020d,"data":"'
STAMP_AT = 6  # where the digits start
STAMP_DIGITS = 20
SEED = 4


class Timed(msgspec.Struct):
    """What one tier's timed clients saw."""

    latencies_s: list[float] = []
    reads: int = 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--free", type=int, default=100)
    parser.add_argument("--turbo", type=int, default=100)
    parser.add_argument("--bursts", type=int, default=150)
    parser.add_argument("--burst", type=int, default=20)
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
    print(environment())
    print(f"{options.bursts} bursts of {options.burst} events of {options.size} B a scene, seed {SEED}")
    print(
        f"{'scene':12}{'tier':8}{'clients':>8}{'window ms':>11}{'goal ms':>9}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'max ms':>9}{'events/read':>13}{'within goal':>13}"
    )
    both = {tier: getattr(options, tier) for tier in TIERS}
    alone = both | {"free": TIMED_OF_EACH}
    for scene, counts, clock in (
        ("alone", alone, "wall"),
        ("both", both, "wall"),
        ("both, CPU", both, "cpu"),
    ):
        timed, within_goal = run_scene(options, counts, clock)
        for tier, policy in policies(counts).items():
            print(row(scene, policy, counts[tier], timed[tier], within_goal[tier]))


def run_scene(
    options: argparse.Namespace, counts: dict[str, int], clock: str
) -> tuple[dict[str, Timed], dict[str, float]]:
    """Run one relay with its clients; return what the timed ones saw, and the shares within each goal."""
    with contextlib.ExitStack() as stack:
        asked = [f"--{key}={getattr(options, key)}" for key in ("bursts", "burst", "size")]
        asked += [f"--{tier}={count}" for tier, count in counts.items()]
        server = stack.enter_context(child("--serve", clock, *asked))
        ports = dict(zip(TIERS, map(int, server.readline().split()), strict=True))
        for tier, port in ports.items():
            stack.enter_context(child("--drain", str(port), str(counts[tier] - TIMED_OF_EACH)))
        peers = {tier: stack.enter_context(clients(port, TIMED_OF_EACH)) for tier, port in ports.items()}
        timed = receive(peers, len(encode_text_frame(body(0, options.size))), options.bursts * options.burst)
        return timed, json.loads(server.readline())


def row(scene: str, policy: TierPolicy, clients: int, timed: Timed, within_goal: float) -> str:
    p50, p99, worst = (1000 * percentile(timed.latencies_s, share) for share in (0.5, 0.99, 1.0))
    return (
        f"{scene:12}{policy.name:8}{clients:8}{policy.coalescing_window_ms:11g}{policy.delivery_goal_ms:9g}"
        f"{p50:9.3f}{p99:9.3f}{worst:9.3f}{len(timed.latencies_s) / timed.reads:13.1f}{within_goal:13.2%}"
    )


def receive(peers: dict[str, list[socket.socket]], frame_size: int, events: int) -> dict[str, Timed]:
    """Read until every timed client has all events; each event is timed when its last byte is read."""
    poll = select.epoll()
    tier_of: dict[int, tuple[str, socket.socket, bytearray]] = {}
    for tier, sockets in peers.items():
        for peer in sockets:
            tier_of[peer.fileno()] = (tier, peer, bytearray())
            poll.register(peer.fileno(), select.EPOLLIN)
    timed = {tier: Timed() for tier in peers}
    wanted = {tier: events * len(sockets) for tier, sockets in peers.items()}
    while any(len(timed[tier].latencies_s) < wanted[tier] for tier in peers):
        for descriptor, _ in poll.poll():
            tier, peer, pending = tier_of[descriptor]
            data = peer.recv(1 << 20)
            now = time.monotonic_ns()
            if not data:
                raise RuntimeError(f"the relay closed a {tier} client")
            timed[tier].reads += 1
            pending += data
            while len(pending) >= frame_size:
                at = pending.index(b"{") + STAMP_AT
                timed[tier].latencies_s.append((now - int(pending[at : at + STAMP_DIGITS])) / 1e9)
                del pending[:frame_size]
    poll.close()
    return timed


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
    async with contextlib.AsyncExitStack() as stack:
        tiers = policies(counts)
        ports = [(await stack.enter_async_context(relay.listening(tiers[name]))).port for name in TIERS]
        print(*ports, flush=True)
        await until(lambda: relay.delivery.subscriber_count == sum(counts.values()))
        position = 0
        for _ in range(options.bursts):
            for _ in range(options.burst):
                position += 1
                event_body = body(time.monotonic_ns(), options.size)
                event = LoggedEvent(position, "bitcoin", position, "block", "c" * 48, event_body)
                relay.delivery.publish([event])
                await asyncio.sleep(0)
            await asyncio.sleep(rng.uniform(*PAUSE_S))
        print(json.dumps({name: share_within(seconds, tier) for name, tier in tiers.items()}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def share_within(seconds: DeliverySeconds, tier: TierPolicy) -> float:
    """Return the share of a tier's deliveries within its goal, by the relay's own histogram."""
    counts = seconds.counts("bitcoin", tier.name)
    reached = bisect_left(DELIVERY_BOUNDS_S, tier.delivery_goal_ms / 1000)
    return sum(counts[: reached + 1]) / sum(counts)


def drain(port: int, count: int) -> None:
    """Read and forget until the relay or the parent ends."""
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
