"""A server that gets no processor time loses nothing of the record: each request that was due is told of."""

from __future__ import annotations

import asyncio

import pytest

from sprint.core.duration import SECOND_NS
from sprint.tools import runtime
from tests.tools.loadtest.one_run import OneRun, for_half_a_second, http, kinds
from tests.tools.loadtest.small_server import OK, SmallServer

RATE_PER_S = 2_000
ANSWERED_FIRST = 100
TIMEOUT_NS = SECOND_NS // 10
STARVED_S = 0.3  # of the half second, and longer than a request waits


class Starved:
    """Answers so many requests, then none for a while; then it answers them, resets them, or stays silent."""

    def __init__(self, then: str) -> None:
        self._then = then
        self._waiting: list[asyncio.Transport] = []
        self._is_back = False

    def asked(self, server: SmallServer, transport: asyncio.Transport, _: bytes) -> None:
        if len(server.requests) <= ANSWERED_FIRST or self._is_back:
            transport.write(OK)
            return
        if not self._waiting and self._then != "silence":
            asyncio.get_running_loop().call_later(STARVED_S, self._return)
        self._waiting.append(transport)

    def _return(self) -> None:
        self._is_back = True
        for transport in self._waiting:
            if self._then == "resets":
                transport.abort()
            else:
                transport.write(OK)


@pytest.mark.parametrize("workers", [4, 500])
@pytest.mark.parametrize("then", ["answers", "resets", "silence"])
def test_all_that_was_due_is_counted_once_when_the_server_is_starved(then: str, workers: int) -> None:
    async def main() -> None:
        starved = Starved(then)
        async with SmallServer(starved.asked) as server:
            make = http(server.url, workers_max=workers, timeout_ns=TIMEOUT_NS)
            run = OneRun(for_half_a_second(RATE_PER_S), make, timeout_ns=TIMEOUT_NS)
            recording = await run.run()
            totals = recording.totals(SECOND_NS // 2)
            assert totals.asked == RATE_PER_S // 2
            assert totals.asked == totals.answered + totals.unanswered + totals.never_sent
            assert "lost with its generator" not in recording.never_sent_by_reason
            assert totals.successes > 0
            assert set(kinds(recording)) <= {"timeout", "reset", "closed"}
            assert kinds(recording)["timeout"] > 0
            assert (run.target.pending, run.target.connections) == (0, 0)

    runtime.run(main())
