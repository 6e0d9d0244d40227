"""How all breakers are, as lines of text: what needs an eye in sentences, then a row each."""

from __future__ import annotations

from collections import Counter

from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.table import Seen, arranged, fitted, line_of, look_for
from sprint.core.monitor.words import needs_an_eye, sentences, shown_state

# So many are told of in sentences; the rows below have the others.
TOLD_MAX = 8


def summary_lines(board: Board, now_unix_s: float, *, width: int, ascii_only: bool) -> list[str]:
    """Return the lines, each at most `width` letters but for sentences, the worst breaker first."""
    order = arranged(board.rows)
    lines = [*_relay_lines(board), _counts_line(board, ascii_only=ascii_only), ""]
    told = [key for key in order if needs_an_eye(board.rows[key])]
    for key in told[:TOLD_MAX]:
        lines += _told(key, board, now_unix_s, ascii_only=ascii_only)
    if len(told) > TOLD_MAX:
        lines.append(f"and {len(told) - TOLD_MAX} more:")
    look = look_for(width, relays=len(board.relays), ascii_only=ascii_only)
    lines += [""] if told else []
    lines.append(" ".join(fitted(each.heading, each) for each in look.columns).rstrip())
    for key in order:
        lost = key.relay not in board.relays or board.relays[key.relay].connection != "live"
        seen = Seen(board.rows[key], lost=lost)
        lines.append(" ".join(line_of(key, seen, look, now_unix_s).cells).rstrip())
    return lines


def _relay_lines(board: Board) -> list[str]:
    return [
        f"relay {each.name} at {each.url}: {each.connection}"
        + (f", {each.reason}" if each.reason else f", {each.health.get('status', 'health not known')}")
        for each in board.relays.values()
    ]


def _counts_line(board: Board, *, ascii_only: bool) -> str:
    counts = Counter(shown_state(row, ascii_only=ascii_only) for row in board.rows.values())
    parts = [f"{count} {state}" for state, count in counts.most_common()]
    return f"{len(board.rows)} breakers: {', '.join(parts) or 'none'}"


def _told(key: Key, board: Board, now_unix_s: float, *, ascii_only: bool) -> list[str]:
    row = board.rows[key]
    said = sentences(row, now_unix_s, board.transitions(key))
    state = shown_state(row, ascii_only=ascii_only)
    told = [said.why, *([said.first] if said.first else []), said.next]
    return [f"{state} {key.breaker} of {key.relay} {said.since}", *(f"    {each}" for each in told)]
