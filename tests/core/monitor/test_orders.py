"""What an operator's body may say: every word is taken as meant, or refused with its key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.monitor.orders import ACTIONS, REASON_LENGTH_MAX, Order, order_of, refuse_unknown

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["action", "reason", "acton", "", "\n"]) | st.text(max_size=9)


@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_object_is_an_order_or_refused_with_a_key(fields: dict[str, Any]) -> None:
    refused = ""
    try:
        order = order_of(fields)
    except ConfigError as error:
        refused = str(error)
    else:
        assert order.action in ACTIONS
        assert order.action == fields["action"]
        assert order.reason == fields.get("reason", "")
        assert set(fields) <= {"action", "reason"}
    assert refused.isprintable()
    assert not refused or refused.startswith(("action: ", "reason: ", "no key "))


def test_a_reason_is_taken_up_to_its_limit() -> None:
    assert order_of({"action": "reset", "reason": "x" * REASON_LENGTH_MAX}).reason
    assert order_of({"action": "reset"}) == Order("reset", "")
    with pytest.raises(ConfigError, match=f"reason: {REASON_LENGTH_MAX + 1} characters; want one line"):
        order_of({"action": "reset", "reason": "x" * (REASON_LENGTH_MAX + 1)})


@pytest.mark.parametrize("reason", [" ", "   ", "\t", "\u00a0"])
def test_a_blank_reason_is_no_reason(reason: str) -> None:
    with pytest.raises(ConfigError, match="reason: blank; say why, or leave it out"):
        order_of({"action": "reset", "reason": reason})


def test_a_key_where_none_is_taken_is_told_so() -> None:
    with pytest.raises(ConfigError, match="no key 'limti'; none is taken here"):
        refuse_unknown({"limti": "3"})
    refuse_unknown({})


@pytest.mark.parametrize("reason", ["a\nfalse line", "\x1b[2J", "\u2028", None, 3])
def test_a_reason_that_would_break_a_log_is_refused(reason: object) -> None:
    with pytest.raises(ConfigError, match=r"^reason: "):
        order_of({"action": "reset", "reason": reason})


def test_a_misspelt_action_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ConfigError, match="action: 'open'; want one of force_open, force_close, release, reset"
    ):
        order_of({"action": "open"})
    with pytest.raises(ConfigError, match="action: nothing; want one of pause, resume"):
        order_of({}, ("pause", "resume"))
