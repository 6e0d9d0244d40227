"""Auto-tune on simulated relays: it keeps what gains, undoes what does not, and does not swing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.optimize.auto_tune import (
    IDLE_SAMPLES,
    P99_MS_MAX,
    REST_SAMPLES,
    SETTLE_SAMPLES,
    SLOW_SAMPLES,
    TRIAL_LOOKS_MAX,
    TRIAL_SAMPLES,
    AutoTune,
    Ladder,
    Rung,
    Sample,
    Step,
)

RUNGS = (
    Rung("low", {"quick": 0, "useless": 0, "harmful": 0}),
    Rung("middle", {"quick": 1, "useless": 1, "harmful": 1}),
    Rung("high", {"quick": 2, "useless": 2, "harmful": 2}),
)
LADDER = Ladder(RUNGS)


def fields_of(level: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**next(rung.fields for rung in RUNGS if rung.name == level), **changes}


class SimulatedRelay:
    """A relay whose p99 follows from what is set: an order is obeyed before the next sample."""

    def __init__(self, p99_ms: Callable[[dict[str, Any]], float], level: str = "low", **options: Any) -> None:
        self.tune = AutoTune(LADDER, level, **options)
        self.p99_ms = p99_ms
        self.fields = fields_of(level, options.get("changes", {}))
        self.steps: list[Step] = []

    def run(self, samples: int, cpu_share: float = 0.9) -> None:
        for _ in range(samples):
            step = self.tune.take(Sample(self.p99_ms(self.fields), cpu_share))
            if step is not None:
                self.steps.append(step)
                self.fields = fields_of(step.level, step.changes)

    def did(self) -> list[str]:
        return [step.what for step in self.steps]


def slow_until_quick_is_two(fields: dict[str, Any]) -> float:
    quick: int = fields["quick"]
    harmful: int = fields["harmful"]
    return {0: 40.0, 1: 20.0, 2: 5.0}[quick] + 4.0 * harmful


def test_only_what_lowers_p99_is_kept_on_the_way_up() -> None:
    relay = SimulatedRelay(slow_until_quick_is_two)
    relay.run(200)
    assert relay.fields == {"quick": 2, "useless": 0, "harmful": 0}
    assert relay.tune.level != "low"
    kept = [fields_of(step.level, step.changes) for step in relay.steps if step.what == "keep"]
    assert [fields["quick"] for fields in kept] == [1, 2]
    assert {"try", "without", "keep", "undo"} == set(relay.did())


def test_two_slow_samples_are_no_reason_and_three_are() -> None:
    relay = SimulatedRelay(lambda _: P99_MS_MAX + 1)
    relay.run(SLOW_SAMPLES - 1)
    assert relay.steps == []
    relay.run(1)
    assert relay.did() == ["try"]


def test_at_the_limit_itself_nothing_happens() -> None:
    relay = SimulatedRelay(lambda _: P99_MS_MAX, level="middle")
    relay.run(500, cpu_share=0.1)
    assert relay.steps == [], "neither slow nor quick: between the two limits it stays"


def test_an_idle_quick_relay_goes_down_a_level_at_a_time_and_stops_at_the_lowest() -> None:
    relay = SimulatedRelay(lambda _: 1.0, level="high")
    relay.run(IDLE_SAMPLES - 1, cpu_share=0.1)
    assert relay.steps == []
    relay.run(200, cpu_share=0.1)
    assert [step.level for step in relay.steps] == ["middle", "low"]
    assert relay.fields == RUNGS[0].fields


def test_a_busy_quick_relay_and_one_without_deliveries_are_told_apart() -> None:
    busy = SimulatedRelay(lambda _: 1.0, level="high")
    busy.run(100, cpu_share=0.5)
    assert busy.steps == []
    tune = AutoTune(LADDER, "high")
    said = [tune.take(Sample(None, 0.0)) for _ in range(IDLE_SAMPLES)]
    assert [step.what for step in said if step is not None] == ["down"]


def test_what_did_not_help_is_left_alone_for_a_long_time() -> None:
    relay = SimulatedRelay(lambda _: 50.0)
    relay.run(REST_SAMPLES - 5)
    assert relay.did() == ["try", "undo"] * 3, "each of the three once"
    relay.run(2 * REST_SAMPLES)
    assert len(relay.steps) > 6


def test_it_goes_no_higher_than_it_is_told_to() -> None:
    relay = SimulatedRelay(slow_until_quick_is_two, highest="middle")
    relay.run(300)
    assert relay.fields["quick"] == 1


def test_what_an_operator_has_set_was_overwritten_by_the_first_step() -> None:
    relay = SimulatedRelay(slow_until_quick_is_two, changes={"harmful": 7})
    relay.run(300)
    assert relay.fields == {"quick": 2, "useless": 0, "harmful": 7}
    assert all(step.changes["harmful"] == 7 for step in relay.steps), "sent along at whichever level"
    relay.p99_ms = lambda _: 1.0
    relay.run(200, cpu_share=0.1)
    assert relay.fields == {**RUNGS[0].fields, "harmful": 7}


def test_what_a_watch_before_this_one_has_kept_is_tuned_further() -> None:
    relay = SimulatedRelay(slow_until_quick_is_two, changes={"quick": 1}, own=frozenset({"quick"}))
    relay.run(300)
    assert relay.fields["quick"] == 2


def test_an_order_has_only_what_is_otherwise_than_at_its_level() -> None:
    """Each order had all the fields of a level, so that each stood in the status as somebody's change."""
    relay = SimulatedRelay(lambda _: 50.0)
    relay.run(SLOW_SAMPLES)
    assert relay.steps[0].changes == {"quick": 1}


