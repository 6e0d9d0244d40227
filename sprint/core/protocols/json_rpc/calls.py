"""Calls as bytes, in a batch or one alone, and the one parser of their answers.

Requests carry no version: nodes of the Bitcoin family then answer in JSON-RPC 1.0's form, in which every
answer has a result and an error. Ids tell the answers of a batch apart, as a node may give them in any order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from sprint.core.errors import WireError

OPENINGS_MAX = 512  # brackets in an answer, beside those that each call is given
OPENINGS_BY_CALL_MAX = 64
NESTING_MAX = 32
MESSAGE_LENGTH_MAX = 100  # characters of a node's message that are repeated
MALFORMED_PENALTY = 25
_BRACKET = re.compile(rb"[\[\]{}]")
_INT32_MAX = 2**31 - 1


class Call(msgspec.Struct, frozen=True):
    """One call: a method and its parameters, in order.

    `needed` is false of one that a login may be kept from: there is another way, or none is needed.
    """

    method: str
    parameters: tuple[str | int | bool, ...] = ()
    needed: bool = True


class Failure(msgspec.Struct, frozen=True):
    """A node's refusal of one call. `message` is short and printable."""

    code: int
    message: str


class Refused(msgspec.Struct, frozen=True):
    """A refusal in the place of the answers to a batch: by its HTTP status, or in JSON, where `status` is 0.

    `reason` is short and printable.
    """

    reason: str
    status: int = 0


# What a call gave: its result, still JSON, or why there is none.
Answer = memoryview | Failure


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Reply(msgspec.Struct):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | str | None = None  # a proxy's may be words alone


class _Request(msgspec.Struct):
    id: int
    method: str
    params: tuple[str | int | bool, ...]


_encoder = msgspec.json.Encoder()
_replies = msgspec.json.Decoder(list[_Reply])
_reply = msgspec.json.Decoder(_Reply)


def encode_batch(calls: Sequence[Call], first_id: int) -> bytes:
    """Write calls as one batch, their ids counted from `first_id`."""
    return _encoder.encode(
        [_Request(first_id + n, call.method, call.parameters) for n, call in enumerate(calls)]
    )


def encode_single(call: Call, call_id: int) -> bytes:
    """Write one call that is no batch."""
    return _encoder.encode(_Request(call_id, call.method, call.parameters))


def decode_batch(body: bytes, first_id: int, count: int) -> tuple[Answer, ...] | Refused:
    """Read the answers to `count` calls, in the order of the calls.

    `Refused` where one answer stands for all. Raises WireError, by its kind `malformed`, `nested`,
    `truncated` (fewer answers than calls) or `mismatched` (of other calls).
    """
    check_nesting(body, count)
    try:
        if not body.lstrip().startswith(b"["):
            return _whole_refusal(_reply.decode(body))
        replies = _replies.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_answer(f"an answer that is no batch of JSON-RPC: {short(str(error))}") from error
    if len(replies) == 1 < count and replies[0].error is not None:
        return _whole_refusal(replies[0])
    if len(replies) < count:
        raise malformed_answer(f"{len(replies)} answers to {count} calls", kind="truncated")
    by_id = {reply.id: _answer(reply) for reply in replies}
    try:
        answers = tuple(by_id.pop(first_id + n) for n in range(count))
    except KeyError as error:
        raise malformed_answer(f"no answer to call {error}", kind="mismatched") from error
    if by_id or len(replies) > count:
        raise malformed_answer(f"{len(replies)} answers to {count} calls", kind="mismatched")
    return answers


def decode_single(body: bytes, call_id: int) -> Answer:
    """Read the answer to one call that was no batch; WireError as `decode_batch`.

    A refusal may come without the call's id, where the node could not read as far.
    """
    check_nesting(body, 1)
    try:
        reply = _reply.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_answer(f"an answer that is no JSON-RPC: {short(str(error))}") from error
    if reply.id != call_id and not (reply.id is None and reply.error is not None):
        raise malformed_answer(f"an answer to call {reply.id}, not {call_id}", kind="mismatched")
    return _answer(reply)


def check_nesting(body: bytes, count: int) -> None:
    """Hold an answer's brackets against their limits before anything is built of it; WireError beyond.

    Those in strings count too: a node's own answers have none there.
    """
    openings = body.count(b"[") + body.count(b"{")
    limit = OPENINGS_MAX + OPENINGS_BY_CALL_MAX * count
    if openings > limit:
        raise malformed_answer(f"{openings} lists and objects in an answer, limit {limit}", kind="nested")
    depth = 0
    for bracket in _BRACKET.finditer(body):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > NESTING_MAX:
            raise malformed_answer(f"an answer nested {depth} deep, limit {NESTING_MAX}", kind="nested")


def malformed_answer(message: str, kind: str = "malformed", penalty: int = MALFORMED_PENALTY) -> WireError:
    """Make the error of an answer that is not as it should be; four of them close a session."""
    return WireError(message, kind=kind, penalty=penalty)


def short(message: str) -> str:
    """Cut a foreign message to what may be repeated."""
    shown = "".join(character if character.isprintable() else "?" for character in message)
    return shown if len(shown) <= MESSAGE_LENGTH_MAX else f"{shown[:MESSAGE_LENGTH_MAX]}…"


def _answer(reply: _Reply) -> Answer:
    error = reply.error
    if error is None:
        return memoryview(reply.result)
    if isinstance(error, str):
        return Failure(0, short(error))
    return Failure(max(-_INT32_MAX, min(error.code, _INT32_MAX)), short(error.message))


def _whole_refusal(reply: _Reply) -> Refused:
    answer = _answer(reply)
    if isinstance(answer, Failure):
        return Refused(f"{answer.message} ({answer.code})")
    return Refused("one answer to all")
