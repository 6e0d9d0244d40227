"""The worker as its parent has it: orders go in, replies come out, each within a limit of time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from sprint.core.errors import UpstreamError
from sprint.core.optimize.setting import Setting
from sprint.tools.embedded.child import environment
from sprint.tools.optimize.bench.orders import Apply, Measure, Order, Reply, Restore
from sprint.tools.optimize.bench.scenes import SceneName

ORDER_TIMEOUT_S = 60.0
IDLE_TIMEOUT_S = 1.0  # to end by itself, where it waits for an order
END_TIMEOUT_S = 10.0
SAID_LENGTH_MAX = 500


class Measured:
    """A worker's process. It stands in a session of its own: Ctrl-C reaches its parent alone."""

    def __init__(self, journal_folder: Path) -> None:
        descriptor, path = tempfile.mkstemp(prefix="sprint-bench-")
        self._said = Path(path)
        command = [sys.executable, "-m", "sprint.tools.optimize.bench.worker", str(journal_folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=descriptor, env=environment(),
            start_new_session=True,
        )  # fmt: skip
        os.close(descriptor)
        try:
            self._reply(ORDER_TIMEOUT_S)
        except BaseException:
            self.end()
            raise

    def __repr__(self) -> str:
        return f"Measured(pid={self._process.pid})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self._process.pid

    def apply(self, settings: Sequence[Setting]) -> Reply:
        return self._order(Apply(tuple(settings)))

    def restore(self) -> Reply:
        return self._order(Restore())

    def measure(self, scene: SceneName, seconds: float) -> tuple[float, ...]:
        return self._order(Measure(scene, seconds), ORDER_TIMEOUT_S + seconds).values

    def end(self) -> None:
        """Have it restore and end, also in the middle of a measurement; kill it where it doesn't end.

        May be called again.
        """
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        for timeout_s, end in (
            (IDLE_TIMEOUT_S, self._process.terminate),
            (END_TIMEOUT_S, self._process.kill),
        ):
            try:
                self._process.wait(timeout_s)
                break
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.unlink(missing_ok=True)

    def _order(self, order: Order, timeout_s: float = ORDER_TIMEOUT_S) -> Reply:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            raise UpstreamError("the measured process was ended")
        try:
            stdin.write(msgspec.json.encode(order) + b"\n")
            stdin.flush()
        except BrokenPipeError as error:
            raise self._failed("ended") from error
        return self._reply(timeout_s)

    def _reply(self, timeout_s: float) -> Reply:
        """Read a line. One that takes too long is killed, which ends the line that is waited for."""
        late = threading.Timer(timeout_s, self._process.kill)
        late.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            late.cancel()
        if not line:
            raise self._failed("ended, or took too long")
        return msgspec.json.decode(line, type=Reply)

    def _failed(self, what: str) -> UpstreamError:
        said = self._said.read_text(errors="replace")[-SAID_LENGTH_MAX:].strip()
        return UpstreamError(f"the measured process {what}: {said or 'it said nothing'}")
