"""What a small message of a publisher costs: the ZMQ source, beside pyzmq's asyncio socket in the same run.

    python -m tests.bench.bench_zmq [--messages 9000] [--runs 5]

A child process publishes `hashblock` messages as fast as it can; the subscriber here counts them on uvloop.
Printed is the process's CPU time for a message, from the first to the last: libzmq's thread is in it, and for
the source its decoding, its check of the numbers and the hand-over to an intake that only counts.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext

import uvloop
import zmq
import zmq.asyncio

from sprint.core.protocols.announcements import Announcement
from sprint.core.protocols.zmq.frames import HASHBLOCK, encode_message
from sprint.core.relay.source_url import source_of
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.intake import Upstream
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.stages import Stage
from tests.bench.figures import environment, median
from tests.bench.rows import tell

TIMEOUT_S = 30.0


class CountingIntake:
    """Counts what it is given; `done` is set at the last message."""

    chain = "bitcoin-regtest"
    needs_sources = paused = False

    def __init__(self, messages: int) -> None:
        self.left = messages
        self.begun = self.ended = 0.0
        self.ready, self.done = asyncio.Event(), asyncio.Event()

    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]:
        del changed  # nothing of it changes
        return nullcontext()

    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None:
        self.ready.set()

    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None:
        if not self.done.is_set():  # else we have ended it
            raise RuntimeError(reason)

    def source_noted(self, name: str, reason: str) -> None:
        raise RuntimeError(reason)

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        self.count()

    def count(self) -> None:
        self.begun = self.begun or time.process_time()
        self.left -= 1
        if self.left == 0:
            self.ended = time.process_time()
            self.done.set()


class Observer:
    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        """Times are not what is measured here."""


async def by_source(port: int, intake: CountingIntake) -> None:
    network = ChainCatalog.installed().find_id(intake.chain)
    spec = source_of("bitcoin", "regtest", f"zmq://127.0.0.1:{port}?topics=hashblock")
    task = asyncio.create_task(new_source(spec, network, intake, Observer()).run())
    await intake.ready.wait()
    await intake.done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def by_asyncio_socket(port: int, intake: CountingIntake) -> None:
    with zmq.asyncio.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.rcvhwm = 0
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        subscriber.subscribe(HASHBLOCK.encode())
        while intake.left:
            await subscriber.recv_multipart()
            intake.count()


def measure_us(read: Callable[[int, CountingIntake], Awaitable[None]], messages: int) -> float:
    """Return the CPU time of one message, in microseconds."""
    command = [sys.executable, "-m", "tests.bench.bench_zmq", "--publish", str(messages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as publisher:
        port = int(publisher.stdout.readline()) if publisher.stdout else 0

        async def main() -> CountingIntake:
            intake = CountingIntake(messages)
            async with asyncio.timeout(TIMEOUT_S):
                await read(port, intake)
            return intake

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            intake = runner.run(main())
        publisher.terminate()
    return (intake.ended - intake.begun) / messages * 1e6


def publish(messages: int) -> None:
    """Publish to the first subscriber, and wait to be ended."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.sndhwm = 0
        sys.stdout.write(f"{publisher.bind_to_random_port('tcp://127.0.0.1')}\n")
        sys.stdout.flush()
        publisher.recv()
        for number in range(messages):
            publisher.send_multipart(encode_message(HASHBLOCK, bytes(32), number))
        publisher.recv()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--messages", type=int, default=9_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.publish:
        publish(arguments.publish)
        return 0
    print(environment())
    found: dict[str, float] = {}
    for name, read in (("ZMQ source", by_source), ("zmq.asyncio", by_asyncio_socket)):
        runs = [measure_us(read, arguments.messages) for _ in range(arguments.runs)]
        shown = " ".join(f"{run:.1f}" for run in sorted(runs))
        print(f"{name:14} {median(runs):6.1f} µs of CPU a message   (runs: {shown})")
        found[name] = median(runs)
    ours, peer = found["ZMQ source"], found["zmq.asyncio"]
    tell("ZMQ, CPU of a small message", ours, ours=f"{ours:.1f} µs")
    tell(
        "ZMQ, CPU of a small message / zmq.asyncio", peer / ours, ours=f"{ours:.1f} µs", peer=f"{peer:.1f} µs"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
