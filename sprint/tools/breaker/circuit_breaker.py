"""A breaker for one's own code: the machine of the core with clock, lock and asyncio around it.

    breaker = CircuitBreaker("node")

    breaker.call(fetch, url)                   # sync and async functions alike
    async with breaker: ...                    # or `with`
    @breaker                                   # or @breaker.guard(fallback=cached)
    def fetch(url): ...
    permit = breaker.admit()                   # for streams; then permit.success() or permit.failure(error)

It is safe to use from any threads and tasks. The usual call takes no lock: see `core/breaker/lane.py`.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from itertools import islice
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from sprint.core.breaker.explain import Explanation, explain
from sprint.core.breaker.lane import LANE_CALLS_MAX, Lane
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome, Rng, State, Statistics
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.replay import RecordedCall, Replayed, replay
from sprint.core.breaker.trials import Permit
from sprint.core.errors import CircuitOpenError, ConfigError
from sprint.tools import runtime
from sprint.tools.breaker.awaiting import PLAIN_TYPES, is_awaitable, settled
from sprint.tools.breaker.held_permit import HeldPermit
from sprint.tools.breaker.judge import Judge, why_of
from sprint.tools.breaker.listeners import Listener, Listeners

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
# At some 120 bytes each, 12 MB.
RECORDED_CALLS_MAX = 100_000

Fallback = Callable[[BaseException], Result]


class CircuitBreaker:
    """Guards calls of one thing that may fail. `judge` says what an exception or a result means.

    `clock` gives monotonic seconds, `rng` uniform numbers of 0 <= x < 1 for the jitter.
    """

    def __init__(
        self,
        name: str,
        policy: Policy | None = None,
        *,
        judge: Judge | None = None,
        clock: Callable[[], float] = runtime.clock,
        rng: Rng = runtime.jitter,
    ) -> None:
        self.listeners = Listeners()
        self.judge = judge or Judge()
        self.clock = clock
        self._looks_at_results = self.judge.looks_at_results
        self._recorded: deque[RecordedCall] | None = None
        self._lock = threading.Lock()
        self._machine = Machine(name, policy or Policy(), now=clock(), rng=rng)
        self._told = 0

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r}, {self.state})"

    @property
    def name(self) -> str:
        """Its name, in events, errors and the registry."""
        return self._machine.name

    @property
    def state(self) -> State:
        """The state as the last call left it; a delay that is over ends with the next call."""
        return self._machine.state

    @property
    def policy(self) -> Policy:
        """The policy that holds."""
        return self._machine.policy

    # -- calls

    def call(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function, or raise `CircuitOpenError` without calling it.

        What an async function returns is guarded until it has been awaited.
        """
        clock = self.clock
        lane = self._machine.lane
        started = clock()
        if started >= lane.until:
            return self._call_slowly(function, args, kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self.settle(Permit(lane.generation), self.judge.of_error(error), clock() - started, why_of(error))
            raise
        if type(result) not in PLAIN_TYPES and is_awaitable(result):
            return cast("Result", self._awaited_by_lane(lane, started, cast("Awaitable[Any]", result)))
        ended = clock()
        latency_s = ended - started
        waiting = lane.latencies
        shut = latency_s > lane.latency_s_max or ended >= lane.until or len(waiting) >= LANE_CALLS_MAX
        if shut or self._looks_at_results:
            self._returned(Permit(lane.generation), result, latency_s)
        else:
            waiting.append(latency_s)
        return result

    def call_or(
        self,
        fallback: Fallback[Result],
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function; where it is not let through or fails, return what `fallback(error)` gives.

        An exception that is no failure to the judge is raised. What the fallback of an async function gives
        is awaited where it has to be.
        """
        try:
            result = self.call(function, *args, **kwargs)
        except Exception as error:
            if not self._falls_back(error):
                raise
            value = fallback(error)
            return cast("Result", settled(value)) if inspect.iscoroutinefunction(function) else value
        if type(result) not in PLAIN_TYPES and is_awaitable(result):
            return cast("Result", self._awaited_or(fallback, cast("Awaitable[Result]", result)))
        return result

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Guard every call of a function: `@breaker`."""
        return self.guard()(function)

    def guard(
        self, *, fallback: Callable[[BaseException], Any] | None = None
    ) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
        """Guard every call of a function: `@breaker.guard(fallback=…)`."""

        def decorated(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
            if inspect.iscoroutinefunction(function):
                return cast("Callable[Parameters, Result]", self._guarded_coroutine(function, fallback))

            @functools.wraps(function)
            def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
                if fallback is None:
                    return self.call(function, *args, **kwargs)
                return self.call_or(fallback, function, *args, **kwargs)

            return guarded

        return decorated

    def admit(self) -> HeldPermit:
        """Take leave for one call, or raise `CircuitOpenError`. The permit is told how the call ended."""
        lane, started = self._machine.lane, self.clock()
        permit = Permit(lane.generation) if started < lane.until else self._admit()
        return HeldPermit(self, permit, started)

    def __enter__(self) -> Self:
        _held.set((self.admit(), _held.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        permit = _leave(self)
        if error is None:
            permit.success()
        else:
            permit.failure(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # -- what it knows, and operators' words

    def statistics(self) -> Statistics:
        """Return what the window holds."""
        return self.tend(Machine.statistics)

    def explain(self) -> Explanation:
        """Return why it is in its state, and when that may change."""
        return self.tend(explain)

    def adopt(self, policy: Policy) -> None:
        """Go on under another policy, from the next call on, with all that was counted."""
        self.tend(lambda machine, now: machine.adopt(policy, now))

    def force_open(self, why: str = "") -> bool:
        """Reject all calls until `release` or `reset`."""
        return self.tend(lambda machine, now: machine.force_open(now, why))

    def force_close(self, why: str = "") -> bool:
        """Let all calls through until `release` or `reset`."""
        return self.tend(lambda machine, now: machine.force_close(now, why))

    def release(self, why: str = "") -> bool:
        """Leave a forced state."""
        return self.tend(lambda machine, now: machine.release(now, why))

    def reset(self, why: str = "") -> bool:
        """Begin anew, closed, with fresh statistics."""
        return self.tend(lambda machine, now: machine.reset(now, why))

    def tend(self, work: Callable[[Machine, float], Result]) -> Result:
        """Do something with the machine under the lock, and tell what transitions came of it."""
        with self._lock:
            result = work(self._machine, self.clock())
            self._queue_news()
        self.listeners.tell()
        return result

    def record(self, calls_max: int = RECORDED_CALLS_MAX) -> None:
        """Keep the last calls from now on, for `replay`; 0 ends that. Every call then takes the lock.

        What was rejected is not among them, as nobody knows what it would have met: a policy with `shadow`
        records all.
        """
        if not 0 <= calls_max <= RECORDED_CALLS_MAX:
            raise ConfigError(f"{calls_max} calls to record; from 0 to {RECORDED_CALLS_MAX} can be kept")
        with self._lock:
            self._recorded = deque(maxlen=calls_max) if calls_max else None
            self._machine.use_lanes(use=calls_max == 0)

    def recorded(self) -> list[RecordedCall]:
        """Return the calls that were recorded, oldest first."""
        with self._lock:
            return list(self._recorded or ())

    def replay(self, policy: Policy) -> Replayed:
        """Return what another policy would have made of the calls that were recorded."""
        return replay(self.recorded(), policy)

    def listen(self, listener: Listener) -> None:
        """Tell a listener of every transition from now on."""
        self.listeners.add(listener)

    # -- within

    def _guarded_coroutine(
        self,
        function: Callable[Parameters, Awaitable[Any]],
        fallback: Callable[[BaseException], Any] | None,
    ) -> Callable[Parameters, Awaitable[Any]]:
        """Guard an async function by an async function, which frameworks tell from others."""

        @functools.wraps(function)
        async def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> object:
            if fallback is None:
                return await self.call(function, *args, **kwargs)
            return await self.call_or(fallback, function, *args, **kwargs)

        return guarded

    def _admit(self) -> Permit:
        with self._lock:
            now = self.clock()
            permit = self._machine.admit(now)
            refusal = self._machine.refusal(now) if permit is None else None
            self._queue_news()
        self.listeners.tell()
        if permit is None:
            raise cast("CircuitOpenError", refusal)
        return permit

    def succeed(self, permit: Permit, latency_s: float) -> bool:
        """Tell of a success; by the lane where it is open to this permit, and else under the lock."""
        lane = self._machine.lane
        if (
            permit.generation == lane.generation
            and not permit.settled
            and self.clock() < lane.until
            and latency_s <= lane.latency_s_max
            and len(lane.latencies) < LANE_CALLS_MAX
        ):
            permit.settled = True
            lane.latencies.append(latency_s)
            return True
        return self.settle(permit, "success", latency_s)

    def settle(self, permit: Permit, outcome: Outcome, latency_s: float, why: str = "") -> bool:
        """Tell how a call ended, and why it failed. False: too late to count."""
        with self._lock:
            now = self.clock()
            if self._recorded is not None and not permit.settled:
                self._recorded.append(RecordedCall(now - latency_s, latency_s, outcome))
            counted = self._machine.settle(permit, outcome, latency_s, now, why)
            self._queue_news()
        self.listeners.tell()
        return counted

    def _queue_news(self) -> None:
        made = self._machine.transitions_made
        if made != self._told:
            newest_first = islice(reversed(self._machine.transitions), made - self._told)
            self.listeners.queue(reversed([*newest_first]))
            self._told = made

    def _call_slowly(
        self, function: Callable[..., Result], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> Result:
        permit, started = self._admit(), self.clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            self.settle(permit, self.judge.of_error(error), self.clock() - started, why_of(error))
            raise
        if type(result) not in PLAIN_TYPES and is_awaitable(result):
            return cast("Result", self._awaited(permit, started, cast("Awaitable[Any]", result)))
        self._returned(permit, result, self.clock() - started)
        return result

    async def _awaited_by_lane(self, lane: Lane, started: float, result: Awaitable[Result]) -> Result:
        try:
            value = await result
        except BaseException as error:
            self.settle(
                Permit(lane.generation), self.judge.of_error(error), self.clock() - started, why_of(error)
            )
            raise
        ended = self.clock()
        latency_s = ended - started
        waiting = lane.latencies
        shut = latency_s > lane.latency_s_max or ended >= lane.until or len(waiting) >= LANE_CALLS_MAX
        if shut or self._looks_at_results:
            self._returned(Permit(lane.generation), value, latency_s)
        else:
            waiting.append(latency_s)
        return value

    async def _awaited(self, permit: Permit, started: float, result: Awaitable[Result]) -> Result:
        try:
            value = await result
        except BaseException as error:
            self.settle(permit, self.judge.of_error(error), self.clock() - started, why_of(error))
            raise
        self._returned(permit, value, self.clock() - started)
        return value

    def _returned(self, permit: Permit, result: object, latency_s: float) -> None:
        outcome = self.judge.of_result(result) if self._looks_at_results else "success"
        if outcome == "success":
            self.succeed(permit, latency_s)
        else:
            self.settle(permit, outcome, latency_s)

    async def _awaited_or(self, fallback: Fallback[Result], result: Awaitable[Result]) -> object:
        try:
            return await result
        except Exception as error:
            if not self._falls_back(error):
                raise
            return await settled(fallback(error))

    def _falls_back(self, error: BaseException) -> bool:
        return isinstance(error, CircuitOpenError) or self.judge.of_error(error) == "failure"


# What the current task or thread has entered with `with` and not left, newest first.
_Held = tuple[HeldPermit, "_Held | None"]
_held: ContextVar[_Held | None] = ContextVar("sprint_breakers_held", default=None)


def _leave(breaker: CircuitBreaker) -> HeldPermit:
    """Return the permit of the innermost `with` of a breaker in this task or thread."""
    held = _held.get()
    if held is None or not held[0].belongs_to(breaker):
        raise RuntimeError(
            f"breaker {breaker.name!r} is left in another task than it was entered in; use admit()"
        )
    _held.set(held[1])
    return held[0]
