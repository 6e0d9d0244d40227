"""The faces of the breaker: calls, blocks, decorators and permits, of threads and of tasks, say the same."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import sprint
from sprint.core.breaker.transitions import Transition
from sprint.core.errors import CircuitOpenError, ConfigError
from sprint.tools.breaker import CircuitBreaker, Judge, awaiting, packaged_policies
from tests.tools.breaker.callees import POLICY, Clock, Down, fail, fails, fails_later, works, works_later


def test_it_is_offered_by_the_package() -> None:
    assert sprint.CircuitBreaker is CircuitBreaker


def test_calls_pass_what_is_given_and_what_is_returned(breaker: CircuitBreaker) -> None:
    assert breaker.call(divmod, 7, 2) == (3, 1)
    assert breaker.call(sorted, [2, 1], reverse=True) == [2, 1]
    assert breaker.statistics().successes == 2


def test_the_call_after_the_tripping_one_is_rejected_without_being_made(breaker: CircuitBreaker) -> None:
    fail(breaker)
    called: list[int] = []
    with pytest.raises(CircuitOpenError) as refused:
        breaker.call(called.append, 1)
    assert called == []
    assert (refused.value.breaker, refused.value.state, refused.value.retry_after_s) == ("node", "open", 10.0)
    why = "3 failures in a row, limit 3: Down"
    assert str(refused.value) == f"breaker 'node' is open: {why}; try again in 10 s"


def test_it_closes_again_after_its_trials(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 10.0
    assert [breaker.call(works) for _ in range(2)] == ["answer", "answer"]
    assert breaker.state == "closed"


def test_async_functions_are_guarded_until_they_have_been_awaited(breaker: CircuitBreaker) -> None:
    async def main() -> None:
        assert await breaker.call(works_later) == "answer"
        assert breaker.statistics().calls == 1
        for _ in range(3):
            with pytest.raises(Down):
                await breaker.call(fails_later)
        with pytest.raises(CircuitOpenError):
            await breaker.call(works_later)

    asyncio.run(main())


def test_twenty_tasks_on_a_dead_callee_get_as_many_trials_as_the_budget(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    called: list[int] = []

    async def dead(number: int) -> None:
        called.append(number)
        await asyncio.Event().wait()

    async def main() -> None:
        tasks = [asyncio.create_task(guarded(number)) for number in range(20)]
        pending = set(tasks)
        async with asyncio.timeout(10.0):
            while len(pending) > 2:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def guarded(number: int) -> None:
        await breaker.call(dead, number)

    fail(breaker)
    clock.now += 10.0
    asyncio.run(main())
    assert len(called) == 2
    assert breaker.state == "half_open"
    assert breaker.explain().totals["cancelled"] == 2


def test_blocks_of_threads_and_tasks_are_guarded(breaker: CircuitBreaker) -> None:
    async def main() -> None:
        async with breaker, breaker:
            await asyncio.sleep(0)
        for _ in range(2):
            with pytest.raises(Down):
                async with breaker:
                    raise Down

    with breaker:
        pass
    asyncio.run(main())
    assert breaker.statistics().successes == 3
    with pytest.raises(Down), breaker:
        raise Down
    with pytest.raises(CircuitOpenError), breaker:
        pass


def test_concurrent_blocks_of_one_breaker_each_settle_their_own_permit(breaker: CircuitBreaker) -> None:
    async def block(inside: asyncio.Event, leave: asyncio.Event) -> None:
        async with breaker:
            inside.set()
            await leave.wait()

    async def main() -> None:
        events = [(asyncio.Event(), asyncio.Event()) for _ in range(3)]
        async with asyncio.TaskGroup() as tasks:
            for inside, leave in events:
                tasks.create_task(block(inside, leave))
                await inside.wait()
            for _, leave in events:
                leave.set()

    asyncio.run(main())
    assert breaker.statistics().successes == 3


def test_a_decorated_function_keeps_its_name_and_a_method_its_object(breaker: CircuitBreaker) -> None:
    class Node:
        height = 7

        @breaker
        def tip(self, more: int) -> int:
            """Return the height."""
            return self.height + more

    assert Node().tip(1) == 8
    assert Node.tip.__name__ == "tip"
    assert breaker.statistics().calls == 1


def test_a_fallback_answers_for_failures_and_refusals_and_for_nothing_else() -> None:
    breaker = CircuitBreaker("node", POLICY, judge=Judge(failures=Down))
    said: list[BaseException] = []

    def instead(error: BaseException) -> str:
        said.append(error)
        return "cached"

    assert [breaker.call_or(instead, fails) for _ in range(4)] == ["cached"] * 4
    assert isinstance(said[-1], CircuitOpenError)
    breaker.reset()
    with pytest.raises(ValueError, match="invalid literal"):
        breaker.call_or(lambda _: 0, int, "no number")
    assert breaker.guard(fallback=instead)(works)() == "answer"


def test_a_fallback_of_an_async_function_is_awaited(breaker: CircuitBreaker) -> None:
    async def instead(error: BaseException) -> str:
        return type(error).__name__

    async def main() -> list[str]:
        return [await breaker.call_or(instead, fails_later) for _ in range(4)]

    assert asyncio.run(main()) == ["Down", "Down", "Down", "CircuitOpenError"]


def cached(_: BaseException) -> Any:
    return "cached"


def test_a_plain_fallback_of_an_async_function_is_not_awaited(breaker: CircuitBreaker) -> None:
    async def main() -> list[object]:
        guarded = breaker.guard(fallback=lambda error: type(error).__name__)(fails_later)
        called = [await breaker.call_or(cached, fails_later) for _ in range(2)]
        return [*called, *[await guarded() for _ in range(2)]]

    assert asyncio.run(main()) == ["cached", "cached", "Down", "CircuitOpenError"]


def test_a_plain_fallback_answers_also_where_an_async_function_is_not_called(breaker: CircuitBreaker) -> None:
    breaker.force_open()

    async def main() -> object:
        return await breaker.call_or(cached, works_later)

    assert asyncio.run(main()) == "cached"


def test_a_permit_counts_once(breaker: CircuitBreaker, clock: Clock) -> None:
    permit = breaker.admit()
    clock.now += 0.5
    assert permit.success()
    assert not permit.failure(Down())
    assert breaker.statistics().latency_sum_s == pytest.approx(0.5)
    assert breaker.admit().success(latency_s=2.0)
    assert breaker.statistics().latency_sum_s == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("judge", "error", "counted"),
    [
        (Judge(), Down(), "failure"),
        (Judge(), asyncio.CancelledError(), "cancelled"),
        (Judge(), KeyboardInterrupt(), "cancelled"),
        (Judge(), CircuitOpenError("inner", "open", "why", 1.0), "ignored"),
        (Judge(ignored=Down), Down(), "ignored"),
        (Judge(inconclusive=(Down, OSError)), Down(), "inconclusive"),
        (Judge(failures=OSError), Down(), "success"),
        (Judge(failures=lambda error: "down" in str(error)), ValueError("down"), "failure"),
    ],
)
def test_predicates_say_what_an_exception_means(judge: Judge, error: BaseException, counted: str) -> None:
    breaker = CircuitBreaker("node", POLICY, judge=judge)

    def raises() -> None:
        raise error

    with pytest.raises(type(error)):
        breaker.call(raises)
    with pytest.raises(type(error)), breaker:
        raises()
    assert breaker.explain().totals == {counted: 2}


def test_a_result_may_be_a_failure() -> None:
    breaker = CircuitBreaker("node", POLICY, judge=Judge(failed_result=lambda status: status == 503))

    async def later() -> int:
        return 503

    async def main() -> int:
        return await breaker.call(later)

    assert [breaker.call(int, 503), breaker.call(int, 200), asyncio.run(main())] == [503, 200, 503]
    assert breaker.explain().totals == {"failure": 2, "success": 1}


def test_listeners_are_told_in_order_and_their_errors_are_counted(breaker: CircuitBreaker) -> None:
    told: list[tuple[str, str]] = []

    def broken(transition: Transition) -> None:
        raise Down

    def closes_again(transition: Transition) -> None:
        if transition.to_state == "open":
            breaker.reset()

    breaker.listen(broken)
    breaker.listen(closes_again)
    breaker.listen(lambda transition: told.append((transition.from_state, transition.to_state)))
    fail(breaker)
    assert told == [("closed", "open"), ("open", "closed")]
    assert breaker.listeners.errors == 2


def test_listeners_are_told_of_what_a_look_at_it_has_ended(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 10.0
    breaker.admit()
    told: list[str] = []
    breaker.listen(lambda transition: told.append(transition.reason))
    clock.now += POLICY.half_open_longest_s
    assert breaker.explain().state == "open"
    assert told == ["trials_undecided"]


def test_a_block_left_in_another_task_says_so(breaker: CircuitBreaker) -> None:
    breaker.__enter__()
    with pytest.raises(RuntimeError, match="another task"):
        CircuitBreaker("other", POLICY).__exit__(None, None, None)
    breaker.__exit__(None, None, None)


def test_operators_words_hold(breaker: CircuitBreaker) -> None:
    assert breaker.force_open("maintenance")
    with pytest.raises(CircuitOpenError, match="maintenance; an operator has to release it"):
        breaker.call(works)
    assert breaker.force_close()
    fail(breaker, 20)
    assert breaker.explain().would_open is not None
    assert breaker.reset()
    assert breaker.call(works) == "answer"


def test_what_answers_in_microseconds_does_not_open_over_milliseconds() -> None:
    """It had opened: three times a learned baseline of a microsecond is nothing that anybody waits for."""
    clock = Clock()
    breaker = CircuitBreaker("node", packaged_policies()["turbo"], clock=clock)
    for _ in range(200):
        clock.now += 1.0
        breaker.admit().success(0.000_001)
    for _ in range(200):
        clock.now += 0.1
        breaker.admit().success(0.005)
    assert breaker.state == "closed"
    for _ in range(200):
        clock.now += 0.1
        if breaker.explain().state == "closed":
            breaker.admit().success(0.06)
    assert breaker.explain().because.detector == "latency"


def test_a_predicate_that_raises_breaks_no_call() -> None:
    def broken(_: object) -> bool:
        raise ZeroDivisionError

    judge = Judge(failures=broken, failed_result=broken)
    breaker = CircuitBreaker("node", POLICY, judge=judge)
    assert breaker.call(works) == "answer"
    with pytest.raises(Down):
        breaker.call(fails)
    assert breaker.explain().totals == {"inconclusive": 2}
    assert judge.errors == 2


def test_a_guarded_async_function_is_told_from_others_by_frameworks(breaker: CircuitBreaker) -> None:
    guarded = breaker(works_later)
    assert inspect.iscoroutinefunction(guarded)
    assert not inspect.iscoroutinefunction(breaker(works))
    assert asyncio.run(_value(guarded())) == "answer"
    with_fallback = breaker.guard(fallback=lambda _: works_later())(fails_later)
    assert asyncio.run(_value(with_fallback())) == "answer"


async def _value(answer: Awaitable[str]) -> str:
    return await answer


def test_recorded_calls_are_replayed_under_another_policy(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record(calls_max=5)
    for _ in range(4):
        breaker.call(works)
    fail(breaker, 2)
    clock.now += 1.0
    assert [call.outcome for call in breaker.recorded()] == ["success"] * 3 + ["failure"] * 2
    assert breaker.replay(POLICY).trips == ()
    assert len(breaker.replay(replace(POLICY, failures_to_open=2)).trips) == 1
    breaker.record(calls_max=0)
    assert breaker.recorded() == []
    with pytest.raises(ConfigError, match="100001 calls to record; from 0 to 100000"):
        breaker.record(calls_max=100_001)


def test_an_explanation_can_be_sent_as_json(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 2.5
    told = msgspec.json.decode(msgspec.json.encode(breaker.explain()))
    assert (told["state"], told["retry_after_s"], told["for_s"]) == ("open", 7.5, 2.5)
    assert told["because"]["text"] == "3 failures in a row, limit 3: Down"
    assert told["last_transitions"][0]["from"] == "closed"
    assert told["totals"] == {"failure": 3}


def test_a_result_that_answers_no_question_is_still_returned(breaker: CircuitBreaker) -> None:
    """A lazy object may do anything when it is asked for an attribute; its type is asked instead."""

    class Lazy:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    for _ in range(2):
        assert isinstance(breaker.call(Lazy), Lazy)
    assert breaker.statistics().successes == 2


def test_the_types_that_need_no_awaiting_are_remembered_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(awaiting, "PLAIN_TYPES_MAX", len(awaiting.PLAIN_TYPES) + 1)
    kinds = [type(f"Kind{number}", (), {}) for number in range(2)]
    assert [awaiting.is_awaitable(kind()) for kind in kinds * 2] == [False] * 4
    assert [kind in awaiting.PLAIN_TYPES for kind in kinds] == [True, False]
    awaiting.PLAIN_TYPES.discard(kinds[0])
