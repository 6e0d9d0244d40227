"""Alerts as they are sent: the bodies of webhooks and chats, a signature, a mail's subject and text."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

import msgspec

from sprint.core.monitor.alerts.rules import LEVELS, Level
from sprint.core.monitor.alerts.standing import Alert, Change

SUBJECT_LENGTH_MAX = 180
# Slack cuts a text off at 40,000 signs: so a hundred alerts have a place in it.
SLACK_LINE_LENGTH_MAX = 380
_SLACK_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Teams refuses a message of more than 28 KB; a sign is 4 bytes at most, a line's frame some 150.
TEAMS_LINE_LENGTH_MAX = 300
TEAMS_LINES_MAX = 20
TEAMS_COLOURS: Mapping[Level, str] = {
    "info": "Default",
    "warning": "Warning",
    "critical": "Attention",
    "emergency": "Attention",
}
# Of the Events API v2: a longer key or summary is refused.
PAGERDUTY_KEY_LENGTH_MAX = 255
PAGERDUTY_SUMMARY_LENGTH_MAX = 1_024
PAGERDUTY_SEVERITIES: Mapping[Level, str] = {
    "info": "info",
    "warning": "warning",
    "critical": "critical",
    "emergency": "critical",
}
PAGERDUTY_ACTIONS: Mapping[Change, str] = {"resolved": "resolve", "acknowledged": "acknowledge"}


def webhook_body(alerts: Sequence[Alert], sent_at: str) -> bytes:
    """Return what is posted."""
    return msgspec.json.encode({"sent_at": sent_at, "alerts": alerts})


def slack_body(alerts: Sequence[Alert]) -> bytes:
    """Return what an incoming webhook of Slack takes: a text; its three signs have to be escaped."""
    return msgspec.json.encode({"text": "\n".join(_slack_line(_line(alert)) for alert in alerts)})


def teams_body(alerts: Sequence[Alert]) -> bytes:
    """Return what a workflow of Teams that posts cards takes: a message with one Adaptive Card.

    Its texts are runs, in which, other than in blocks of text, nothing is read as a link.
    """
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [_teams_line(alert) for alert in alerts],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return msgspec.json.encode({"type": "message", "attachments": [attachment]})


def pagerduty_body(alert: Alert, routing_key: str) -> bytes:
    """Return an event of PagerDuty's Events API v2: one incident of each alert, told by its `dedup_key`."""
    event: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": PAGERDUTY_ACTIONS.get(alert.change, "trigger"),
        "dedup_key": _dedup_key(alert.id),
    }
    if event["event_action"] == "trigger":
        event["client"] = "sprint cb-monitor"
        event["payload"] = {
            "summary": _line(alert)[:PAGERDUTY_SUMMARY_LENGTH_MAX],
            "source": alert.relay or "sprint",
            "severity": PAGERDUTY_SEVERITIES[alert.urgency],
            "timestamp": alert.changed_at,
            "component": alert.breaker,
            "class": alert.rule,
            "custom_details": msgspec.to_builtins(alert),
        }
    return msgspec.json.encode(event)


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC-SHA256 (RFC 2104), in hex, of the timestamp, a dot and the body."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def mail_subject(alerts: Sequence[Alert]) -> str:
    """Return one line: the worst, and how many more there are."""
    worst = max(alerts, key=lambda alert: (alert.change != "resolved", LEVELS.index(alert.urgency)))
    more = f" and {len(alerts) - 1} more" if len(alerts) > 1 else ""
    said: str = "over" if worst.change == "resolved" else worst.urgency
    if worst.change == "acknowledged":
        said = f"{said}, acknowledged"
    text = f"[sprint {said}] {worst.relay} {worst.breaker or worst.rule}{more}"
    return "".join(sign for sign in text if sign.isprintable())[:SUBJECT_LENGTH_MAX]


def mail_text(alerts: Sequence[Alert]) -> str:
    """Return a paragraph for each."""
    return "\n".join(
        f"{alert.changed_at}  {_said(alert)}: {alert.text}\n"
        f"    relay {alert.relay}, rule {alert.rule}, since {alert.at}, id {alert.id} #{alert.number}\n"
        for alert in alerts
    )


def _line(alert: Alert) -> str:
    """Return an alert in one line, whatever breakers and reasons are called."""
    text = f"{_said(alert)} {alert.relay}: {alert.text} (since {alert.at})"
    return "".join(sign for sign in text if sign.isprintable())


def _said(alert: Alert) -> str:
    """Return how bad it is, and what has become of it."""
    level = alert.urgency.upper()
    match alert.change:
        case "resolved":
            return "OVER"
        case "acknowledged":
            return f"{level} acknowledged by {alert.acknowledged_by}"
        case "escalated":
            return f"{level} escalated, nobody has acknowledged it"
        case _:
            return f"{level} {alert.change}" if alert.change != "raised" else level


def _slack_line(text: str) -> str:
    """Return a text with Slack's signs escaped, cut off where that is too long, but within no escape."""
    signs, length = [], 0
    for sign in text:
        escaped = _SLACK_ESCAPES.get(sign, sign)
        length += len(escaped)
        if length > SLACK_LINE_LENGTH_MAX:
            break
        signs.append(escaped)
    return "".join(signs)


def _teams_line(alert: Alert) -> dict[str, object]:
    colour = "Good" if alert.change == "resolved" else TEAMS_COLOURS[alert.urgency]
    run = {"type": "TextRun", "text": _line(alert)[:TEAMS_LINE_LENGTH_MAX], "color": colour}
    return {"type": "RichTextBlock", "inlines": [run]}


def _dedup_key(alert_id: str) -> str:
    """Return the id where it is short enough, else its digest: the same over all changes of an alert."""
    if len(alert_id) <= PAGERDUTY_KEY_LENGTH_MAX:
        return alert_id
    return hashlib.sha256(alert_id.encode()).hexdigest()
