"""What the pages of reports share: text of others made harmless, and the frame of a page that stands alone.

Such a page has no script and nothing from another host, and forbids itself to load or run anything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogates, separators of lines


def page(title: str, style: str, body: Iterable[str]) -> str:
    """Return a page with a title and a style, whose body's parts are HTML already."""
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{marked_up(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<h1>{marked_up(title)}</h1>",
        *body,
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def tiles(named: Iterable[tuple[str, str]]) -> str:
    """Return figures with their names, side by side."""
    cells = (
        f'<div class="tile"><span class="dim">{marked_up(name)}</span><b>{marked_up(value)}</b></div>'
        for name, value in named
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def section(title: str, note: str, head: str, rows: str) -> str:
    """Return a table under its title; `head` and `rows` are HTML already."""
    shown = f'<p class="dim">{marked_up(note)}</p>' if note else ""
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<section><h2>{marked_up(title)}</h2>{shown}<div class="wide">{body}</div></section>'


def marked_up(text: str) -> str:
    """Return text as it stands in HTML and SVG."""
    return escape(harmless(text))


def harmless(text: str) -> str:
    """Return text without what a terminal would obey or not show."""
    return "".join(" " if unicodedata.category(sign) in _UNSEEN else sign for sign in text)
