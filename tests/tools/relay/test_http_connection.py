"""Answers come whole however they are cut, none is read beyond its limit, and what is no HTTP ends it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.tools.relay.sources.http_connection import HEADERS_SIZE_MAX, HttpAnswer, HttpConnection

SIZE_MAX = 1_000


class SpyOwner:
    def __init__(self) -> None:
        self.answers: list[HttpAnswer] = []
        self.sizes: list[int] = []
        self.endings: list[tuple[str, bool]] = []

    def answered(self, answer: HttpAnswer) -> None:
        self.answers.append(answer)

    def too_large(self, size: int) -> None:
        self.sizes.append(size)

    def ended(self, reason: str, *, malformed: bool) -> None:
        self.endings.append((reason, malformed))


class SpyTransport:
    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def asked(authorization: str = "") -> tuple[HttpConnection, SpyOwner, SpyTransport]:
    """A connection that waits for an answer."""
    owner, transport = SpyOwner(), SpyTransport()
    connection = HttpConnection("node:8332", authorization, owner)
    connection.connection_made(cast("asyncio.BaseTransport", transport))
    connection.post(b"[]", SIZE_MAX)
    return connection, owner, transport


def answer_of(body: bytes, *headers: str, status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_request_says_what_a_node_wants() -> None:
    _, _, transport = asked("Basic abc")
    head, _, body = transport.written.partition(b"\r\n\r\n")
    assert body == b"[]"
    assert head.split(b"\r\n") == [
        b"POST / HTTP/1.1",
        b"Host: node:8332",
        b"Authorization: Basic abc",
        b"Content-Type: application/json",
        b"Content-Length: 2",
    ]


@given(
    body=st.binary(max_size=SIZE_MAX), cuts=st.lists(st.integers(0, SIZE_MAX + 100)), chunked=st.booleans()
)
def test_an_answer_comes_whole_however_it_is_cut(body: bytes, cuts: list[int], *, chunked: bool) -> None:
    raw = answer_of(body)
    if chunked:
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw += (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    connection, owner, _ = asked()
    edges = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    for start, end in pairwise(edges):
        connection.data_received(raw[start:end])
    assert [(a.status, a.body, a.keeps) for a in owner.answers] == [(200, body, True)]
    assert owner.endings == []
    connection.post(b"[]", SIZE_MAX)
    connection.data_received(answer_of(b"next"))
    assert owner.answers[-1].body == b"next"


@pytest.mark.parametrize("stated", [True, False])
def test_an_answer_is_read_up_to_its_limit_and_no_further(*, stated: bool) -> None:
    def answer(size: int) -> bytes:
        if stated:
            return answer_of(b"a" * size)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            size,
            b"a" * size,
        )

    connection, owner, _ = asked()
    connection.data_received(answer(SIZE_MAX))
    assert len(owner.answers[0].body) == SIZE_MAX
    connection, owner, transport = asked()
    connection.data_received(answer(SIZE_MAX + 1))
    assert (owner.answers, owner.sizes, transport.aborted) == ([], [SIZE_MAX + 1], True)
    connection.connection_lost(None)
    assert owner.endings == []


def test_an_answer_that_says_it_is_too_large_is_not_waited_for() -> None:
    connection, owner, transport = asked()
    connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**12)
    assert owner.sizes == [10**12]
    assert transport.aborted


def test_headers_are_read_up_to_their_limit() -> None:
    connection, owner, _ = asked()
    line = b"X-Filler: " + b"a" * 90 + b"\r\n"
    connection.data_received(b"HTTP/1.1 200 OK\r\n")
    for _ in range(HEADERS_SIZE_MAX // len(line) + 1):
        connection.data_received(line)
    ((reason, malformed),) = owner.endings
    assert reason.startswith("headers of ")
    assert malformed


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("f9beb4d9") + b"version\0\0\0\0\0",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        answer_of(b"one") + answer_of(b"two"),
    ],
)
def test_what_is_no_answer_ends_the_connection(data: bytes) -> None:
    connection, owner, transport = asked()
    connection.data_received(data)
    assert owner.answers == []
    assert [malformed for _, malformed in owner.endings] == [True]
    assert transport.aborted


def test_what_was_not_asked_for_ends_the_connection() -> None:
    connection, owner, _ = asked()
    connection.data_received(answer_of(b""))
    connection.data_received(b"more")
    assert owner.endings == [("the node sends what was not asked for", True)]


def test_what_comes_before_the_answer_is_passed_over() -> None:
    connection, owner, _ = asked()
    connection.data_received(b"HTTP/1.1 100 Continue\r\n\r\n" + answer_of(b"body"))
    assert [answer.body for answer in owner.answers] == [b"body"]


def test_a_node_that_closes_after_each_answer_says_so() -> None:
    connection, owner, transport = asked()
    connection.data_received(answer_of(b"body", "Connection: close"))
    assert [(a.body, a.keeps) for a in owner.answers] == [(b"body", False)]
    assert transport.aborted
    connection.connection_lost(None)
    assert owner.endings == []


def test_a_connection_that_is_lost_is_told_once() -> None:
    connection, owner, _ = asked()
    connection.connection_lost(ConnectionResetError("reset"))
    connection.connection_lost(None)
    assert owner.endings == [("reset", False)]
    connection.post(b"[]", SIZE_MAX)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_any_bytes_are_answers_or_end_the_connection(parts: list[bytes]) -> None:
    connection, owner, transport = asked()
    for part in parts:
        connection.data_received(part)
    assert len(owner.endings) <= 1
    assert transport.aborted == bool(owner.endings or owner.sizes or any(not a.keeps for a in owner.answers))
