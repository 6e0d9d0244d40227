"""The filter: words and fields, all of which must hold, and what can't be is refused with what could."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.monitor.query import QUERY_LENGTH_MAX, parse_query
from tests.tools.monitor.fakes import story_board

BOARD = story_board()


def found(text: str) -> set[str]:
    query = parse_query(text)
    return {f"{key.relay}/{key.breaker}" for key, row in BOARD.rows.items() if query.matches(key.relay, row)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice", {"north/source:litecoin-regtest:alice"}),
        ("ALICE", {"north/source:litecoin-regtest:alice"}),
        ("store", {"north/store", "south/store"}),
        ("store relay:south", {"south/store"}),
        ("state:open", {"north/source:litecoin-regtest:alice", "south/source:dogecoin:old"}),
        ("state:forced", {"south/source:dogecoin:old", "south/source:dogecoin:new"}),
        ("state:withheld", {"north/source:litecoin-regtest:bob"}),
        ("chain:bitcoin -state:closed", {"north/source:bitcoin:core-1"}),
        ("why:disk", {"south/source:dogecoin:old"}),
        ("fail>50", {"north/source:litecoin-regtest:alice"}),
        ("lat>1000 health<0.5", {"north/source:litecoin-regtest:alice"}),
        ("calls<1", {"south/store"}),
        ("nowhere", set()),
        # As a breaker is called, which begins as the field of its source does.
        ("source:litecoin-regtest:alice", {"north/source:litecoin-regtest:alice"}),
        ("SOURCE:dogecoin", {"south/source:dogecoin:old", "south/source:dogecoin:new"}),
        ("source:alice", {"north/source:litecoin-regtest:alice"}),
    ],
)
def test_what_a_filter_finds(text: str, expected: set[str]) -> None:
    assert found(text) == expected


def test_bad_is_all_that_is_not_as_it_should_be() -> None:
    assert {name.rpartition(":")[2] for name in found("state:bad")} == {"alice", "bob", "core-1", "old"}


def test_an_empty_filter_finds_all() -> None:
    assert len(found("")) == len(BOARD.rows) == len(found("   "))


def test_where_there_is_no_figure_nothing_compares() -> None:
    assert not found("health<2 relay:south store")
    assert not found("health>-1 relay:south store")


def test_a_minus_turns_any_test_round() -> None:
    for text in ("store", "state:open", "fail>50", "relay:south"):
        assert found(f"-{text}") == found("") - found(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state:opened", "want one of open, closed"),
        ("fail>many", "want a number behind >"),
        ("lat<", "want a number behind <"),
        ("a" * (QUERY_LENGTH_MAX + 1), f"{QUERY_LENGTH_MAX} are read at most"),
    ],
)
def test_what_cannot_be_is_refused_with_what_could(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_query(text)


@given(st.text(max_size=QUERY_LENGTH_MAX))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigError):
        found(text)
