"""Whole screens: as they are kept, in ASCII alone, and without colour."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from pathlib import Path

import pytest

from sprint.tools.monitor.tui.logs import logs_off_the_screen
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, opened_terminal, pressed, screen_text, under_pilot
from tests.tools.monitor.tui.snapshots import (
    ASCII,
    COMMAND,
    FOLDER,
    SIZES,
    TEXTS,
    Scene,
    differences,
    pictures,
    text,
)


@pytest.mark.parametrize("size", SIZES)
def test_every_screen_is_drawn_as_the_picture_that_is_kept_of_it(size: str, tmp_path: Path) -> None:
    drawn = asyncio.run(pictures(size))
    kept = {path.name for path in FOLDER.glob(f"*-{size}-*.svg")}
    assert set(drawn) == kept, f"screens and kept pictures differ; {COMMAND} writes them anew"
    differ = []
    for name, svg in drawn.items():
        before = (FOLDER / name).read_text(encoding="utf-8")
        if svg != before:
            (tmp_path / name).write_text(svg, encoding="utf-8")
            differ.append(f"{FOLDER / name}\nis now {tmp_path / name}\n{differences(before, svg)}")
    told = "\n\n".join(differ)
    assert not differ, f"{told}\n\nlook at both; where it is meant, {COMMAND} writes them anew"


@pytest.mark.parametrize("scene", TEXTS, ids=lambda scene: scene.name)
def test_a_screen_in_ascii_is_as_it_is_kept(scene: Scene) -> None:
    kept = (FOLDER / f"{scene.name}.txt").read_text(encoding="utf-8")
    assert asyncio.run(text(scene)) == kept, f"{COMMAND} writes it anew"


@under_pilot
async def test_a_terminal_of_ascii_gets_nothing_else() -> None:
    async with opened_terminal(FakeMonitor(story_board()), NARROW, ASCII) as (app, pilot):
        for keys in ("", "enter", "escape 3", "4", "1 f", "escape question_mark", "escape y"):
            await pressed(app, pilot, *keys.split())
            assert sorted({letter for letter in screen_text(app) if not letter.isascii()}) == [], keys


@under_pilot
async def test_under_no_color_nothing_has_a_colour_and_the_cursor_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened_terminal(FakeMonitor(story_board())) as (app, _):
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        colours = {colour for each in styles for colour in (each.color, each.bgcolor) if colour}
        coloured = [colour for colour in colours if not colour.is_default]
        assert coloured == []
        assert "▸ ○ OPEN" in screen_text(app)


def test_what_is_logged_while_it_is_open_is_written_when_it_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    handler, root = logging.StreamHandler(terminal), logging.getLogger()
    root.addHandler(handler)
    try:
        with logs_off_the_screen():
            logging.getLogger("sprint").warning("relay lost")
            assert terminal.getvalue() == ""
        assert terminal.getvalue() == "relay lost\n"
        assert handler in root.handlers
    finally:
        root.removeHandler(handler)


@under_pilot
async def test_at_120_columns_the_pane_beside_the_list_took_its_columns_and_cut_what_comes_next() -> None:
    async with opened_terminal(FakeMonitor(story_board()), (120, 32)) as (app, _):
        shown = screen_text(app)
    assert "LAT ms HLTH TREND" in shown
    assert any("alice" in line and line.endswith("in 6 s") for line in shown.splitlines())
