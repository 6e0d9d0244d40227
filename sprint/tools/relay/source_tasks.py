"""The tasks of all sources: started with the relay, added and removed while it runs, cancelled at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.stages import StageObserver
from sprint.tools.relay.view import ServedChain

REMOVED = "the config no longer names it"


class SourceTasks:
    """One task for each source."""

    def __init__(self, chains: Mapping[str, ServedChain], observer: StageObserver) -> None:
        self._chains = chains
        self._observer = observer
        self._tasks: dict[Source, asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        return f"SourceTasks({len(self._tasks)})"

    def start(self) -> None:
        """Start the sources that the chains have."""
        for chain in self._chains.values():
            for source in chain.sources:
                self._run(source)

    def make(self, chain_id: str, spec: SourceSpec) -> Source:
        """Make a source of a chain that is followed; nothing is connected to yet."""
        chain = self._chains[chain_id]
        return new_source(spec, chain.network, chain.intake, self._observer)

    def add(self, chain_id: str, source: Source) -> None:
        """Start one more source."""
        self._chains[chain_id].sources.append(source)
        self._run(source)

    async def remove(self, spec: SourceSpec) -> None:
        """End a source; what was asked of it is asked of others before its connection is closed."""
        for chain in self._chains.values():
            for source in [source for source in chain.sources if source.spec == spec]:
                task = self._tasks.pop(source)
                task.cancel()
                chain.intake.source_removed(spec.name, REMOVED)
                chain.sources.remove(source)
                await asyncio.gather(task, return_exceptions=True)

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def ended(self) -> None:
        """Wait until all that were cancelled have ended."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _run(self, source: Source) -> None:
        self._tasks[source] = asyncio.create_task(source.run())
