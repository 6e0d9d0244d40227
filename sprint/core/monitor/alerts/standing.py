"""Which alerts stand: one of each rule and breaker, raised at once and let go of slowly.

    changed = alerts.take(reading, now_s, at)        # None, or the alert as it is by now

A breaker that goes to and fro is one alert: its level rises at once and falls when it has been lower for the
rule's `clear_s` on end. A trial of what is broken eases nothing: only its outcome does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from sprint.core.monitor.alerts.rules import LEVELS, Level, Reading

STANDING_MAX = 20_000

Change = Literal["raised", "worsened", "eased", "resolved", "acknowledged", "escalated"]


class Subject(NamedTuple):
    """What an alert is of."""

    rule: str
    relay: str
    breaker: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is after a change.

    `number` counts its changes from 1, so that `id` and `number` together tell a message from another.
    `at` is when it was raised. `escalated_to` is the level that it goes by since nobody acknowledged it in
    time. `acknowledged_by` is who has said that it is in hand, empty where nobody has.
    """

    id: str
    rule: str
    relay: str
    breaker: str
    level: Level
    level_highest: Level
    change: Change
    number: int
    at: str
    changed_at: str
    resolved_at: str | None = None
    acknowledged_at: str | None = None
    acknowledged_by: str = ""
    escalated_to: Level | None = None
    value: float | None = None
    text: str

    @property
    def subject(self) -> Subject:
        """What it is of."""
        return Subject(self.rule, self.relay, self.breaker)

    @property
    def urgency(self) -> Level:
        """The level that decides who is told: its own, or the one that it was escalated to."""
        return max(self.level, self.escalated_to or self.level, key=LEVELS.index)

    @property
    def urgency_highest(self) -> Level:
        """The highest that it ever was."""
        return max(self.level_highest, self.urgency, key=LEVELS.index)


class _Held:
    """An alert that stands, since when it is lower, and the highest that it was since then."""

    def __init__(self, alert: Alert) -> None:
        self.alert = alert
        self.lower_since_s: float | None = None
        self.lower_severity = 0

    @property
    def severity(self) -> int:
        return LEVELS.index(self.alert.level) + 1


class Alerts:
    """All that stand. `left_out` counts those that came when STANDING_MAX stood."""

    def __init__(self, standing: Iterable[Alert] = ()) -> None:
        self.left_out = 0
        self._held = {alert.subject: _Held(alert) for alert in standing}
        self._pending: dict[Subject, float] = {}

    def __repr__(self) -> str:
        return f"Alerts({len(self._held)} stand)"

    def standing(self) -> list[Alert]:
        """Return those that stand, in the order in which they came."""
        return [held.alert for held in self._held.values()]

    def find(self, alert_id: str) -> Alert | None:
        """Return the one that stands under an id."""
        return next((held.alert for held in self._held.values() if held.alert.id == alert_id), None)

    def acknowledge(self, alert: Alert, who: str, at: str) -> Alert:
        """Take down who has one in hand, and return it as it is by now."""
        return self._say(alert, "acknowledged", at, acknowledged_at=at, acknowledged_by=who)

    def escalate(self, alert: Alert, at: str) -> Alert:
        """Raise the level that one goes by, and return it as it is by now; of an emergency it stays."""
        higher = LEVELS[min(LEVELS.index(alert.urgency) + 1, len(LEVELS) - 1)]
        return self._say(alert, "escalated", at, escalated_to=higher)

    def take(self, reading: Reading, now_s: float, at: str) -> Alert | None:
        """Take a reading at `now_s` of a clock that only rises; return the alert if it has changed."""
        subject = Subject(reading.rule.name, reading.relay, reading.breaker)
        held = self._held.get(subject)
        severity = reading.rule.severity(reading.value)
        if held is None:
            return self._unknown(subject, severity, reading, now_s, at)
        if severity > held.severity:
            held.lower_since_s = None
            held.alert = _changed(held.alert, "worsened", severity, reading, at)
            return held.alert
        return self._lower(held, reading, now_s, at)

    def _say(self, alert: Alert, change: Change, at: str, **fields: str) -> Alert:
        """Change what people have made of an alert; what was read of it stays."""
        held = self._held[alert.subject]
        held.alert = msgspec.structs.replace(
            held.alert, change=change, number=held.alert.number + 1, changed_at=at, **fields
        )
        return held.alert

    def _unknown(
        self, subject: Subject, severity: int, reading: Reading, now_s: float, at: str
    ) -> Alert | None:
        if not severity:
            self._pending.pop(subject, None)
            return None
        if now_s - self._pending.setdefault(subject, now_s) < reading.rule.hold_s:
            return None
        self._pending.pop(subject, None)
        if len(self._held) >= STANDING_MAX:
            self.left_out += 1
            return None
        level = LEVELS[severity - 1]
        alert = Alert(
            id=f"{'/'.join(subject)}@{at}",
            rule=subject.rule,
            relay=subject.relay,
            breaker=subject.breaker,
            level=level,
            level_highest=level,
            change="raised",
            number=1,
            at=at,
            changed_at=at,
            value=reading.value,
            text=reading.text,
        )
        self._held[subject] = _Held(alert)
        return alert

    def _lower(self, held: _Held, reading: Reading, now_s: float, at: str) -> Alert | None:
        """Let a level go when it was lower for long enough; what was the highest meanwhile stays."""
        kept = reading.rule.severity(reading.value, kept=True)
        if reading.undecided or kept >= held.severity:
            held.lower_since_s = None
            return None
        if held.lower_since_s is None:
            held.lower_since_s, held.lower_severity = now_s, kept
        held.lower_severity = max(held.lower_severity, kept)
        if now_s - held.lower_since_s < reading.rule.clear_s:
            return None
        held.lower_since_s = None
        change: Change = "eased" if held.lower_severity else "resolved"
        held.alert = _changed(held.alert, change, held.lower_severity, reading, at)
        if change == "resolved":
            self._held.pop(held.alert.subject)
        return held.alert


def _changed(alert: Alert, change: Change, severity: int, reading: Reading, at: str) -> Alert:
    """Return an alert after a change; one that is over keeps the level that it had."""
    level = LEVELS[severity - 1] if severity else alert.level
    highest = max(level, alert.level_highest, key=LEVELS.index)
    return msgspec.structs.replace(
        alert,
        level=level,
        level_highest=highest,
        change=change,
        number=alert.number + 1,
        changed_at=at,
        resolved_at=None if severity else at,
        value=reading.value,
        text=reading.text if severity else f"over: {reading.text}",
    )
