"""The summary: what needs an eye comes first and in sentences, and each breaker has its row."""

from __future__ import annotations

from sprint.core.monitor.board import Board, RelaySeen
from sprint.core.monitor.codec import Snapshot
from sprint.core.monitor.rows import rfc3339
from sprint.core.monitor.summary import TOLD_MAX, summary_lines
from tests.core.monitor.rows_for_tests import row_named

AT = rfc3339(0.0)
NOW_S = 60.0


def board_of(*names: str, opened: int = 0) -> Board:
    board = Board()
    board.connected(
        RelaySeen(name="main", url="http://h:1", connection="live", since=AT, health={"status": "ok"})
    )
    rows = tuple(
        row_named(name, state="open", reason="it refuses", next_trial_at=rfc3339(70.0))
        if number < opened
        else row_named(name)
        for number, name in enumerate(names)
    )
    board.told("main", Snapshot(seq=1, at=AT, breakers=rows), 0.0)
    return board


def test_what_is_open_is_told_with_why_since_when_and_what_comes_next() -> None:
    lines = summary_lines(board_of("a", "b", opened=1), NOW_S, width=100, ascii_only=True)
    text = "\n".join(lines)
    assert lines[:2] == ["relay main at http://h:1: live, ok", "2 breakers: 1 [OPEN], 1 [ok]"]
    assert "[OPEN] a of main since 00:00:00 UTC (" in text
    assert "    it refuses" in text
    assert "a trial call in 10 s" in text
    assert text.isascii()
    rows = [line.split()[1] for line in lines if line.startswith(("[OPEN]        ", "[ok]"))]
    assert rows == ["a", "b"], "the worst first"


def test_where_all_is_well_there_are_rows_alone() -> None:
    lines = summary_lines(board_of("a"), NOW_S, width=100, ascii_only=False)
    assert len(lines) == 5
    assert lines[-1].startswith("● closed")


def test_of_very_many_some_are_told_in_sentences_and_the_rest_counted() -> None:
    names = [f"n{number}" for number in range(TOLD_MAX + 3)]
    lines = summary_lines(board_of(*names, opened=len(names)), NOW_S, width=100, ascii_only=True)
    assert "and 3 more:" in lines
    assert sum("    it refuses" in line for line in lines) == TOLD_MAX


def test_a_relay_that_is_lost_is_told_with_its_reason_and_its_rows_say_so() -> None:
    board = board_of("a")
    board.connected(RelaySeen(name="main", url="http://h:1", connection="lost", since=AT, reason="cut"))
    lines = summary_lines(board, NOW_S, width=100, ascii_only=True)
    assert lines[0] == "relay main at http://h:1: lost, cut"
    assert lines[-1].endswith("lost")
