"""The stream's state machine alone, against a log that answers as a relay does, without sockets."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ClientError, ConfigError, CursorExpired, CursorForeign, CursorUnknown
from sprint.core.model import Event
from sprint.tools.client.resume import ClientSettings, Loss, Resume, Subscription, make_subscription
from tests.tools.client.fake_relay import RelayLog

CHAINS = ("bitcoin", "litecoin", "dogecoin")
SETTINGS = ClientSettings()
OTHER_LOG_ID = "22" * 8


def lowest(low: float, _: float) -> float:
    return low


def make_resume(
    subscription: Subscription | None = None,
    settings: ClientSettings = SETTINGS,
    uniform: Callable[[float, float], float] = lowest,
) -> Resume:
    return Resume(subscription or Subscription(), settings, uniform)


def make_log(events: int, log_id: str = "11" * 8) -> RelayLog:
    log = RelayLog(log_id)
    for number in range(events):
        log.append(CHAINS[number % 2], number % 3)
    return log


def run_connection(
    resume: Resume, log: RelayLog, events_max: int | None = None, repeats: int = 0
) -> list[Event]:
    """One connection that ends after so many events; returns what was handed out."""
    handed: list[Event] = []
    resume.connected(0.0)
    while (text := resume.outgoing()) is not None:
        reply, events = log.answer(json.loads(text))
        assert resume.receive(json.dumps(reply), 0.0) is None
        first = log.events.index(events[0]) if events else 0
        before = log.events[max(0, first - repeats) : first]
        for logged in before + (events if events_max is None else events[:events_max]):
            outcome = resume.receive(logged.body, 0.0)
            assert not isinstance(outcome, Loss)
            if outcome is not None:
                handed.append(outcome)
    return handed


@given(
    appended=st.lists(st.tuples(st.sampled_from(CHAINS), st.integers(0, 2)), max_size=30),
    connections=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 5)), max_size=20),
    start=st.sampled_from(["earliest", "latest", "cursor", "list"]),
)
def test_every_event_is_handed_out_once_in_order_over_any_connections(
    appended: list[tuple[str, int]], connections: list[tuple[int, int, int]], start: str
) -> None:
    log = RelayLog()
    for chain in CHAINS:
        log.append(chain)
    places: str | list[str] = start
    if start == "cursor":
        places = log.events[1].cursor
    elif start == "list":
        places = [event.cursor for event in log.events]
    after = {"earliest": 0, "latest": 3, "cursor": 2, "list": 3}[start]
    resume = make_resume(make_subscription(CHAINS, None, places, None, None))
    handed = run_connection(resume, log, 0)
    waiting = list(appended)
    for events_max, repeats, new in connections:
        for chain, kind in waiting[:new]:
            log.append(chain, kind)
        del waiting[:new]
        resume.lost(Loss("cut"), 0.0)
        handed += run_connection(resume, log, events_max, min(repeats, len(handed)))
    resume.lost(Loss("cut"), 0.0)
    handed += run_connection(resume, log)
    assert handed == log.decoded()[after:]


@given(st.lists(st.sampled_from(CHAINS), max_size=20), st.data())
def test_a_new_stream_from_the_last_ones_cursor_goes_on_where_it_stopped(
    appended: list[str], data: st.DataObject
) -> None:
    log = make_log(6)
    for chain in appended:
        log.append(chain)
    places: str | list[str] = "earliest"
    if data.draw(st.booleans()):
        places = [log.events[0].cursor, log.events[1].cursor]
    chains = ("bitcoin", "litecoin")
    first = make_resume(make_subscription(chains, None, places, None, None))
    handed = run_connection(first, log, data.draw(st.integers(0, 10)))
    assert first.cursor is not None
    second = make_resume(make_subscription(chains, None, first.cursor, None, None))
    handed += run_connection(second, log)
    assert handed == log.decoded(chains)[2 if isinstance(places, list) else 0 :]


def test_a_stream_that_was_given_nothing_resumes_from_the_answer_to_subscribe() -> None:
    log = make_log(4)
    resume = make_resume()
    assert run_connection(resume, log) == []
    assert resume.cursor == log.cursor(4)
    log.append("bitcoin")
    resume.lost(Loss("cut"), 0.0)
    assert run_connection(resume, log) == log.decoded()[4:]


def test_a_connection_lost_before_the_answer_asks_for_the_same_place_again() -> None:
    resume = make_resume(Subscription(start="earliest"))
    assert resume.cursor is None
    resume.connected(0.0)
    first = resume.outgoing()
    assert resume.outgoing() is None
    resume.lost(Loss("cut"), 0.0)
    resume.connected(1.0)
    assert resume.outgoing() == first


def test_the_subscription_names_only_what_was_asked_for() -> None:
    resume = make_resume(make_subscription("bitcoin", ["block", "reorg"], "earliest", "skip", None))
    resume.connected(0.0)
    assert json.loads(resume.outgoing() or "") == {
        "op": "subscribe",
        "id": 1,
        "chains": ["bitcoin"],
        "types": ["block", "reorg"],
        "on_expired": "skip",
        "from": "earliest",
    }
    resume = make_resume()
    resume.connected(0.0)
    assert json.loads(resume.outgoing() or "") == {"op": "subscribe", "id": 1, "from": "latest"}


@pytest.mark.parametrize(
    ("chains", "types", "start", "on_expired", "on_foreign"),
    [
        (None, ["blocks"], "latest", None, None),
        (None, None, ["a", "b"], None, None),
        (["bitcoin"], None, ["a", "b"], None, None),
        (["bitcoin", "bitcoin"], None, ["a", "b"], None, None),
        (None, None, "", None, None),
        (None, None, [], None, None),
        (None, None, "latest", "gap", None),
        (None, None, "latest", None, "skip"),
    ],
)
def test_a_subscription_that_cannot_be_is_refused(
    chains: list[str] | None,
    types: list[str] | None,
    start: str | list[str],
    on_expired: str,
    on_foreign: str,
) -> None:
    with pytest.raises(ConfigError):
        make_subscription(chains, types, start, on_expired, on_foreign)  # type: ignore[arg-type]  # the point


def test_a_list_of_one_cursor_is_that_cursor() -> None:
    assert make_subscription(["bitcoin"], None, ["abc"], None, None).start == "abc"


def test_a_list_with_a_cursor_of_the_whole_log_is_refused() -> None:
    log = make_log(2)
    starts = [log.events[0].cursor, log.cursor(1)]
    resume = make_resume(make_subscription(["bitcoin", "litecoin"], None, starts, None, None))
    with pytest.raises(CursorUnknown):
        run_connection(resume, log)


def test_an_expired_cursor_is_raised_with_the_earliest_that_resolves() -> None:
    log = make_log(4)
    log.earliest = 3
    with pytest.raises(CursorExpired) as caught:
        run_connection(make_resume(Subscription(start=log.events[0].cursor)), log)
    assert caught.value.earliest == log.cursor(3)


def test_a_new_log_is_raised_unless_it_is_to_be_read_from_its_start() -> None:
    old, new = make_log(4), make_log(3, OTHER_LOG_ID)
    resume = make_resume(Subscription(start="earliest"))
    run_connection(resume, old)
    resume.lost(Loss("cut"), 0.0)
    with pytest.raises(CursorForeign):
        run_connection(resume, new)

    resume = make_resume(Subscription(start="earliest", on_foreign="earliest"))
    run_connection(resume, old)
    resume.lost(Loss("cut"), 0.0)
    assert run_connection(resume, new) == new.decoded()
    assert resume.log_id == OTHER_LOG_ID


def test_a_relay_that_calls_even_its_start_foreign_is_given_up() -> None:
    resume = make_resume(Subscription(start="abc", on_foreign="earliest"))
    resume.connected(0.0)
    assert json.loads(resume.outgoing() or "")["from"] == "abc"
    refusal = '{"op":"error","id":1,"code":"cursor_foreign","message":"no"}'
    assert resume.receive(refusal, 0.0) is None
    assert json.loads(resume.outgoing() or "")["from"] == "earliest"
    with pytest.raises(CursorForeign):
        resume.receive(refusal, 0.0)


def test_an_answer_with_another_log_is_a_foreign_one_even_if_the_cursor_was_taken() -> None:
    resume = make_resume()
    run_connection(resume, make_log(1))
    resume.lost(Loss("cut"), 0.0)
    resume.connected(0.0)
    with pytest.raises(CursorForeign, match=OTHER_LOG_ID):
        resume.receive(json.dumps({"op": "subscribed", "id": 1, "log": OTHER_LOG_ID, "cursor": "x"}), 0.0)


def test_refusals_that_pass_are_tried_again_and_others_raised_with_their_code() -> None:
    resume = make_resume()
    resume.connected(0.0)
    busy = '{"op":"error","id":1,"code":"not_ready","message":"later"}'
    outcome = resume.receive(busy, 0.0)
    assert isinstance(outcome, Loss)
    assert resume.lost(outcome, 0.0) > 0
    resume.connected(0.0)
    with pytest.raises(ClientError, match="no chain dash") as caught:
        resume.receive('{"op":"error","id":1,"code":"unknown_chain","message":"no chain dash"}', 0.0)
    assert caught.value.code == "unknown_chain"
    with pytest.raises(CursorUnknown):
        resume.receive('{"op":"error","id":1,"code":"cursor_unknown","message":"ahead"}', 0.0)


@pytest.mark.parametrize("code", [1008, 1009, 4001])
def test_a_close_that_trying_again_would_repeat_is_raised(code: int) -> None:
    with pytest.raises(ClientError):
        make_resume().lost(Loss("closed", close_code=code), 0.0)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 4008, 4029])
def test_every_other_close_is_tried_again(code: int) -> None:
    assert make_resume().lost(Loss("closed", close_code=code), 0.0) >= 0


def test_http_refusals_are_raised_with_the_problems_code_but_for_those_that_pass() -> None:
    assert make_resume().lost(Loss("busy", status=503, retry_after_s=7.0), 0.0) == 7.0
    assert make_resume().lost(Loss("busy", status=429, retry_after_s=1e6), 0.0) == 60.0
    with pytest.raises(ClientError) as caught:
        make_resume().lost(Loss("no", status=403, code="host_refused"), 0.0)
    assert caught.value.code == "host_refused"


@given(st.integers(1, 40), st.floats(0, 1))
def test_waits_double_from_the_first_to_the_longest_and_half_of_each_is_random(
    failures: int, share: float
) -> None:
    resume = make_resume(uniform=lambda low, high: low + share * (high - low))
    waits = [resume.lost(Loss("cut"), 0.0) for _ in range(failures)]
    longest = [min(10.0, 0.1 * 2**number) for number in range(failures)]
    assert waits == pytest.approx([limit / 2 + share * limit / 2 for limit in longest])


def test_a_relay_that_limits_the_rate_is_given_the_longest_wait() -> None:
    assert make_resume().lost(Loss("rate", close_code=4029), 0.0) == SETTINGS.backoff_longest_s / 2


def test_tries_in_a_row_without_an_event_are_limited() -> None:
    resume = make_resume(settings=ClientSettings(connect_attempts_max=3))
    resume.lost(Loss("cut"), 0.0)
    resume.lost(Loss("cut"), 0.0)
    with pytest.raises(ClientError, match="limit 3") as caught:
        resume.lost(Loss("cut"), 0.0)
    assert caught.value.code == "unreachable"


def test_an_event_or_a_settled_connection_starts_the_count_of_tries_anew() -> None:
    log = make_log(4)
    resume = make_resume(Subscription(start="earliest"), ClientSettings(connect_attempts_max=2))
    for _ in range(4):
        resume.lost(Loss("cut"), 0.0)
        assert len(run_connection(resume, log, 1)) == 1
    for _ in range(4):
        resume.lost(Loss("cut"), SETTINGS.settled_after_s)
        run_connection(resume, log)  # subscribed at 0, nothing new
    resume.lost(Loss("cut"), SETTINGS.settled_after_s)
    run_connection(resume, log)
    with pytest.raises(ClientError):
        resume.lost(Loss("cut"), SETTINGS.settled_after_s - 0.001)
