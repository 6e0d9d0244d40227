"""Leave for one call, for those whose call is no function: a stream, a connection that lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprint.core.breaker.outcomes import Outcome
from sprint.core.breaker.trials import Permit
from sprint.tools.breaker.judge import why_of

if TYPE_CHECKING:
    from sprint.tools.breaker.circuit_breaker import CircuitBreaker


class HeldPermit:
    """Leave for one call of a breaker. The first word on how it ended counts, every later one is void.

    Without a latency, the time since it was admitted is taken. One that nobody settles costs a trial's place
    until its lease ends, and nothing else.
    """

    __slots__ = ("_breaker", "_permit", "_started")

    def __init__(self, breaker: CircuitBreaker, permit: Permit, started: float) -> None:
        self._breaker = breaker
        self._permit = permit
        self._started = started

    @property
    def trial(self) -> bool:
        """Whether the breaker is half open and this call decides."""
        return self._permit.trial > 0

    def success(self, latency_s: float | None = None) -> bool:
        """It succeeded. False: too late to count."""
        taken_s = self._breaker.clock() - self._started if latency_s is None else latency_s
        return self._breaker.succeed(self._permit, taken_s)

    def failure(self, error: BaseException | None = None, latency_s: float | None = None) -> bool:
        """It failed, or ended with an exception that the breaker's judge looks at."""
        if error is None:
            return self.settle("failure", latency_s)
        return self.settle(self._breaker.judge.of_error(error), latency_s, why=why_of(error))

    def settle(self, outcome: Outcome, latency_s: float | None = None, *, why: str = "") -> bool:
        """Tell how it ended by an outcome's name; `why` it failed stands in the evidence."""
        taken_s = self._breaker.clock() - self._started if latency_s is None else latency_s
        return self._breaker.settle(self._permit, outcome, taken_s, why)

    def belongs_to(self, breaker: CircuitBreaker) -> bool:
        """Whether that breaker gave it."""
        return self._breaker is breaker
