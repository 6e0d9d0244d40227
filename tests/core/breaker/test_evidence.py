"""Evidence names the cause: what the last failure was, in words, bounded and printable."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import ORDER_LENGTH_MAX, WHY_LENGTH_MAX, Outcome, because
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.orders import OPERATOR, REASON_LENGTH_MAX
from tests.core.breaker.test_machine import POLICY, admitted, call, opened, state_of

REFUSED = "connection refused"
OUTCOMES_OF_ONE_TRIAL: tuple[tuple[Outcome, str], ...] = (
    ("failure", f"the trial call failed: {REFUSED}"),
    ("success", "the trial call succeeded"),
)
OUTCOMES: tuple[tuple[Outcome, str], ...] = (("success", ""), ("failure", REFUSED))


def test_the_evidence_of_an_opening_says_what_the_last_failure_was() -> None:
    breaker = Machine("node", POLICY, now=0.0, rng=lambda: 0.5)
    for why in ("no answer in 4 s", "no answer in 8 s", REFUSED):
        breaker.settle(admitted(breaker, 0.0), "failure", 0.01, 0.0, why)
    assert breaker.evidence.text == "3 failures in a row, limit 3: connection refused"


def test_so_does_that_of_a_failed_trial() -> None:
    breaker = opened()
    breaker.settle(admitted(breaker, 10.0), "failure", 0.01, 10.0, REFUSED)
    said = f"a trial call failed, 0 of the 2 that close it had succeeded: {REFUSED}"
    assert breaker.evidence.text == said


def test_a_breaker_with_one_trial_counts_none_in_words() -> None:
    policy = Policy(failures_to_open=1, half_open_calls=1)
    breaker = Machine("node", policy, now=0.0, rng=lambda: 0.5)
    breaker.settle(admitted(breaker, 0.0), "failure", 0.01, 0.0, REFUSED)
    for outcome, text in OUTCOMES_OF_ONE_TRIAL:
        at = breaker.trial_at
        breaker.settle(admitted(breaker, at), outcome, 0.01, at, REFUSED)
        assert breaker.evidence.text == text


def test_so_does_that_of_a_rate() -> None:
    policy = Policy(failures_to_open=None, failure_rate_max=0.5, slow_rate_max=None)
    breaker = Machine("node", policy, now=0.0, rng=lambda: 0.5)
    for number in range(policy.window.minimum_calls):
        outcome, why = OUTCOMES[number % 2]
        breaker.settle(admitted(breaker, 0.0), outcome, 0.01, 0.0, why)
    assert breaker.evidence.text == "50.0% of 20 calls failed, limit 50.0%, the last one: connection refused"


@given(st.text())
def test_what_an_error_says_is_cut_and_printable(why: str) -> None:
    text = because("it failed", why)
    assert text.isprintable()
    assert len(text) <= len("it failed: ") + WHY_LENGTH_MAX + len("...")
    assert (text == "it failed") == (why == "")


def test_a_trial_is_brought_forward_where_nobody_else_can_be_called() -> None:
    breaker = opened()
    assert breaker.admit(1.0) is None
    assert breaker.bring_forward(1.0)
    assert not breaker.bring_forward(1.0), "it is due already"
    permit = admitted(breaker, 1.0)
    assert (state_of(breaker), permit.trial) == ("half_open", 1)
    assert breaker.evidence.text == "1 s after it opened, delay 1 s by need"
    assert not breaker.bring_forward(1.0), "it is not open"


def test_what_an_operator_opened_is_not_brought_forward() -> None:
    breaker = opened()
    breaker.force_open(1.0)
    assert not breaker.bring_forward(2.0)
    assert breaker.admit(100.0) is None


def test_a_trial_that_was_brought_forward_and_fails_takes_the_next_step_as_any() -> None:
    breaker = opened()
    breaker.bring_forward(1.0)
    call(breaker, "failure", 1.0)
    assert breaker.retry_after_s(1.0) == 20.0
    assert breaker.opening.by == "backoff"


@given(st.text())
def test_an_operators_reason_is_cut_and_printable(why: str) -> None:
    breaker = Machine("node", POLICY, now=0.0, rng=lambda: 0.5)
    breaker.force_open(0.0, why)
    text = breaker.evidence.text
    assert text.isprintable()
    assert 0 < len(text) <= ORDER_LENGTH_MAX + len("...")
    assert (text == "an operator's forced_open") == (why in ("", "an operator's forced_open"))


def test_the_longest_reason_that_the_admin_api_takes_is_kept_whole() -> None:
    breaker = Machine("node", POLICY, now=0.0, rng=lambda: 0.5)
    why = f"{OPERATOR}: {'x' * REASON_LENGTH_MAX}"
    breaker.force_open(0.0, why)
    assert breaker.evidence.text == why
