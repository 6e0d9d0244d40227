"""One line at the foot of a terminal that says how the relay is; log lines pass above it.

It is drawn on stderr, where the log goes, and only where a person looks: not into a file or a pipe, not
under NO_COLOR or TERM=dumb, not with `--quiet` or JSON logs. It stays within the terminal's width, because a
line that wrapped could not be cleared.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

INTERVAL_S = 1.0
COLUMNS_DEFAULT = 80
_CLEAR = "\r\x1b[2K"


def is_wanted(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a person looks at `stream` and takes escape codes."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class StatusLine:
    """Stands between the log and its stream: a stream itself, which clears the line and draws it again."""

    def __init__(self, stream: TextIO, text: Callable[[], str]) -> None:
        self._stream = stream
        self._text = text
        self._drawn = ""
        # Any thread may log; the line is drawn by the loop's.
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"StatusLine({self._drawn!r})"

    async def run(self) -> None:
        """Draw until cancelled; then clear the line and give the log its stream back."""
        handlers = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is self._stream
        ]
        for handler in handlers:
            handler.setStream(self)
        try:
            while True:
                self.draw()
                await asyncio.sleep(INTERVAL_S)
        finally:
            for handler in handlers:
                handler.setStream(self._stream)
            self.clear()

    def draw(self) -> None:
        """Draw the line as it is now."""
        text = self._text()[: self._columns() - 1]
        with self._lock, suppress(OSError):  # the terminal has gone: the relay goes on
            self._drawn = text
            self._stream.write(_CLEAR + text)
            self._stream.flush()

    def clear(self) -> None:
        with self._lock, suppress(OSError):
            self._drawn = ""
            self._stream.write(_CLEAR)
            self._stream.flush()

    def write(self, text: str) -> int:
        """Write a log record, which ends in a newline, above the line."""
        with self._lock:
            self._stream.write(f"{_CLEAR}{text}{self._drawn}")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def _columns(self) -> int:
        try:
            # A terminal that does not tell its size says 0.
            return os.get_terminal_size(self._stream.fileno()).columns or COLUMNS_DEFAULT
        except OSError:
            return COLUMNS_DEFAULT
