"""The generator processes of one run: started together, on one schedule, heard until each has ended.

A generator that dies is told of, and what it had not reported counts as never sent. Children are in a session
of their own, so that Ctrl-C reaches the parent alone, which then tells them to stop and to report. One that
doesn't is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence

import msgspec

from sprint.core.errors import ProtocolError, SprintError
from sprint.tools.loadtest.assignment import (
    Assignment,
    Failed,
    FromGenerator,
    Progress,
    Ready,
    Start,
    Stop,
    framed,
    read_framed,
)
from sprint.tools.loadtest.moments import NS_PER_MS, NS_PER_S, clock_ns

READY_TIMEOUT_S = 60.0
START_DELAY_NS = 100 * NS_PER_MS  # from all being ready to the first request
END_GRACE_S = 30.0  # beyond duration and timeout
KILL_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 5.0  # for a generator that was told to stop; it waits a second for answers
AGAIN_AFTER_S = 0.5  # a second stop within it is the same one, as where a terminal and a wrapper both signal
STDERR_SHOWN_MAX = 2_000
PIPE_LIMIT = 1024 * 1024

COMMAND = (sys.executable, "-m", "sprint.tools.loadtest.generator")


class GeneratorFailed(SprintError):
    """A generator could not begin."""

    code = "generator"


class GeneratorProcess:
    """One generator. `last` is the newest that it told; `died` says how it ended without having told all."""

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.last: Progress | None = None
        self.died = ""
        self.kernels = ""
        self._killed_as = ""
        self._words = b""
        self._hearing: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._decoder = msgspec.msgpack.Decoder(FromGenerator)

    def __repr__(self) -> str:
        return f"GeneratorProcess({self.assignment.process}, pid={self.pid}, died={self.died!r})"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def words(self) -> str:
        """The end of what it said on stderr."""
        return self._words.decode(errors="replace").strip()

    async def begin(self) -> None:
        """Start it and wait until it is ready; GeneratorFailed if it can't be."""
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=PIPE_LIMIT,
        )
        if self._process.stderr is not None:
            self._hearing = asyncio.create_task(self._hear(self._process.stderr))
        self._tell(framed(self.assignment))
        told = await self._next()
        if isinstance(told, Failed):
            raise GeneratorFailed(told.reason)
        if not isinstance(told, Ready):
            saying = f", saying: {self.words}" if self.words else ""
            raise GeneratorFailed(f"generator {self.assignment.process} did not start: {self.died}{saying}")
        self.kernels = told.kernels

    def start(self, at_ns: int) -> None:
        self._tell(framed(Start(at_ns)))

    def stop(self) -> None:
        self._tell(framed(Stop()))

    async def follow(self, take: Callable[[bytes], None]) -> None:
        """Hand on what it recorded until it has ended or died."""
        while True:
            message = await self._next()
            if isinstance(message, Progress):
                for cell in message.cells:
                    take(cell)
                self.last = msgspec.structs.replace(message, cells=[])
                if message.ended:
                    return
            else:
                self.died = message.reason if isinstance(message, Failed) else self.died
                return

    def kill(self, why: str) -> None:
        """End the process at once, unless it has told all."""
        is_done = self.last is not None and self.last.ended
        if self._process is not None and self._process.returncode is None and not is_done:
            self._killed_as = why
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> None:
        """End the process, if it hasn't by itself."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(KILL_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._hearing is not None:
            await self._hearing

    def _tell(self, data: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(data)

    async def _next(self) -> FromGenerator | None:
        process = self._process
        if process is None or process.stdout is None:
            return None
        try:
            message = await read_framed(process.stdout, self._decoder)
        except ProtocolError as error:
            self.died = str(error)
            return None
        if message is None:
            self.died = self._killed_as or f"ended with code {await process.wait()}"
            if self._hearing is not None:
                await self._hearing
        return message

    async def _hear(self, stderr: asyncio.StreamReader) -> None:
        """Keep the end of what it says on stderr, which would stand in the live display."""
        while data := await stderr.read(STDERR_SHOWN_MAX):
            self._words = (self._words + data)[-STDERR_SHOWN_MAX:]


class Fleet:
    """All generators of a run. `take` is given each cell that one has recorded.

    `begun` is called once all are told to start.
    """

    def __init__(
        self,
        assignments: Sequence[Assignment],
        take: Callable[[bytes], None],
        *,
        begun: Callable[[], None] | None = None,
    ) -> None:
        self.generators = [GeneratorProcess(assignment) for assignment in assignments]
        self.started_ns = 0
        self._stopped_ns = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._take = take
        self._begun = begun

    def __repr__(self) -> str:
        return f"Fleet({self.generators})"

    @property
    def newest(self) -> list[Progress]:
        """The newest that each has told."""
        return [generator.last for generator in self.generators if generator.last is not None]

    @property
    def kernels(self) -> str:
        """The forms of histogram that they record with, of those that were ready."""
        return ", ".join(sorted({each.kernels for each in self.generators if each.kernels}))

    @property
    def deaths(self) -> list[str]:
        """How each generator ended that did not tell all; before the start a stop has none to tell."""
        if self._stopped_ns and not self.started_ns:
            return []
        return [
            f"generator {each.assignment.process} (process {each.pid}) {each.died}"
            for each in self.generators
            if each.died
        ]

    @property
    def words(self) -> list[str]:
        """What generators said on stderr, where one should say nothing."""
        told = ((each.assignment.process, each.words) for each in self.generators)
        return [f"generator {process} said: {words}" for process, words in told if words]

    async def run(self, longest_s: float) -> None:
        """Start all at one moment and hear them out; one that is not done in time is ended."""
        try:
            await self._begin()
            if self._stopped_ns:
                return
            self.started_ns = clock_ns() + START_DELAY_NS
            for generator in self.generators:
                generator.start(self.started_ns)
            if self._begun is not None:
                self._begun()
            following = asyncio.gather(*(each.follow(self._take) for each in self.generators))
            async with asyncio.timeout(longest_s + START_DELAY_NS / NS_PER_S + END_GRACE_S):
                await following
        except TimeoutError:
            for each in self.generators:
                if each.last is None or not each.last.ended:
                    each.died = each.died or "did not end in time and was ended"
        finally:
            await asyncio.gather(*(generator.end() for generator in self.generators))
            if self._deadline is not None:
                self._deadline.cancel()

    def stop(self) -> None:
        """Have all send no more and tell what was done; before the start there will be none.

        One that doesn't end is killed after a time, or when told to stop once more.
        """
        now_ns = clock_ns()
        if not self.started_ns:
            self._kill()
        elif not self._stopped_ns:
            self._deadline = asyncio.get_running_loop().call_later(STOP_TIMEOUT_S, self._kill)
            for generator in self.generators:
                generator.stop()
        elif now_ns - self._stopped_ns > AGAIN_AFTER_S * NS_PER_S:
            self._kill()
        self._stopped_ns = self._stopped_ns or now_ns

    async def _begin(self) -> None:
        """Start all and wait until they are ready, or are told to stop."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await asyncio.gather(*(generator.begin() for generator in self.generators))
        except GeneratorFailed:
            if not self._stopped_ns:
                raise

    def _kill(self) -> None:
        for generator in self.generators:
            generator.kill("did not stop when told to and was killed")
