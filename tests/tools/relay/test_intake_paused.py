"""While the store takes nothing, intake tells its sources, and what they bring about stays bounded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from sprint.core.relay.event_log import Commit
from sprint.core.relay.source_url import parse_source
from sprint.tools.relay.intake import Intake
from sprint.tools.relay.proving import Prover
from sprint.tools.relay.sources import connecting
from sprint.tools.relay.sources.connecting import STOPS, ConnectingSource, Connection
from sprint.tools.runtime import clock
from tests.tools.relay.serving import until
from tests.tools.relay.test_intake import QuietUpstream, intake_of, statuses_of


class HangingUp:
    """A connection to a node that shakes hands, and hangs up in the next turn of the loop."""

    user_agent, misbehaved, concerns_provider, syncing = "", False, False, ""

    def __init__(self, source: FlappingSource) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        self.ready_at: float | None = clock()
        self.faults: Counter[str] = Counter()
        self._source = source
        source.intake.source_ready(source.spec.name, QuietUpstream())
        loop.call_soon(self.abort, "it hung up")

    def awaited_s(self, now: float) -> float:
        return 0.0 * now

    def abort(self, reason: str = STOPS) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
            self._source.tell_lost(self, reason)


class FlappingSource(ConnectingSource):
    """A source of such connections, whose wait is the first one each time."""

    attempts = 0

    async def open(self) -> Connection:
        self.attempts += 1
        self._gate.bring_forward()
        return HangingUp(self)


def run(scene: Callable[[Intake, list[Commit]], Awaitable[None]]) -> None:
    async def main() -> None:
        committed: list[Commit] = []
        prover = Prover()
        intake = intake_of(prover, committed.append)
        await scene(intake, committed)
        intake.close()
        prover.close()

    asyncio.run(main())


def test_sources_that_come_and_go_while_the_store_stands_still_commit_nothing_without_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two events for each attempt of each source had filled the store's queue until it refused one."""
    monkeypatch.setattr(connecting, "LOOK_AGAIN_S", 0.02)

    async def scene(intake: Intake, committed: list[Commit]) -> None:
        spec = parse_source("n@bitcoin:regtest=p2p://127.0.0.1:1")
        source = FlappingSource(spec, intake)
        task = asyncio.create_task(source.run())
        await until(lambda: "lost" in [status for status, _ in statuses_of(committed)])
        intake.pause(paused=True)
        attempts, told = source.attempts, len(committed)
        looked_until = clock() + 1.0
        await until(lambda: clock() > looked_until)
        # One that was under way when it was paused may still come about, and end.
        assert source.attempts <= attempts + 1
        assert len(committed) <= told + 2
        attempts = source.attempts
        intake.pause(paused=False)
        await until(lambda: source.attempts > attempts)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(scene)


def test_sources_are_told_of_a_pause_of_its_end_and_of_the_last_loss_and_only_while_they_heed() -> None:
    async def scene(intake: Intake, committed: list[Commit]) -> None:
        told: list[tuple[bool, bool]] = []
        with intake.heeded(lambda: told.append((intake.paused, intake.needs_sources))):
            intake.source_ready("a", QuietUpstream())
            intake.source_ready("b", QuietUpstream())
            intake.source_lost("a", "gone")
            assert told == []
            intake.source_lost("b", "gone")
            intake.pause(paused=True)
            intake.pause(paused=True)
            intake.pause(paused=False)
        intake.pause(paused=True)
        assert told == [(False, True), (True, True), (False, True)]
        assert committed

    run(scene)
