"""A watched relay: looks are differences, steps are orders, and what others do to it meanwhile is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from sprint.core.errors import UpstreamError
from sprint.core.optimize.auto_tune import SLOW_SAMPLES, AutoTune, Ladder, Rung
from sprint.core.optimize.levels import LEVELS, TOGETHER
from sprint.core.optimize.setting import SO_ALREADY
from sprint.core.optimize.told import Row, RowState, Told
from sprint.tools.optimize.watching import LATENCIES, NO_EFFECT, ORIGIN, Look, Watch
from sprint.tools.relay.loop_lag import LoopLag
from sprint.tools.relay.stages import StageTimes

RUNGS = [Rung(name, msgspec.structs.asdict(level.fields)) for name, level in LEVELS.items()]


def histogram(name: str, label: str, *buckets: tuple[str, int]) -> str:
    """Return one as Prometheus reads it."""
    lines = [f"# TYPE {name} histogram"]
    label = f'{label}"bitcoin",' if label else ""
    lines += [f'{name}_bucket{{{label}le="{bound}"}} {count}' for bound, count in buckets]
    return "\n".join([*lines, f'{name}_bucket{{{label}le="+Inf"}} {buckets[-1][1]}', ""])


class SlowRelay:
    """A relay whose loop is 40 ms late, each time, 100 more at each look. It grants what is ordered."""

    def __init__(self, *, grants: bool = True, says: str = "") -> None:
        self.looks = 0
        self.orders: list[tuple[str, Mapping[str, object]]] = []
        self.state: RowState = "applied" if grants else "denied"
        self.says = says
        self.pid, self.started_s = 7, 1_000
        self.level: Any = "basic"
        self.changes: dict[str, Any] = {}
        self.is_tuned = True
        self.answers = True

    def metrics(self) -> str:
        self.looks += 1
        count = 100 * self.looks
        return (
            f"{histogram('sprint_event_loop_lag_seconds', '', ('0.025', 0), ('0.05', count))}"
            f"{histogram('sprint_relay_seconds', 'chain=', ('0.005', count))}"
            # The free tier waits 50 ms for further events, however quick the relay is.
            f"{histogram('sprint_delivery_seconds', 'chain=', ('0.1', 0), ('0.25', 3 * count))}"
            "# TYPE process_cpu_seconds_total counter\n"
            f"process_cpu_seconds_total {3.0 * self.looks}\n"
            "# TYPE process_start_time_seconds gauge\n"
            f"process_start_time_seconds {self.started_s}\n"
            "# TYPE runtime_tasks gauge\nruntime_tasks 12\n"
        )

    def told(self) -> Told:
        if not self.answers:
            raise UpstreamError("no relay answers")
        fields = {"level": self.level, **self.changes}
        rows = [
            Row(setting=name, now="", wanted=str(value), state=self.state, why="", says=self.says)
            for name, value in fields.items()
        ]
        return Told(
            pid=self.pid, level=self.level, level_origin="a test", origins=dict.fromkeys(self.changes, "x"),
            changes=dict(self.changes), settings=tuple(rows) if self.is_tuned else (),
            findings=(), health="ok", stats={}, runtime={},
        )  # fmt: skip

    def order(self, level: str, changes: Mapping[str, object], origin: str, *, fallback: bool) -> Told:
        assert (origin, fallback) == (ORIGIN, False)
        self.orders.append((level, changes))
        self.level, self.changes = level, dict(changes)
        return self.told()


def tune_of(told: Told) -> AutoTune:
    return AutoTune(Ladder(RUNGS, TOGETHER), told.level, told.changes)


def watch_of(relay: SlowRelay, *, dry_run: bool = False) -> Watch:
    return Watch(relay, tune_of, dry_run=dry_run)


def looks_of(watch: Watch, count: int) -> list[Look]:
    return [watch.look(5.0 * number) for number in range(count)]


def test_the_first_look_says_nothing_and_the_next_ones_what_came_between() -> None:
    first, second = looks_of(watch_of(SlowRelay()), 2)
    assert first.sample is None
    assert second.sample is not None
    assert second.sample.p99_ms is not None
    assert 25.0 < second.sample.p99_ms <= 50.0
    assert second.sample.cpu_share == pytest.approx(0.6)
    assert second.gauges == {"runtime_tasks": 12.0}


def test_a_tiers_coalescing_window_was_taken_for_a_slow_relay() -> None:
    """And a loop that stood still was not seen: a delivery's time begins when the event is in the log."""
    look = looks_of(watch_of(SlowRelay()), 2)[1]
    assert look.sample is not None
    assert look.sample.p99_ms is not None
    assert look.sample.p99_ms <= 50.0


