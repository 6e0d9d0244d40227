"""`--max-blast-radius`: what is allowed is read as it is written, and what passes it is named."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chaos.blast_radius import Target, predicted, whole
from sprint.core.chaos.radius_limit import KEYS, NUMBER_MAX, TEXT_LENGTH_MAX, Most, exceeds, limit_of
from sprint.core.chaos.topology import BlastRadius
from sprint.core.errors import ConfigError
from tests.core.chaos.a_relay import CHAINS, a_relay

RELAY = a_relay()
CHAINS_FIRST = next(iter(CHAINS))


def test_numbers_and_shares_are_read_by_their_keys() -> None:
    read = limit_of("chains=1, sources=2,subscribers=100").most
    assert read == {"chains": Most(1), "sources": Most(2), "subscribers": Most(100)}
    assert limit_of("50%").most == limit_of("sources=50%").most == {"sources": Most(50, percent=True)}
    assert limit_of("").most == limit_of(" ").most == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "'5': want KEY=NUMBER"),
        ("nodes=5", "'nodes': no such key"),
        ("sources=x", "sources='x': want KEY=NUMBER"),
        ("sources=-1", "sources='-1': want KEY=NUMBER"),
        ("sources=", "sources='': want KEY=NUMBER"),
        ("sources=101%", "sources=101%: want 0 to 100%"),
        (f"sources={NUMBER_MAX + 1}", f"sources={NUMBER_MAX + 1}: want 0 to {NUMBER_MAX}"),
        ("sources=1,50%", "sources stands twice"),
        ("sources=1,,chains=1", "'': want KEY=NUMBER"),
        ("x" * (TEXT_LENGTH_MAX + 1), f"{TEXT_LENGTH_MAX + 1} characters, limit {TEXT_LENGTH_MAX}"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        limit_of(text)
    assert said in str(raised.value)
    assert "--max-blast-radius" in str(raised.value)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert set(limit_of(text).most) <= set(KEYS)


def test_a_radius_at_its_limit_is_allowed_and_one_over_is_not() -> None:
    two = predicted(RELAY, [Target("source", f"{CHAINS_FIRST}:n{number}") for number in (0, 1)])
    assert exceeds(two, limit_of("sources=2,chains=1,chains_cut=0,subscribers=0"), RELAY) == ""
    assert exceeds(two, limit_of("sources=1"), RELAY) == (
        "2 sources would be reached, --max-blast-radius has sources=1"
    )
    assert exceeds(two, limit_of("34%"), RELAY) == "", "two of six are a third"
    assert exceeds(two, limit_of("33%"), RELAY) == (
        "2 of 6 sources would be reached, --max-blast-radius has sources=33%"
    )


def test_each_key_limits_its_own_part_and_zero_allows_none_of_it() -> None:
    for key in KEYS:
        assert exceeds(whole(RELAY), limit_of(f"{key}=0"), RELAY).endswith(f"has {key}=0")
        assert exceeds(whole(RELAY), limit_of(f"{key}=100%"), RELAY) == ""
        assert exceeds(BlastRadius(), limit_of(f"{key}=0"), RELAY) == ""
