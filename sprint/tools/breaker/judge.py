"""What an exception or a result says of what was called: the outcome that the breaker counts.

Each predicate may be a class of exceptions, several, or a function. An exception that is neither ignored,
inconclusive nor a failure is a success: what was called did answer (as resilience4j's `recordExceptions`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sprint.core.breaker.outcomes import Outcome
from sprint.core.errors import CircuitOpenError

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]

# The caller gave up or is going down; that tells nothing of what was called.
_CANCELLED = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)


class Judge:
    """The predicates of one breaker. `failed_result`: which results count as failures, None for none."""

    def __init__(
        self,
        *,
        failures: Errors = Exception,
        ignored: Errors = (),
        inconclusive: Errors = (),
        failed_result: Callable[[object], bool] | None = None,
    ) -> None:
        self._failures = _predicate(failures)
        self._ignored = _predicate(ignored)
        self._inconclusive = _predicate(inconclusive)
        self.failed_result = failed_result

    def of_error(self, error: BaseException) -> Outcome:
        """Return what an exception says. That of another breaker is no call at all."""
        if isinstance(error, _CANCELLED):
            return "cancelled"
        if isinstance(error, CircuitOpenError) or self._ignored(error):
            return "ignored"
        if self._inconclusive(error):
            return "inconclusive"
        return "failure" if self._failures(error) else "success"

    def of_result(self, result: object) -> Outcome:
        """Return what a result says."""
        return "failure" if self.failed_result is not None and self.failed_result(result) else "success"


def _predicate(errors: Errors) -> Callable[[BaseException], bool]:
    if isinstance(errors, type | tuple):
        kinds = errors
        return lambda error: isinstance(error, kinds)
    return errors
