"""Applies a change of the config to a running relay: sources, policies, features, the log's level."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sprint.core.config import ConfigChange
from sprint.core.config.change import source_key
from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.api import Api
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.features import switch_features
from sprint.tools.relay.source_tasks import SourceTasks
from sprint.tools.relay.view import ServedChain
from sprint.tools.runtime import set_log_level

NOT_FOLLOWED = "its chain isn't followed since the start"
OF_DEVNET = "the devnet runs its chain"


class LiveParts(NamedTuple):
    """What of a running relay a reload may change."""

    chains: Mapping[str, ServedChain]
    sources: SourceTasks
    api: Api
    breakers: RelayBreakers


class LiveConfig:
    """Changes them as a config says. `devnet_ids`: chains whose nodes are the devnet's."""

    def __init__(self, catalog: ChainCatalog, parts: LiveParts, devnet_ids: Collection[str]) -> None:
        self._catalog = catalog
        self._chains, self._sources, self._api, self._breakers = parts
        self._devnet_ids = frozenset(devnet_ids)

    async def apply(self, change: ConfigChange) -> dict[str, str]:
        """Apply a change; return the keys that need a restart after all, with why.

        What may fail comes first: then nothing was changed. ConfigError where a source cannot be made, or
        where none would be left. Sources that an operator has added or removed meanwhile stay so, unless the
        change is about one of their name: then the config's is taken.
        """
        async with self._sources.changing:
            return await self._apply(change)

    async def _apply(self, change: ConfigChange) -> dict[str, str]:
        refused: dict[str, str] = {}
        if change.breakers is not None:
            self._breakers.policies(change.breakers)
        added = []
        for spec in change.sources_added:
            chain_id = self._catalog.find(spec.chain, spec.network).chain_id
            why = self._refusal(chain_id)
            if why:
                refused[source_key(spec)] = why
            else:
                added.append((chain_id, self._sources.make(chain_id, spec)))
        removed = [spec for spec in change.sources_removed if not self._kept(spec, refused)]
        removed = self._running(removed, {source.spec.name for _, source in added})
        self._refuse_to_be_left_without(len(removed), len(added))
        for spec in removed:
            await self._sources.remove(spec)
        for chain_id, source in added:
            self._sources.add(chain_id, source)
        for tier, fields in change.tiers.items():
            self._api.change_policy(tier, fields)
        if change.breakers is not None:
            self._breakers.adopt(change.breakers)
        switch_features(self._chains.values(), change.features)
        if change.log_level is not None:
            set_log_level(change.log_level)
        return refused

    def _running(self, removed: Collection[SourceSpec], names: Collection[str]) -> list[SourceSpec]:
        """Return the sources that are there of those to be removed, and any that has one of the names."""
        there = [source.spec for chain in self._chains.values() for source in chain.sources]
        return [spec for spec in there if spec in removed or spec.name in names]

    @staticmethod
    def _kept(spec: SourceSpec, refused: Mapping[str, str]) -> bool:
        """Tell whether a source stays as it was, since what it was to become is refused."""
        return source_key(spec) in refused

    def _refuse_to_be_left_without(self, removed: int, added: int) -> None:
        """Refuse to remove the last source: an empty file, or one cut short, is a mistake and no wish."""
        running = sum(len(chain.sources) for chain in self._chains.values())
        if removed and running - removed + added == 0:
            raise ConfigError(
                f"chains.NAME.sources: none is left of the {running} that run, want at least 1; "
                "stop the relay to follow nothing"
            )

    def _refusal(self, chain_id: str) -> str:
        if chain_id not in self._chains:
            return NOT_FOLLOWED
        return OF_DEVNET if chain_id in self._devnet_ids else ""
