"""One source's calls, as its breaker counts them: a connection that came about, each request, each silence.

A *connect* is one call, from the attempt to the answer to the first request: a handshake alone shows little,
as a node that hangs may still shake hands. After it each request is a call, and so is each time that an
answer is found late. What is ended by ourselves tells nothing of the node and counts as cancelled.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.transitions import Transition
from sprint.core.errors import CircuitOpenError
from sprint.core.relay.lateness import Late
from sprint.tools.breaker import CircuitBreaker, HeldPermit
from sprint.tools.runtime import log_fields

CALLS_MAX = 1_024  # requests of one source that are waited for; of more the oldest is given up
# A trial is given up after so many late answers. One would do, but a node that is only slow would then never
# pass a trial.
TRIAL_LATE_MAX = 3
log = logging.getLogger(__name__)

Share = Callable[[str], object]


class SourceGuard:
    """What a breaker is to one source. Without one every attempt is let through and nothing is counted.

    `share` tells the provider's other sources of what concerns them too.
    """

    def __init__(self, breaker: CircuitBreaker | None = None, share: Share | None = None) -> None:
        self._breaker = breaker
        self._share = share
        self._connect: HeldPermit | None = None
        self._late_told = 0
        self._withheld_told = False
        self._late_for = ""  # what the last answer was late for, if nothing was answered since
        self._calls: dict[Hashable, HeldPermit] = {}

    def __repr__(self) -> str:
        return f"SourceGuard({self._breaker!r}, {len(self._calls)} calls)"

    @contextmanager
    def heeded(self, changed: Callable[[Transition], object]) -> Iterator[None]:
        """Tell of the breaker's transitions while within, from whatever thread caused one."""
        breaker = self._breaker
        if breaker is None:
            yield
            return

        # One of its own for each, as listeners are told apart by what they are.
        def told(transition: Transition) -> None:
            changed(transition)

        breaker.listen(told)
        try:
            yield
        finally:
            breaker.listeners.remove(told)
            self.stopped()

    @property
    def shut(self) -> str:
        """Why nothing may be asked of the source now; empty where it may."""
        breaker = self._breaker
        if breaker is None or breaker.state not in ("open", "force_open"):
            return ""
        if breaker.policy.shadow and breaker.state == "open":
            return ""
        state = "open" if breaker.state == "open" else "held open"
        return f"its breaker is {state}: {breaker.tend(lambda machine, _: machine.evidence.text)}"

    @property
    def withheld(self) -> str:
        """Why the breaker would be open, were there another source of the chain; empty where it would not."""
        breaker = self._breaker
        found = None if breaker is None else breaker.tend(lambda machine, _: machine.withheld)
        return "" if found is None else f"its breaker stays closed, as nobody stands in: {found.text}"

    # Attempts.

    def retry_after_s(self) -> float:
        """Return how long the breaker lets no attempt through; infinity where an operator has said so."""
        breaker = self._breaker
        if breaker is None or not self.shut:
            return 0.0
        seconds = breaker.tend(lambda machine, now: machine.retry_after_s(now))
        return math.inf if seconds is None else seconds

    def bring_forward(self) -> None:
        """Let the next attempt through although the delay is not over: there is no other source."""
        if self._breaker is not None:
            self._breaker.tend(lambda machine, now: machine.bring_forward(now))

    def attempt(self) -> bool:
        """Take leave for a connection; False where the breaker does not give it."""
        self._late_told = 0
        if self._breaker is None:
            return True
        self._connect = self._permit()
        return self._connect is not None

    def stands_still(self) -> None:
        """Give a trial its whole time again: we ourselves take nothing of what the source may say."""
        if self._breaker is not None:
            self._breaker.tend(_renew_trials)

    # How the calls of a connection end.

    def asked(self, key: Hashable) -> None:
        """Begin a call; what is asked while a connection is young is part of that call."""
        if self._connect is not None or key in self._calls:
            return
        permit = self._permit()
        if permit is None:
            return
        self._calls[key] = permit
        if len(self._calls) > CALLS_MAX:
            self._calls.pop(next(iter(self._calls))).settle("cancelled")

    def answered(self, key: Hashable) -> None:
        """Note that what was asked was answered; the first answer makes the connection a success."""
        permit = self._calls.pop(key, None)
        if self._connect is not None:
            permit, self._connect = self._connect, None
        if permit is not None:
            permit.success()
            self._late_for = ""
            self._withheld_told = False

    def passed_over(self, key: Hashable) -> None:
        """Note that the node has read what was asked and, as its protocol has it, does not answer it now.

        A connection has come about with that; a call on it tells nothing of the node.
        """
        if self._connect is None:
            self.told_nothing(key)
        else:
            self.answered(key)

    def told_nothing(self, key: Hashable) -> None:
        """Note an answer that says only to come again later."""
        permit = self._calls.pop(key, None)
        if permit is not None:
            permit.settle("inconclusive")

    def heard(self, what: str) -> None:
        """Note an answer that is no call, as a pong is; it counts where that was what was late."""
        if self._late_for == what and self._connect is None:
            permit = self._permit()
            if permit is not None:
                permit.success(0.0)
                self._late_for = ""

    def late(self, late: Late, *, needed: bool) -> None:
        """Count an answer that has not come. `needed`: there is no other source, so that a trial goes on."""
        connect = self._connect
        if connect is None or not connect.trial:
            self._late_for = late.what
            self._fail(late.why, late.seconds)
            return
        self._late_told += 1
        if self._late_told >= TRIAL_LATE_MAX and not needed:
            self._connect = None
            connect.settle("failure", why=late.why)

    def ended(self, why: str) -> None:
        """Count a connection that was lost, or did not come about; not one that the breaker has ended."""
        self._cancel_calls()
        connect, self._connect = self._connect, None
        if connect is not None:
            connect.settle("failure", why=why)
            self._tell_withheld()
        elif not self.shut:
            self._fail(why, 0.0)

    def stopped(self) -> None:
        """Note that we have ended all that was under way."""
        self._cancel_calls()
        connect, self._connect = self._connect, None
        if connect is not None:
            connect.settle("cancelled")

    def concerns_provider(self, why: str) -> None:
        """Tell the provider's other sources of a refusal that is as much for them."""
        if self._share is not None:
            self._share(why)

    # Within.

    def _cancel_calls(self) -> None:
        calls, self._calls = self._calls, {}
        for permit in calls.values():
            permit.settle("cancelled")

    def _fail(self, why: str, latency_s: float) -> None:
        permit = self._permit()
        if permit is not None:
            permit.settle("failure", latency_s, why=why)
            self._tell_withheld()

    def _tell_withheld(self) -> None:
        """Log once that a source fails and stays in use; that it does well again begins anew."""
        breaker, withheld = self._breaker, self.withheld
        if breaker is not None and withheld and not self._withheld_told:
            log_fields(
                log, logging.WARNING, "breaker would open, and nobody stands in",
                breaker=breaker.name, evidence=withheld,
            )  # fmt: skip
        self._withheld_told = bool(withheld)

    def _permit(self) -> HeldPermit | None:
        if self._breaker is None:
            return None
        try:
            return self._breaker.admit()
        except CircuitOpenError:
            return None


def _renew_trials(machine: Machine, now: float) -> None:
    if machine.trials is not None:
        machine.trials.renew(now)
