"""A connection sends every byte of each request in order, whenever there is room, and loses no answer."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from sprint.tools.loadtest.http_connection import READ_SIZE, HttpConnection, KnownAnswers
from sprint.tools.loadtest.ready_set import ReadySet

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = b"POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n" + bytes(range(250)) * 16_000
ROUNDS_MAX = 100_000


class Told:
    """What the connection tells its owner."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def answered(self, connection: HttpConnection, status: int, done_ns: int) -> None:
        assert done_ns >= connection.sent_ns
        self.lines.append(f"{status}, {connection.received} bytes")

    def broken(self, connection: HttpConnection, kind: str) -> None:
        self.lines.append(kind)

    def gone(self, connection: HttpConnection) -> None:
        self.lines.append("gone")


class Ends:
    """A connection, what it tells, and the server's end of it."""

    def __init__(self) -> None:
        near, self.far = socket.socketpair()
        for end in (near, self.far):
            end.settimeout(0)
        self.told = Told()
        self.answers = ReadySet()
        self.connection = HttpConnection(self.told, near, self.answers, KnownAnswers())

    def serve(self) -> None:
        """Serve until nothing is ready."""
        for _ in range(ROUNDS_MAX):
            if not self.answers.serve():
                return
        raise AssertionError("a connection stays ready for something that it doesn't do")

    def read(self, size: int) -> bytes:
        """Read so many bytes at the server's end, while the connection is served."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < size:
            self.answers.serve()
            if not select.select([self.far], [], [], 10)[0]:
                raise AssertionError(f"{sum(map(len, parts))} of {size} bytes came")
            parts.append(self.far.recv(1 << 20))
        return b"".join(parts)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    if not made.connection.closed:
        made.connection.abort()
    made.answers.close()
    made.far.close()


def test_a_request_larger_than_there_is_room_for_goes_out_whole(ends: Ends) -> None:
    ends.connection.send(LARGE, 0)
    assert ends.read(len(LARGE)) == LARGE
    ends.far.send(OK)
    ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"]


def test_a_request_follows_one_that_was_answered_before_it_had_left_whole(ends: Ends) -> None:
    ends.connection.send(LARGE, 0)
    ends.far.send(OK)
    ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"]
    ends.connection.send(b"GET /second", 0)
    assert ends.read(len(LARGE) + 11) == LARGE + b"GET /second"


def test_once_all_has_left_nobody_watches_for_room_any_more(ends: Ends) -> None:
    """A socket that has room is ready all the time: the generator would do nothing else."""
    ends.connection.send(LARGE, 0)
    ends.read(len(LARGE))
    ends.serve()
    assert ends.answers.serve() == 0


def test_an_answer_of_many_reads_is_one_answer(ends: Ends) -> None:
    body = bytes(10 * READ_SIZE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    ends.connection.send(b"GET /", 0)
    for start in range(0, len(answer), READ_SIZE):
        ends.far.send(answer[start : start + READ_SIZE])
        ends.serve()
    assert ends.told.lines == [f"200, {len(answer)} bytes"]


def test_an_answer_counts_alike_however_often_it_came_before(ends: Ends) -> None:
    for _ in range(3):
        ends.connection.send(b"GET /", 0)
        ends.far.send(OK)
        ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"] * 3


def test_what_is_sent_to_nobody_is_told_as_lost_when_it_is_read_for(ends: Ends) -> None:
    """The owner must not hear of it within its own call: it has not counted the request yet."""
    ends.far.close()
    ends.connection.send(b"GET /", 0)
    assert ends.told.lines == []
    ends.serve()
    assert ends.told.lines == ["reset", "gone"]
    assert len(ends.answers) == 0


def test_an_idle_connection_that_is_closed_is_gone_and_no_failure(ends: Ends) -> None:
    ends.far.close()
    ends.serve()
    assert (ends.told.lines, ends.connection.closed) == (["gone"], True)


def test_one_that_is_aborted_amid_what_is_ready_is_not_called_any_more(ends: Ends) -> None:
    ends.connection.send(b"GET /", 0)
    ends.far.send(OK)
    ends.connection.abort()
    ends.serve()
    assert ends.told.lines == []