def test_fields_that_mean_nothing_apart_are_tried_together_or_not_at_all() -> None:
    """Automatic rounds were turned off in one trial, and the idle ones that stand for them in another."""
    ladder = Ladder(RUNGS, together=(("quick", "harmful"),))
    relay = SimulatedRelay(lambda _: 50.0)
    relay.tune = AutoTune(ladder, "low")
    relay.run(SLOW_SAMPLES)
    assert relay.steps[0].changes == {"quick": 1, "harmful": 1}
    relay.tune, relay.steps = AutoTune(ladder, "low", {"harmful": 0}), []
    relay.run(SLOW_SAMPLES)
    assert relay.steps[0].changes == {"useless": 1, "harmful": 0}


def test_a_trial_is_compared_with_the_slow_samples_and_not_with_those_before() -> None:
    """Three quick samples before three slow ones made half of what a trial was compared with."""
    tune = AutoTune(LADDER, "low")
    trial = SETTLE_SAMPLES + TRIAL_SAMPLES
    samples = [6.0] * TRIAL_SAMPLES + [40.0] * SLOW_SAMPLES + [30.0] * trial + [40.0] * trial
    steps = [tune.take(Sample(p99_ms, 0.9)) for p99_ms in samples]
    assert [step.what for step in steps if step is not None] == ["try", "without", "keep"]


def test_load_that_ended_by_itself_was_taken_for_what_was_tried_meanwhile() -> None:
    """On a relay beside others that compute, half of all settings were kept for it."""
    tune = AutoTune(LADDER, "low")
    trial = SETTLE_SAMPLES + TRIAL_SAMPLES
    samples = [40.0] * SLOW_SAMPLES + [9.0] * (2 * trial)
    steps = [tune.take(Sample(p99_ms, 0.9)) for p99_ms in samples]
    taken = [step for step in steps if step is not None]
    assert [step.what for step in taken] == ["try", "without", "undo"]
    assert taken[-1].changes == {}


def test_a_trial_that_nobody_can_tell_of_is_undone() -> None:
    """With too few deliveries a setting stayed as it was tried, for ever."""
    tune = AutoTune(LADDER, "low")
    for _ in range(SLOW_SAMPLES):
        tune.take(Sample(50.0, 0.9))
    looks = SETTLE_SAMPLES + TRIAL_LOOKS_MAX
    steps = [step for _ in range(looks) if (step := tune.take(Sample(None, 0.9))) is not None]
    assert [(step.what, step.changes) for step in steps] == [("undo", {})]


def test_a_trial_that_is_given_up_is_undone_and_there_is_nothing_to_give_up_without_one() -> None:
    tune = AutoTune(LADDER, "low")
    assert tune.give_up_trial("") is None
    for _ in range(SLOW_SAMPLES):
        tune.take(Sample(50.0, 0.9))
    step = tune.give_up_trial("no reason")
    assert step is not None
    assert (step.what, step.changes, step.why) == ("undo", {}, "quick: no reason: undone")


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), max_size=300),
    st.sampled_from(["low", "middle", "high"]),
)
def test_whatever_is_measured_a_step_is_rare_and_its_fields_are_of_the_ladder(
    samples: list[tuple[float, float]], level: str
) -> None:
    tune = AutoTune(LADDER, level)
    steps = [tune.take(Sample(p99_ms, cpu_share)) for p99_ms, cpu_share in samples]
    taken = [number for number, step in enumerate(steps) if step is not None]
    assert all(after - before > SLOW_SAMPLES for before, after in pairwise(taken))
    for step in filter(None, steps):
        assert all(value in {rung.fields[name] for rung in RUNGS} for name, value in step.changes.items())
