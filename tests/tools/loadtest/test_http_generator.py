"""Requests leave on schedule whatever the answers do, and each is counted as what became of it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import Segment
from sprint.tools import runtime
from sprint.tools.loadtest.http_generator import HttpGenerator
from sprint.tools.loadtest.request_template import RequestForm
from tests.tools.loadtest.one_run import OneRun, for_a_tenth_of_a_second, for_half_a_second, http, kinds
from tests.tools.loadtest.small_server import (
    OK,
    Behaviour,
    SmallServer,
    answering,
    closing,
    never,
    ok,
    resetting,
)


def test_all_that_is_due_is_sent_and_counted_once() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            recording = await OneRun(for_half_a_second(400), http(server.url)).run()
            totals = recording.totals(SECOND_NS // 2)
            assert (totals.asked, totals.begun, totals.successes, totals.never_sent) == (200, 200, 200, 0)
            assert len(server.requests) == 200
            assert totals.bytes_in == 200 * len(OK)
            assert totals.bytes_out == sum(map(len, server.requests))

    runtime.run(main())


def test_a_connection_is_kept_for_the_next_request() -> None:
    """A parser asked too late said of every answer that it ends the connection."""

    async def main() -> None:
        async with SmallServer(ok) as server:
            run = OneRun(for_half_a_second(200), http(server.url))
            await run.run()
            assert server.connections_made < 50

    runtime.run(main())


def test_one_request_each_opens_a_connection_for_every_one() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            await OneRun(for_half_a_second(100), http(server.url, one_request_each=True)).run()
            # The last one may have been opened for a request that another then took up.
            assert server.connections_made >= len(server.requests) == 50

    runtime.run(main())


def test_a_stall_is_in_the_response_time_of_all_that_were_due_meanwhile() -> None:
    """The generator goes on sending; a closed loop would have sent one request and been stalled with it."""
    waiting: list[asyncio.Transport] = []

    def stalls(server: SmallServer, transport: asyncio.Transport, _: bytes) -> None:
        if len(server.requests) == 1:
            asyncio.get_running_loop().call_later(0.4, let_go)
        if server.requests and not released:
            waiting.append(transport)
        else:
            transport.write(OK)

    released: list[bool] = []

    def let_go() -> None:
        released.append(True)
        for transport in waiting:
            transport.write(OK)

    async def main() -> None:
        async with SmallServer(stalls) as server:
            recording = await OneRun(for_half_a_second(200), http(server.url, workers_max=1)).run()
            totals = recording.totals(SECOND_NS // 2)
            assert totals.successes == 100
            assert totals.response is not None
            assert totals.service is not None
            # One request was stalled, eighty were due meanwhile: half of all waited 0.15 s and more.
            assert totals.response.ms_p50 > 100
            assert totals.service.ms_p50 < 100
            assert totals.worker_wait is not None

    runtime.run(main())


FAILURES: list[tuple[str, Behaviour, str]] = [
    ("a 404", answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "404"),
    ("a 503", answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), "503"),
    ("reset", resetting, "closed|reset"),
    ("closed", closing, "closed"),
    ("no HTTP", answering(b"SSH-2.0-OpenSSH_9.2\r\n"), "bad_answer"),
    ("headers without an end", answering(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000), "bad_answer"),
    ("silence", never, "timeout"),
]


@pytest.mark.parametrize(
    ("behaviour", "kind"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_failure_is_counted_by_its_kind(behaviour: Behaviour, kind: str) -> None:
    async def main() -> None:
        async with SmallServer(behaviour) as server:
            recording = await OneRun(
                for_a_tenth_of_a_second(200),
                http(server.url, timeout_ns=SECOND_NS // 5),
                timeout_ns=SECOND_NS // 5,
            ).run()
            totals = recording.totals(SECOND_NS // 2)
            assert totals.failures == 20
            assert set(kinds(recording)) <= set(kind.split("|"))
            assert totals.response is None

    runtime.run(main())


def test_nobody_listening_is_refused_for_every_request() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            url = server.url
        recording = await OneRun(for_a_tenth_of_a_second(300), http(url)).run()
        assert kinds(recording) == {"refused": 30}

    runtime.run(main())


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        (b"Retry-After: 7\r\n", "retry-after: 7"),
        (b"X-RateLimit-Limit: 100\r\nRetry-After: 1\r\n", "x-ratelimit-limit: 100, retry-after: 1"),
        (b"", "the answer names no limit"),
    ],
)
def test_a_429_is_its_own_kind_and_names_the_limit(headers: bytes, limit: str) -> None:
    answer = b"HTTP/1.1 429 Too Many Requests\r\n" + headers + b"Content-Length: 0\r\n\r\n"

    async def main() -> None:
        async with SmallServer(answering(answer)) as server:
            recording = await OneRun(for_a_tenth_of_a_second(100), http(server.url)).run()
            totals = recording.totals(SECOND_NS // 2)
            assert (totals.limited, totals.failures) == (10, 0)
            assert recording.limits == {limit: 10}

    runtime.run(main())


ANSWERS = {
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "after a 100": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "without a body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "that closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_answers_of_every_form_are_read_to_their_end(answer: bytes) -> None:
    async def main() -> None:
        async with SmallServer(answering(answer)) as server:
            recording = await OneRun(for_a_tenth_of_a_second(200), http(server.url)).run()
            assert recording.totals(SECOND_NS // 2).successes == 20

    runtime.run(main())


def test_an_answer_in_single_bytes_is_one_answer() -> None:
    def drips(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
        loop = asyncio.get_running_loop()
        for place, value in enumerate(OK):
            loop.call_later((place + 1) * 0.001, transport.write, bytes((value,)))

    async def main() -> None:
        async with SmallServer(drips) as server:
            recording = await OneRun(for_a_tenth_of_a_second(100), http(server.url)).run()
            assert recording.totals(SECOND_NS // 2).successes == 10

    runtime.run(main())


def test_an_answer_that_ends_with_its_connection_is_whole_one_cut_short_is_not() -> None:
    def ends(data: bytes) -> Behaviour:
        def behaviour(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
            transport.write(data)
            transport.close()

        return behaviour

    async def main() -> None:
        async with SmallServer(ends(b"HTTP/1.1 200 OK\r\n\r\nok")) as server:
            recording = await OneRun(for_a_tenth_of_a_second(100), http(server.url)).run()
            assert recording.totals(SECOND_NS // 2).successes == 10
        async with SmallServer(ends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")) as server:
            recording = await OneRun(for_a_tenth_of_a_second(100), http(server.url)).run()
            assert kinds(recording) == {"closed": 10}

    runtime.run(main())


def test_head_asks_for_no_body_and_waits_for_none() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    async def main() -> None:
        async with SmallServer(answering(head)) as server:
            recording = await OneRun(
                for_a_tenth_of_a_second(200), http(server.url, RequestForm(method="HEAD"))
            ).run()
            assert recording.totals(SECOND_NS // 2).successes == 20
            assert server.requests[0].startswith(b"HEAD / HTTP/1.1\r\n")

    runtime.run(main())


def test_forms_take_turns() -> None:
    async def main() -> None:
        async with SmallServer(ok) as server:
            forms = [RequestForm(path=f"/{name}") for name in "abc"]
            await OneRun(for_half_a_second(60), http(server.url, *forms, workers_max=1)).run()
            paths = [request.split(b" ")[1].decode() for request in server.requests]
            assert paths == list(itertools.islice(itertools.cycle(("/a", "/b", "/c")), 30))

    runtime.run(main())


def test_no_more_than_workers_are_at_a_time_and_the_others_wait() -> None:
    async def main() -> None:
        async with SmallServer(never) as server:
            run = OneRun(
                for_half_a_second(100),
                http(server.url, workers_max=5, timeout_ns=SECOND_NS // 4),
                timeout_ns=SECOND_NS // 4,
            )
            recording = await run.run()
            totals = recording.totals(SECOND_NS // 2)
            # Each worker has a request for a quarter of a second: few but the first five came to one.
            assert len(server.requests) <= 5 * 4
            assert totals.failures + totals.never_sent + totals.unanswered == totals.asked == 50

    runtime.run(main())


def test_a_stop_leaves_nothing_unaccounted_for() -> None:
    async def main() -> None:
        async with SmallServer(never) as server:
            run = OneRun((Segment(10 * SECOND_NS, 100, 100),), http(server.url, workers_max=3))
            asyncio.get_running_loop().call_later(0.3, run.generating.stop)
            recording = await run.run()
            totals = recording.totals(SECOND_NS // 3)
            assert totals.begun < 60
            assert "lost with its generator" not in recording.never_sent_by_reason
            counted = totals.answered + totals.unanswered + totals.never_sent
            assert totals.begun <= counted <= totals.begun + 5
            assert isinstance(run.target, HttpGenerator)
            assert (run.target.pending, run.target.connections) == (0, 0)

    runtime.run(main())


def test_an_answer_is_known_again_only_where_its_head_says_the_same() -> None:
    """Same size, other status: what is known by its size must not be taken for the one before."""
    answers = itertools.cycle(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno",  # and the rest a little later
        ]
    )

    def varied(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
        answer = next(answers)
        transport.write(answer)
        if b": 9" in answer:
            asyncio.get_running_loop().call_later(0.005, transport.write, b"-and-so")

    async def main() -> None:
        async with SmallServer(varied) as server:
            recording = await OneRun(for_half_a_second(120), http(server.url)).run()
            totals = recording.totals(SECOND_NS // 2)
            assert (totals.successes, kinds(recording)) == (40, {"500": 20})
            assert totals.bytes_in == 20 * (40 + 40 + 47)

    runtime.run(main())


def test_an_answer_in_chunks_is_never_known_by_its_size() -> None:
    """The same head and size as one before, and yet its end has not come."""
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nok\r\n0\r\n\r\n"
    answers = itertools.chain([whole], itertools.repeat(begun))

    def first_whole(_: SmallServer, transport: asyncio.Transport, __: bytes) -> None:
        transport.write(next(answers))

    async def main() -> None:
        async with SmallServer(first_whole) as server:
            limit_ns = SECOND_NS // 5
            make = http(server.url, workers_max=1, timeout_ns=limit_ns)
            recording = await OneRun(for_half_a_second(4), make, timeout_ns=limit_ns).run()
            assert recording.totals(SECOND_NS // 2).successes == 1
            assert kinds(recording) == {"timeout": 1}

    runtime.run(main())
