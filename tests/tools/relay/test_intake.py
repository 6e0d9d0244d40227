"""The intake acts in order: what an outcome says is logged before what its requests bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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


def test_a_source_lost_under_its_first_request_is_told_ready_first_and_then_lost() -> None:
    committed: list[Commit] = []

    async def main() -> None:
        network = ChainCatalog.installed().find_id("bitcoin-regtest")
        processor, genesis = network.processor(), network.parameters.genesis
        settings = ChainSettings()
        tree = new_tree(processor, genesis, settings.retained_blocks_max)
        pipeline = Pipeline(processor, settings, tree, network.parameters.genesis_hash, clock())
        prover = Prover()
        shared = Shared(EventLog("00" * 8, 0, {}), prover, committed.append, StageTimes(CollectorRegistry()))
        intake = Intake(network.chain_id, pipeline, shared)
        intake.source_ready("n", DyingUpstream(intake))
        await asyncio.sleep(0)
        intake.close()
        prover.close()

    asyncio.run(main())
    events = [decode_event(event.body) for commit in committed for event in commit.events]
    statuses = [event.data.status for event in events if isinstance(event, SourceStatusEvent)]
    assert statuses == ["ready", "lost"]
