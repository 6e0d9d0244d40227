"""The first line: which page is shown, how many breakers are in which state, and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from textual.content import Content
from textual.widgets import Static

from sprint.core.monitor.table import Counts
from sprint.core.monitor.words import Tone
from sprint.tools.monitor.tui.looks import styled

PAGES = (("breakers", "Breakers"), ("alerts", "Alerts"), ("relays", "Relays"), ("log", "Log"))


class Situation(NamedTuple):
    """What the first line tells."""

    page: str
    counts: Counts
    now_unix_s: float
    flags: tuple[str, ...] = ()


class TitleLine(Static):
    """Draws a situation in one line, shorter where there is less room."""

    def __init__(self) -> None:
        super().__init__(id="title")

    def tell(self, situation: Situation) -> None:
        """Draw it."""
        self.update(title_content(situation, self.size.width))


def title_content(situation: Situation, width: int) -> Content:
    """Return the line: flags and pages on the left, counts in the middle, the time on the right."""
    left: list[tuple[str, str]] = [(f" {flag} ", "reverse bold") for flag in situation.flags]
    for number, (page, name) in enumerate(PAGES, 1):
        left.append((f" {number} {name} ", "bold underline" if page == situation.page else styled("faint")))
    clock = datetime.fromtimestamp(situation.now_unix_s, UTC).strftime("%H:%M:%S UTC ")
    counted = _counted(situation.counts)
    used = sum(len(text) for text, _ in left) + sum(len(text) for text, _ in counted)
    room = width - used - len(clock)
    if room < 1:
        clock, room = "", width - used
    return Content.assemble(*left, *counted, " " * max(0, room), (clock, styled("faint")))


def _counted(counts: Counts) -> list[tuple[str, str]]:
    kinds: tuple[tuple[int, str, Tone], ...] = (
        (counts.open, "OPEN", "bad"),
        (counts.forced, "forced", "held"),
        (counts.half_open, "half open", "trying"),
        (counts.closed, "closed", "good"),
        (counts.lost, "not heard", "bad"),
    )
    return [(f" {number:,} {word} ", styled(tone)) for number, word, tone in kinds if number]
