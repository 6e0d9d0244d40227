"""Starts a command under settings: `sprint optimize apply -- COMMAND`.

A small program of ours is started in the command's place and waits. What a process can only do to itself, and
keeps when it becomes another program, it does; all else is set from outside, with a journal; then it becomes
the command, with the same process id. What is held open (cpu_dma_latency) this process holds until the end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sprint.core.errors import UpstreamError
from sprint.core.optimize.setting import Outcome, Setting
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


class Started:
    """A command that runs under settings. `applied` tells what it got; `wait` until it ends, and restores."""

    def __init__(self, process: subprocess.Popen[bytes], applied: Applied) -> None:
        self._process = process
        self.applied = applied

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Wait for the command; return its exit code, 128 + N for signal N, as shells do.

        Signals that end a program are handed on to it; call it in the main thread.
        """
        try:
            with _handing_on(self._process):
                code = self._process.wait()
        finally:
            self.applied.restore()
        return SIGNAL_EXIT_BASE - code if code < 0 else code


def start(
    argv: Sequence[str],
    settings: Sequence[Setting],
    *,
    journal_folder: Path,
    clock: Callable[[], float],
    actuators: Mapping[str, Actuator] = SYSTEM_ACTUATORS,
) -> Started:
    """Start a command under settings. UpstreamError where nothing could be started."""
    inside = [setting for setting in settings if _is_inside(setting, actuators)]
    to_child, from_child = os.pipe(), os.pipe()
    try:
        process = _start_waiting(argv, settings, to_child[0], from_child[1])
    finally:
        os.close(to_child[0])
        os.close(from_child[1])
    with os.fdopen(to_child[1], "wb") as orders, os.fdopen(from_child[0], "rb") as report:
        orders.write(msgspec.json.encode(inside) + b"\n")
        orders.flush()
        own = _reported(report.readline(REPORT_BYTES_MAX), argv)
        there = process_of(process.pid)
        if there is None:
            raise UpstreamError(f"{argv[0]}: the process ended before it became the command")
        rest = [setting for setting in settings if setting not in inside]
        target = Target("command", there)
        applied = apply(rest, target=target, journal_folder=journal_folder, clock=clock, actuators=actuators)
        orders.write(GO)
    applied.outcomes = _in_order(settings, [*own, *applied.outcomes])
    return Started(process, applied)


def _start_waiting(
    argv: Sequence[str], settings: Sequence[Setting], orders: int, report: int
) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    for setting in settings:
        if setting.key == ARENAS_KEY and not setting.unsupported:
            environment[ARENAS_VARIABLE] = str(setting.value)
    program = [sys.executable, "-m", "sprint.tools.optimize.becoming", str(orders), str(report), *argv]
    return subprocess.Popen(program, pass_fds=(orders, report), env=environment)


def _reported(line: bytes, argv: Sequence[str]) -> list[Outcome]:
    try:
        return msgspec.json.decode(line, type=list[Outcome])
    except msgspec.DecodeError as error:
        raise UpstreamError(f"{argv[0]}: the process that was to become it said nothing") from error


def _in_order(settings: Sequence[Setting], outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    by_key = {outcome.setting.key: outcome for outcome in outcomes}
    return tuple(by_key[setting.key] for setting in settings if setting.key in by_key)


def _is_inside(setting: Setting, actuators: Mapping[str, Actuator]) -> bool:
    actuator = actuators.get(setting.key)
    return actuator is not None and actuator.inside and not setting.unsupported


@contextlib.contextmanager
def _handing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand signals on while a command runs. What a terminal sends, the command has got by itself."""

    def hand_on(number: int, _frame: object) -> None:
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    before = {number: signal.signal(number, hand_on) for number in PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
