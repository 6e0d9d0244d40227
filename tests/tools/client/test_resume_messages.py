"""What the stream's state machine makes of single messages: malformed, unknown, and gaps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ClientError, CursorExpired
from sprint.tools.client.resume import Loss, Subscription, make_subscription
from tests.tools.client.fake_relay import RelayLog
from tests.tools.client.test_resume import CHAINS, SETTINGS, make_log, make_resume, run_connection


@pytest.mark.parametrize(
    "message",
    [
        "{not json",
        b"\xff\xfe",
        "[]",
        "{}",
        '{"type":"block","chain":"bitcoin","seq":1,"cursor":"x","data":{}}',
        '{"op":"subscribed","id":1,"log":"","cursor":"x"}',
        '{"type":"gap","chain":"b","seq":1,"cursor":"x","data":{"from_height":1,"to_height":1,"reason":""}}',
    ],
)
def test_a_malformed_message_costs_the_connection_and_a_few_in_a_row_the_stream(
    message: str | bytes,
) -> None:
    resume = make_resume()
    for attempt in range(SETTINGS.malformed_messages_max):
        resume.connected(0.0)
        outcome = resume.receive(message, 0.0)
        assert isinstance(outcome, Loss)
        assert outcome.malformed
        if attempt + 1 < SETTINGS.malformed_messages_max:
            resume.lost(outcome, 0.0)
        else:
            with pytest.raises(ClientError) as caught:
                resume.lost(outcome, 0.0)
            assert caught.value.code == "bad_message"


@given(
    st.binary(max_size=80) | st.text(max_size=80) | st.just('{"op":1}') | st.just('{"type":"x","seq":"1"}')
)
def test_any_message_is_an_outcome_or_an_error_of_the_tree(message: str | bytes) -> None:
    resume = make_resume()
    resume.connected(0.0)
    assert isinstance(resume.receive(message, 0.0), Loss | None)


def test_an_event_of_a_newer_version_is_passed_over_and_its_place_kept() -> None:
    log = make_log(1)
    resume = make_resume(Subscription(start="earliest"))
    run_connection(resume, log)
    newer = {"type": "of_tomorrow", "chain": "bitcoin", "seq": 2, "cursor": "next", "data": {"height": 1}}
    assert resume.receive(json.dumps(newer), 0.0) is None
    assert resume.cursor == "next"
    assert resume.unknown_types_skipped == 1


def test_heartbeats_and_other_answers_are_no_events() -> None:
    resume = make_resume()
    run_connection(resume, make_log(1))
    before = resume.cursor
    for message in ('{"type":"heartbeat"}', '{"op":"pong","id":3}'):
        assert resume.receive(message, 0.0) is None
    assert resume.cursor == before


def test_the_answer_to_subscribe_has_a_time_limit_of_its_own() -> None:
    resume = make_resume()
    assert resume.answer_wait_s(0.0) is None
    resume.connected(5.0)
    assert resume.answer_wait_s(6.0) == SETTINGS.subscribe_timeout_s - 1.0
    assert resume.answer_wait_s(99.0) == 0.0
    resume.receive(json.dumps({"op": "subscribed", "id": 1, "log": "11", "cursor": "x"}), 7.0)
    assert resume.answer_wait_s(8.0) is None
    assert "10" in resume.overdue().reason


def test_a_relay_cannot_make_the_client_remember_chains_without_bound() -> None:
    resume = make_resume()
    run_connection(resume, RelayLog())
    gap = {"from_height": 1, "to_height": 1, "reason": ""}
    message = {"type": "gap", "seq": 1, "cursor": "x", "data": gap}
    for number in range(1024):
        assert resume.receive(json.dumps(message | {"chain": f"c{number}"}), 0.0) is not None
    with pytest.raises(ClientError, match="1024"):
        resume.receive(json.dumps(message | {"chain": "one more"}), 0.0)


def gap_at(chain: str, seq: int, cursor: str) -> str:
    data = {"from_height": 0, "to_height": 5, "reason": "cursor_expired"}
    return json.dumps({"type": "gap", "chain": chain, "seq": seq, "cursor": cursor, "data": data})


def test_the_gap_of_an_expired_cursor_is_handed_out_once_where_something_was_lost() -> None:
    log = make_log(4)  # seq 1 and 2 of bitcoin and of litecoin
    resume = make_resume(Subscription(start="earliest", on_expired="skip"))
    run_connection(resume, log)
    assert resume.receive(gap_at("bitcoin", 2, "kept"), 0.0) is None  # nothing after 2 is lost
    assert resume.receive(gap_at("litecoin", 9, "kept"), 0.0) is not None
    assert resume.receive(gap_at("litecoin", 9, "kept"), 0.0) is None
    assert resume.receive(gap_at("litecoin", 12, "kept later"), 0.0) is not None


def test_no_chains_gap_is_lost_when_the_connection_ends_between_them() -> None:
    log = make_log(4)
    resume = make_resume(Subscription(start="earliest", on_expired="skip"))
    run_connection(resume, log)
    assert resume.receive(gap_at("bitcoin", 9, "kept"), 0.0) is not None
    assert resume.cursor == log.events[-1].cursor
    resume.lost(Loss("cut"), 0.0)
    resume.connected(0.0)
    assert json.loads(resume.outgoing() or "")["from"] == log.events[-1].cursor


def test_in_a_list_each_gap_moves_its_own_chain() -> None:
    log = make_log(4)
    starts = [log.events[2].cursor, log.events[3].cursor]
    resume = make_resume(make_subscription(CHAINS[:2], None, starts, "skip", None))
    run_connection(resume, log)
    assert resume.receive(gap_at("litecoin", 9, "kept"), 0.0) is not None
    assert resume.cursor == (log.events[2].cursor, "kept")


def test_a_gap_of_a_chain_of_which_nothing_is_kept_is_not_taken_for_a_repeat() -> None:
    log = make_log(4)
    resume = make_resume(Subscription(start="earliest", on_expired="skip"))
    run_connection(resume, log)
    assert resume.receive(gap_at("bitcoin", 0, "kept"), 0.0) is not None
    assert resume.receive(gap_at("bitcoin", 0, "kept"), 0.0) is None
    assert resume.receive(log.events[0].body, 0.0) is None
    later = log.append("bitcoin")
    assert resume.receive(later.body, 0.0) == log.decoded()[4]


def test_history_that_goes_during_replay_is_asked_for_again_where_gaps_are_taken() -> None:
    expired = '{"op":"error","id":1,"code":"cursor_expired","message":"pruned","earliest":"e"}'
    resume = make_resume(Subscription(on_expired="skip"))
    run_connection(resume, make_log(1))
    outcome = resume.receive(expired, 0.0)
    assert isinstance(outcome, Loss)
    assert resume.lost(outcome, 0.0) > 0
    resume = make_resume()
    run_connection(resume, make_log(1))
    with pytest.raises(CursorExpired):
        resume.receive(expired, 0.0)
