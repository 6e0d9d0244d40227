"""Colours by tone, dark and light, and signs; each tone keeps a contrast of 4.5 to its ground."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from textual.theme import Theme

from sprint.core.monitor.words import Tone

DARK, LIGHT = "sprint-dark", "sprint-light"
TONES: tuple[Tone, ...] = ("bad", "held", "trying", "notice", "good", "plain", "faint")

_DARK_TONES = {
    "bad": "#ff7b72", "held": "#f29bd8", "trying": "#f2b93b", "notice": "#79b8ff",
    "good": "#56d38a", "plain": "#e3e8ee", "faint": "#95a1ae",
}  # fmt: skip
_LIGHT_TONES = {
    "bad": "#b0101f", "held": "#8b1f86", "trying": "#7d5000", "notice": "#0a56a6",
    "good": "#12693a", "plain": "#14181d", "faint": "#59636e",
}  # fmt: skip


class Appearance(NamedTuple):
    """How the terminal looks: ASCII alone, light, words for its first line, the folder of its pictures."""

    ascii_only: bool = False
    light: bool = False
    flags: tuple[str, ...] = ()
    pictures: Path = Path()


PLAIN = Appearance()


LEVEL_TONES: Mapping[str, Tone] = {
    "info": "notice",
    "warning": "trying",
    "critical": "bad",
    "emergency": "bad",
}


class Shapes(NamedTuple):
    """Signs that the terminal uses beside the states' own."""

    cursor: str
    lost: str
    live: str
    connecting: str
    arrow: str
    rule: str
    between: str


UNICODE_SHAPES = Shapes("▸", "○", "●", "◌", "→", "─", " · ")
ASCII_SHAPES = Shapes(">", "[LOST]", "[live]", "[...]", "->", "-", " | ")


def theme_variables(*, dark: bool) -> dict[str, str]:
    """Return the tones as variables of a stylesheet."""
    tones = _DARK_TONES if dark else _LIGHT_TONES
    return {
        **{f"tone-{name}": colour for name, colour in tones.items()},
        "cursor-row": "#2b3948" if dark else "#d3e2f1",
    }


def themes() -> tuple[Theme, Theme]:
    """Return the dark and the light theme."""
    dark = Theme(
        name=DARK, dark=True, primary="#3d8bd4", secondary="#2a5f91", accent="#f2b93b",
        warning=_DARK_TONES["trying"], error=_DARK_TONES["bad"], success=_DARK_TONES["good"],
        foreground=_DARK_TONES["plain"], background="#0f1317", surface="#161b21", panel="#1f262e",
        variables=theme_variables(dark=True),
    )  # fmt: skip
    light = Theme(
        name=LIGHT, dark=False, primary="#0a56a6", secondary="#3d6f9e", accent="#7d5000",
        warning=_LIGHT_TONES["trying"], error=_LIGHT_TONES["bad"], success=_LIGHT_TONES["good"],
        foreground=_LIGHT_TONES["plain"], background="#fcfcfb", surface="#f3f4f5", panel="#e4e8ec",
        variables=theme_variables(dark=False),
    )  # fmt: skip
    return dark, light


def styled(tone: Tone, *more: str) -> str:
    """Return a tone as a style of text: `$tone-bad bold`."""
    return " ".join((f"$tone-{tone}", *more))
