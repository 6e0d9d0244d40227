"""The tasks of all sources: started with the relay, added and removed while it runs, cancelled at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sprint.core.errors import RequestError
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.source_guards import SourceGuards
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.sources.connecting import ConnectingSource
from sprint.tools.relay.sources.paused import PausedSource
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.stages import StageObserver
from sprint.tools.relay.view import ServedChain

REMOVED = "the config no longer names it"
STOPPING = "the relay stops; no source is started any more"


class SourceTasks:
    """One task for each source."""

    def __init__(
        self,
        chains: Mapping[str, ServedChain],
        observer: StageObserver,
        guards: SourceGuards | None = None,
    ) -> None:
        self._chains = chains
        self._observer = observer
        self._guards = guards
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._stopping = False
        # Held by whoever changes which sources there are: a reload and an operator may want to at once.
        self.changing = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SourceTasks({len(self._tasks)})"

    def start(self) -> None:
        """Start the sources that the chains have."""
        for chain_id, chain in self._chains.items():
            for source in chain.sources:
                self._run(chain_id, source)

    def make(self, chain_id: str, spec: SourceSpec) -> Source:
        """Make a source of a chain that is followed; nothing is connected to yet.

        ConfigError where it can't be made, RequestError where the relay stops.
        """
        self._refuse_while_stopping()
        chain = self._chains[chain_id]
        return new_source(spec, chain.network, chain.intake, self._observer)

    def add(self, chain_id: str, source: Source) -> None:
        """Start one more source. RequestError where the relay stops."""
        self._refuse_while_stopping()
        self._chains[chain_id].sources.append(source)
        self._run(chain_id, source)

    async def remove(self, spec: SourceSpec, reason: str = REMOVED) -> None:
        """End a source; what was asked of it is asked of others before its connection is closed."""
        for chain_id, chain in self._chains.items():
            for source in [source for source in chain.sources if source.spec == spec]:
                chain.sources.remove(source)
                await self._end(chain, source, reason)
                if self._guards is not None:
                    self._guards.remove(chain_id, spec.name)

    async def pause(self, chain_id: str, source: Source, reason: str) -> PausedSource:
        """End a source as if it were removed, and leave one in its place that rests."""
        chain = self._chains[chain_id]
        resting = PausedSource(source, reason)
        chain.sources[chain.sources.index(source)] = resting
        await self._end(chain, source, reason)
        if self._guards is not None:
            self._guards.rest(chain_id, source.spec.name)
        return resting

    def resume(self, chain_id: str, resting: PausedSource) -> Source:
        """Make a source anew in the place of one that rests, and start it; errors are those of `make`."""
        chain = self._chains[chain_id]
        source = self.make(chain_id, resting.spec)
        chain.sources[chain.sources.index(resting)] = source
        self._run(chain_id, source)
        return source

    async def _end(self, chain: ServedChain, source: Source, reason: str) -> None:
        task = self._tasks.pop(source, None)
        if task is None:  # it rests
            return
        task.cancel()
        chain.intake.source_removed(source.spec.name, reason)
        await asyncio.gather(task, return_exceptions=True)

    def cancel(self) -> None:
        """End all sources, and start none from here on: nobody would end it."""
        self._stopping = True
        for task in self._tasks.values():
            task.cancel()

    async def ended(self) -> None:
        """Wait until all that were cancelled have ended."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _refuse_while_stopping(self) -> None:
        if self._stopping:
            raise RequestError("source_refused", STOPPING)

    def _run(self, chain_id: str, source: Source) -> None:
        if self._guards is not None and isinstance(source, ConnectingSource):
            source.guard = self._guards.guard(chain_id, source.spec, self._chains[chain_id].intake)
        self._tasks[source] = asyncio.create_task(source.run())
