"""One timer: it fires once at the earliest time, on asyncio's own loop and on uvloop, also for the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from sprint.tools.relay.one_timer import OneTimer

LATER_S = 3600.0
SOON_S = 0.001


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    made: Callable[[], asyncio.AbstractEventLoop] = request.param
    return made


def fires(factory: Callable[[], asyncio.AbstractEventLoop], *offsets: float | None) -> int:
    """Arm for each offset from now in turn; return how often it fired when the loop came to a later turn."""

    async def main() -> int:
        loop, fired = asyncio.get_running_loop(), 0

        def fire() -> None:
            nonlocal fired
            fired += 1

        timer = OneTimer(loop, fire)
        for offset in offsets:
            timer.arm(None if offset is None else loop.time() + offset)
        reached = loop.create_future()
        loop.call_later(10 * SOON_S, reached.set_result, None)
        await reached
        timer.cancel()
        return fired

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


@pytest.mark.parametrize(
    ("offsets", "count"),
    [
        ((SOON_S,), 1),
        ((LATER_S,), 0),
        ((LATER_S, SOON_S), 1),
        ((SOON_S, LATER_S), 1),
        ((-LATER_S,), 1),
        ((-LATER_S, SOON_S), 1),  # uvloop's handle for the past has no `when`
        ((SOON_S, -LATER_S), 1),
        ((-SOON_S, -LATER_S), 1),
        ((SOON_S, None), 0),
        ((-SOON_S, None), 0),
    ],
)
def test_it_fires_once_at_the_earliest_time(
    factory: Callable[[], asyncio.AbstractEventLoop], offsets: tuple[float | None, ...], count: int
) -> None:
    assert fires(factory, *offsets) == count


def test_it_can_be_armed_again_by_what_it_calls(factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> int:
        loop, left = asyncio.get_running_loop(), 3
        ended = loop.create_future()

        def fire() -> None:
            nonlocal left
            left -= 1
            if left:
                timer.arm(loop.time())
            else:
                ended.set_result(None)

        timer = OneTimer(loop, fire)
        timer.arm(loop.time())
        await ended
        return left

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(main()) == 0
