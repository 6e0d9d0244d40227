"""What an operator must know first, in sentences: the worst breaker, why, since when, and what comes next."""

from __future__ import annotations

from textual.content import Content

from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.table import short_name, worst_of
from sprint.core.monitor.words import age, sentences, shown_state, state_text, tone_of, unix_s
from sprint.tools.monitor.tui.looks import styled
from sprint.tools.monitor.tui.quiet_text import QuietText


class Headline(QuietText):
    """Draws the sentences above the list."""

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__("headline")
        self._ascii_only = ascii_only

    def tell(self, board: Board, now_unix_s: float) -> None:
        """Draw them, where they are others than before."""
        self.say(headline(board, now_unix_s, ascii_only=self._ascii_only))


def headline(board: Board, now_unix_s: float, *, ascii_only: bool) -> Content:
    """Return some lines on the worst breaker of a board, or one that all is well."""
    lost = [relay for relay in board.relays.values() if relay.connection == "lost"]
    lines: list[Content] = []
    for relay in lost[:1]:
        since = unix_s(relay.since)
        ago = "" if since is None else f" for {age(now_unix_s - since)}"
        besides = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        lines.append(
            Content.assemble(
                (f"{'[LOST]' if ascii_only else '✗ LOST'} ", styled("bad", "bold")),
                (f"relay {relay.name} is not heard{ago}{besides}", "bold"),
                f": {relay.reason or 'no reason known'}; what is shown of it is what it said last",
            )
        )
    key, others = worst_of(board.rows)
    if key is None:
        return Content("\n").join([*lines, _all_well(board, ascii_only=ascii_only)])
    return Content("\n").join([*lines, *_worst(board, key, others, now_unix_s, ascii_only=ascii_only)])


def _worst(board: Board, key: Key, others: int, now_unix_s: float, *, ascii_only: bool) -> list[Content]:
    row = board.rows[key]
    told = sentences(row, now_unix_s, board.transitions(key))
    tone = styled(tone_of(row), "bold")
    relay = f" on {key.relay}" if len(board.relays) > 1 else ""
    state = shown_state(row, ascii_only=ascii_only) + (" in shadow" if row.shadow else "")
    lines = [
        Content.assemble((state, tone), "  ", (f"{short_name(row)}{relay}", "bold"), f"  {told.since}"),
        Content.assemble(("why   ", styled("faint")), told.why),
    ]
    if told.first:
        lines.append(Content.assemble(("      ", styled("faint")), told.first))
    lines.append(Content.assemble(("next  ", styled("faint")), told.next))
    if others:
        are = "is" if others == 1 else "are"
        also = (f"{others:,} more {are} not well: see the list", "bold")
        lines.append(Content.assemble(("also  ", styled("faint")), also))
    return lines


def _all_well(board: Board, *, ascii_only: bool) -> Content:
    mark = state_text("closed", ascii_only=ascii_only).split()[0]
    number = len(board.rows)
    if not number:
        waiting = [relay for relay in board.relays.values() if relay.connection == "connecting"]
        where = f" from {waiting[0].url}" if waiting else ""
        return Content.assemble(("nothing is known yet", "bold"), f": waiting for what a relay says{where}")
    closed = "the one breaker is closed" if number == 1 else f"all {number:,} breakers are closed"
    return Content.assemble(
        (f"{mark} ", styled("good", "bold")), (closed, "bold"), ": calls go through everywhere"
    )
