"""A generator as a process of its own: `python -m sprint.tools.loadtest.generator`.

The load tester starts it. It reads an assignment from stdin, prepares, and tells on stdout how it gets on:
see `assignment`.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import time

import msgspec
import psutil

from sprint.core.errors import SprintError
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.schedule import Schedule
from sprint.tools import runtime
from sprint.tools.loadtest.assignment import (
    Assignment,
    Failed,
    FromGenerator,
    Progress,
    Ready,
    Start,
    ToGenerator,
    framed,
    read_framed,
)
from sprint.tools.loadtest.generating import Generating, Part
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.seeded import SeededNumbers
from sprint.tools.loadtest.targets import RunTarget, target_of

EXIT_FAILED = 3


class Generator:
    """One generator: prepares what it is assigned, runs it, and tells of it."""

    def __init__(self, assignment: Assignment, told: asyncio.StreamWriter) -> None:
        self._assignment = assignment
        self._writer = told
        self._recorder = Recorder(assignment.process)
        self._outcomes = Outcomes(self._recorder)
        self._started_ns = 0
        self._process = psutil.Process()
        self._target: RunTarget = target_of(assignment, self._outcomes, SeededNumbers(assignment.seed))
        self.run = Generating(
            Schedule(
                assignment.plan.segments, process=assignment.process, processes=assignment.plan.processes
            ),
            self._target,
            self._outcomes,
            Part(assignment.process, assignment.plan.processes, assignment.timeout_ns),
        )

    def __repr__(self) -> str:
        return f"Generator({self._assignment.process}, {self._target})"

    async def generate(self, started_ns: int) -> None:
        """Run from a moment of the clock on, and tell of it each interval and at the end."""
        self._started_ns = started_ns
        self._outcomes.begin(started_ns)
        self._target.begin(started_ns)
        async with runtime.background(self._tell_on()):
            await self.run.run(started_ns)
        self._tell(ended=True)
        await self._writer.drain()

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(self._assignment.interval_s)
            self._tell(ended=False)
            await self._writer.drain()

    def _tell(self, *, ended: bool) -> None:
        now_ns = clock_ns()
        ended_ns = self.run.ended_ns or now_ns
        self._recorder.in_flight = self._target.pending
        self.say(
            Progress(
                cells=self._recorder.cells(max(0, now_ns - self._started_ns), last=ended),
                elapsed_ns=max(0, ended_ns - self._started_ns),
                in_flight=self._target.pending,
                connections=self._target.connections,
                states=dict(self._target.states),
                cpu_s=time.process_time(),
                memory_bytes=self._process.memory_info().rss,
                ended=ended,
            )
        )

    def say(self, message: FromGenerator) -> None:
        """Tell the parent something."""
        self._writer.write(framed(message))


async def _main() -> int:
    reader, writer = await _pipes()
    assignment = await read_framed(reader, msgspec.msgpack.Decoder(Assignment))
    if assignment is None:
        return EXIT_FAILED
    try:
        generator = Generator(assignment, writer)
    except (SprintError, OSError) as error:
        writer.write(framed(Failed(str(error))))
        await writer.drain()
        return EXIT_FAILED
    gc.collect()
    gc.freeze()
    generator.say(Ready())
    decoder: msgspec.msgpack.Decoder[ToGenerator] = msgspec.msgpack.Decoder(ToGenerator)
    told = await read_framed(reader, decoder)
    if not isinstance(told, Start):
        return EXIT_FAILED
    running = asyncio.create_task(generator.generate(told.at_ns))
    hearing = asyncio.create_task(_hear(reader, decoder, generator))
    await asyncio.wait((running, hearing), return_when=asyncio.FIRST_COMPLETED)
    parent_has_gone = hearing.done() and not running.done()
    for task in (hearing, running) if parent_has_gone else (hearing,):
        task.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    if parent_has_gone:
        await asyncio.gather(running, return_exceptions=True)
        return EXIT_FAILED
    await running
    return 0


async def _hear(
    reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[ToGenerator], generator: Generator
) -> None:
    """Stop when told to; return when the parent has gone."""
    while await read_framed(reader, decoder) is not None:
        generator.run.stop()


async def _pipes() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def raise_descriptor_limit(wanted: int) -> int:
    """Raise how many files may be open as far as it goes without privileges; return the limit that holds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        return target
    return soft


def main() -> int:
    """Run as a process."""
    return runtime.run(_main())


if __name__ == "__main__":
    sys.exit(main())
