"""Names of breakers: what could break a log, a path or a metric is refused at once, and said."""

from __future__ import annotations

from typing import Any

import pytest

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.names import NAME_LENGTH_MAX, check_name
from sprint.core.breaker.policy import Policy
from sprint.core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "None: want a str"),
        (5, "5: want a str"),
        ("", "'': want printable characters, not all blank"),
        ("  ", "'  ': want printable"),
        (".", "'.': a client of the API folds it out of the path"),
        ("..", "'..': a client of the API folds it out of the path"),
        ("x\n", r"'x\\n': want printable"),
        (
            "x" * (NAME_LENGTH_MAX + 1),
            f"{NAME_LENGTH_MAX + 1} characters, limit {NAME_LENGTH_MAX}; shorten it",
        ),
    ],
)
def test_a_name_that_is_none_is_refused_when_the_breaker_is_made(name: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Machine(name, Policy(), now=0.0, rng=lambda: 0.5)


@pytest.mark.parametrize(
    "name", ["store", "source:litecoin:a b", "Knoten \u00fc", "x" * NAME_LENGTH_MAX, "..."]
)
def test_any_printable_name_up_to_the_limit_is_taken(name: str) -> None:
    assert check_name(name) == name
