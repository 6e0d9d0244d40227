"""What is sent, and to whom."""

from __future__ import annotations

import msgspec

from sprint.core.monitor.alerts.messages import (
    mail_subject,
    mail_text,
    signature,
    slack_body,
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
    assert "CRITICAL raised: x is open" in mail_text([alert_of(3.0)])
