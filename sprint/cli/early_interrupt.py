"""Ctrl-C while a command is still being imported: it ends with 130 and not with a traceback.

To import a command takes some tenths of a second. The package asks for this before it imports anything else;
`errors_end_the_command` gives Ctrl-C back to Python, from which alone asyncio takes it over.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import PurePath
from types import FrameType

PROGRAMS = frozenset({"sprint", "cb-monitor", "cb-chaos"})
MODULE = "sprint.cli.main"
INTERRUPTED = 130  # as `exits`, which is not imported yet, has it


def end_quietly_when_interrupted(words: Sequence[str]) -> None:
    """Begin, where a process's words (`sys.orig_argv`) say that it is a command of ours.

    A handler that is no longer Python's own stays: whoever set it has a use for it.
    """
    named = {PurePath(word).name for word in words[:3]}  # python, the script, or -m and the module
    ours = bool(PROGRAMS & named) or MODULE in words[:4]
    if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def give_back() -> None:
    """Let Ctrl-C be a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)  # nothing is begun yet, so nothing is to be tidied up
