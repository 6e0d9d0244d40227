"""resilience4j's transitions, event by event, and what makes each of them here.

The names are those of its StateTransition enumeration (CircuitBreaker.java), which is the longest of any
breaker's. Its METRICS_ONLY is our force_close: all calls pass and are counted. Its DISABLED counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.core.breaker.conformance import MINIMUM_CALLS, TRIALS, SprintSubject, calls, half_opened, opened

Steps = Callable[[SprintSubject], None]

_UNCOUNTED = "a breaker that counts nothing can't say whether it would be open: force_close counts"
_OURS = {"METRICS_ONLY": "force_close", "FORCED_OPEN": "force_open"}


class PeerTransition(NamedTuple):
    """One of theirs: what makes it here, or why nothing does."""

    name: str
    how: str
    steps: Steps | None = None

    @property
    def ours(self) -> tuple[str, str]:
        """The two states by our names."""
        source, target = self.name.split("_TO_")
        return _OURS.get(source, source.lower()), _OURS.get(target, target.lower())


def by_word(word: str, to_begin: Steps | None = None) -> Steps:
    """Return steps that bring it into a state, then give an operator's word."""

    def steps(subject: SprintSubject) -> None:
        if to_begin is not None:
            to_begin(subject)
        subject.operate(word)

    return steps


def trials_succeed(subject: SprintSubject) -> None:
    subject.end(half_opened(subject), "success")
    calls(subject, TRIALS - 1, "success")


def a_trial_fails(subject: SprintSubject) -> None:
    subject.end(half_opened(subject), "failure")


def half_open(subject: SprintSubject) -> None:
    half_opened(subject)


FORCE_OPEN, FORCE_CLOSE = by_word("force_open"), by_word("force_close")
RESILIENCE4J = [
    PeerTransition("CLOSED_TO_CLOSED", "`reset`", by_word("reset")),
    PeerTransition("CLOSED_TO_OPEN", "a detector trips", lambda s: calls(s, MINIMUM_CALLS, "failure")),
    PeerTransition("CLOSED_TO_DISABLED", _UNCOUNTED),
    PeerTransition("CLOSED_TO_METRICS_ONLY", "`force_close`", FORCE_CLOSE),
    PeerTransition("CLOSED_TO_FORCED_OPEN", "`force_open`", FORCE_OPEN),
    PeerTransition("HALF_OPEN_TO_HALF_OPEN", "entered twice it would have twice the trials"),
    PeerTransition("HALF_OPEN_TO_CLOSED", "the trials succeed, or `reset`", trials_succeed),
    PeerTransition("HALF_OPEN_TO_OPEN", "a trial fails, or none of them tells", a_trial_fails),
    PeerTransition("HALF_OPEN_TO_DISABLED", _UNCOUNTED),
    PeerTransition("HALF_OPEN_TO_METRICS_ONLY", "`force_close`", by_word("force_close", half_open)),
    PeerTransition("HALF_OPEN_TO_FORCED_OPEN", "`force_open`", by_word("force_open", half_open)),
    PeerTransition("OPEN_TO_OPEN", "an opening is not prolonged: who wants it open says `force_open`"),
    PeerTransition("OPEN_TO_CLOSED", "`reset`", by_word("reset", opened)),
    PeerTransition("OPEN_TO_HALF_OPEN", "the delay is over and a call comes", half_open),
    PeerTransition("OPEN_TO_DISABLED", _UNCOUNTED),
    PeerTransition("OPEN_TO_METRICS_ONLY", "`force_close`", by_word("force_close", opened)),
    PeerTransition("OPEN_TO_FORCED_OPEN", "`force_open`", by_word("force_open", opened)),
    PeerTransition("FORCED_OPEN_TO_FORCED_OPEN", "a word that changes nothing is no transition"),
    PeerTransition("FORCED_OPEN_TO_CLOSED", "`reset`", by_word("reset", FORCE_OPEN)),
    PeerTransition("FORCED_OPEN_TO_OPEN", "`release`", by_word("release", FORCE_OPEN)),
    PeerTransition("FORCED_OPEN_TO_DISABLED", _UNCOUNTED),
    PeerTransition("FORCED_OPEN_TO_METRICS_ONLY", "`force_close`", by_word("force_close", FORCE_OPEN)),
    PeerTransition("FORCED_OPEN_TO_HALF_OPEN", "two steps: `release` opens, the next call is a trial"),
    PeerTransition("DISABLED_TO_DISABLED", _UNCOUNTED),
    PeerTransition("DISABLED_TO_CLOSED", _UNCOUNTED),
    PeerTransition("DISABLED_TO_OPEN", _UNCOUNTED),
    PeerTransition("DISABLED_TO_FORCED_OPEN", _UNCOUNTED),
    PeerTransition("DISABLED_TO_HALF_OPEN", _UNCOUNTED),
    PeerTransition("DISABLED_TO_METRICS_ONLY", _UNCOUNTED),
    PeerTransition("METRICS_ONLY_TO_METRICS_ONLY", "a word that changes nothing is no transition"),
    PeerTransition("METRICS_ONLY_TO_CLOSED", "`release`, or `reset`", by_word("release", FORCE_CLOSE)),
    PeerTransition("METRICS_ONLY_TO_FORCED_OPEN", "`force_open`", by_word("force_open", FORCE_CLOSE)),
    PeerTransition("METRICS_ONLY_TO_DISABLED", _UNCOUNTED),
]


def as_table() -> str:
    """Return the page's table."""
    lines = ["| resilience4j | Sprint | made by, or why there is none |", "| --- | --- | --- |"]
    for each in RESILIENCE4J:
        here = " → ".join(each.ours) if each.steps is not None else "-"
        lines.append(f"| `{each.name}` | {here} | {each.how} |")
    return "\n".join(lines)
