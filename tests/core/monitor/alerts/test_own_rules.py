"""Operators' own rules: what they read, how they lie over the packaged ones, and what is refused where."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.own_rules import FIGURES, OWN_RULES_MAX, RuleGiven, rules_of
from sprint.core.monitor.alerts.readings import readings, state_readings
from sprint.core.monitor.alerts.rules import HEALTH, LEVELS, RULES, STATE, Rule
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.codec import Metrics, Snapshot
from sprint.core.monitor.rows import rfc3339
from tests.core.monitor.rows_for_tests import point_at, row_named

SLOW = {"name": "slow-node", "reads": "latency_ms_p95", "warning": 200, "critical": 500}


def given(*tables: dict[str, Any]) -> tuple[Rule, ...]:
    return rules_of(msgspec.convert(tables, tuple[RuleGiven, ...]))


def own(**table: Any) -> Rule:
    """Return the rule that a table makes."""
    rules = {rule.name: rule for rule in given({**SLOW, **table})}
    return rules[str(table.get("name", SLOW["name"]))]


def levels_of(rule: Rule, health: dict[str, Any] | None = None, **fields: Any) -> dict[str, str]:
    """Return by breaker, or by relay, the level that a rule reads on a board of one relay."""
    board, at = Board(), rfc3339(0.0)
    relay = RelaySeen(name="main", url="", connection="live", since=at, health=health or {})
    board.connected(relay)
    rows = (row_named("source:bitcoin:a", calls=9, **fields), row_named("store", calls=9, **fields))
    board.told("main", Snapshot(seq=0, at=at, breakers=rows), 0.0)
    points = {row.name: point_at(0.0, latency_ms_p95=300.0) for row in rows}
    board.told("main", Metrics(seq=0, at=at, points=points), 0.0)
    found = {each.breaker or each.relay: rule.severity(each.value) for each in readings(board, {}, (rule,))}
    return {name: LEVELS[severity - 1] for name, severity in found.items() if severity}


def test_an_own_rule_stands_beside_the_packaged_ones() -> None:
    rules = given(SLOW)
    assert rules[: len(RULES)] == RULES
    assert levels_of(rules[-1]) == {"source:bitcoin:a": "warning", "store": "warning"}


def test_a_rule_judges_what_its_patterns_fit() -> None:
    assert levels_of(own(breaker="source:bitcoin:*")) == {"source:bitcoin:a": "warning"}
    assert levels_of(own(relay="edge")) == {}


def test_figures_of_too_few_calls_are_not_believed() -> None:
    assert levels_of(own(calls_min=9)) != {}
    assert levels_of(own(calls_min=10)) == {}


def test_hysteresis_is_given_as_durations_and_a_margin() -> None:
    rule = own(margin=20, hold="30s", clear="1m")
    assert (rule.margin, rule.hold_s, rule.clear_s) == (20.0, 30.0, 60.0)
    assert (rule.severity(181.0, kept=True), rule.severity(181.0)) == (2, 0)


def test_of_a_packaged_rule_what_is_not_given_stays() -> None:
    rules = {rule.name: rule for rule in given({"name": "health", "warning": 0.5, "hold": "1m"})}
    changed = rules["health"]
    assert (changed.reads, changed.falling, changed.margin) == (HEALTH.reads, True, HEALTH.margin)
    assert ([(step.level, step.at) for step in changed.steps], changed.hold_s) == ([("warning", 0.5)], 60.0)
    assert len(rules) == len(RULES)


def test_a_packaged_rule_can_be_put_off() -> None:
    assert [rule.name for rule in given({"name": "slow_rate", "off": True})] == [
        rule.name for rule in RULES if rule.name != "slow_rate"
    ]


def test_a_transition_is_read_by_every_rule_of_states_that_fits() -> None:
    rules = given(
        {"name": "state", "breaker": "source:*"}, {**SLOW, "reads": "state", "critical": 3, "warning": 2}
    )
    found = state_readings(Key("main", "store"), "open", "why", shadow=False, rules=rules)
    assert [reading.rule.name for reading in found] == ["slow-node"]
    found = state_readings(Key("main", "source:a:b"), "open", "why", shadow=False)
    assert [reading.rule for reading in found] == [STATE]


@pytest.mark.parametrize(
    ("reads", "fields", "steps", "level"),
    [
        ("failure_rate", {"failure_rate": 0.3}, {"warning": 0.25}, "warning"),
        ("slow_rate", {"slow_rate": 0.3}, {"info": 0.1, "warning": 0.5}, "info"),
        ("rejected", {"rejected": 100}, {"critical": 100}, "critical"),
        ("failures", {"failures": 3}, {"info": 1, "emergency": 2}, "emergency"),
        ("calls", {}, {"warning": 10}, None),
        ("latency_ms_mean", {"latency_ms_mean": 12.5}, {"info": 12.5}, "info"),
        ("latency_ms_mean", {"latency_ms_mean": None}, {"info": 0}, None),
        ("calls_per_s", {}, {"warning": 1}, "warning"),
        ("latency_ms_p99", {}, {"warning": 0}, None),
        ("latency_ms_p50", {}, {"warning": 1}, "warning"),
    ],
)
def test_each_figure_of_a_breaker_can_be_read(
    reads: str, fields: dict[str, Any], steps: dict[str, float], level: str | None
) -> None:
    table = {"name": "own", "reads": reads, **steps}
    (rule,) = (each for each in given(table) if each.name == "own")
    assert levels_of(rule, **fields).get("store") == level


def test_figures_of_a_relay_can_be_read() -> None:
    ready = {"chains": {"bitcoin": {"sources_ready": 2}, "litecoin": {"sources_ready": 1}}}
    few = own(reads="sources_ready", falling=True, warning=1, critical=0)
    assert levels_of(few, ready) == {"main": "warning"}
    assert levels_of(few) == {}
    many = own(reads="breakers_open", warning=2, critical=3)
    assert levels_of(many, state="open") == {"main": "warning"}
    assert levels_of(many, state="open", shadow=True) == {}


def test_of_every_figure_a_rule_can_be_made_and_read() -> None:
    for reads in FIGURES:
        levels_of(own(reads=reads))


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ([{"name": "Slow Node"}], "rules[0].name: 'Slow Node'; want up to 64 of a-z"),
        ([SLOW, SLOW], "rules[1] (slow-node): a second rule of that name"),
        (
            [{**SLOW, "reads": "latency_p95"}],
            "(slow-node).reads: 'latency_p95'; did you mean latency_ms_p95?",
        ),
        ([{"name": "own", "warning": 1}], "rules[0] (own).reads: nothing; there is state, "),
        ([{"name": "own", "reads": "calls"}], "rules[0] (own): no level; give a value for one of info"),
        ([{**SLOW, "critical": 200}], "(slow-node).critical: 200; want more than warning, 200, or falling"),
        ([{**SLOW, "falling": True}], "(slow-node).critical: 500; want less than warning, 200"),
        ([{**SLOW, "margin": -1}], "(slow-node).margin: -1; want 0 or more"),
        ([{**SLOW, "warning": float("nan")}], "(slow-node).warning: nan; want a finite number"),
        ([{**SLOW, "margin": float("inf")}], "(slow-node).margin: inf; want a finite number"),
        ([{**SLOW, "hold": "soon"}], "rules[0] (slow-node).hold 'soon': no duration"),
        ([{**SLOW, "clear": "25h"}], "rules[0] (slow-node).clear 25h: 90000 s; want 0 s to 86400 s"),
        ([{**SLOW, "breaker": ""}], "(slow-node).breaker: ''; want a pattern"),
        ([{**SLOW, "calls_min": -1}], "(slow-node).calls_min: -1; want 0 to"),
        ([{**SLOW, "reads": "relay", "breaker": "x*"}], "(slow-node): relay is a relay's; leave out breaker"),
        ([{"name": "none", "off": True}], "rules[0] (none).off: there is no packaged rule of that name"),
        ([{**SLOW, "name": f"r{n}"} for n in range(OWN_RULES_MAX + 1)], "rules: 101 rules, limit 100"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused_by_its_place(tables: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        given(*tables)
    assert said in str(raised.value)
    assert str(raised.value).startswith("monitor.alerts.rules")
