"""What a breaker does in twenty situations, executed here, beside what six others do.

    python -m tests.core.breaker.conformance        # writes docs/explanation/breaker-conformance.md

A situation is a plain function of a `Subject`, so that the same steps run on Sprint's machine and on
interlock-cb. What the other five do is read from their sources; where they are named below, so is the place.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome
from sprint.core.breaker.policy import BackoffPolicy, Policy, WindowPolicy
from sprint.core.breaker.trials import Permit

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "breaker-conformance.md"
MARKS = {
    "situations": ("<!-- situations: begin -->", "<!-- situations: end -->"),
    "transitions": ("<!-- transitions: begin -->", "<!-- transitions: end -->"),
}

# Of all subjects: rates over the last 100 calls, from 10 on; 30 s open; three trials, as many at once.
MINIMUM_CALLS, WINDOW_CALLS, WAIT_S, TRIALS, SLOW_S = 10, 100, 30.0, 3, 1.0
POLICY = Policy(
    failures_to_open=None,
    failure_rate_max=0.5,
    slow_rate_max=0.7,
    half_open_calls=TRIALS,
    trial_lease_s=10.0,
    half_open_longest_s=60.0,
    backoff=BackoffPolicy(base_s=WAIT_S, multiplier=2.0, longest_s=300.0, jitter="none"),
    window=WindowPolicy(
        kind="count", calls_max=WINDOW_CALLS, minimum_calls=MINIMUM_CALLS, slow_call_s=SLOW_S
    ),
)


class Subject(Protocol):
    """A breaker on a clock that is moved by hand."""

    def begin(self) -> object | None:
        """Ask for a call; None if it is rejected."""

    def end(self, call: object, outcome: Outcome, latency_s: float = 0.01) -> None:
        """Tell how a call ended."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def state(self) -> str:
        """Return closed, open or half_open, or the operator's force_open or force_close."""

    def operate(self, word: str) -> None:
        """Give an operator's word: force_open, force_close, reset."""


class SprintSubject:
    """Sprint's machine."""

    def __init__(self) -> None:
        self._now = 1000.0
        self.machine = Machine("callee", POLICY, now=self._now, rng=lambda: 0.5)

    def begin(self) -> object | None:
        return self.machine.admit(self._now)

    def end(self, call: object, outcome: Outcome, latency_s: float = 0.01) -> None:
        assert isinstance(call, Permit)
        self.machine.settle(call, outcome, latency_s, self._now)

    def wait(self, seconds: float) -> None:
        self._now += seconds
        self.machine.evaluate(self._now)

    def state(self) -> str:
        return self.machine.state

    def operate(self, word: str) -> None:
        getattr(self.machine, word)(self._now)


class InterlockSubject:
    """The state machine of interlock-cb, through what its call layer calls."""

    _WORDS: ClassVar = {"force_open": "force_open", "force_close": "metrics_only", "reset": "reset"}
    _STATES: ClassVar = {"forced_open": "force_open", "metrics_only": "force_close"}

    def __init__(self) -> None:
        config = importlib.import_module("interlock.config")
        machine = importlib.import_module("interlock._state_machine")
        self._outcome = importlib.import_module("interlock.outcome").Outcome
        self._now = 1000.0
        self.machine: Any = machine.StateMachine(
            config=config.Config(
                minimum_number_of_calls=MINIMUM_CALLS,
                window_size=WINDOW_CALLS,
                slow_call_duration_threshold=SLOW_S,
                slow_call_rate_threshold=0.7,
                permitted_calls_in_half_open=TRIALS,
                max_concurrent_probes=TRIALS,
                wait_duration_in_open=WAIT_S,
                wait_duration_backoff_multiplier=2.0,
                wait_duration_in_open_max=300.0,
            ),
            clock=self,
        )

    def monotonic(self) -> float:
        """Be its clock."""
        return self._now

    def begin(self) -> object | None:
        return (self.machine.generation,) if self.machine.acquire() else None

    def end(self, call: object, outcome: Outcome, latency_s: float = 0.01) -> None:
        assert isinstance(call, tuple)
        if outcome == "cancelled":
            self.machine.release_probe(generation=call[0])
        elif outcome == "inconclusive":
            self.machine.record(self._outcome.FAILURE, generation=call[0], unreachable=True)
        else:
            slow = "SLOW_" if latency_s > SLOW_S else ""
            found = self._outcome[slow + ("FAILURE" if outcome == "failure" else "SUCCESS")]
            self.machine.record(found, generation=call[0])

    def wait(self, seconds: float) -> None:
        self._now += seconds

    def state(self) -> str:
        name = str(self.machine.state)
        return self._STATES.get(name, name)

    def operate(self, word: str) -> None:
        getattr(self.machine, self._WORDS[word])()


def calls(subject: Subject, count: int, outcome: Outcome, latency_s: float = 0.01) -> None:
    """Make calls one after the other; those that are rejected are none."""
    for _ in range(count):
        call = subject.begin()
        if call is not None:
            subject.end(call, outcome, latency_s)


def begun(subject: Subject) -> object:
    """Begin a call that has to be let through."""
    call = subject.begin()
    assert call is not None, "rejected"
    return call


def opened(subject: Subject) -> None:
    """Open it by failures alone."""
    calls(subject, MINIMUM_CALLS, "failure")
    assert subject.state() == "open"


def half_opened(subject: Subject) -> object:
    """Open it, wait, and return the first trial."""
    opened(subject)
    subject.wait(WAIT_S + 0.001)
    return begun(subject)


class Situation(NamedTuple):
    """Steps, what Sprint does, and what the others do: their words, in the order of `OTHERS`.

    An answer of another that is the same as ours is `=`; `reason` is why we differ where any does.
    """

    name: str
    steps: Callable[[Subject], str]
    ours: str
    others: tuple[str, str, str, str, str, str]
    reason: str = ""


OTHERS = ("resilience4j", "failsafe-go", "Polly 8", "gobreaker", "Sentinel", "interlock-cb")


def as_table(situations: list[Situation]) -> str:
    """Return the page's table."""
    head = ["situation", "Sprint", *OTHERS, "where others differ: why ours"]
    lines = [head, ["---"] * len(head)]
    lines += [[each.name, each.ours, *each.others, each.reason] for each in situations]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    situations = importlib.import_module("tests.core.breaker.situations").SITUATIONS
    transitions = importlib.import_module("tests.core.breaker.peer_transitions").as_table()
    text = PAGE.read_text(encoding="utf-8")
    for name, table in (("situations", as_table(situations)), ("transitions", transitions)):
        begin, end = MARKS[name]
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
