"""The situations of the conformance table: steps, what Sprint's machine does in them, what others do.

`=` is the same as ours, `-` that there is nothing of the kind. Which files of the others were read, and at
which commit, stands on the page that the table is written to. interlock-cb 2.8.2 is run.
"""

from __future__ import annotations

from tests.core.breaker.conformance import (
    MINIMUM_CALLS,
    TRIALS,
    WAIT_S,
    Situation,
    Subject,
    begun,
    calls,
    half_opened,
    opened,
)


def rate_at_the_limit(subject: Subject) -> str:
    calls(subject, 5, "success")
    calls(subject, 5, "failure")
    return subject.state()


def one_call_too_few(subject: Subject) -> str:
    calls(subject, MINIMUM_CALLS - 1, "failure")
    return subject.state()


def rate_found_by_a_success(subject: Subject) -> str:
    calls(subject, 5, "failure")
    calls(subject, 5, "success")
    return subject.state()


def slow_at_the_limit(subject: Subject) -> str:
    calls(subject, MINIMUM_CALLS, "success", 1.0)
    return subject.state()


def slow_over_the_limit(subject: Subject) -> str:
    calls(subject, 3, "success")
    calls(subject, 7, "success", 1.001)
    return subject.state()


def at_the_end_of_the_wait(subject: Subject) -> str:
    opened(subject)
    subject.wait(WAIT_S)
    return "let through" if subject.begin() is not None else "rejected"


def just_before_the_end_of_the_wait(subject: Subject) -> str:
    opened(subject)
    subject.wait(WAIT_S - 0.001)
    return "let through" if subject.begin() is not None else "rejected"


def twenty_at_once(subject: Subject) -> str:
    half_opened(subject)
    more = sum(subject.begin() is not None for _ in range(19))
    return f"{1 + more} of 20"


def one_trial_of_three_fails(subject: Subject) -> str:
    first = half_opened(subject)
    second, third = begun(subject), begun(subject)
    subject.end(first, "failure")
    after_one = subject.state()
    subject.end(second, "success")
    subject.end(third, "success")
    return f"{after_one}, then {subject.state()}"


def all_trials_succeed(subject: Subject) -> str:
    first = half_opened(subject)
    subject.end(first, "success")
    after_one = subject.state()
    calls(subject, TRIALS - 1, "success")
    return f"{after_one}, then {subject.state()}"


def all_trials_slow(subject: Subject) -> str:
    first = half_opened(subject)
    subject.end(first, "success", 5.0)
    calls(subject, TRIALS - 1, "success", 5.0)
    return subject.state()


def all_trials_hang(subject: Subject) -> str:
    half_opened(subject)
    for _ in range(TRIALS - 1):
        begun(subject)
    for _ in range(120):
        subject.wait(30.0)
        if subject.begin() is not None:
            return "let through"
    return "rejected"


def a_trial_is_cancelled(subject: Subject) -> str:
    trials = [half_opened(subject), begun(subject), begun(subject)]
    subject.end(trials[0], "cancelled")
    return f"{subject.state()}, {'a place free' if subject.begin() is not None else 'no place'}"


def all_trials_tell_nothing(subject: Subject) -> str:
    subject.end(half_opened(subject), "inconclusive")
    for _ in range(TRIALS - 1):
        subject.end(begun(subject), "inconclusive")
    now = subject.state()
    subject.wait(60.0)
    return f"{now}, a minute later {subject.state()}"


def a_late_failure(subject: Subject) -> str:
    late = begun(subject)
    half_opened(subject)
    subject.end(late, "failure")
    return subject.state()


def a_late_success(subject: Subject) -> str:
    late = [begun(subject) for _ in range(TRIALS)]
    half_opened(subject)
    for call in late:
        subject.end(call, "success")
    return subject.state()


def a_second_wait(subject: Subject) -> str:
    subject.end(half_opened(subject), "failure")
    for _ in range(TRIALS - 1):
        calls(subject, 1, "failure")
    subject.wait(WAIT_S + 0.001)
    return "rejected" if subject.begin() is None else "let through"


def a_wait_after_closing(subject: Subject) -> str:
    first = half_opened(subject)
    subject.end(first, "failure")
    calls(subject, TRIALS - 1, "failure")
    subject.wait(2 * WAIT_S + 0.001)
    calls(subject, TRIALS, "success")
    assert subject.state() == "closed"
    calls(subject, MINIMUM_CALLS, "failure")
    subject.wait(WAIT_S + 0.001)
    return "rejected" if subject.begin() is None else "let through"


def failures_from_before_the_outage(subject: Subject) -> str:
    first = half_opened(subject)
    subject.end(first, "success")
    calls(subject, TRIALS - 1, "success")
    calls(subject, MINIMUM_CALLS - 1, "failure")
    return subject.state()


def forced_open_for_an_hour(subject: Subject) -> str:
    subject.operate("force_open")
    subject.wait(3600.0)
    return "rejected" if subject.begin() is None else "let through"


def failures_while_forced_closed(subject: Subject) -> str:
    subject.operate("force_close")
    calls(subject, 100, "failure")
    return f"{'let through' if subject.begin() is not None else 'rejected'}, {subject.state()}"


def reset_while_open(subject: Subject) -> str:
    opened(subject)
    subject.operate("reset")
    calls(subject, MINIMUM_CALLS - 1, "failure")
    return subject.state()


