"""A relay as a process of its own, as an operator starts it: command line in, `serving` line out.

    with RelayProcess(tmp_path, "--source", node.source_url, "--data-dir", str(data)) as relay:
        client = Client(relay.url)

It listens on free ports of 127.0.0.1, served as one tier; `port` names its port, None leaves it to the relay,
and so does None in `tier`: the config then says which tiers and where. What it says on stderr goes to a file
in the given folder, and the end of that into the message of whatever fails. To start again on the same
data, make another one with the same `--data-dir`.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Self

import msgspec

COMMAND = (sys.executable, "-m", "sprint.cli.main", "relay")
FIXED_OPTIONS = (
    *("--log-format", "json"),
    *("--admin-port", "0"),
    *("--metrics-port", "0"),
)
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
SERVING_LINE_SIZE_MAX = 64 * 1024
STDERR_SHOWN_MAX = 4000


class ListenerLine(msgspec.Struct, frozen=True):
    tier: str
    url: str


class ServingLine(msgspec.Struct, frozen=True):
    """The one line on stdout that says that the relay is ready."""

    event: str
    listeners: tuple[ListenerLine, ...]
    admin: str | None
    metrics: str | None
    log: str


# Compiled kernels have tests of their own; loading them a second at each start would be most of a short run.
PLAIN_KERNELS = {"SPRINT_RELAY__KERNELS": "reference"}
# Tuning has tests of its own; a relay before all others would take the CPUs from the tests beside it.
UNTUNED = {"SPRINT_OPTIMIZE__LEVEL": "basic"}
# One that doesn't serve in time is ended by SIGABRT, and its last words are where each of its threads stood.
STACKS = {"PYTHONFAULTHANDLER": "1"}


class RelayProcess:
    """One running relay. Making it waits until it serves; leaving the `with` block stops it."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        tier: str | None = "turbo",
        port: int | None = 0,
        environment: dict[str, str] | None = None,
        command: tuple[str, ...] = COMMAND,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        own_port = () if port is None or tier is None else ("--port", str(port))
        one_tier = () if tier is None else ("--tier", tier)
        self.stderr_path = folder / f"relay-{len(list(folder.glob('relay-*.stderr')))}.stderr"
        with self.stderr_path.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*command, *own_port, *FIXED_OPTIONS, *one_tier, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**PLAIN_KERNELS, **UNTUNED, **STACKS, **os.environ, **(environment or {})},
            )
        try:
            self.serving = self._read_serving_line(ready_timeout_s)
        except BaseException:
            self.kill()
            raise

    def __repr__(self) -> str:
        return f"RelayProcess(pid={self.pid}, exit_code={self._process.poll()}, stderr={self.stderr_path})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.terminate()
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return self.serving.listeners[0].url

    @property
    def log_id(self) -> str:
        return self.serving.log

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would, and wait until it is gone."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)
        self._stdout.close()

    def terminate(self) -> int:
        """Ask it to stop with SIGTERM; return its exit code (minus the signal, if one ended it)."""
        return self._end(signal.SIGTERM)

    def interrupt(self) -> int:
        """Stop it as Ctrl-C does; return its exit code."""
        return self._end(signal.SIGINT)

    def stderr(self) -> str:
        """Return the end of what it said on stderr."""
        return self.stderr_path.read_text("utf-8", "replace")[-STDERR_SHOWN_MAX:]

    @property
    def _stdout(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise RuntimeError("stdout is a pipe from the start")
        return self._process.stdout

    def _end(self, number: signal.Signals) -> int:
        if self.running:
            self._process.send_signal(number)
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise self._failure(f"still ran {STOP_TIMEOUT_S:g} s after {number.name}") from error
        self._stdout.close()
        return code

    def _read_serving_line(self, timeout_s: float) -> ServingLine:
        line = self._read_line(time.monotonic() + timeout_s, timeout_s)
        try:
            serving = msgspec.json.decode(line, type=ServingLine)
        except msgspec.DecodeError as error:
            raise self._failure(f"its first line is no serving line ({error}): {line[:200]!r}") from error
        if serving.event != "serving" or not serving.listeners:
            raise self._failure(f"its first line is no serving line: {line[:200]!r}")
        return serving

    def _read_line(self, deadline: float, timeout_s: float) -> bytes:
        """Read stdout up to the first newline, with bounds in time and size."""
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._process.send_signal(signal.SIGABRT)
                    self._process.wait(STOP_TIMEOUT_S)
                    raise self._failure(f"not serving after {timeout_s:g} s")
                part = os.read(self._stdout.fileno(), SERVING_LINE_SIZE_MAX)
                if not part:
                    code = self._process.wait(STOP_TIMEOUT_S)
                    raise self._failure(f"ended with exit code {code} before it served")
                line += part
                if len(line) > SERVING_LINE_SIZE_MAX:
                    raise self._failure(f"its first line is over {SERVING_LINE_SIZE_MAX} bytes")
        return line

    def _failure(self, what: str) -> RuntimeError:
        return RuntimeError(f"relay {self.pid}: {what}; the end of its stderr:\n{self.stderr()}")
