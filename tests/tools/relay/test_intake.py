"""The intake acts in order: what an outcome says is logged before what its requests bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import CollectorRegistry

from sprint.core.model import SourceStatusEvent, decode_event
from sprint.core.relay.event_log import Commit, EventLog
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.restore import new_tree
from sprint.core.relay.settings import ChainSettings
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.intake import Intake, Shared
from sprint.tools.relay.proving import Prover
from sprint.tools.relay.stages import StageTimes
from sprint.tools.runtime import clock


class DyingUpstream:
    """A source whose connection ends at the first request."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def request_headers(self, locator: Sequence[bytes]) -> None:
        self._intake.source_lost("n", "closed under the first request")

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        raise AssertionError("nothing is asked of it")

    def penalise(self, points: int, reason: str) -> None:
        raise AssertionError("it did nothing")

    def pause(self, *, paused: bool) -> None:
        raise AssertionError("nothing pauses")

    def overdue(self, seconds: float) -> None:
        raise AssertionError("nothing was asked of it")


class QuietUpstream:
    """A source that is asked and paused, and answers nothing."""

    def __init__(self) -> None:
        self.pauses: list[bool] = []
        self.overdue_s: list[float] = []

    def request_headers(self, locator: Sequence[bytes]) -> None:
        pass

    def request_blocks(self, hashes: Sequence[bytes]) -> None:
        pass

    def penalise(self, points: int, reason: str) -> None:
        raise AssertionError("it did nothing")

    def pause(self, *, paused: bool) -> None:
        self.pauses.append(paused)

    def overdue(self, seconds: float) -> None:
        self.overdue_s.append(seconds)


def intake_of(prover: Prover, submit: Callable[[Commit], None]) -> Intake:
    network = ChainCatalog.installed().find_id("bitcoin-regtest")
    processor, genesis = network.processor(), network.parameters.genesis
    settings = ChainSettings()
    tree = new_tree(processor, genesis, settings.retained_blocks_max)
    pipeline = Pipeline(processor, settings, tree, network.parameters.genesis_hash, clock())
    shared = Shared(EventLog("00" * 8, 0, {}), prover, submit, StageTimes(CollectorRegistry()))
    return Intake(network.chain_id, pipeline, shared)


def statuses_of(commits: Sequence[Commit]) -> list[tuple[str, str]]:
    events = [decode_event(event.body) for commit in commits for event in commit.events]
    return [(e.data.status, e.data.reason) for e in events if isinstance(e, SourceStatusEvent)]


def test_a_source_lost_under_its_first_request_is_told_ready_first_and_then_lost() -> None:
    committed: list[Commit] = []

    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, committed.append)
        intake.source_ready("n", DyingUpstream(intake))
        await asyncio.sleep(0)
        intake.close()
        prover.close()

    asyncio.run(main())
    assert [status for status, _ in statuses_of(committed)] == ["ready", "lost"]


def test_a_removed_source_is_read_no_more_told_lost_once_and_the_others_stay() -> None:
    committed: list[Commit] = []

    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, committed.append)
        gone, kept = QuietUpstream(), QuietUpstream()
        intake.source_ready("gone", gone)
        intake.source_ready("kept", kept)
        intake.source_removed("gone", "the config no longer names it")
        intake.source_removed("never ready", "the config no longer names it")
        intake.source_lost("gone", "its connection is closed after that")
        assert (gone.pauses, kept.pauses) == ([True], [])
        assert set(intake.pipeline.state.synced) == {"kept"}
        assert intake.pipeline.state.board.standing("gone") is None
        assert intake.pipeline.state.board.standing("kept") is not None
        intake.close()
        prover.close()

    asyncio.run(main())
    said = [("ready", "connected"), ("ready", "connected"), ("lost", "the config no longer names it")]
    assert statuses_of(committed) == said


def test_what_others_say_of_a_source_that_cannot_be_heard_is_told_at_once() -> None:
    committed: list[Commit] = []

    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, committed.append)
        intake.source_noted("z", "nothing publishes there")
        assert statuses_of(committed) == [("demoted", "nothing publishes there")]
        intake.close()
        intake.source_noted("z", "said after the end")
        prover.close()

    asyncio.run(main())
    assert len(statuses_of(committed)) == 1


def test_a_source_can_be_done_without_where_another_one_serves() -> None:
    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, lambda _: None)
        intake.source_ready("a", QuietUpstream())
        intake.source_ready("only announces", QuietUpstream(), serves=False)
        assert not intake.serves_without({"a"})
        assert intake.serves_without({"only announces"})
        intake.source_ready("b", QuietUpstream())
        assert intake.serves_without({"a"})
        intake.source_lost("b", "gone")
        assert not intake.serves_without({"a"})
        intake.close()
        prover.close()

    asyncio.run(main())


def test_a_source_is_told_once_of_the_blocks_that_it_has_not_sent_in_time() -> None:
    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, lambda _: None)
        upstream = QuietUpstream()
        intake.source_ready("n", upstream)
        state, asked_at = intake.pipeline.state, clock()
        for number in range(3):
            state.fetcher.want(bytes([number] * 32), number, ["n"])
        assert len(state.fetcher.assign(asked_at)[0].bodies) == 3
        patience_s = state.settings.body_request_timeout_s
        intake._act(intake.pipeline.handle_timer(asked_at + patience_s + 0.5))
        assert upstream.overdue_s == pytest.approx([patience_s + 0.5])
        intake.close()
        prover.close()

    asyncio.run(main())
