"""What is to be kept and sent of alerts: by readings, an operator's words, silences, and time.

    book = Book(sending, kept, silences)              # as they were kept before a restart
    entry = book.take(reading, now_s, unix_s)         # None, or what to keep and whom to send what
    entries = book.tick(unix_s)                       # silences that have ended, escalations

An entry is to be written whole, its messages with it, before anybody is told. `told` then says to which sinks
an alert was sent and at which level: so what is silenced now is sent later, and nothing twice to one sink.
That an alert eases is told to nobody: who was told of a level still goes by it, and is reminded when it comes
again, but no oftener than each REPEAT_S.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from sprint.core.errors import RequestError
from sprint.core.monitor.alerts.routes import Sending
from sprint.core.monitor.alerts.rules import LEVELS, Level, Reading
from sprint.core.monitor.alerts.silences import SILENCES_MAX, Silence
from sprint.core.monitor.alerts.standing import Alert, Alerts
from sprint.core.monitor.rows import rfc3339

SHOWN_LENGTH_MAX = 200
# An alert that eases and rises all day is no more than a message an hour to one sink.
REPEAT_S = 3_600.0


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is kept.

    `told` has the highest level that each sink was told of, `told_at_s` when it last was; `waits_since_s` is
    when it began to wait to be acknowledged; both in seconds since 1970. `silence` is the id of the one that
    covers it, empty where none does.
    """

    alert: Alert
    told: dict[str, Level] = {}
    told_at_s: dict[str, float] = {}
    waits_since_s: float = 0.0
    silence: str = ""


class Entry(NamedTuple):
    """What to keep of an alert, and what to send to which sinks. `changed`: the alert itself is another."""

    kept: Kept
    messages: Sequence[tuple[str, Alert]]
    changed: bool = True


