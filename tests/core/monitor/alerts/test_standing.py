"""Alerts on a simulated clock: one of each subject, raised at once, let go of slowly."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.monitor.alerts import standing
from sprint.core.monitor.alerts.rules import LEVELS, RELAY, STATE, Reading, Rule, Step
from sprint.core.monitor.alerts.standing import Alert, Alerts
from sprint.core.monitor.rows import rfc3339

RATE = Rule(name="rate", steps=(Step("info", 0.8), Step("warning", 0.9), Step("critical", 0.95)), margin=0.1)
SCORE = Rule(name="score", steps=(Step("info", 0.6), Step("warning", 0.4)), falling=True, margin=0.05)


def taken(alerts: Alerts, rule: Rule, value: float | None, now_s: float) -> Alert | None:
    return alerts.take(Reading(rule, "main", "x", value, f"x is {value}"), now_s, rfc3339(now_s))


def test_a_level_is_reached_above_80_90_and_95_percent_of_a_limit() -> None:
    reached = [RATE.severity(value) for value in (None, 0.79, 0.8, 0.9, 0.95, 2.0)]
    assert reached == [0, 0, 1, 2, 3, 3]
    assert [SCORE.severity(value) for value in (0.61, 0.6, 0.4, 0.0)] == [0, 1, 2, 2]


def test_within_the_margin_a_level_is_kept_and_never_told_again() -> None:
    alerts = Alerts()
    raised = taken(alerts, RATE, 0.96, 0.0)
    assert raised is not None
    assert (raised.level, raised.change, raised.number) == ("critical", "raised", 1)
    assert all(taken(alerts, RATE, 0.86, float(n)) is None for n in range(1, 1_000))
    assert alerts.standing() == [raised]
    taken(alerts, RATE, 0.84, 1_000.0)
    eased = taken(alerts, RATE, 0.84, 1_000.0 + RATE.clear_s)
    assert eased is not None
    assert (eased.change, eased.level) == ("eased", "warning")


def test_a_value_that_goes_to_and_fro_is_one_alert() -> None:
    alerts = Alerts()
    raised = taken(alerts, RATE, 0.96, 0.0)
    assert all(taken(alerts, RATE, float(n % 2), float(n)) is None for n in range(1, 1_000))
    assert alerts.standing() == [raised]


def test_a_trial_that_takes_long_eases_no_alert_and_what_comes_of_it_does() -> None:
    alerts = Alerts()
    taken(alerts, STATE, 3.0, 0.0)
    trial = Reading(STATE, "main", "x", 2.0, "x is half_open", undecided=True)
    assert all(alerts.take(trial, float(n), rfc3339(n)) is None for n in range(1, 1_000))
    assert taken(alerts, STATE, 0.0, 1_000.0) is None
    over = taken(alerts, STATE, 0.0, 1_000.0 + STATE.clear_s)
    assert over is not None
    assert over.change == "resolved"


def test_what_is_over_stays_for_its_time_and_then_goes_with_the_level_that_it_had() -> None:
    alerts = Alerts()
    taken(alerts, STATE, 3.0, 0.0)
    assert taken(alerts, STATE, 0.0, 1.0) is None
    assert taken(alerts, STATE, 0.0, 10.9) is None
    over = taken(alerts, STATE, 0.0, 11.0)
    assert over is not None
    assert (over.level, over.change, over.resolved_at, over.number) == (
        "critical",
        "resolved",
        rfc3339(11.0),
        2,
    )
    assert not alerts.standing()


def test_a_level_falls_to_the_highest_of_the_time_in_which_it_was_lower() -> None:
    alerts = Alerts()
    taken(alerts, STATE, 4.0, 0.0)
    for at_s, value in ((1.0, 0.0), (3.0, 2.0), (5.0, 0.0)):
        assert taken(alerts, STATE, value, at_s) is None
    eased = taken(alerts, STATE, 0.0, 11.0)
    assert eased is not None
    assert (eased.change, eased.level, eased.level_highest) == ("eased", "warning", "emergency")


def test_a_relay_that_is_back_within_its_hold_was_no_alert() -> None:
    alerts = Alerts()
    assert [taken(alerts, RELAY, value, at) for value, at in ((4.0, 0.0), (4.0, 4.9), (0.0, 5.0))] == [
        None
    ] * 3
    assert taken(alerts, RELAY, 4.0, 6.0) is None
    raised = taken(alerts, RELAY, 4.0, 11.0)
    assert raised is not None
    assert raised.level == "emergency"


def test_what_stood_before_a_restart_is_not_raised_again_but_ends() -> None:
    first = Alerts()
    raised = taken(first, STATE, 3.0, 500.0)
    assert raised is not None
    again = Alerts(first.standing())
    assert taken(again, STATE, 3.0, 1.0) is None
    assert taken(again, STATE, 0.0, 2.0) is None
    over = taken(again, STATE, 0.0, 12.0)
    assert over is not None
    assert (over.id, over.number) == (raised.id, 2)


def test_beyond_the_limit_alerts_are_counted_and_not_kept() -> None:
    alerts = Alerts()
    limit, standing.STANDING_MAX = standing.STANDING_MAX, 2
    try:
        for number in range(4):
            alerts.take(Reading(STATE, "main", str(number), 3.0, ""), 0.0, rfc3339(0.0))
    finally:
        standing.STANDING_MAX = limit
    assert (len(alerts.standing()), alerts.left_out) == (2, 2)


@given(st.lists(st.tuples(st.floats(0.0, 1.2), st.floats(0.01, 8.0)), max_size=80))
def test_every_change_follows_on_the_one_before_and_falls_keep_their_time(
    steps: list[tuple[float, float]],
) -> None:
    alerts, now_s, last, changed_s = Alerts(), 0.0, None, 0.0
    for value, pause_s in steps:
        now_s += pause_s
        alert = taken(alerts, RATE, value, now_s)
        if alert is None:
            continue
        if last is None or last.change == "resolved":
            assert (alert.change, alert.number) == ("raised", 1)
        else:
            assert (alert.id, alert.number) == (last.id, last.number + 1)
            rose = LEVELS.index(alert.level) > LEVELS.index(last.level)
            assert rose == (alert.change == "worsened")
            assert rose or now_s - changed_s >= RATE.clear_s
        assert RATE.severity(value) <= LEVELS.index(alert.level) + 1
        last, changed_s = alert, now_s
    assert len(alerts.standing()) == (last is not None and last.change != "resolved")


def test_an_alert_is_the_same_after_it_was_kept() -> None:
    alert = taken(Alerts(), STATE, 3.0, 0.0)
    assert msgspec.json.decode(msgspec.json.encode(alert), type=Alert) == alert
