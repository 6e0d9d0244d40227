"""The parsers of what nodes send over JSON-RPC, HTTP and ZMQ: with raw bytes, and well framed.

Well framed: answers are given the ids that were asked for, messages their three parts, so that what lies
behind the first checks is reached too. An HTTP answer is read in pieces, as a socket gives it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import cast

from sprint.core.chains.bitcoin import CHAIN
from sprint.core.errors import WireError
from sprint.core.protocols.announcements import BlockArrived
from sprint.core.protocols.json_rpc.calls import Answer, Failure, Refused, decode_batch, decode_single
from sprint.core.protocols.json_rpc.lane import Lane
from sprint.core.protocols.json_rpc.results import (
    ChainInfo,
    NetworkInfo,
    read,
    read_block,
    read_hash,
    read_header_height,
    read_height,
    read_publishing,
    read_tip,
)
from sprint.core.protocols.json_rpc.session import RpcSession
from sprint.core.protocols.json_rpc.settings import RpcSettings
from sprint.core.protocols.zmq.frames import PARTS, TOPICS, decode_message
from sprint.core.protocols.zmq.session import SCORE_MAX, ZmqSession
from sprint.tools.relay.sources.http_connection import HttpAnswer, HttpConnection
from tests.fuzz.driver import Parser
from tests.fuzz.mutators import BYTES, JSON

REGTEST = CHAIN.networks["regtest"]
MIB = 1 << 20
CALLS = 3
ROUNDS = 6
BODY_SIZE_MAX = 4_096
PIECE_SIZES = (1, 7, 64, 1_000, 1 << 20)
READERS = (
    lambda result: read(result, ChainInfo, "getblockchaininfo"),
    lambda result: read(result, NetworkInfo, "getnetworkinfo"),
    lambda result: read_height(result, "getblockcount"),
    lambda result: read_hash(result, "getblockhash"),
    lambda result: read_tip(result, "waitforblockheight"),
    lambda result: read_block(result, REGTEST.genesis_hash, "getblock"),
    read_header_height,
    read_publishing,
)


def rpc_answer(data: bytes) -> str:
    """An answer to a batch, or to a call alone; whatever results it has go through every reader."""
    try:
        answers = decode_batch(data, 1, CALLS)
    except WireError as error:
        answers = (decode_single(data, 1),) if error.kind == "malformed" else Refused(error.kind)
    if isinstance(answers, Refused):
        assert len(answers.reason) < 200
        return "refused"
    assert len(answers) in (1, CALLS)
    return " ".join(sorted({_read_by_all(each) for each in answers}))


def _read_by_all(answer: Answer) -> str:
    if isinstance(answer, Failure):
        assert len(answer.message) < 200
        return "failure"
    taken = 0
    for reader in READERS:
        try:
            reader(answer)
        except WireError:
            continue
        taken += 1
    return "a result" if taken else "no result"


def rpc_session(data: bytes) -> str:
    """A session whose requests are answered by one body after another, their ids made right."""
    bodies = iter(_bodies(data))

    def answer(request: bytes) -> bytes | None:
        body = next(bodies, None)
        return None if body is None else _framed(body, request)

    return converse(answer)


def converse(answer: Callable[[bytes], bytes | None]) -> str:
    """Let a session ask for all that it can until there is no answer; return what it told and how it is."""
    session = RpcSession(REGTEST, RpcSettings(), source="n", now=0.0)
    told: set[str] = set()
    for number in range(ROUNDS):
        now = float(number)
        session.request_headers([REGTEST.genesis_hash])
        session.request_blocks([REGTEST.genesis_hash], now)
        if number == 0:
            session.request_publishing()
        for lane in Lane:
            request = session.data_to_send(lane, now)
            body = answer(request.body) if request is not None else None
            if body is not None:
                told |= {type(each).__name__ for each in session.receive_answer(lane, 200, body, now)}
        session.handle_timer(now)
    told.add("closed" if session.closed else "open")
    return " ".join(sorted(told))


def _bodies(data: bytes) -> list[object]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return [data]
    return found if isinstance(found, list) else [found]


def _framed(body: object, request: bytes) -> bytes:
    """Return a body with the ids that a request asks for, and as a batch where it is one."""
    if isinstance(body, bytes):
        return body
    asked = json.loads(request)
    if isinstance(asked, dict):
        answer = body[0] if isinstance(body, list) and body else body
        return json.dumps(answer | {"id": asked["id"]} if isinstance(answer, dict) else answer).encode()
    if isinstance(body, list):
        ids = [each["id"] for each in asked]
        body = [a | {"id": i} if isinstance(a, dict) else a for a, i in zip(body, ids, strict=False)]
    return json.dumps(body).encode()


class _Owner:
    """Takes what comes of a connection, and holds it to what it is promised."""

    def __init__(self) -> None:
        self.told = ""

    def answered(self, answer: HttpAnswer) -> None:
        assert len(answer.body) <= BODY_SIZE_MAX
        self._tell(f"status {answer.status // 100}xx")

    def too_large(self, size: int) -> None:
        assert size > BODY_SIZE_MAX
        self._tell("too large")

    def ended(self, reason: str, *, malformed: bool) -> None:
        assert 0 < len(reason) < 300
        if not self.told.startswith("status"):  # an answer may be followed by what was not asked for
            self._tell("malformed" if malformed else "ended")

    def _tell(self, what: str) -> None:
        assert not self.told, f"{what} after {self.told}"
        self.told = what


class _Transport:
    def write(self, data: bytes) -> None:
        assert data.startswith(b"POST / HTTP/1.1\r\n")

    def abort(self) -> None:
        """The connection takes nothing more after it."""


def http_answer(data: bytes) -> str:
    """The first byte says in which pieces the rest comes."""
    owner = _Owner()
    connection = HttpConnection("node:1", "", owner)
    connection.connection_made(cast("asyncio.BaseTransport", _Transport()))
    connection.post(b"[]", BODY_SIZE_MAX)
    step = PIECE_SIZES[data[0] % len(PIECE_SIZES)] if data else 1
    for at in range(1, len(data), step):
        connection.data_received(data[at : at + step])
    return owner.told or "waits"


def zmq_parts(data: bytes) -> str:
    """Any number of parts: each behind its length in two bytes."""
    parts, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "little")
        parts.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return f"read {decode_message(parts).topic}"


def zmq_session(data: bytes) -> str:
    """Messages of three parts: topic and payload's size in a byte each, the number in four."""
    session = ZmqSession("n")
    told, at = set(), 0
    while at < len(data) and session.closed is None:
        topic, size = TOPICS[data[at] % len(TOPICS)], data[at + 1] if at + 1 < len(data) else 0
        number, payload = data[at + 2 : at + 6], data[at + 6 : at + 6 + size]
        at += 6 + size
        for each in session.receive([topic.encode(), payload, number], float(at)):
            assert not isinstance(each, BlockArrived) or each.raw
            told.add(type(each).__name__)
    assert session.messages >= sum(session.counts.values()) - session.counts["restarted"] >= 0
    assert (session.score >= SCORE_MAX) == (session.closed is not None)
    assert PARTS == 3
    return " ".join(sorted(told)) or "silent"


SHARE = 0.2  # of the time of a block's parser: these are small
SOURCE_PARSERS = (
    Parser("rpc_answer", rpc_answer, JSON, 20, MIB, SHARE),
    Parser("rpc_session", rpc_session, JSON, 100, 2 * MIB, SHARE),
    Parser("http_answer", http_answer, BYTES, 100, MIB, SHARE),
    Parser("zmq_parts", zmq_parts, BYTES, 10, MIB, SHARE),
    Parser("zmq_session", zmq_session, BYTES, 10, MIB, SHARE),
)
