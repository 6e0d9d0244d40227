"""The program that stands in a command's place until its settings are made: `starting` runs it.

    python -m sprint.tools.optimize.becoming ORDERS REPORT COMMAND …

On ORDERS comes a line with the settings that it makes itself; on REPORT go their outcomes; then a line `go`,
and it becomes the command. Where ORDERS ends before, whoever started it has died: so does it.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import msgspec

from sprint.core.optimize.setting import Setting
from sprint.tools.optimize.applying import Target, apply

LINE_BYTES_MAX = 1024 * 1024
NOT_STARTED_EXIT_CODE = 126
NOT_FOUND_EXIT_CODE = 127


def become(arguments: list[str]) -> int:
    """Make the settings, wait for the word, become the command; return only where that fails."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # As the command it will be: ended by Ctrl-C without a word of Python's.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    orders, report, argv = int(arguments[0]), int(arguments[1]), arguments[2:]
    with os.fdopen(orders, "rb") as lines, os.fdopen(report, "wb") as answers:
        settings = msgspec.json.decode(lines.readline(LINE_BYTES_MAX), type=list[Setting])
        applied = apply(settings, target=Target.of_self(), journal_folder=None, clock=time.perf_counter)
        answers.write(msgspec.json.encode(applied.outcomes) + b"\n")
        answers.flush()
        if not lines.readline(LINE_BYTES_MAX):
            return NOT_STARTED_EXIT_CODE
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        sys.stderr.write(f"{argv[0]}: {error.strerror}\n")
        return NOT_FOUND_EXIT_CODE if isinstance(error, FileNotFoundError) else NOT_STARTED_EXIT_CODE


if __name__ == "__main__":
    sys.exit(become(sys.argv[1:]))
