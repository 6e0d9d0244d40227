"""What an exception or a result says of what was called: the outcome that the breaker counts.

Each predicate may be a class of exceptions, several, or a function. An exception that is neither ignored,
inconclusive nor a failure is a success: what was called did answer (as resilience4j's `recordExceptions`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sprint.core.breaker.outcomes import Outcome
from sprint.core.errors import CircuitOpenError

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]

# The caller gave up or is going down; that tells nothing of what was called.
_CANCELLED = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)

_BROKEN = "a predicate of a breaker failed; the call counts as inconclusive"

_logger = logging.getLogger(__name__)


class Judge:
    """The predicates of one breaker or of several. `failed_result`: which results count as failures.

    A predicate that raises breaks no call: it is logged, counted in `errors`, and the call is inconclusive.
    """

    def __init__(
        self,
        *,
        failures: Errors = Exception,
        ignored: Errors = (),
        inconclusive: Errors = (),
        failed_result: Callable[[object], bool] | None = None,
    ) -> None:
        self.errors = 0
        self.looks_at_results = failed_result is not None
        self._failures = _predicate(failures)
        self._ignored = _predicate(ignored)
        self._inconclusive = _predicate(inconclusive)
        self._failed_result = failed_result

    def of_error(self, error: BaseException) -> Outcome:
        """Return what an exception says. That of another breaker is no call at all."""
        if isinstance(error, _CANCELLED):
            return "cancelled"
        if isinstance(error, CircuitOpenError):
            return "ignored"
        try:
            return self._judged(error)
        except Exception:  # the caller is to see the error of the call, not that of a predicate
            _logger.exception(_BROKEN)
            return self._broken()

    def of_result(self, result: object) -> Outcome:
        """Return what a result says."""
        if self._failed_result is None:
            return "success"
        try:
            return "failure" if self._failed_result(result) else "success"
        except Exception:  # nor is a result lost to a predicate that can't look at it
            _logger.exception(_BROKEN)
            return self._broken()

    def _judged(self, error: BaseException) -> Outcome:
        if self._ignored(error):
            return "ignored"
        if self._inconclusive(error):
            return "inconclusive"
        return "failure" if self._failures(error) else "success"

    def _broken(self) -> Outcome:
        self.errors += 1
        return "inconclusive"


def why_of(error: BaseException) -> str:
    """Return what an exception says, with its kind: what stands in the evidence of what comes of it."""
    try:
        said = str(error)
    except Exception:  # one that can't say what it is must not end the call in an error of its own
        _logger.exception("an error of a guarded call can't be shown")
        said = ""
    kind = type(error).__name__
    return f"{kind}: {said}" if said else kind


def _predicate(errors: Errors) -> Callable[[BaseException], bool]:
    if isinstance(errors, type | tuple):
        kinds = errors
        return lambda error: isinstance(error, kinds)
    return errors
