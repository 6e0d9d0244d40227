"""Alerts as they are sent: the bodies of webhooks and chats, a signature, a mail's subject and text."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from sprint.core.monitor.alerts.rules import LEVELS
from sprint.core.monitor.alerts.standing import Alert

SUBJECT_LENGTH_MAX = 180
# Slack cuts a text off at 40,000 signs.
SLACK_LENGTH_MAX = 39_000
# So that a hundred alerts have a place in it.
SLACK_LINE_LENGTH_MAX = 380


def webhook_body(alerts: Sequence[Alert], sent_at: str) -> bytes:
    """Return what is posted."""
    return msgspec.json.encode({"sent_at": sent_at, "alerts": alerts})


def slack_body(alerts: Sequence[Alert]) -> bytes:
    """Return what an incoming webhook of Slack takes: a text; its three signs have to be escaped."""
    text = "\n".join(_line(alert)[:SLACK_LINE_LENGTH_MAX] for alert in alerts)
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    return msgspec.json.encode({"text": text[:SLACK_LENGTH_MAX]})


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA256 (RFC 2104), in hex, of the timestamp, a dot and the body."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def mail_subject(alerts: Sequence[Alert]) -> str:
    """Return one line: the worst, and how many more there are."""
    worst = max(alerts, key=lambda alert: (alert.change != "resolved", LEVELS.index(alert.urgency)))
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    said = "over" if worst.change == "resolved" else worst.urgency
    text = f"[sprint {said}] {worst.relay} {worst.breaker or worst.rule}{more}"
    return "".join(sign for sign in text if sign.isprintable())[:SUBJECT_LENGTH_MAX]


def mail_text(alerts: Sequence[Alert]) -> str:
    """Return a paragraph for each."""
    return "\n".join(
        f"{alert.changed_at}  {alert.urgency.upper()} {alert.change}: {alert.text}\n"
        f"    relay {alert.relay}, rule {alert.rule}, since {alert.at}, id {alert.id} #{alert.number}\n"
        for alert in alerts
    )


def _line(alert: Alert) -> str:
    said = "OVER" if alert.change == "resolved" else alert.urgency.upper()
    return f"{said} {alert.relay}: {alert.text} (since {alert.at})"
