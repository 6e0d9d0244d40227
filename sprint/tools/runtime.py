"""What the process itself gives: clocks, randomness, the event loop, signals, logging."""

from __future__ import annotations

import asyncio
import gc
import importlib
import importlib.util
import logging
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import msgspec

Result = TypeVar("Result")

# Monotonic seconds; every `now` in the core comes from here.
clock: Callable[[], float] = time.monotonic
# Unix seconds, for what is shown to people.
wall_clock: Callable[[], float] = time.time
random_bytes: Callable[[int], bytes] = os.urandom
jitter: Callable[[], float] = random.SystemRandom().random

# A thread that proves a block holds the interpreter lock for at most this long before the loop has its turn.
SWITCH_INTERVAL_S = 0.0005
SIGINT_EXIT_CODE = 130
SIGHUP_EXIT_CODE = 129

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def run(main: Coroutine[object, object, Result]) -> Result:
    """Run a coroutine on uvloop where there is one, else on asyncio's own loop."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


@asynccontextmanager
async def background(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Let work go on beside what is within; at the end it is cancelled. What it raises is its own affair."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def leave_start_up_to_itself() -> None:
    """Take all that was made so far out of the garbage collector's later rounds.

    Modules, chains and their restored blocks stay until the end; each full round over them would hold the
    event loop up for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def importing_much() -> Iterator[None]:
    """Let no round of the garbage collector run while modules are made, and leave them out of later ones.

    A compiler brings some hundred thousand objects: while it was imported beside a relay that served, six
    full rounds held the event loop up for a fifth of a second each. What is garbage at the end stays, once.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if importlib.util.find_spec("uvloop") is None:
        return None
    new_loop: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    return new_loop


class StopSignal:
    """Set by the first SIGTERM or SIGINT; `exit_code` is then 0 or 130."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._hung_up: Callable[[], None] | None = None
        self._had_terminal = False
        self.exit_code = 0

    def install(self, hung_up: Callable[[], None] | None = None) -> None:
        """Catch the signals on the running loop. `hung_up` is called on a SIGHUP that somebody sent."""
        loop = asyncio.get_running_loop()
        self._hung_up = hung_up
        self._had_terminal = _has_terminal()
        loop.add_signal_handler(signal.SIGTERM, self.stop, 0)
        loop.add_signal_handler(signal.SIGINT, self.stop, SIGINT_EXIT_CODE)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _hang_up(self) -> None:
        """Stop where the terminal has gone, which sends the same signal as somebody who wants a reload."""
        if self._hung_up is None or (self._had_terminal and not _has_terminal()):
            self.stop(SIGHUP_EXIT_CODE)
        else:
            self._hung_up()

    def stop(self, exit_code: int) -> None:
        if not self._event.is_set():
            self.exit_code = exit_code
            self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


def _has_terminal() -> bool:
    return any(os.isatty(descriptor) for descriptor in range(3))


def set_up_logging(form: str, level: str) -> None:
    """Log to stderr: one line an event, `text` or `json`. Fields come with `extra={"fields": …}`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    set_log_level(level)


def set_log_level(level: str) -> None:
    """Log what is at least `debug`, `info`, `warning` or `error`."""
    logging.getLogger("sprint").setLevel(_LEVELS[level])


def log_fields(logger: logging.Logger, level: int, message: str, **fields: object) -> None:
    """Log a message with named fields."""
    logger.log(level, message, extra={"fields": fields})


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, object] = getattr(record, "fields", {})
        rest = "".join(f" {name}={value}" for name, value in fields.items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{stamp} {record.levelname.lower():7} {record.getMessage()}{rest}{trace}"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = getattr(record, "fields", {})
        line: dict[str, object] = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()
