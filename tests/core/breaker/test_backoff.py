"""The backoff: exact growth, jitter on top that never compounds, and the longest that is never passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.backoff import delay_s, exact_delay_s
from sprint.core.breaker.policy import BackoffPolicy

UNIFORM = st.floats(0.0, 1.0, exclude_max=True)


def policy(jitter: str = "none", *, base_s: float = 30.0, multiplier: float = 2.0) -> BackoffPolicy:
    assert jitter in ("none", "full", "equal")
    return BackoffPolicy(base_s=base_s, multiplier=multiplier, longest_s=300.0, jitter=jitter)  # type: ignore[arg-type]


def test_each_delay_is_the_base_times_a_power_up_to_the_longest() -> None:
    assert [exact_delay_s(policy(), step) for step in range(6)] == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0]


def test_the_multipliers_of_the_tiers_grow_as_the_table_says() -> None:
    assert exact_delay_s(policy(multiplier=1.5), 3) == 30.0 * 3.375
    assert exact_delay_s(policy(multiplier=1.75), 2) == 30.0 * 3.0625


def test_a_power_too_large_for_a_float_is_the_longest() -> None:
    assert exact_delay_s(policy(), 1_000_000) == 300.0
    assert exact_delay_s(policy(multiplier=1.0), 1_000_000) == 30.0


def test_a_first_delay_over_the_longest_is_the_longest() -> None:
    assert exact_delay_s(policy(base_s=301.0), 0) == 300.0


def test_a_step_below_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="step -1, the first is 0"):
        exact_delay_s(policy(), -1)


def test_without_jitter_no_random_number_is_drawn() -> None:
    def never() -> float:
        raise AssertionError("drawn")

    assert delay_s(policy("none"), 1, never) == 60.0


@pytest.mark.parametrize(
    ("jitter", "drawn", "expected_s"),
    [
        ("full", 0.0, 0.0),
        ("full", 0.5, 30.0),
        ("equal", 0.0, 30.0),
        ("equal", 0.5, 60.0),
        ("equal", 0.75, 75.0),
    ],
)
def test_jitter_takes_its_share_of_the_exact_delay(jitter: str, drawn: float, expected_s: float) -> None:
    assert delay_s(policy(jitter), 1, lambda: drawn) == expected_s


def test_equal_jitter_on_the_longest_delay_is_cut_at_the_longest() -> None:
    assert delay_s(policy("equal"), 9, lambda: 0.5) == 300.0
    assert delay_s(policy("equal"), 9, lambda: 0.51) == 300.0
    assert delay_s(policy("equal"), 9, lambda: 0.49) < 300.0


@given(st.sampled_from(["none", "full", "equal"]), st.integers(0, 5_000), UNIFORM)
def test_no_delay_leaves_its_bounds(jitter: str, step: int, drawn: float) -> None:
    exact_s = exact_delay_s(policy(), step)
    low, high = {"none": (1.0, 1.0), "full": (0.0, 1.0), "equal": (0.5, 1.5)}[jitter]
    found_s = delay_s(policy(jitter), step, lambda: drawn)
    assert low * exact_s <= found_s <= min(high * exact_s, 300.0)


@given(st.lists(UNIFORM, min_size=1, max_size=20))
def test_jitter_does_not_compound(drawn: list[float]) -> None:
    """Whatever was drawn before, a delay is that of its own step and its own draw."""
    draws = iter(drawn)
    handed_out = [delay_s(policy("equal"), step, lambda: next(draws)) for step in range(len(drawn))]
    alone = [delay_s(policy("equal"), step, lambda x=x: x) for step, x in enumerate(drawn)]  # type: ignore[misc]
    assert handed_out == alone
