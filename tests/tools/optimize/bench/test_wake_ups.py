"""cyclictest's method on a simulated clock, and on this machine's own."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from sprint.tools.optimize.bench.wake_ups import INTERVAL_NS, busy_thread, wake_ups


class SimulatedSleep:
    """A clock that stands still but while it is slept; each sleep ends late by the next of `delays`."""

    def __init__(self, delays: list[int]) -> None:
        self.now_ns = 1_000
        self.deadlines: list[int] = []
        self._delays = delays

    def clock_ns(self) -> int:
        return self.now_ns

    def sleep(self, deadline_ns: int) -> None:
        delay = self._delays[len(self.deadlines) % len(self._delays)]
        self.deadlines.append(deadline_ns)
        self.now_ns = max(self.now_ns, deadline_ns + delay)


@given(delays=st.lists(st.integers(0, 5 * INTERVAL_NS), min_size=1, max_size=20))
def test_each_wake_up_is_late_by_its_own_delay_alone(delays: list[int]) -> None:
    simulated = SimulatedSleep(delays)
    late = wake_ups(0.1, clock_ns=simulated.clock_ns, sleep=simulated.sleep)
    expected = [delays[place % len(delays)] for place in range(len(late))]
    assert list(late) == expected
    assert len(late) == len(simulated.deadlines)


@given(delays=st.lists(st.integers(0, 5 * INTERVAL_NS), min_size=1, max_size=20))
def test_deadlines_stay_on_their_grid_and_none_is_in_the_past(delays: list[int]) -> None:
    simulated = SimulatedSleep(delays)
    wake_ups(0.1, clock_ns=simulated.clock_ns, sleep=simulated.sleep)
    first = simulated.deadlines[0]
    assert all((deadline - first) % INTERVAL_NS == 0 for deadline in simulated.deadlines)
    assert simulated.deadlines == sorted(set(simulated.deadlines))


def test_a_sleep_that_a_signal_ended_early_is_no_wake_up() -> None:
    simulated = SimulatedSleep([0])
    slept = 0

    def sleep(deadline_ns: int) -> None:
        nonlocal slept
        slept += 1
        if slept % 2:
            simulated.now_ns = deadline_ns - 1
        else:
            simulated.sleep(deadline_ns)

    late = wake_ups(0.01, clock_ns=simulated.clock_ns, sleep=sleep)
    assert list(late) == [0] * len(late)
    assert len(late) == slept // 2 > 0


def test_this_machine_wakes_up_late_and_never_early() -> None:
    late = wake_ups(0.05)
    assert 0 < len(late) <= 50
    assert min(late) >= 0


def test_a_busy_thread_runs_beside_and_is_gone_after() -> None:
    with busy_thread():
        assert any(thread.name == "bench-busy" for thread in threading.enumerate())
    assert not any(thread.name == "bench-busy" for thread in threading.enumerate())
