"""A generator as a process of its own: `python -m sprint.tools.loadtest.generator`.

The load tester starts it. It reads an assignment from stdin, prepares, and tells on stdout how it gets on:
see `assignment`.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time

import msgspec
import psutil

from sprint.core.errors import SprintError
from sprint.core.loadtest.recorder import Recorder
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
from sprint.tools.loadtest.jobs import Job, job_of
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.recording_form import recording_form
from sprint.tools.loadtest.seeded import SeededNumbers
from sprint.tools.loadtest.timer_slack import want_exact_timers

EXIT_FAILED = 3


class Generator:
    """One generator: prepares what it is assigned, runs it, and tells of it."""

    def __init__(self, assignment: Assignment, told: asyncio.StreamWriter) -> None:
        self._assignment = assignment
        self._writer = told
        plan = assignment.plan
        self._form = recording_form(plan.rate_per_s / plan.processes)
        self._recorder = Recorder(assignment.process, new_histogram=self._form.new_histogram)
        self._outcomes = Outcomes(self._recorder)
        self._started_ns = 0
        self._process = psutil.Process()
        self.job: Job = job_of(assignment, self._outcomes, SeededNumbers(assignment.seed))

    def __repr__(self) -> str:
        return f"Generator({self._assignment.process}, {self.job})"

    def say_ready(self) -> None:
        """Tell that all is prepared."""
        self.say(Ready(self._form.name))

    async def generate(self, started_ns: int) -> None:
        """Run from a moment of the clock on, and tell of it each interval and at the end."""
        self._started_ns = started_ns
        self._outcomes.begin(started_ns)
        async with runtime.background(self._tell_on()):
            await self.job.run(started_ns)
        self._tell(ended=True)
        await handed_over(self._writer)

    async def _tell_on(self) -> None:
        while True:
            await asyncio.sleep(self._assignment.interval_s)
            self._tell(ended=False)
            await self._writer.drain()

    def _tell(self, *, ended: bool) -> None:
        now_ns = clock_ns()
        ended_ns = self.job.ended_ns or now_ns
        self._recorder.in_flight = self.job.pending
        self.say(
            Progress(
                cells=self._recorder.cells(max(0, now_ns - self._started_ns), last=ended),
                elapsed_ns=max(0, ended_ns - self._started_ns),
                in_flight=self.job.pending,
                connections=self.job.connections,
                states=dict(self.job.states),
                cpu_s=time.process_time(),
                memory_bytes=self._process.memory_info().rss,
                said=self._said() if ended else [],
                ended=ended,
            )
        )

    def _said(self) -> list[str]:
        return [*([self._form.said] if self._form.said else []), *self.job.said]

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
        await handed_over(writer)
        return EXIT_FAILED
    gc.collect()
    gc.freeze()
    generator.say_ready()
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


async def handed_over(writer: asyncio.StreamWriter) -> None:
    """Return when the system has all that was written: what is left in this process is lost with it.

    `drain` alone returns while there is some, and a parent that is slow to read misses its last seconds.
    """
    writer.transport.set_write_buffer_limits(0)
    await writer.drain()


async def _hear(
    reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[ToGenerator], generator: Generator
) -> None:
    """Stop when told to; return when the parent has gone."""
    while await read_framed(reader, decoder) is not None:
        generator.job.stop()


async def _pipes() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)


def main() -> int:
    """Run as a process."""
    want_exact_timers()
    return runtime.run(_main())


if __name__ == "__main__":
    sys.exit(main())
