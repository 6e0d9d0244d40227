"""What an operator types to see some breakers of many: words, and fields with a value. All must hold.

`alice` stands in the name, the relay, the policy or the reason. `state:open` is one of `STATE_NAMES`, of
which `bad` is all that is not as it should be. `chain:litecoin`, `kind:source`, `relay:north` hold a part of
a field, or of the name with that word and colon: `source:litecoin:alice` is found as it is called.
`fail>50` (per cent), `lat>100` (ms), `health<0.8` and `calls>0` compare a figure; where there is none,
nothing compares. A `-` before any of them turns it round.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import NamedTuple

from sprint.core.errors import ConfigError
from sprint.core.monitor.rows import BreakerRow
from sprint.core.monitor.words import needs_an_eye

QUERY_LENGTH_MAX = 200

_Test = Callable[[str, BreakerRow], bool]
_TEXT_FIELDS: dict[str, Callable[[str, BreakerRow], str]] = {
    "relay": lambda relay, _: relay,
    "name": lambda _, row: row.name,
    "kind": lambda _, row: row.kind,
    "chain": lambda _, row: row.chain or "",
    "source": lambda _, row: row.source or "",
    "policy": lambda _, row: row.policy,
    "why": lambda _, row: _why(row),
}
_FIGURES: dict[str, Callable[[BreakerRow], float | None]] = {
    "fail": lambda row: row.failure_rate * 100.0 if row.calls else None,
    "slow": lambda row: row.slow_rate * 100.0 if row.calls else None,
    "lat": lambda row: row.latency_ms_mean,
    "health": lambda row: row.health,
    "calls": lambda row: float(row.calls),
    "failures": lambda row: float(row.failures),
    "transitions": lambda row: float(row.transitions),
}
STATE_NAMES: dict[str, Callable[[BreakerRow], bool]] = {
    "open": lambda row: row.state in ("open", "force_open"),
    "closed": lambda row: row.state in ("closed", "force_close"),
    "half_open": lambda row: row.state == "half_open",
    "half": lambda row: row.state == "half_open",
    "force_open": lambda row: row.state == "force_open",
    "force_close": lambda row: row.state == "force_close",
    "forced": lambda row: row.state in ("force_open", "force_close"),
    "withheld": lambda row: row.withheld is not None,
    "shadow": lambda row: row.shadow,
    "bad": needs_an_eye,
}


class Query(NamedTuple):
    """What was typed, and the tests that a breaker must pass."""

    text: str
    tests: tuple[_Test, ...]

    def matches(self, relay: str, row: BreakerRow) -> bool:
        """Tell whether a breaker of a relay is meant."""
        return all(test(relay, row) for test in self.tests)


EVERYTHING = Query("", ())


def parse_query(text: str) -> Query:
    """Read a query; `ConfigError` names the word that can't be and what would be right."""
    if len(text) > QUERY_LENGTH_MAX:
        raise ConfigError(f"the filter has {len(text)} characters; {QUERY_LENGTH_MAX} are read at most")
    return Query(text, tuple(_test(word) for word in text.split()))


def _test(word: str) -> _Test:
    if word.startswith("-") and len(word) > 1:
        inner = _test(word[1:])
        return lambda relay, row: not inner(relay, row)
    for sign, compare in ((">", operator.gt), ("<", operator.lt)):
        name, found, limit = word.partition(sign)
        if found and name in _FIGURES:
            return _figure_test(name, sign, compare, limit)
    name, found, value = word.partition(":")
    if found and name == "state":
        return _state_test(value)
    if found and name in _TEXT_FIELDS:
        return _text_test(name, value)
    return _word_test(word)


def _figure_test(name: str, sign: str, compare: Callable[[float, float], bool], limit: str) -> _Test:
    try:
        number = float(limit)
    except ValueError as error:
        raise ConfigError(f"{name}{sign}{limit}: want a number behind {sign}") from error
    figure_of = _FIGURES[name]

    def test(_: str, row: BreakerRow) -> bool:
        figure = figure_of(row)
        return figure is not None and compare(figure, number)

    return test


def _state_test(value: str) -> _Test:
    test = STATE_NAMES.get(value.casefold())
    if test is None:
        raise ConfigError(f"state:{value}: want one of {', '.join(STATE_NAMES)}")
    return lambda _, row: test(row)


def _text_test(name: str, value: str) -> _Test:
    wanted, text_of = value.casefold(), _TEXT_FIELDS[name]
    # `source:litecoin:alice` is a field with a value, and how that breaker is called.
    whole = f"{name}:{wanted}"

    def test(relay: str, row: BreakerRow) -> bool:
        return wanted in text_of(relay, row).casefold() or whole in row.name.casefold()

    return test


def _word_test(word: str) -> _Test:
    wanted = word.casefold()
    return lambda relay, row: any(
        wanted in each.casefold() for each in (row.name, relay, _why(row), row.policy)
    )


def _why(row: BreakerRow) -> str:
    """Return why a breaker is so; what would open one that is held closed is a reason too."""
    return f"{row.reason} {row.withheld}" if row.withheld else row.reason
