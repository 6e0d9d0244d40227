"""A breaker in words: its state as word and shape, since when, why, and what happens next.

The state is told by a word and a shape as well as by colour, since a terminal may have none and an eye may
not tell red from green. Times come in as RFC 3339 and `now_unix_s`, seconds since 1970.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.rows import BreakerRow, TransitionRow

Tone = Literal["bad", "held", "trying", "notice", "good", "plain", "faint"]

# A breaker that an operator holds open comes before one that tries: that one is about to come back by itself.
_RANKS: dict[State, int] = {"open": 0, "force_open": 2, "half_open": 3, "force_close": 6, "closed": 8}
_WITHHELD_RANK = 4
# What only says what it would do shuts nothing out: it stands after all that do.
_SHADOW_RANK = 5
_FAILING_RANK = 7

_MINUTE_S = 60
_HOUR_S = 3_600
_DAY_S = 86_400


class StateWords(NamedTuple):
    """How a state is shown: a shape, a word, both in ASCII, and the tone that a colour is chosen by."""

    glyph: str
    word: str
    ascii: str
    tone: Tone


STATE_WORDS: dict[State, StateWords] = {
    "closed": StateWords("●", "closed", "[ok]", "good"),
    "half_open": StateWords("◐", "half open", "[half]", "trying"),
    "open": StateWords("○", "OPEN", "[OPEN]", "bad"),
    "force_open": StateWords("⊘", "FORCED OPEN", "[FORCED OPEN]", "held"),
    "force_close": StateWords("⊙", "forced closed", "[forced closed]", "notice"),
}
# Closed only because nothing stands in for it: it must not look like one that is well.
HELD_CLOSED = StateWords("●", "held closed", "[held closed]", "trying")
# The longest of them, so that a column holds each.
STATE_WIDTH = max(max(len(each.ascii), len(each.word) + 2) for each in (*STATE_WORDS.values(), HELD_CLOSED))


def state_text(state: State, *, ascii_only: bool) -> str:
    """Return a state as shape and word: `○ OPEN`, in ASCII `[OPEN]`."""
    words = STATE_WORDS[state]
    return words.ascii if ascii_only else f"{words.glyph} {words.word}"


def is_held_closed(row: BreakerRow) -> bool:
    """Tell whether a breaker would be open, and is closed only because nothing stands in for it."""
    return row.state == "closed" and row.withheld is not None


def words_of(row: BreakerRow) -> StateWords:
    """Return how a breaker's state is shown."""
    return HELD_CLOSED if is_held_closed(row) else STATE_WORDS[row.state]


def shown_state(row: BreakerRow, *, ascii_only: bool) -> str:
    """Return a breaker's state as shape and word: `● held closed`, in ASCII `[held closed]`."""
    words = words_of(row)
    return words.ascii if ascii_only else f"{words.glyph} {words.word}"


def health_shown(row: BreakerRow) -> float | None:
    """Return a breaker's health score; None while it lets nothing through, as the score is of before."""
    return None if row.state in ("open", "force_open") and not row.shadow else row.health


def tone_of(row: BreakerRow) -> Tone:
    """Return how grave a breaker's state is, for the colour of its row."""
    if row.shadow and row.state in ("open", "half_open"):
        return "notice"
    return words_of(row).tone


def rank_of(row: BreakerRow) -> int:
    """Return the place of a breaker by how much it needs an eye: 0 is worst."""
    if row.state == "closed":
        if is_held_closed(row):
            return _WITHHELD_RANK
        return _FAILING_RANK if row.failures else _RANKS["closed"]
    if row.shadow and row.state in ("open", "half_open"):
        return _SHADOW_RANK
    return _RANKS[row.state]


def needs_an_eye(row: BreakerRow) -> bool:
    """Tell whether a breaker is other than it should be: neither closed, nor closed by an operator's word."""
    return rank_of(row) <= _SHADOW_RANK


def unix_s(at: str | None) -> float | None:
    """Read an RFC 3339 time; None where there is none or it is not one."""
    if not at:
        return None
    try:
        return datetime.fromisoformat(at).timestamp()
    except (ValueError, OverflowError):
        return None


