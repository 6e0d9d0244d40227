"""What is sent and taken many at a time comes out as it does one by one."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import Segment
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording, Totals
from sprint.tools.loadtest.http_connection import HttpConnection
from sprint.tools.loadtest.http_generator import HttpGenerator
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.request_template import RequestForm
from tests.tools.loadtest.one_run import http, kinds
from tests.tools.loadtest.small_server import OK

CONNECTIONS = 12  # more than are served at a time
NO = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"
LONGER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 + len(OK))


class Ends:
    """A generator with all connections that it may have, and the server's ends of them, in the same order."""

    def __init__(self, *forms: RequestForm) -> None:
        self._recorder = Recorder()
        outcomes = Outcomes(self._recorder)
        made = http("http://127.0.0.1:1/", *forms, workers_max=CONNECTIONS)(outcomes)
        assert isinstance(made, HttpGenerator)
        self.generator = made
        self.exchange = made._exchange
        self.begun_ns = clock_ns()
        outcomes.begin(self.begun_ns)
        self.far: list[socket.socket] = []
        self.near: list[HttpConnection] = []
        for _ in range(CONNECTIONS):
            near, far = socket.socketpair()
            for end in (near, far):
                end.settimeout(0)
            connection = HttpConnection(made, near, made.answers, self.exchange.known)
            made._open.add(connection)
            self.exchange.add(connection)
            self.near.append(connection)
            self.far.append(far)
        # The last one is taken first.
        self.exchange.free += reversed(self.near)

    def send(self, count: int) -> None:
        self.generator.send(0, 1, [self.begun_ns] * count)

    def serve(self) -> None:
        while self.generator.answers.serve():
            pass

    def asked(self, number: int) -> bytes:
        """Return what a server's end was asked so far; empty where it was not."""
        try:
            return self.far[number].recv(65_536)
        except BlockingIOError:
            return b""

    def recording(self) -> Recording:
        made = Recording((Segment(SECOND_NS, 1, 1),))
        for cell in self._recorder.cells(clock_ns() - self.begun_ns, last=True):
            made.add(cell)
        return made

    def totals(self) -> Totals:
        return self.recording().totals(SECOND_NS)

    def close(self) -> None:
        for connection in self.near:
            if not connection.closed:
                connection.abort()
        self.generator.answers.close()
        for far in self.far:
            far.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def test_each_of_many_goes_over_a_connection_of_its_own_and_the_others_wait(ends: Ends) -> None:
    ends.send(CONNECTIONS + 3)
    assert [ends.asked(number).count(b"GET / ") for number in range(CONNECTIONS)] == [1] * CONNECTIONS
    assert (ends.exchange.in_flight, ends.generator.pending) == (CONNECTIONS, CONNECTIONS + 3)
    for far in ends.far:
        far.send(OK)
    ends.serve()
    assert sum(bool(ends.asked(number)) for number in range(CONNECTIONS)) == 3
    for far in ends.far:
        far.send(OK)  # nine have not been asked: what they say is no answer
    ends.serve()
    totals = ends.totals()
    assert (totals.begun, totals.successes, totals.failures) == (CONNECTIONS + 3, CONNECTIONS + 3, 0)
    assert ends.generator.pending == 0
    assert totals.worker_wait is not None
    assert totals.bytes_in == (CONNECTIONS + 3) * len(OK)


def test_numbers_go_on_where_some_of_a_call_had_to_wait() -> None:
    ends = Ends(RequestForm(path="/{n}"))
    try:
        ends.generator.send(100, 7, [ends.begun_ns] * (CONNECTIONS + 2))
        paths = [ends.asked(number).split()[1] for number in range(CONNECTIONS)]
        for far in ends.far[:2]:
            far.send(OK)
        ends.serve()
        paths += [asked.split()[1] for number in range(CONNECTIONS) if (asked := ends.asked(number))]
        assert sorted(paths) == sorted(b"/%d" % (100 + 7 * place) for place in range(CONNECTIONS + 2))
    finally:
        ends.close()


def test_a_free_connection_that_has_closed_is_passed_over(ends: Ends) -> None:
    ends.near[0].abort()
    ends.near[2].abort()
    ends.send(2)
    assert ends.exchange.in_flight == 2
    assert [bool(ends.asked(number)) for number in (1, 3)] == [True, True]


def test_a_known_answer_that_nobody_asked_for_is_no_success(ends: Ends) -> None:
    ends.exchange.known.learn(OK)
    ends.far[5].send(OK)
    ends.serve()
    assert ends.near[5].closed
    assert (ends.totals().successes, ends.exchange.in_flight) == (0, 0)


def test_the_rest_of_a_longer_answer_is_not_known_as_one_by_itself(ends: Ends) -> None:
    """A body may hold an answer as it has been read before."""
    ends.exchange.known.learn(OK)
    ends.send(1)
    for part in (LONGER, OK, b"ok"):
        assert ends.totals().successes == 0
        ends.far[0].send(part)
        ends.serve()
    totals = ends.totals()
    assert (totals.successes, totals.bytes_in) == (1, len(LONGER + OK) + 2)


def test_whatever_comes_together_each_is_counted_as_itself(ends: Ends, seed: int) -> None:
    """Answers known and new, refusals and ends, in one read of the set each, in any order."""
    rng = random.Random(f"{seed}/exchange")
    counts = {"OK": 0, "503": 0, "closed": 0}
    ends.exchange.known.learn(OK)
    for _ in range(20):
        open_count = len(ends.exchange.free)
        ends.send(open_count)
        assert ends.exchange.in_flight == open_count
        for connection, far in zip(ends.near, ends.far, strict=True):
            if not connection.closed:
                kind = rng.choices(("OK", "503", "closed"), (20, 6, 1))[0]
                counts[kind] += 1
                if kind == "closed":
                    far.close()
                else:
                    far.send(OK if kind == "OK" else NO)
        ends.serve()
        assert ends.exchange.in_flight == 0
    recording = ends.recording()
    found = {"OK": recording.totals(SECOND_NS).successes, "503": 0, "closed": 0, **kinds(recording)}
    assert found.pop("reset", 0) + found.pop("closed") == counts.pop("closed")
    assert found == counts


def test_answers_of_one_call_are_in_one_second() -> None:
    """They count together, also where a second ends amid them."""
    recorder = Recorder()
    recorder.began_together([1, 2, 3], SECOND_NS - 1, 10)
    recorder.began_together([4, 5], SECOND_NS + 1, 20)
    recorder.succeeded_together([7, 8], [6, 7], SECOND_NS + 2, 5)
    made = Recording((Segment(2 * SECOND_NS, 1, 1),))
    for cell in recorder.cells(2 * SECOND_NS, last=True):
        made.add(cell)
    made.finish(2 * SECOND_NS)
    assert [(point.begun, point.successes) for point in made.points()] == [(3, 0), (2, 2)]
    assert made.totals(2 * SECOND_NS).bytes_out == 30
