"""The status line: log lines pass above it whole, it stays within its width, and only a terminal has one."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.cli.status_line import COLUMNS_DEFAULT, StatusLine, is_wanted

DRAWN_WITHIN_S = 60.0
LINE = re.compile(r"litecoin-regtest (-|\d+) \d/3 sources")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(output: str) -> list[str]:
    """What a terminal would show: carriage returns go back, an erased line is empty."""
    lines = [""]
    for part in re.split(r"(\r\x1b\[2K|\r?\n)", output):
        if part == "\r\x1b[2K":
            lines[-1] = ""
        elif part in ("\n", "\r\n"):
            lines.append("")
        else:
            lines[-1] += part
    return lines


def test_log_lines_stand_whole_above_the_newest_status_line() -> None:
    terminal = Terminal()
    texts = iter(("one chain", "two chains"))
    line = StatusLine(terminal, lambda: next(texts))
    line.draw()
    line.write("12:00:00 info a source is ready\n")
    line.draw()
    line.write("12:00:01 info another one\n")
    shown = ["12:00:00 info a source is ready", "12:00:01 info another one"]
    assert screen(terminal.getvalue()) == [*shown, "two chains"]
    line.clear()
    assert screen(terminal.getvalue()) == [*shown, ""]


def test_a_line_never_reaches_the_terminals_edge() -> None:
    terminal = Terminal()
    StatusLine(terminal, lambda: "x" * 500).draw()
    assert screen(terminal.getvalue()) == ["x" * (COLUMNS_DEFAULT - 1)]


def test_the_log_has_its_own_stream_back_when_the_line_ends() -> None:
    terminal = Terminal()
    handler = logging.StreamHandler(terminal)
    root = logging.getLogger()

    async def run() -> None:
        drawing = asyncio.create_task(StatusLine(terminal, lambda: "status").run())
        await asyncio.sleep(0)
        root.warning("while it is drawn")
        drawing.cancel()
        await asyncio.gather(drawing, return_exceptions=True)
        root.warning("after it")

    root.addHandler(handler)
    try:
        asyncio.run(run())
    finally:
        root.removeHandler(handler)
    assert handler.stream is terminal
    assert screen(terminal.getvalue()) == ["while it is drawn", "after it", ""]


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_only_a_terminal_that_takes_escape_codes_has_one(
    stream: io.StringIO, environ: dict[str, str], *, wanted: bool
) -> None:
    assert is_wanted(stream, environ) is wanted


@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_relay_on_a_terminal_shows_its_chains_and_leaves_the_terminal_clean(
    tmp_path: Path, no_color: str
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sprint.cli.main", "relay", "--chain", "litecoin-regtest"]
    command += ["--tier", "turbo", "--port", "0", "--admin-port", "0", "--metrics-port", "0"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SPRINT_")}
    environ |= {"TERM": "xterm", "NO_COLOR": no_color, "XDG_DATA_HOME": str(tmp_path)}
    awaited = re.compile("watch it:") if no_color else LINE
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=tmp_path
    ) as relay:
        os.close(theirs)
        output = ""
        try:
            for piece in pieces(ours):
                output += piece
                if awaited.search(output):
                    break
            relay.send_signal(signal.SIGTERM)
            output += "".join(pieces(ours))
            assert relay.wait(DRAWN_WITHIN_S) == 0
        finally:
            relay.kill()
            os.close(ours)
    if no_color:
        assert "\x1b" not in output
    else:
        assert LINE.search(output)
        assert not any(LINE.search(line) for line in screen(output))
        assert screen(output)[-1] == ""


def pieces(descriptor: int) -> Iterator[str]:
    """What comes from the terminal until its other side is closed."""
    ends_at = time.monotonic() + DRAWN_WITHIN_S
    while select.select([descriptor], [], [], max(0.0, ends_at - time.monotonic()))[0]:
        try:
            read = os.read(descriptor, 65_536)
        except OSError:  # Linux says so where the other side is closed
            return
        yield read.decode()
    raise AssertionError("nothing came in time")
