"""An alert and a silence as faces show them: what is kept, with when it escalates and who silenced it."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.monitor.alerts.book import Book, Kept
from sprint.core.monitor.alerts.silences import Silence
from sprint.core.monitor.alerts.standing import Alert
from sprint.core.monitor.rows import rfc3339


def alert_shown(book: Book, kept: Kept) -> dict[str, Any]:
    """Return an alert with `silenced`, who covers it and until when, and `escalates_at`; null where not."""
    silence, escalates_at_s = book.silence_of(kept), book.escalates_at_s(kept)
    silenced = None if silence is None or kept.alert.resolved_at else silence_shown(silence)
    escalates_at = None if escalates_at_s is None else rfc3339(escalates_at_s)
    return {**msgspec.to_builtins(kept.alert), "silenced": silenced, "escalates_at": escalates_at}


def past_shown(alert: Alert) -> dict[str, Any]:
    """Return an alert that is over, with the same keys."""
    return {**msgspec.to_builtins(alert), "silenced": None, "escalates_at": None}


def silence_shown(silence: Silence) -> dict[str, Any]:
    """Return a silence with its times as text."""
    return {
        "id": silence.id,
        "rule": silence.rule,
        "relay": silence.relay,
        "breaker": silence.breaker,
        "from": rfc3339(silence.from_s),
        "until": rfc3339(silence.until_s),
        "by": silence.by,
        "why": silence.why,
    }