SITUATIONS = [
    Situation(
        "5 of 10 calls fail, limit 50 %", rate_at_the_limit, "open",
        ("=", "=", "=", "the user's function says", "closed: compares with >", "="),
        "a limit of 50 % is what opens, as in most",
    ),
    Situation(
        "9 of 9 fail, 10 asked for", one_call_too_few, "closed",
        ("=", "=", "=", "the user's function says", "=", "="),
    ),
    Situation(
        "5 fail, then 5 succeed, limit 50 %", rate_found_by_a_success, "open",
        (
            "=", "=", "closed: only a failure opens", "closed: only a failure opens",
            "closed: compares with >", "=",
        ),
        "the tenth call is what makes the rate believable, whatever its outcome",
    ),
    Situation(
        "10 calls of just the slow limit", slow_at_the_limit, "closed",
        ("=", "-", "-", "-", "=", "="),
    ),
    Situation(
        "7 of 10 over the slow limit, limit 70 %", slow_over_the_limit, "open",
        ("=", "-", "-", "-", "closed: compares with >", "="),
        "as with failures",
    ),
    Situation(
        "a call at the very end of the wait", at_the_end_of_the_wait, "let through",
        ("rejected: strictly after", "=", "=", "rejected: strictly after", "=", "="),
        "whoever comes back after `retry_after_s` is let through",
    ),
    Situation(
        "a call 1 ms before its end", just_before_the_end_of_the_wait, "rejected",
        ("=", "=", "=", "=", "=", "="),
    ),
    Situation(
        "20 callers at once, three trials", twenty_at_once, "3 of 20",
        ("=", "=", "1 of 20: always one", "=", "1 of 20: always one", "= (1 by default)"),
        "the tier says how many",
    ),
    Situation(
        "the first of three trials fails; then the other two succeed",
        one_trial_of_three_fails, "open, then open",
        (
            "half_open, then closed: by rate, when all have ended", "= (success threshold 3 of 3)",
            "= (its one trial)", "=", "= (its one trial)",
            "half_open, then closed: by rate, when all have ended",
        ),
        "one failure is enough to spare what has not recovered the other calls",
    ),
    Situation(
        "the first of three trials succeeds; then the other two",
        all_trials_succeed, "half_open, then closed",
        ("=", "=", "closed after one", "=", "closed after one", "="),
        "one success is little evidence",
    ),
    Situation(
        "three trials succeed slowly", all_trials_slow, "open",
        ("=", "closed", "closed", "closed", "= (slow ratio strategy)", "="),
        "closing on answers that would open it again is flapping",
    ),
    Situation(
        "three trials hang; asked every 30 s for an hour", all_trials_hang, "let through",
        (
            "rejected (maxWaitDurationInHalfOpenState is 0 by default)", "rejected",
            "rejected (its one trial)", "rejected", "rejected (its one trial)", "rejected",
        ),
        "a lease ends: nothing that hangs may hold the breaker half open",
    ),
    Situation(
        "one of three trials is cancelled", a_trial_is_cancelled, "half_open, a place free",
        (
            "= (releasePermission)", "as its failure conditions say: an error is a failure by default",
            "closed: cancellation is not handled, and what is not handled is success",
            "open: an error like any other; = where `IsExcluded` names it",
            "open if traced as an error, else closed", "=",
        ),
        "cancellation is neither success nor failure",
    ),
    Situation(
        "three trials tell nothing", all_trials_tell_nothing, "half_open, a minute later open",
        (
            "half_open, a minute later half_open (ignored exceptions)",
            "closed: what is not handled is success",
            "closed: what is not handled is success (half open for ever before its issue 1979)",
            "half_open, a minute later half_open (`IsExcluded`; else success or failure)",
            "closed or open: success or failure only", "open, a minute later open",
        ),
        "others may still answer; `half_open_longest_s` ends it",
    ),
    Situation(
        "a call from before the opening fails while trials run", a_late_failure, "half_open",
        ("= (counted as one of the trials)", "open", "open", "=", "open", "="),
        "an outcome of an older generation is void",
    ),
    Situation(
        "three such calls succeed", a_late_success, "half_open",
        ("closed: counted as the trials", "closed: counted as trials", "closed", "=", "closed", "="),
        "they say how it was before",
    ),
    Situation(
        "the trials fail; a call after the wait once more", a_second_wait, "rejected",
        (
            "let through (a constant wait by default)", "let through (constant by default)",
            "let through (constant by default)", "let through", "let through", "= (with a multiplier)",
        ),
        "the wait grows by the tier's multiplier up to its longest",
    ),
    Situation(
        "the trials fail, then succeed; it opens again at once; a call after the first wait",
        a_wait_after_closing, "rejected",
        ("let through", "let through", "let through", "let through", "let through", "let through"),
        "one recovery does not forget that it flaps: a step goes back for each minute closed",
    ),
    Situation(
        "after closing, 9 calls fail, 10 asked for", failures_from_before_the_outage, "closed",
        ("=", "=", "=", "the user's function says", "=", "="),
    ),
    Situation(
        "forced open, an hour later", forced_open_for_an_hour, "rejected",
        ("=", "let through: its Open() is an ordinary opening", "=", "-", "-", "="),
        "what an operator says holds until an operator says otherwise",
    ),
    Situation(
        "forced closed, 100 failures", failures_while_forced_closed, "let through, force_close",
        (
            "= (METRICS_ONLY)", "open: its Close() is an ordinary closing",
            "open: CloseAsync is an ordinary closing", "-", "-", "= (METRICS_ONLY)",
        ),
        "it records all the while, as Hystrix does, so that one sees whether it would be open",
    ),
    Situation(
        "reset while open, then 9 failures", reset_while_open, "closed",
        ("=", "=", "=", "-", "-", "="),
    ),
]  # fmt: skip
