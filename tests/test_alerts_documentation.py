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
from sprint.core.monitor.alerts.messages import signature
from sprint.core.monitor.alerts.rules import HEALTH, RELAY, RULES, STATE, STATE_SEVERITIES
from sprint.core.monitor.alerts.standing import STANDING_MAX, Alert, Change
from sprint.tools.monitor.alert_desk import LOOK_INTERVAL_S, VIEWED_MAX
from sprint.tools.monitor.alert_store import HISTORY_MAX, WAITING_MAX
from sprint.tools.monitor.alerts_given import AlertsGiven, MailGiven
from sprint.tools.monitor.sender import FAILURES_TO_OPEN, RETRY_S_MAX, RETRY_S_MIN
from sprint.tools.monitor.sinks.mail import PERMANENT, PERMANENT_END
from sprint.tools.monitor.sinks.sink import BATCH_MAX
from sprint.tools.monitor.sinks.webhook import REFUSALS, SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.test_documentation import REFERENCE

TEXT = (REFERENCE / "alerts.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())


def example(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_is_an_alert_with_all_of_its_fields() -> None:
    alert = msgspec.json.decode(example("json"), type=Alert)
    assert msgspec.json.decode(msgspec.json.encode(alert)) == msgspec.json.decode(example("json"))
    assert (alert.rule, alert.value) == (STATE.name, float(STATE_SEVERITIES["open"]))


def test_the_configuration_has_every_key_and_is_taken() -> None:
    section = tomllib.loads(example("toml"))["monitor"]["alerts"]
    given = msgspec.convert(section, AlertsGiven)
    assert given.email is not None
    assert set(section) == set(AlertsGiven.__struct_fields__)
    assert set(section["email"]) == set(MailGiven.__struct_fields__)


def test_each_rule_and_each_change_is_named() -> None:
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == [rule.name for rule in RULES]
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
        f"up to {VIEWED_MAX}",
        f"up to {BATCH_MAX} in a message",
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
