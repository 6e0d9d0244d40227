"""Starts a command under settings: `sprint optimize apply -- COMMAND`.

A small program of ours is started in the command's place and waits. What a process can only do to itself, and
keeps when it becomes another program, it does; all else is set from outside, with a journal. Who started it
tells then what came of it: where that fails the command never runs. At the word it becomes the command, with
the same process id. What is held open (cpu_dma_latency) this process holds until the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import msgspec

from sprint.core.errors import UpstreamError
from sprint.core.optimize.setting import Outcome, Process, Setting
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.applying import Applied, Target, apply
from sprint.tools.optimize.threads import process_of

REPORT_BYTES_MAX = 1024 * 1024
SIGNAL_EXIT_BASE = 128
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
ARENAS_KEY = "malloc_arenas"
ARENAS_VARIABLE = "MALLOC_ARENA_MAX"
GO = b"go\n"
# A process may set these for itself, and for another only with CAP_SYS_NICE, be it the same user's: proc(5).
# They stay over execve(2): prctl(2), PR_SET_TIMERSLACK.
BETTER_INSIDE = frozenset({"timer_slack"})


class Started:
    """A command that has its settings and waits for the word. `applied` tells what it got.

    Within `with` it may be given up before it begins: then it never runs. At the end all is restored. Signals
    that end a program are handed on to it from the start on; make one in the main thread.
    """

    def __init__(self, process: subprocess.Popen[bytes], orders: IO[bytes], signals: _Signals) -> None:
        self._process = process
        self._orders = orders
        self._signals = signals
        self.applied: Applied | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.applied.outcomes if self.applied is not None else ()

    def begin(self) -> None:
        """Let it become the command; not where a signal has come to end it before."""
        if self._signals.begin():
            # It may have ended meanwhile: what it ended with is told by `wait`.
            with contextlib.suppress(BrokenPipeError):
                self._orders.write(GO)
                self._orders.flush()

    def wait(self) -> int:
        """Let it begin, wait for it, restore; return its exit code, 128 + N for signal N, as shells do."""
        try:
            self.begin()
            code = self._process.wait()
        finally:
            self.close()
        return SIGNAL_EXIT_BASE - code if code < 0 else code

    def close(self) -> None:
        """Wait for what runs, end what has not begun, put everything back. A second call does nothing."""
        try:
            # Where its orders end without the word, it ends.
            with contextlib.suppress(BrokenPipeError):
                self._orders.close()
            self._process.wait()
        finally:
            if self.applied is not None:
                self.applied.restore()
            self._signals.close()


def start(
    argv: Sequence[str],
    settings: Sequence[Setting],
    *,
    journal_folder: Path,
    clock: Callable[[], float],
    actuators: Mapping[str, Actuator] = SYSTEM_ACTUATORS,
) -> Started:
    """Give a command its settings before it begins. UpstreamError where nothing could be started."""
    inside = [setting for setting in settings if _is_inside(setting, actuators)]
    signals = _Signals()
    try:
        process, orders, report = _start_waiting(argv, settings)
    except BaseException:
        signals.close()
        raise
    started = Started(process, orders, signals)
    try:
        signals.watch(process)
        own = _made_inside(orders, report, inside, argv)
        rest = [setting for setting in settings if setting not in inside]
        target = Target("command", _there(process.pid, argv))
        applied = apply(rest, target=target, journal_folder=journal_folder, clock=clock, actuators=actuators)
        started.applied = applied
        applied.outcomes = _in_order(settings, [*own, *applied.outcomes])
    except BaseException:
        started.close()
        raise
    return started


class _Signals:
    """Hands signals on to a command; one that comes before it begins ends the start instead.

    What this process ignores (nohup) stays ignored. What a terminal sends, the command has got by itself.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = False
        self._first: int | None = None
        heard = [number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._came) for number in heard}

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Name the process; it is ended where a signal has come already."""
        self._process = process
        if self._first is not None:
            process.kill()

    def begin(self) -> bool:
        """From now on signals are handed on; False where one has come already."""
        # In this order: one that comes between the two ends the start, or is handed on.
        self._begun = self._first is None
        return self._begun

    def close(self) -> None:
        """Give the handlers back; a signal that ended the start then does what it does without us."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
        if before and self._first is not None:
            signal.raise_signal(self._first)

    def _came(self, number: int, _frame: object) -> None:
        if self._begun and self._process is not None:
            if number != signal.SIGINT or not sys.stdin.isatty():
                self._process.send_signal(number)
        else:
            self._first = number
            if self._process is not None:
                self._process.kill()


def _start_waiting(
    argv: Sequence[str], settings: Sequence[Setting]
) -> tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]:
    """Start the program that waits in the command's place; return it, its orders and its report."""
    environment = dict(os.environ)
    for setting in settings:
        if setting.key == ARENAS_KEY and not setting.unsupported:
            environment[ARENAS_VARIABLE] = str(setting.value)
    (its_orders, orders), (report, its_report) = os.pipe(), os.pipe()
    fds = (its_orders, its_report)
    program = [sys.executable, "-m", "sprint.tools.optimize.becoming", *map(str, fds), *argv]
    try:
        process = subprocess.Popen(program, pass_fds=fds, env=environment)
    except BaseException:
        os.close(orders)
        os.close(report)
        raise
    finally:
        os.close(its_orders)
        os.close(its_report)
    return process, os.fdopen(orders, "wb"), os.fdopen(report, "rb")


def _made_inside(
    orders: IO[bytes], report: IO[bytes], settings: Sequence[Setting], argv: Sequence[str]
) -> list[Outcome]:
    """Have the process make settings itself; return what came of them."""
    with report:
        # Where it has ended its report is empty.
        with contextlib.suppress(BrokenPipeError):
            orders.write(msgspec.json.encode(settings) + b"\n")
            orders.flush()
        line = report.readline(REPORT_BYTES_MAX)
    try:
        return msgspec.json.decode(line, type=list[Outcome])
    except msgspec.DecodeError as error:
        raise UpstreamError(f"{argv[0]}: the process that was to become it said nothing") from error


def _there(pid: int, argv: Sequence[str]) -> Process:
    found = process_of(pid)
    if found is None:
        raise UpstreamError(f"{argv[0]}: the process ended before it became the command")
    return found


def _in_order(settings: Sequence[Setting], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    by_key = {outcome.setting.key: outcome for outcome in outcomes}
    return tuple(by_key[setting.key] for setting in settings if setting.key in by_key)


def _is_inside(setting: Setting, actuators: Mapping[str, Actuator]) -> bool:
    actuator = actuators.get(setting.key)
    inside = setting.key in BETTER_INSIDE or (actuator is not None and actuator.inside)
    return actuator is not None and inside and not setting.unsupported
