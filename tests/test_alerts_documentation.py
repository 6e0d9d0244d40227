"""The page on alerts against the code: example, configuration and figures are those of the code."""

from __future__ import annotations

import re
import runpy
import time
import tomllib
from pathlib import Path
from typing import get_args

import msgspec

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.alerts.messages import PAGERDUTY_KEY_LENGTH_MAX, TEAMS_LINES_MAX, signature
from sprint.core.monitor.alerts.own_rules import FIGURES, OWN_RULES_MAX, RuleGiven, rules_of
from sprint.core.monitor.alerts.routes import ESCALATE_AFTER_S, HOUR_S, KINDS, routes_default
from sprint.core.monitor.alerts.rules import HEALTH, LEVELS, RELAY, RULES, STATE, STATE_SEVERITIES
from sprint.core.monitor.alerts.silences import SILENCE_S_MAX, SILENCES_MAX
from sprint.core.monitor.alerts.standing import STANDING_MAX, Alert, Change
from sprint.tools.monitor.alert_desk import LOOK_INTERVAL_S
from sprint.tools.monitor.alert_store import HISTORY_MAX, WAITING_MAX
from sprint.tools.monitor.alerts_given import (
    ESCALATE_S_MAX,
    ESCALATE_S_MIN,
    AlertsGiven,
    MailGiven,
    plan_of,
)
from sprint.tools.monitor.sender import FAILURES_TO_OPEN, RETRY_S_MAX, RETRY_S_MIN
from sprint.tools.monitor.sinks.chats import PagerDuty
from sprint.tools.monitor.sinks.mail import PERMANENT, PERMANENT_END
from sprint.tools.monitor.sinks.sink import BATCH_MAX
from sprint.tools.monitor.sinks.webhook import REFUSALS, SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.test_documentation import REFERENCE

TEXT = (REFERENCE / "alerts.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def section(title: str) -> str:
    """Return what stands under a heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def example(language: str, title: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", section(title), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_an_alert_with_all_of_its_fields() -> None:
    alert = msgspec.json.decode(example("json", "An alert"), type=Alert)
    assert msgspec.json.decode(msgspec.json.encode(alert)) == msgspec.json.decode(example("json", "An alert"))
    assert (alert.rule, alert.value) == (STATE.name, float(STATE_SEVERITIES["open"]))


def test_the_configuration_has_every_key_and_is_taken() -> None:
    section = tomllib.loads(example("toml", "Configuration"))["monitor"]["alerts"]
    given = msgspec.convert(section, AlertsGiven)
    assert given.email is not None
    assert set(section) == set(AlertsGiven.__struct_fields__)
    assert set(section["email"]) == set(MailGiven.__struct_fields__)

    plan = plan_of(given, [])
    assert len(plan.rules) == len(RULES)
    assert plan.routes is not None
    assert plan.routes["info"] == ("email",)
    assert plan.escalate_after_s == {"warning": 1_800.0, "critical": 3_600.0}


def test_the_rules_of_the_example_are_taken_and_all_their_keys_and_figures_are_told() -> None:
    given = msgspec.convert(
        tomllib.loads(example("toml", "Rules of your own"))["monitor"]["alerts"]["rules"],
        tuple[RuleGiven, ...],
    )
    rules = {rule.name: rule for rule in rules_of(given)}
    assert set(rules) == {rule.name for rule in RULES} - {"slow_rate"} | {"slow-node", "few-sources"}
    own = section("Rules of your own")
    told = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|([^|]*)\|", own, re.MULTILINE))))
    assert told == set(RuleGiven.__struct_fields__) | set(FIGURES)
    assert f"up to {OWN_RULES_MAX}." in own


def test_who_is_told_after_how_long_is_what_the_code_does() -> None:
    rows = re.findall(
        r"^\| (\w+) \| ([^|]*) \| ([^|]*) ?\| ([^|]*) ?\|$", section("Who is told"), re.MULTILINE
    )
    words = {"slack": "Slack", "teams": "Teams", "email": "mail", "pagerduty": "PagerDuty"}
    routes = routes_default(KINDS)
    said = {level: (goes_to, after.strip()) for level, goes_to, after, _ in rows}
    for level in LEVELS[:-1]:
        goes_to, after = said[level]
        assert after == f"{ESCALATE_AFTER_S[level] / HOUR_S:g} h"
        kinds = {kind for kind, word in words.items() if word in goes_to.partition(";")[0]}
        assert {"webhook", *kinds} == set(routes[level])
    assert set(routes["emergency"]) == set(KINDS)


def test_each_rule_and_each_change_is_named() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("Rules"), re.MULTILINE) == [rule.name for rule in RULES]
    assert [each for each in get_args(Change) if f"`{each}`" not in TEXT] == []
    assert set(STATE_SEVERITIES) == set(get_args(State))


def test_the_figures_of_the_page_are_those_of_the_code() -> None:
    clear_s = {rule.clear_s for rule in RULES}
    assert len(clear_s) == 1
    info, warning, critical = (step.at for step in HEALTH.steps)
    said = (
        "once a second" if LOOK_INTERVAL_S == 1.0 else "",
        f"lower for {clear_s.pop():g} s on end",
        f"score {info} or less | {warning} or less | {critical} or less",
        f"{HEALTH.margin} above it for the score",
        f"in its own words, for {RELAY.hold_s:g} s",
        f"At most {STANDING_MAX:,} stand",
        f"up to {BATCH_MAX} in a message, {TEAMS_LINES_MAX} to Teams, {PagerDuty.batch_max} to PagerDuty",
        f"up to {SILENCE_S_MAX / 86_400:g} days",
        f"{SILENCES_MAX} silences at most",
        f"longer than {PAGERDUTY_KEY_LENGTH_MAX} characters",
        f"Only {' '.join(map(str, PagerDuty.refusals))} refuses",
        f"from `{ESCALATE_S_MIN / 60:g}m` to `{ESCALATE_S_MAX / 3_600:g}h`",
        f"wait {RETRY_S_MIN} s, doubling to {RETRY_S_MAX:g} s",
        f"after {FAILURES_TO_OPEN} failures in a row",
        f"{PERMANENT} to {PERMANENT_END - 1} refuse",
        "{}, {}, {} and {} refuse".format(*sorted(REFUSALS)),
        f"{WAITING_MAX:,} messages may wait",
        f"{HISTORY_MAX:,} that are over are kept",
        f"`{TIMESTAMP_HEADER}`",
        f"`{SIGNATURE_HEADER}`",
    )
    assert [each for each in said if not each or each not in WORDS] == []


def test_a_receiver_that_checks_as_the_how_to_says_takes_ours_and_no_others(tmp_path: Path) -> None:
    text = (REFERENCE.parent / "howto/alerts.md").read_text(encoding="utf-8")
    program = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert program is not None
    (tmp_path / "receiver.py").write_text(program[1], encoding="utf-8")
    names = runpy.run_path(str(tmp_path / "receiver.py"))
    now, body = str(int(time.time())), b'{"alerts": []}'
    headers = {TIMESTAMP_HEADER: now, SIGNATURE_HEADER: signature(b"ours", now, body)}
    assert names["is_ours"](b"ours", headers, body)
    assert not names["is_ours"](b"another's", headers, body)
    assert not names["is_ours"](b"ours", headers, body + b" ")
    old = str(int(time.time()) - 3_600)
    late = {TIMESTAMP_HEADER: old, SIGNATURE_HEADER: signature(b"ours", old, body)}
    assert not names["is_ours"](b"ours", late, body)
