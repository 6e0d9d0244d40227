"""What is sent, and to whom."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.monitor.alerts.messages import (
    TEAMS_LINES_MAX,
    mail_subject,
    mail_text,
    pagerduty_body,
    signature,
    slack_body,
    teams_body,
    webhook_body,
)
from sprint.core.monitor.alerts.rules import STATE, Reading
from sprint.core.monitor.alerts.standing import Alert, Alerts
from sprint.core.monitor.rows import rfc3339


def alert_of(severity: float, breaker: str = "x") -> Alert:
    alert = Alerts().take(Reading(STATE, "main", breaker, severity, "x is open"), 0.0, rfc3339(0.0))
    assert alert is not None
    return alert


def test_the_signature_is_the_one_that_openssl_makes() -> None:
    # printf '%s' '1700000000.{}' | openssl dgst -sha256 -hmac key
    made = signature(b"key", "1700000000", b"{}")
    assert made == "sha256=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
    assert made != signature(b"key", "1700000001", b"{}")


def test_a_body_has_every_alert_whole() -> None:
    body = msgspec.json.decode(webhook_body([alert_of(3.0)], rfc3339(1.0)))
    assert body["sent_at"] == rfc3339(1.0)
    assert msgspec.convert(body["alerts"][0], Alert) == alert_of(3.0)


def test_no_sign_of_an_alert_is_read_as_a_link_by_slack() -> None:
    alert = msgspec.structs.replace(alert_of(3.0), text="<http://x|a> & b", change="resolved")
    (text,) = msgspec.json.decode(slack_body([alert, alert])).values()
    line = "OVER main: &lt;http://x|a&gt; &amp; b (since 1970-01-01T00:00:00.000Z)"
    assert text == f"{line}\n{line}"


def test_a_subject_names_the_worst_in_one_line_whatever_breakers_are_called() -> None:
    subject = mail_subject([alert_of(1.0, "calm"), alert_of(3.0, "bad\r\nBcc: x@y")])
    assert subject == "[sprint critical] main badBcc: x@y and 1 more"
    assert "CRITICAL: x is open" in mail_text([alert_of(3.0)])


def changed(**fields: Any) -> Alert:
    return msgspec.structs.replace(alert_of(3.0), **fields)


def test_each_change_is_said_in_its_words() -> None:
    said = {
        "raised": "CRITICAL main: x is open",
        "worsened": "CRITICAL worsened main: x is open",
        "acknowledged": "CRITICAL acknowledged by anna main: x is open",
        "escalated": "EMERGENCY escalated, nobody has acknowledged it main: x is open",
        "resolved": "OVER main: x is open",
    }
    for change, words in said.items():
        escalated_to = "emergency" if change == "escalated" else None
        alert = changed(change=change, acknowledged_by="anna", escalated_to=escalated_to)
        (text,) = msgspec.json.decode(slack_body([alert])).values()
        assert text == f"{words} (since 1970-01-01T00:00:00.000Z)"


def test_a_slack_message_of_many_alerts_has_a_line_of_each_however_much_is_escaped() -> None:
    alerts = [changed(text="<" * 500, relay=str(number)) for number in range(100)]
    (text,) = msgspec.json.decode(slack_body(alerts)).values()
    lines = text.splitlines()
    assert [line.split()[1] for line in lines] == [f"{number}:" for number in range(100)]
    assert all(line.endswith("&lt;") for line in lines)
    assert len(text) < 40_000


def test_a_teams_message_is_a_card_with_a_run_of_text_for_each_alert() -> None:
    body = msgspec.json.decode(teams_body([changed(text="[a](http://x)"), changed(change="resolved")]))
    (attachment,) = body["attachments"]
    card = attachment["content"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert (card["type"], card["version"], len(card["body"])) == ("AdaptiveCard", "1.4", 2)
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}, "a TextBlock would read markdown"
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert [run["color"] for run in runs] == ["Attention", "Good"]
    assert runs[0]["text"].startswith("CRITICAL main: [a](http://x)")


def test_a_full_teams_message_is_below_its_limit() -> None:
    assert len(teams_body([changed(text="\U0001f525" * 500)] * TEAMS_LINES_MAX)) < 28_000


def test_pagerduty_s_events_of_an_alert_have_one_key_from_trigger_to_resolve() -> None:
    changes = ("raised", "worsened", "escalated", "acknowledged", "resolved")
    alerts = [changed(change=change) for change in changes]
    events = [msgspec.json.decode(pagerduty_body(alert, "R" * 32)) for alert in alerts]
    actions = [event["event_action"] for event in events]
    assert actions == ["trigger", "trigger", "trigger", "acknowledge", "resolve"]
    assert {event["dedup_key"] for event in events} == {alerts[0].id}
    assert {event["routing_key"] for event in events} == {"R" * 32}
    payload = events[0]["payload"]
    assert (payload["severity"], payload["source"], payload["component"]) == ("critical", "main", "x")
    assert payload["custom_details"]["id"] == alerts[0].id
    assert ["payload" in event for event in events] == [True] * 3 + [False] * 2


def test_pagerduty_s_limits_hold_for_names_of_any_length() -> None:
    event = msgspec.json.decode(pagerduty_body(changed(id="x" * 300, text="y" * 2_000), "R" * 32))
    assert len(event["dedup_key"]) <= 255
    assert len(event["payload"]["summary"]) == 1_024
    again = msgspec.json.decode(pagerduty_body(changed(id="x" * 300, change="resolved"), "R" * 32))
    assert again["dedup_key"] == event["dedup_key"]
