"""WebSockets that are held: all are opened, what comes over them is counted, and what is lost is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from websockets.asyncio.server import ServerConnection, serve

from sprint.core.loadtest.report import Report
from sprint.tools import runtime
from sprint.tools.loadtest.descriptors import RESERVED, TooFewDescriptors, need_sockets, sockets_for
from sprint.tools.loadtest.holding import NOT_BEGUN, OPENING_MAX
from sprint.tools.loadtest.load_test import LoadTest
from sprint.tools.loadtest.options import LoadOptions
from sprint.tools.loadtest.reports.console import text_of
from tests.tools.loadtest.options_for_tests import come_true, options, silent
from tests.tools.loadtest.small_server import Behaviour, SmallServer, answering, never

LARGE = "x" * 200_000
MEDIUM = "y" * 300
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Publisher:
    """A WebSocket server that sends the same to all; by a library that is none of ours."""

    def __init__(self) -> None:
        self.peers: set[ServerConnection] = set()
        self.heard: list[str | bytes] = []
        self.served = 0
        self.url = ""

    async def serve_one(self, peer: ServerConnection) -> None:
        self.served += 1
        self.peers.add(peer)
        async for message in peer:
            self.heard.append(message)

    async def send_all(self, message: str | bytes) -> None:
        for peer in self.peers:
            await peer.send(message)

    async def ping_all(self) -> None:
        for answer in [await peer.ping() for peer in self.peers]:
            await answer


@asynccontextmanager
async def publishing() -> AsyncIterator[Publisher]:
    publisher = Publisher()
    async with serve(publisher.serve_one, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        publisher.url = f"ws://127.0.0.1:{port}/events"
        yield publisher


async def held(asked: LoadOptions, publisher: Publisher, *messages: str | bytes) -> Report:
    """Run; when all are open send messages to all, ask all for a sign of life, and end the run."""
    test = LoadTest(asked, silent)
    running = asyncio.create_task(test.run())
    await come_true(lambda: len(publisher.peers) == asked.connections)
    for message in messages:
        await publisher.send_all(message)
    await publisher.ping_all()
    await come_true(lambda: test.live is not None and test.live.connections == asked.connections)
    test.stop()
    return await running


def test_every_message_is_counted_for_every_connection() -> None:
    async def main() -> None:
        async with publishing() as publisher:
            asked = options(target=publisher.url, connections=50, duration="1m", data="hello")
            report = await held(asked, publisher, "one", b"two", MEDIUM, LARGE)
            assert report.totals.successes == 50 * 4
            assert report.totals.bytes_in == 50 * (3 + 3 + len(MEDIUM) + len(LARGE))
            assert publisher.heard == ["hello"] * 50
            assert report.totals.response is not None
            assert report.totals.response.ms_min == 0
            assert any("50 of 50 WebSockets were opened" in note for note in report.notes)
            assert report.latency_from == "first_connection"
            told = text_of(report)
            assert "WebSockets held for 1 min" in told
            assert "from when the first of a generator's connections had the same" in told
            assert "scheduled" not in told

    runtime.run(main())


def test_connections_are_shared_among_processes() -> None:
    async def main() -> None:
        async with publishing() as publisher:
            asked = options(target=publisher.url, connections=25, processes=2, duration="1m")
            report = await held(asked, publisher, "one")
            assert report.totals.successes == 25
            assert sum("13 of 13" in note or "12 of 12" in note for note in report.notes) == 2

    runtime.run(main())


def test_a_connection_that_is_lost_is_told_with_the_code_it_was_closed_with() -> None:
    async def main() -> None:
        async with publishing() as publisher:
            test = LoadTest(options(target=publisher.url, connections=3, duration="1m"), silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(publisher.peers) == 3)
            await next(iter(publisher.peers)).close(4008, "slow")
            await come_true(lambda: test.live is not None and test.live.connections == 2)
            test.stop()
            report = await running
            assert [(row.kind, row.count) for row in report.errors] == [("lost: closed 4008", 1)]

    runtime.run(main())


NOT_OPENED = [
    (answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "403"),
    (answering(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: wrong\r\n\r\n"), "bad_answer"),
    (answering(b"nonsense\r\n\r\n"), "bad_answer"),
    (never, "timeout"),
]


@pytest.mark.parametrize(("behaviour", "kind"), NOT_OPENED)
def test_one_that_is_not_opened_is_counted_by_its_kind(behaviour: Behaviour, kind: str) -> None:
    async def main() -> None:
        async with SmallServer(behaviour) as server:
            url = server.url.replace("http", "ws")
            report = await LoadTest(options(target=url, connections=3, timeout="100ms"), silent).run()
            assert [(row.kind, row.count) for row in report.errors] == [(kind, 3)]

    runtime.run(main())


def opening_and(more: bytes) -> Behaviour:
    """Accept a WebSocket and say more in the same write."""

    def behaviour(_: SmallServer, transport: asyncio.Transport, request: bytes) -> None:
        key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest())
        lines = [b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"]
        transport.write(b"\r\n".join([*lines, b"Sec-WebSocket-Accept: " + accept, b"", more]))

    return behaviour


ENDS = [(b"\x88\x02\x03\xe9", "lost: closed 1001"), (b"\xf1\x00", "lost: bad_answer")]


@pytest.mark.parametrize(("frame", "kind"), ENDS, ids=["closed", "illegal"])
def test_one_that_is_lost_in_the_read_that_opened_it_is_lost_and_no_success(frame: bytes, kind: str) -> None:
    """It was counted nowhere, and the run was one without failures."""

    async def main() -> None:
        async with SmallServer(opening_and(frame)) as server:
            url = server.url.replace("http", "ws")
            report = await LoadTest(options(target=url, connections=3), silent).run()
            assert [(row.kind, row.count) for row in report.errors] == [(kind, 3)]
            assert any("3 of 3 WebSockets were opened" in note for note in report.notes)

    runtime.run(main())


def test_those_still_being_opened_at_the_end_are_unanswered_and_those_not_begun_never_sent() -> None:
    """A target that took connections and said nothing had a report without a failure."""

    async def main() -> None:
        async with SmallServer(never) as server:
            url = server.url.replace("http", "ws")
            asked = options(target=url, connections=OPENING_MAX + 7, timeout="20s")
            report = await LoadTest(asked, silent).run()
            totals = report.totals
            assert (totals.unanswered, totals.failures, totals.successes) == (OPENING_MAX, 0, 0)
            assert [(row.name, row.count) for row in report.never_sent] == [(NOT_BEGUN, 7)]

    runtime.run(main())


def is_past(moment: float) -> bool:
    return time.monotonic() > moment


def test_a_heartbeat_is_a_message_of_its_own_each_time() -> None:
    """The same bytes counted from when they first came in the run."""
    apart_s = 0.5

    async def main() -> None:
        async with publishing() as publisher:
            test = LoadTest(options(target=publisher.url, connections=5, duration="1m"), silent)
            running = asyncio.create_task(test.run())
            await come_true(lambda: len(publisher.peers) == 5)
            for _ in range(3):
                await publisher.send_all("beat")
                await come_true(partial(is_past, time.monotonic() + apart_s))
            await publisher.ping_all()
            test.stop()
            report = await running
            assert report.totals.successes == 15
            assert report.totals.response is not None
            assert report.totals.response.ms_p50 < apart_s * 1_000

    runtime.run(main())


def test_fields_are_filled_in_for_each_connection_with_its_own_number() -> None:
    async def main() -> None:
        async with publishing() as publisher:
            asked = options(
                target=f"{publisher.url}/{{n}}", connections=3, processes=2, duration="1m",
                data="hello {n}", header=("X-Id: {random}",),
            )  # fmt: skip
            await held(asked, publisher)
            requests = [peer.request for peer in publisher.peers]
            assert {each.path for each in requests if each} == {f"/events/{number}" for number in range(3)}
            assert all(each and each.headers["X-Id"].isdigit() for each in requests)
            assert sorted(publisher.heard) == ["hello 0", "hello 1", "hello 2"]

    runtime.run(main())


def test_no_more_connections_are_opened_than_were_asked_for_however_many_generators_there_are() -> None:
    """Each generator opened one at least: four of them four in the place of two."""

    async def main() -> None:
        async with publishing() as publisher:
            asked = options(target=publisher.url, connections=2, processes=4, duration="1m")
            report = await held(asked, publisher, "one")
            assert (report.totals.successes, publisher.served) == (2, 2)
            assert not any("0 of 0" in note for note in report.notes)

    runtime.run(main())


def test_more_sockets_than_the_hard_limit_allows_are_refused_with_both_figures() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        assert sockets_for(10_000) == 10_000
        return
    with pytest.raises(TooFewDescriptors, match=f"{hard + 1 + RESERVED:,} open files.* allows {hard:,}"):
        need_sockets(hard + 1)
