"""Silences: which alerts are not sent for a while, until when, who said so and why.

    silence = silence_of({"breaker": "source:*", "for": "2h", "by": "anna", "why": "a new disk"}, …)
    silence.covers(alert)

An alert that is silenced is kept and shown. It is sent when the silence ends, if it still holds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from sprint.core.duration import parse_duration_s
from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.rules import ANY
from sprint.core.monitor.alerts.standing import Subject
from sprint.core.monitor.orders import refuse_unknown, shown

SILENCES_MAX = 200
SILENCE_S_MIN = 1.0
SILENCE_S_MAX = 90 * 24 * 3_600.0
PATTERN_LENGTH_MAX = 256
WHO_LENGTH_MAX = 64
WHY_LENGTH_MAX = 200
TIME_LENGTH_MAX = 64

PATTERNS = ("rule", "relay", "breaker")


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Patterns as a shell's (fnmatch) of what is not sent; times in seconds since 1970."""

    id: str
    rule: str = ANY
    relay: str = ANY
    breaker: str = ANY
    from_s: float
    until_s: float
    by: str
    why: str

    def covers(self, subject: Subject) -> bool:
        """Tell whether it is meant; a name that is written as it is always fits itself."""
        return (
            _fits(self.rule, subject.rule)
            and _fits(self.relay, subject.relay)
            and _fits(self.breaker, subject.breaker)
        )


def silence_of(
    fields: Mapping[str, Any], *, silence_id: str, now_unix_s: float, rules: Collection[str]
) -> Silence:
    """Read what an operator wants silenced; ConfigError names the key and what would be right.

    `rules` are the names there are: a pattern that fits none of them is a slip.
    """
    refuse_unknown(fields, *PATTERNS, "for", "until", "by", "why")
    patterns = {name: _pattern(fields, name) for name in PATTERNS if name in fields}
    if not patterns:
        raise ConfigError(f"nothing is named: give one of {', '.join(PATTERNS)}; {ANY!r} is all of them")
    rule = patterns.get("rule", ANY)
    if not any(_fits(rule, name) for name in rules):
        raise ConfigError(f"rule: {shown(rule)} fits none; there is {', '.join(rules)}")
    return Silence(
        id=silence_id,
        from_s=now_unix_s,
        until_s=_until_s(fields, now_unix_s),
        by=line_of(fields, "by", WHO_LENGTH_MAX),
        why=line_of(fields, "why", WHY_LENGTH_MAX),
        **patterns,
    )


def line_of(fields: Mapping[str, Any], name: str, length_max: int) -> str:
    """Return a text that has to be there. It goes into logs, so it is one line."""
    text = fields.get(name)
    if not isinstance(text, str) or not text.strip() or not text.isprintable() or len(text) > length_max:
        what = f"{len(text)} characters" if isinstance(text, str) and len(text) > length_max else shown(text)
        raise ConfigError(f"{name}: {what}; want one line of 1 to {length_max} printable characters")
    return text.strip()


def _pattern(fields: Mapping[str, Any], name: str) -> str:
    text = fields[name]
    if not isinstance(text, str) or not text.isprintable() or len(text) > PATTERN_LENGTH_MAX:
        what = f"{len(text)} characters" if isinstance(text, str) else shown(text)
        raise ConfigError(
            f"{name}: {what}; want a pattern of up to {PATTERN_LENGTH_MAX} printable characters"
        )
    return text


def _until_s(fields: Mapping[str, Any], now_unix_s: float) -> float:
    """Return when it ends: after a duration, or at a time."""
    if ("for" in fields) == ("until" in fields):
        raise ConfigError('want one of "for", a duration as 2h, and "until", a time as 2025-09-05T18:55:07Z')
    if "for" in fields:
        text = fields["for"]
        if not isinstance(text, str) or len(text) > TIME_LENGTH_MAX:
            raise ConfigError(f"for: {shown(text)}; want a duration as 30m or 2h")
        return now_unix_s + parse_duration_s(text, option="for", least_s=SILENCE_S_MIN, most_s=SILENCE_S_MAX)
    until_s = _unix_s(fields["until"])
    left_s = until_s - now_unix_s
    if not SILENCE_S_MIN <= left_s <= SILENCE_S_MAX:
        raise ConfigError(
            f"until: {shown(fields['until'])} is {left_s:.0f} s from now; want {SILENCE_S_MIN:g} to "
            f"{SILENCE_S_MAX:.0f} s"
        )
    return until_s


def _unix_s(text: object) -> float:
    """Read a time of RFC 3339, which has an offset."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ConfigError(f"until: {shown(text)}; want a time with its offset, as 2025-09-05T18:55:07Z")
    return at.timestamp()


def _fits(pattern: str, name: str) -> bool:
    return pattern in {ANY, name} or fnmatchcase(name, pattern)