def clock_time(at: str | None) -> str:
    """Return the time of the day of an RFC 3339 time as HH:MM:SS, in the zone it is in; `-` for none."""
    return (at or "").partition("T")[2][:8] or "-" if unix_s(at) is not None else "-"


def age(seconds: float) -> str:
    """Return a duration in at most six letters: `12 s`, `2m14s`, `3h05m`, `4 d`. Below zero it is `0 s`."""
    whole = max(0, math.floor(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02}s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02}m"
    return f"{whole // _DAY_S} d"


def since_text(row: BreakerRow, now_unix_s: float) -> str:
    """Return for how long a breaker has been in its state."""
    since = unix_s(row.since)
    return "-" if since is None else age(now_unix_s - since)


def next_text(row: BreakerRow, now_unix_s: float) -> str:
    """Return what is next in at most seven letters: `in 12 s`, `due`, `trying`, `by hand`, or `-`.

    `held` is one that stays closed only because nothing stands in.
    """
    if row.state in ("force_open", "force_close"):
        return "by hand"
    if row.state == "half_open":
        return "trying"
    due = unix_s(row.next_trial_at)
    if is_held_closed(row):
        return "held"
    if row.state != "open" or due is None:
        return "-"
    left_s = math.ceil(due - now_unix_s)
    if left_s <= 0:
        return "due"
    return f"in {age(left_s)}" if left_s < _MINUTE_S else age(left_s)


class Sentences(NamedTuple):
    """What an operator asks first: what is it, since when, why, and what comes next.

    `first` is what opened it first and when, where it was tried in vain since; else it is empty.
    """

    what: str
    since: str
    why: str
    next: str
    first: str = ""


def sentences(row: BreakerRow, now_unix_s: float, past: Sequence[TransitionRow] = ()) -> Sentences:
    """Tell a breaker's state in full sentences, without its name; `past`: its transitions, oldest first."""
    words = words_of(row).word
    shadow = " in shadow" if row.shadow else ""
    since = f"since {clock_time(row.since)} UTC ({since_text(row, now_unix_s)})"
    return Sentences(
        f"{words}{shadow}", since, _why(row), _next(row, now_unix_s), _first(row, past, now_unix_s)
    )


def first_opening(row: BreakerRow, past: Sequence[TransitionRow]) -> TransitionRow | None:
    """Return the transition that began an outage, where others have followed; None where it isn't known."""
    if row.state not in ("open", "half_open"):
        return None
    for transition in reversed(past):
        if transition.from_state not in ("open", "half_open"):
            return transition if transition.at != row.since else None
    return None


def _first(row: BreakerRow, past: Sequence[TransitionRow], now_unix_s: float) -> str:
    opening = first_opening(row, past)
    if opening is None:
        return ""
    ago = age(now_unix_s - (unix_s(opening.at) or now_unix_s))
    return f"first opened {clock_time(opening.at)} UTC ({ago} ago): {opening.evidence.text}"


def _why(row: BreakerRow) -> str:
    # What would open it is told before what it was once closed for.
    held = row.withheld if is_held_closed(row) else ""
    return held or row.reason or row.evidence.text


def _next(row: BreakerRow, now_unix_s: float) -> str:
    match row.state:
        case "open":
            said = _next_of_open(row, now_unix_s)
            return f"{said}; in shadow, so calls go through meanwhile" if row.shadow else said
        case "half_open":
            return "trial calls go through: it closes if they succeed, and opens again if one fails"
        case "force_open":
            return "no call goes through until an operator says release or reset"
        case "force_close":
            return "every call goes through, whatever fails, until an operator says release or reset"
        case _:
            if is_held_closed(row):
                return "calls go through though it fails, until another can stand in for it"
            return "nothing; calls go through"


def _next_of_open(row: BreakerRow, now_unix_s: float) -> str:
    due = unix_s(row.next_trial_at)
    if due is None:
        return "no call goes through; when one is tried isn't known"
    left_s = math.ceil(due - now_unix_s)
    if left_s <= 0:
        return f"the next call goes through as a trial (due since {clock_time(row.next_trial_at)} UTC)"
    at = f"{clock_time(row.next_trial_at)} UTC"
    return f"a trial call in {age(left_s)} (at {at}); until then none goes through"
