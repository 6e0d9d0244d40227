"""The first line: which page is shown, how many breakers are in which state, and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from textual.content import Content

from sprint.core.monitor.table import Counts
from sprint.core.monitor.words import Tone
from sprint.tools.monitor.tui.looks import styled
from sprint.tools.monitor.tui.quiet_text import QuietText

PAGES = (("breakers", "Breakers"), ("alerts", "Alerts"), ("relays", "Relays"), ("log", "Log"))


class Situation(NamedTuple):
    """What the first line tells."""

    page: str
    counts: Counts
    now_unix_s: float
    flags: tuple[str, ...] = ()


class TitleLine(QuietText):
    """Draws a situation in one line, shorter where there is less room."""

    def __init__(self) -> None:
        super().__init__("title")

    def tell(self, situation: Situation) -> None:
        """Draw it."""
        self.say(title_content(situation, self.size.width))


def title_content(situation: Situation, width: int) -> Content:
    """Return the line: flags and pages on the left, counts in the middle, the time on the right.

    Where there is less room it does without those that are closed, then without the pages' names.
    """
    counted = _counted(situation.counts)
    flags = [(f" {flag} ", "reverse bold") for flag in situation.flags]
    left = [*flags, *_pages(situation.page, short=False), *counted]
    if _letters(left) > width:
        troubled = _counted(situation.counts._replace(closed=0))
        left = [*flags, *_pages(situation.page, short=False), *troubled]
    if _letters(left) > width:
        left = [*flags, *_pages(situation.page, short=True), *counted]
    clock = datetime.fromtimestamp(situation.now_unix_s, UTC).strftime("%H:%M:%S UTC ")
    room = width - _letters(left) - len(clock)
    if room < 1:
        return Content.assemble(*left)
    return Content.assemble(*left, " " * room, (clock, styled("faint")))


def _pages(shown: str, *, short: bool) -> list[tuple[str, str]]:
    """Return the pages' numbers and names; in short the name of the one that is shown alone."""
    return [
        (
            f" {number} {name} " if page == shown or not short else f" {number}",
            "bold underline" if page == shown else styled("faint"),
        )
        for number, (page, name) in enumerate(PAGES, 1)
    ]


def _letters(parts: list[tuple[str, str]]) -> int:
    return sum(len(text) for text, _ in parts)


def _counted(counts: Counts) -> list[tuple[str, str]]:
    kinds: tuple[tuple[int, str, Tone], ...] = (
        (counts.open, "OPEN", "bad"),
        (counts.forced, "forced", "held"),
        (counts.half_open, "half open", "trying"),
        (counts.held, "held", "trying"),
        (counts.closed, "closed", "good"),
        (counts.lost, "not heard", "bad"),
    )
    return [(f" {number:,} {word} ", styled(tone)) for number, word, tone in kinds if number]
