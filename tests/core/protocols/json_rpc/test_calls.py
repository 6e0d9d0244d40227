"""A batch's answer is read whole and in the calls' order, or refused by kind, whatever it is."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.protocols.json_rpc.calls import (
    MESSAGE_LENGTH_MAX,
    NESTING_MAX,
    OPENINGS_BY_CALL_MAX,
    OPENINGS_MAX,
    Call,
    Failure,
    Refused,
    check_nesting,
    decode_batch,
    decode_single,
    encode_batch,
    encode_single,
)


def reply(number: int, result: object = None, error: object = None) -> dict[str, Any]:
    return {"id": number, "result": result, "error": error}


def decoded(replies: object, first_id: int = 1, count: int = 1) -> list[object]:
    answers = decode_batch(json.dumps(replies).encode(), first_id, count)
    assert not isinstance(answers, Refused)
    return [each if isinstance(each, Failure) else json.loads(bytes(each)) for each in answers]


def kind_of(body: bytes, count: int = 1) -> str:
    with pytest.raises(WireError) as refused:
        decode_batch(body, 1, count)
    return refused.value.kind


OUTCOMES = {"read", "refused", "malformed", "nested", "truncated", "mismatched"}


def outcome_of(body: bytes, count: int) -> str:
    try:
        answers = decode_batch(body, 1, count)
    except WireError as error:
        return error.kind
    if isinstance(answers, Refused):
        return "refused"
    return "read" if len(answers) == count else "too few"


def test_a_batch_is_what_nodes_take() -> None:
    body = encode_batch([Call("getblockhash", (0,)), Call("getblock", ("ab", False))], 7)
    assert json.loads(body) == [
        {"id": 7, "method": "getblockhash", "params": [0]},
        {"id": 8, "method": "getblock", "params": ["ab", False]},
    ]


@given(st.integers(1, 40), st.integers(0, 2**31), st.randoms())
def test_answers_in_any_order_come_in_the_order_of_the_calls(
    count: int, first_id: int, rng: random.Random
) -> None:
    replies = [reply(first_id + n, result=n) for n in range(count)]
    rng.shuffle(replies)
    assert decoded(replies, first_id, count) == list(range(count))


def test_a_refused_call_stands_beside_those_that_were_answered() -> None:
    replies = [reply(1, 5), reply(2, error={"code": -5, "message": "Block not found"})]
    assert decoded(replies, count=2) == [5, Failure(-5, "Block not found")]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error":{"code":-32700,"message":"Parse error"},"id":null}', "Parse error (-32700)"),
        (b'{"error":"batches are off"}', "batches are off (0)"),
        (b'[{"error":{"code":-32600,"message":"too many"},"id":null}]', "too many (-32600)"),
        (b'{"id":1,"result":5}', "one answer to all"),
        (b"{}", "one answer to all"),
    ],
)
def test_one_answer_in_place_of_a_batchs_refuses_the_batch(body: bytes, reason: str) -> None:
    assert decode_batch(body, 1, 2) == Refused(reason)


def test_a_call_alone_is_no_batch_and_its_answer_neither() -> None:
    assert json.loads(encode_single(Call("getblockhash", (0,)), 7)) == {
        "id": 7,
        "method": "getblockhash",
        "params": [0],
    }
    assert decode_single(b'{"id":7,"result":5}', 7) == memoryview(b"5")
    assert decode_single(b'{"id":null,"error":{"code":-1,"message":"no"}}', 7) == Failure(-1, "no")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b'[{"id":7,"result":5}]', "malformed"),
        (b'{"id":8,"result":5}', "mismatched"),
        (b'{"result":5}', "mismatched"),
        (b"[" * 500, "nested"),
    ],
)
def test_what_is_no_answer_to_a_call_alone_is_refused_by_kind(body: bytes, kind: str) -> None:
    with pytest.raises(WireError) as refused:
        decode_single(body, 7)
    assert refused.value.kind == kind


def test_a_foreign_message_is_cut_and_printable() -> None:
    (failure,) = decoded([reply(1, error={"code": 1, "message": "\x1b[2J" + "a" * 5_000})])
    assert isinstance(failure, Failure)
    assert len(failure.message) <= MESSAGE_LENGTH_MAX + 1
    assert failure.message.isprintable()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "malformed"),
        (b"<html>502</html>", "malformed"),
        (b"[", "malformed"),
        (b'[{"id":"1","result":5}]', "malformed"),
        (b"[1]", "malformed"),
        (b"[]", "truncated"),
        (b'[{"id":2,"result":5}]', "mismatched"),
        (b'[{"id":1,"result":5},{"id":2,"result":5}]', "mismatched"),
        (b'[{"id":1,"result":5},{"id":1,"result":5}]', "mismatched"),
    ],
)
def test_an_answer_that_is_none_is_refused_by_kind(body: bytes, kind: str) -> None:
    assert kind_of(body) == kind


def test_nesting_is_taken_up_to_its_limit_and_refused_one_deeper() -> None:
    def nested(depth: int) -> bytes:
        # Two levels are those of the batch and of the answer itself.
        return b'[{"id":1,"result":%b%b}]' % (b"[" * (depth - 2), b"]" * (depth - 2))

    assert outcome_of(nested(NESTING_MAX), 1) == "read"
    assert kind_of(nested(NESTING_MAX + 1)) == "nested"
    assert kind_of(nested(400)) == "nested"


def test_lists_and_objects_are_taken_up_to_their_limit_and_refused_above() -> None:
    limit = OPENINGS_MAX + OPENINGS_BY_CALL_MAX
    check_nesting(b"[]" * limit, 1)
    with pytest.raises(WireError, match=f"limit {limit}"):
        check_nesting(b"[]" * (limit + 1), 1)


@given(st.binary(max_size=200), st.integers(1, 3))
def test_any_bytes_are_read_or_refused_and_nothing_else(body: bytes, count: int) -> None:
    assert outcome_of(body, count) in OUTCOMES


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s))
)
def test_any_json_is_read_or_refused_and_nothing_else(value: object) -> None:
    for body in (value, [value], [{"id": 1, "result": value}], [{"id": 1, "error": value}]):
        assert outcome_of(json.dumps(body).encode(), 1) in OUTCOMES