def test_the_histograms_it_reads_are_the_relays() -> None:
    registry = CollectorRegistry()
    LoopLag(registry)
    StageTimes(registry)
    text = generate_latest(registry).decode()
    assert [name for name in LATENCIES if f"# TYPE {name} histogram" not in text] == []


def test_a_slow_relay_is_ordered_one_setting_of_the_next_level() -> None:
    relay = SlowRelay()
    looks = looks_of(watch_of(relay), SLOW_SAMPLES + 1)
    assert [step.what for step in looks[-1].steps] == ["try"]
    ((level, changes),) = relay.orders
    assert level == "basic"
    different = {name for name, value in changes.items() if value != RUNGS[0].fields[name]}
    assert different < set(TOGETHER[0])


def test_a_dry_run_says_the_step_and_orders_nothing() -> None:
    relay = SlowRelay()
    looks = looks_of(watch_of(relay, dry_run=True), SLOW_SAMPLES + 1)
    assert [step.what for step in looks[-1].steps] == ["try"]
    assert relay.orders == []


@pytest.mark.parametrize(("grants", "says"), [(False, ""), (True, SO_ALREADY)])
def test_a_trial_that_changes_no_setting_is_over_at_once(says: str, *, grants: bool) -> None:
    """A field that was refused, or means nothing on this host, was waited for as one that might help."""
    relay = SlowRelay(grants=grants, says=says)
    looks = looks_of(watch_of(relay), SLOW_SAMPLES + 1)
    assert [step.what for step in looks[-1].steps] == ["try", "undo"]
    assert NO_EFFECT in looks[-1].steps[1].why
    assert [changes for _, changes in relay.orders][1] == {}


def test_what_was_still_being_tried_when_a_watch_ended_stayed_for_ever() -> None:
    relay = SlowRelay()
    watch = watch_of(relay)
    looks_of(watch, SLOW_SAMPLES + 1)
    assert relay.changes != {}
    step = watch.end()
    assert step is not None
    assert (step.what, relay.changes) == ("undo", {})
    assert watch.end() is None


def test_what_an_operator_orders_meanwhile_is_the_operators() -> None:
    """The next step took back what somebody had set beside the watch, and gave it another level."""
    relay = SlowRelay()
    watch = watch_of(relay)
    looks_of(watch, SLOW_SAMPLES + 1)
    relay.level, relay.changes = "turbo", {"nice": 3}
    look = watch.look(100.0)
    assert look.noticed == "somebody else has set it: level turbo, from a test"
    assert (look.sample, look.steps) == (None, ())
    orders = len(relay.orders)
    for number in range(20):
        watch.look(105.0 + 5.0 * number)
    assert watch.end() is None
    assert (relay.level, relay.changes, len(relay.orders)) == ("turbo", {"nice": 3}, orders)


def test_tuning_that_was_taken_back_is_not_begun_again() -> None:
    relay = SlowRelay()
    watch = watch_of(relay)
    looks_of(watch, 2)
    relay.is_tuned = False
    assert "only looked at" in watch.look(100.0).noticed
    assert [watch.look(105.0 + number).steps for number in range(10)] == [()] * 10
    relay.is_tuned = True
    assert "tuned again" in watch.look(200.0).noticed
    assert any(watch.look(205.0 + number).steps for number in range(SLOW_SAMPLES + 1))


@pytest.mark.parametrize("pid", [8, 7], ids=["another process", "process 1 of another container"])
def test_a_relay_that_was_started_anew_is_watched_from_its_start(pid: int) -> None:
    """A watch ended with its relay, or took what another had counted for what came in between."""
    relay = SlowRelay()
    watch = watch_of(relay)
    looks_of(watch, SLOW_SAMPLES + 1)
    relay.answers = False
    with pytest.raises(UpstreamError):
        watch.look(100.0)
    relay.answers, relay.pid, relay.started_s, relay.changes = True, pid, 2_000, {}
    look = watch.look(105.0)
    assert look.noticed == f"the relay was started anew: process {pid}, level basic"
    assert look.sample is None
    following = watch.look(110.0)
    assert following.sample is not None
    assert following.sample.cpu_share == pytest.approx(0.6)
    assert watch.end() is None, "its trial ended with it"
