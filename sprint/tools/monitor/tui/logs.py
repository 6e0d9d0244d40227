"""Keeps the log off the screen while the terminal is drawn on; what was logged is said when it closes."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

KEPT_MAX = 200


class _Kept(logging.Handler):
    """Keeps the newest records for a handler that may not write now."""

    def __init__(self, spoken_for: logging.Handler) -> None:
        super().__init__(spoken_for.level)
        self.spoken_for = spoken_for
        self.records: deque[logging.LogRecord] = deque(maxlen=KEPT_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; the oldest goes for it where there are too many."""
        self.records.append(record)


@contextmanager
def logs_off_the_screen() -> Iterator[None]:
    """Hold back what goes to a terminal's stderr; the newest KEPT_MAX records are written at the end."""
    root = logging.getLogger()
    writers = [
        handler
        for handler in root.handlers
        if isinstance(handler, logging.StreamHandler)
        and not isinstance(handler, logging.FileHandler)
        and handler.stream in (sys.stderr, sys.__stderr__)
        and handler.stream.isatty()
    ]
    kept = [_Kept(handler) for handler in writers]
    for held in kept:
        root.removeHandler(held.spoken_for)
        root.addHandler(held)
    try:
        yield
    finally:
        for held in kept:
            root.removeHandler(held)
            root.addHandler(held.spoken_for)
            for record in held.records:
                held.spoken_for.handle(record)