class Book:
    """All alerts that stand, silences, and what was sent of them."""

    def __init__(
        self, sending: Sending | None = None, kept: Iterable[Kept] = (), silences: Iterable[Silence] = ()
    ) -> None:
        self._sending = sending or Sending({}, {})
        self._kept = {each.alert.subject: each for each in kept}
        self._silences = {silence.id: silence for silence in silences}
        self.alerts = Alerts(each.alert for each in self._kept.values())

    def __repr__(self) -> str:
        return f"Book({self.alerts!r}, {len(self._silences)} silences)"

    def standing(self) -> list[Kept]:
        """Return those that stand, in the order in which they came."""
        return [self._kept[alert.subject] for alert in self.alerts.standing()]

    def silences(self) -> list[Silence]:
        """Return those in force, that which ends first in front."""
        return sorted(self._silences.values(), key=lambda silence: silence.until_s)

    def silence_of(self, kept: Kept) -> Silence | None:
        """Return the silence that covers an alert."""
        return self._silences.get(kept.silence)

    def escalates_at_s(self, kept: Kept) -> float | None:
        """Return when an alert goes one level up if nobody acknowledges it; None where it does not."""
        after_s = self._sending.escalate_after_s.get(kept.alert.urgency)
        alert = kept.alert
        if after_s is None or alert.acknowledged_at or kept.silence or alert.resolved_at:
            return None
        return None if alert.urgency == LEVELS[-1] else kept.waits_since_s + after_s

    def take(self, reading: Reading, now_s: float, unix_s: float) -> Entry | None:
        """Take a reading at `now_s` of a clock that only rises; return what has changed by it."""
        alert = self.alerts.take(reading, now_s, rfc3339(unix_s))
        return None if alert is None else self._changed(alert, unix_s)

    def acknowledge(self, alert_id: str, who: str, unix_s: float) -> tuple[Kept, Entry | None]:
        """Take down who has an alert in hand; no entry where somebody has already. RequestError."""
        alert = self.alerts.find(alert_id)
        if alert is None:
            raise RequestError(
                "unknown_alert", f"no alert {alert_id[:SHOWN_LENGTH_MAX]!a} stands; it may be over"
            )
        if alert.acknowledged_at:
            return self._kept[alert.subject], None
        entry = self._changed(self.alerts.acknowledge(alert, who, rfc3339(unix_s)), unix_s)
        return entry.kept, entry

    def silence(self, silence: Silence, unix_s: float) -> list[Entry]:
        """Begin a silence; RequestError where there are too many."""
        if len(self._silences) >= SILENCES_MAX:
            raise RequestError(
                "too_many", f"{len(self._silences)} silences, limit {SILENCES_MAX}; end one first"
            )
        self._silences[silence.id] = silence
        return list(self._looked_over(unix_s))

    def end_silence(self, silence_id: str, unix_s: float) -> tuple[Silence, list[Entry]]:
        """End a silence before its time; what it covered and still holds is sent. RequestError."""
        silence = self._silences.pop(silence_id, None)
        if silence is None:
            raise RequestError(
                "unknown_silence", f"no silence {silence_id[:SHOWN_LENGTH_MAX]!a}; it may have ended"
            )
        return silence, list(self._looked_over(unix_s))

    def begin(self, unix_s: float) -> list[Entry]:
        """Return what is to be sent after a restart: to sinks that are new, or whose silence has ended."""
        self._expire(unix_s)
        return list(self._looked_over(unix_s))

    def tick(self, unix_s: float) -> list[Entry]:
        """Return what time alone has changed."""
        entries = list(self._looked_over(unix_s)) if self._expire(unix_s) else []
        late = [kept for kept in self._kept.values() if self._is_late(kept, unix_s)]
        escalated = (self.alerts.escalate(kept.alert, rfc3339(unix_s)) for kept in late)
        return [*entries, *(self._changed(alert, unix_s) for alert in escalated)]

    # -- within

    def _expire(self, unix_s: float) -> bool:
        ended = [each.id for each in self._silences.values() if each.until_s <= unix_s]
        for silence_id in ended:
            del self._silences[silence_id]
        return bool(ended)

    def _is_late(self, kept: Kept, unix_s: float) -> bool:
        at_s = self.escalates_at_s(kept)
        return at_s is not None and at_s <= unix_s

    def _looked_over(self, unix_s: float) -> Iterator[Entry]:
        """Yield an entry of each alert for which other silences or sinks make a difference."""
        for kept in self.standing():
            entry = self._entry(kept, unix_s)
            if entry.messages or entry.kept != kept:
                self._kept[kept.alert.subject] = entry.kept
                yield entry

    def _changed(self, alert: Alert, unix_s: float) -> Entry:
        """Return the entry of an alert that has changed; its end goes to all who know it, silenced or not."""
        before = self._kept.get(alert.subject) or Kept(alert=alert, waits_since_s=unix_s)
        # What eases and rises again to where it was has waited all the while.
        worse = LEVELS.index(alert.urgency_highest) > LEVELS.index(before.alert.urgency_highest)
        since_s = unix_s if worse or alert.change == "escalated" else before.waits_since_s
        kept = msgspec.structs.replace(before, alert=alert, waits_since_s=since_s)
        if alert.change == "resolved":
            self._kept.pop(alert.subject, None)
            return Entry(kept, self._to_those_who_know(kept))
        rises = LEVELS.index(alert.urgency) > LEVELS.index(before.alert.urgency)
        entry = self._entry(kept, unix_s, rises=rises)._replace(changed=True)
        self._kept[alert.subject] = entry.kept
        if alert.change == "acknowledged":
            others = (each for each in entry.messages if each[0] not in kept.told)
            return Entry(entry.kept, [*self._to_those_who_know(kept), *others])
        return entry

    def _entry(self, kept: Kept, unix_s: float, *, rises: bool = False) -> Entry:
        """Return how an alert is to be kept now, and who has yet to hear of it, or that it `rises` again."""
        alert, silence = kept.alert, self._silence_for(kept)
        wanted = () if silence else self._sending.sinks(alert.urgency)
        messages = [
            (sink, _first_told(alert, kept, sink))
            for sink in wanted
            if _is_news(kept, sink) or (rises and _is_to_be_reminded(kept, sink, unix_s))
        ]
        told = kept.told | {sink: _higher(alert.urgency, kept.told.get(sink)) for sink, _ in messages}
        told_at_s = kept.told_at_s | {sink: unix_s for sink, _ in messages}
        since_s = unix_s if kept.silence and not silence else kept.waits_since_s
        after = msgspec.structs.replace(
            kept, told=told, told_at_s=told_at_s, waits_since_s=since_s, silence=silence
        )
        return Entry(after, messages, changed=False)

    def _silence_for(self, kept: Kept) -> str:
        """Return the silence that covers an alert: of several the one that did before."""
        if kept.silence in self._silences:
            return kept.silence
        covering = (each.id for each in self._silences.values() if each.covers(kept.alert.subject))
        return next(covering, "")

    def _to_those_who_know(self, kept: Kept) -> list[tuple[str, Alert]]:
        return [(sink, kept.alert) for sink in kept.told if sink in self._sending.kinds]


def _is_news(kept: Kept, sink: str) -> bool:
    """Tell whether a sink has not heard of an alert, or not that it is so bad."""
    told = kept.told.get(sink)
    return told is None or LEVELS.index(kept.alert.urgency) > LEVELS.index(told)


def _is_to_be_reminded(kept: Kept, sink: str, unix_s: float) -> bool:
    """Tell whether a sink hears again what it knows; where somebody has it in hand, never."""
    return not kept.alert.acknowledged_at and unix_s - kept.told_at_s.get(sink, 0.0) >= REPEAT_S


def _higher(level: Level, other: Level | None) -> Level:
    return max(level, other or level, key=LEVELS.index)


def _first_told(alert: Alert, kept: Kept, sink: str) -> Alert:
    """Return an alert for a sink: one that has not heard of it has not heard that it was worse either."""
    if sink not in kept.told and alert.change == "eased":
        return msgspec.structs.replace(alert, change="raised")
    return alert
