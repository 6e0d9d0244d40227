"""Whether somebody answers at a target: said with each address, and left where it is no longer wanted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from sprint.tools import runtime
from sprint.tools.loadtest import reaching
from sprint.tools.loadtest.load_test import LoadTest
from sprint.tools.loadtest.reaching import REACH_TIMEOUT_S, TargetUnreachable, reach
from sprint.tools.loadtest.target_url import parse_url
from tests.tools.loadtest.options_for_tests import options, silent


@pytest.fixture
def full() -> Iterator[int]:
    """A port whose queue is full: what connects to it gets no answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(("127.0.0.1", port))
        yield port
        for each in waiting:
            each.close()


def test_a_target_that_takes_no_connection_is_said_after_a_time(
    full: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "REACH_TIMEOUT_S", 0.2)
    with pytest.raises(TargetUnreachable, match=r"127\.0\.0\.1 does not answer within 0\.2 s"):
        runtime.run(reach(parse_url(f"http://127.0.0.1:{full}/")))


def test_a_stop_is_heard_while_a_target_is_looked_for(full: int) -> None:
    """Ctrl-C had waited for all addresses of a target, 45 s in the end."""

    async def main() -> None:
        test = LoadTest(options(target=f"http://127.0.0.1:{full}/"), said)
        running = asyncio.create_task(test.run())
        await told.wait()
        test.stop()
        async with asyncio.timeout(REACH_TIMEOUT_S / 2):
            report = await running
        assert report.interrupted
        assert report.totals.asked == 0

    told = asyncio.Event()

    def said(line: str) -> None:
        silent(line)
        told.set()

    runtime.run(main())
