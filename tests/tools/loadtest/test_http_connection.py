"""A connection sends every byte of each request in order, whenever there is room, and loses no answer."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from sprint.tools.loadtest.http_connection import HEAD_SIZE_MAX, READ_SIZE, HttpConnection, KnownAnswers
from sprint.tools.loadtest.moments import clock_ns
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

    def __init__(self, *, is_head: bool = False) -> None:
        near, self.far = socket.socketpair()
        for end in (near, self.far):
            end.settimeout(0)
        self.told = Told()
        self.answers = ReadySet()
        self.known = KnownAnswers()
        self.connection = HttpConnection(self.told, near, self.answers, self.known, is_head=is_head)

    def answer(self, *reads: bytes) -> list[str]:
        """Ask, answer in so many reads, and return what was told."""
        self.connection.send(b"GET /", 0, clock_ns())
        for data in reads:
            self.far.send(data)
            self.serve()
        return self.told.lines

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

    def close(self) -> None:
        if not self.connection.closed:
            self.connection.abort()
        self.answers.close()
        self.far.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@pytest.fixture
def ends_of_head() -> Iterator[Ends]:
    """Of requests by HEAD."""
    made = Ends(is_head=True)
    yield made
    made.close()


def test_a_request_larger_than_there_is_room_for_goes_out_whole(ends: Ends) -> None:
    ends.connection.send(LARGE, 0, clock_ns())
    assert ends.read(len(LARGE)) == LARGE
    ends.far.send(OK)
    ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"]


def test_a_request_follows_one_that_was_answered_before_it_had_left_whole(ends: Ends) -> None:
    ends.connection.send(LARGE, 0, clock_ns())
    ends.far.send(OK)
    ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"]
    ends.connection.send(b"GET /second", 0, clock_ns())
    assert ends.read(len(LARGE) + 11) == LARGE + b"GET /second"


def test_once_all_has_left_nobody_watches_for_room_any_more(ends: Ends) -> None:
    """A socket that has room is ready all the time: the generator would do nothing else."""
    ends.connection.send(LARGE, 0, clock_ns())
    ends.read(len(LARGE))
    ends.serve()
    assert ends.answers.serve() == 0


def test_an_answer_of_many_reads_is_one_answer(ends: Ends) -> None:
    body = bytes(10 * READ_SIZE)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    ends.connection.send(b"GET /", 0, clock_ns())
    for start in range(0, len(answer), READ_SIZE):
        ends.far.send(answer[start : start + READ_SIZE])
        ends.serve()
    assert ends.told.lines == [f"200, {len(answer)} bytes"]


def test_an_answer_counts_alike_however_often_it_came_before(ends: Ends) -> None:
    for _ in range(3):
        ends.connection.send(b"GET /", 0, clock_ns())
        ends.far.send(OK)
        ends.serve()
    assert ends.told.lines == [f"200, {len(OK)} bytes"] * 3


def test_what_is_sent_to_nobody_is_told_as_lost_when_it_is_read_for(ends: Ends) -> None:
    """The owner must not hear of it within its own call: it has not counted the request yet."""
    ends.far.close()
    ends.connection.send(b"GET /", 0, clock_ns())
    assert ends.told.lines == []
    ends.serve()
    assert ends.told.lines == ["reset", "gone"]
    assert len(ends.answers) == 0


def test_an_idle_connection_that_is_closed_is_gone_and_no_failure(ends: Ends) -> None:
    ends.far.close()
    ends.serve()
    assert (ends.told.lines, ends.connection.closed) == (["gone"], True)


def test_one_that_is_aborted_amid_what_is_ready_is_not_called_any_more(ends: Ends) -> None:
    ends.connection.send(b"GET /", 0, clock_ns())
    ends.far.send(OK)
    ends.connection.abort()
    ends.serve()
    assert ends.told.lines == []


def test_another_protocol_that_nobody_asked_for_is_a_bad_answer_and_no_traceback(ends: Ends) -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert ends.answer(switch) == ["bad_answer", "gone"]


def head_of(size: int) -> bytes:
    """Return the head of an answer of two bytes, so large."""
    start, end = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: ", b"\r\n\r\n"
    return start + b"a" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("piece", [1_000, READ_SIZE, 1 << 20])
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_how_large_a_head_may_be_does_not_depend_on_how_its_reads_fall(
    ends: Ends, piece: int, before: bytes
) -> None:
    """One byte too many passed where its last bytes came in one read with the end."""
    whole = f"200, {HEAD_SIZE_MAX + 2} bytes"
    for size, told in ((HEAD_SIZE_MAX, whole), (HEAD_SIZE_MAX + 1, "bad_answer")):
        answer = before + head_of(size - len(before)) + b"ok"
        ends.told.lines.clear()
        parts = [answer[start : start + piece] for start in range(0, len(answer), piece)]
        assert ends.answer(*parts)[0] == told


@pytest.mark.parametrize(
    "body", [b"Transfer-Encoding: chunked", b"content-length: 7\r\n", b"\r\n\r\nchunked"]
)
def test_a_body_that_ends_with_its_connection_may_speak_of_lengths_and_chunks(
    ends: Ends, body: bytes
) -> None:
    """What its headers say was looked for in its body too, and it was a failure."""
    answer = b"HTTP/1.1 200 OK\r\nServer: chunked\r\n\r\n" + body
    assert ends.answer(answer) == []
    ends.far.shutdown(socket.SHUT_WR)
    ends.serve()
    assert ends.told.lines == [f"200, {len(answer)} bytes", "gone"]


@pytest.mark.parametrize("line", [b"content-length: 9", b"Transfer-Encoding: gzip, Chunked"])
def test_an_answer_cut_short_of_what_its_headers_say_is_a_failure(ends: Ends, line: bytes) -> None:
    assert ends.answer(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n") == []
    ends.far.shutdown(socket.SHUT_WR)
    ends.serve()
    assert ends.told.lines == ["closed", "gone"]


@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_what_came_before_an_answer_is_no_part_of_its_head(ends: Ends, piece: int) -> None:
    """The example of a 500 said `HTTP/1.1 100 Continue`."""
    head = b"HTTP/1.1 500 No\r\nContent-Length: 13\r\n\r\n"
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    answer = b"HTTP/1.1 100 Continue\r\n\r\n" + early + head + b"Retry-After: "[:13]
    parts = [answer[start : start + piece] for start in range(0, len(answer), piece)]
    assert ends.answer(*parts) == [f"500, {len(answer)} bytes"]
    assert ends.connection.head == head


FOLLOWED_BY = {
    "another": b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    "the beginning of another": b"HTTP/1.1 50",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "nonsense": b"SSH-2.0",
}


@pytest.mark.parametrize("more", FOLLOWED_BY.values(), ids=FOLLOWED_BY)
@pytest.mark.parametrize("is_in_one_read", [True, False])
def test_an_answer_is_counted_as_itself_whatever_follows_it_and_the_connection_ends(
    ends: Ends, more: bytes, is_in_one_read: object
) -> None:
    """A 200 that a 500 followed in the same read was counted as a 500."""
    reads = (OK + more,) if is_in_one_read else (OK, more)
    received = len(OK + more) if is_in_one_read else len(OK)
    assert ends.answer(*reads) == [f"200, {received} bytes", "gone"]


def test_two_answers_in_one_read_are_not_known_as_one_later(ends: Ends) -> None:
    ends.answer(OK + OK)
    assert ends.known.by_size == {}


def test_a_body_that_head_did_not_ask_for_is_not_taken_for_the_next_answer(ends_of_head: Ends) -> None:
    assert ends_of_head.answer(OK) == [f"200, {len(OK)} bytes", "gone"]


def test_head_keeps_its_connection(ends_of_head: Ends) -> None:
    head = OK.removesuffix(b"ok")
    for _ in range(3):
        ends_of_head.answer(head)
    assert ends_of_head.told.lines == [f"200, {len(head)} bytes"] * 3
