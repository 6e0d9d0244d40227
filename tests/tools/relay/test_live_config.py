"""A change of the config applied to a running relay: whole, or not at all where a source cannot be made."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from sprint.core.config import BreakerSettings, ConfigChange
from sprint.core.errors import ConfigError
from sprint.core.relay.source_url import SourceSpec, parse_source
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay import source_tasks
from sprint.tools.relay.api import Api
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.live_config import NOT_FOLLOWED, OF_DEVNET, LiveConfig, LiveParts
from sprint.tools.relay.source_tasks import REMOVED, SourceTasks
from sprint.tools.relay.view import ServedChain

CHAIN = "litecoin-regtest"


class IdleSource:
    """A source that runs until it is cancelled."""

    def __init__(self, spec: SourceSpec) -> None:
        self.spec = spec
        self.ended = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


class Relay:
    """What `LiveConfig` acts on, with one chain that is followed and one of the devnet's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.removed: list[tuple[str, str]] = []
        self.policies: list[tuple[str, dict[str, Any]]] = []
        catalog = ChainCatalog.installed()
        intake, api = cast("Any", self), cast("Api", self)
        self.chains = {
            each: ServedChain(catalog.find_id(each), intake, []) for each in (CHAIN, "bitcoin-regtest")
        }
        monkeypatch.setattr(source_tasks, "new_source", self._new_source)
        self.sources = SourceTasks(self.chains, cast("Any", None))
        self.breakers = RelayBreakers("turbo")
        parts = LiveParts(self.chains, self.sources, api, self.breakers)
        self.live = LiveConfig(catalog, parts, ["bitcoin-regtest"])

    def source_removed(self, name: str, reason: str) -> None:
        self.removed.append((name, reason))

    def change_policy(self, tier: str, fields: dict[str, Any]) -> None:
        self.policies.append((tier, fields))

    def names(self) -> list[str]:
        return [source.spec.name for source in self.chains[CHAIN].sources]

    @staticmethod
    def _new_source(spec: SourceSpec, *_: object) -> IdleSource:
        if spec.name == "bad":
            raise ConfigError("it cannot be made")
        return IdleSource(spec)


def spec(name: str, port: int = 1, chain: str = "litecoin:regtest") -> SourceSpec:
    return parse_source(f"{name}@{chain}=p2p://127.0.0.1:{port}")


def test_sources_come_and_go_and_a_changed_one_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        relay = Relay(monkeypatch)
        assert await relay.live.apply(ConfigChange(sources_added=(spec("a"), spec("b")))) == {}
        await asyncio.sleep(0)
        (old,) = [source for source in relay.chains[CHAIN].sources if source.spec.name == "a"]
        await relay.live.apply(ConfigChange(sources_removed=(spec("a"),), sources_added=(spec("a", 2),)))
        assert isinstance(old, IdleSource)
        assert old.ended
        assert relay.removed == [("a", REMOVED)]
        assert [(s.spec.name, s.spec.port) for s in relay.chains[CHAIN].sources] == [("b", 1), ("a", 2)]
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())


def test_where_a_source_cannot_be_made_nothing_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        relay = Relay(monkeypatch)
        await relay.live.apply(ConfigChange(sources_added=(spec("a"),)))
        change = ConfigChange(
            sources_removed=(spec("a"),),
            sources_added=(spec("b"), spec("bad")),
            tiers={"free": {"rank": 2}},
            log_level="error",
        )
        with pytest.raises(ConfigError):
            await relay.live.apply(change)
        assert (relay.names(), relay.removed, relay.policies) == (["a"], [], [])
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())


def test_a_source_whose_chain_cannot_take_it_is_refused_and_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        relay = Relay(monkeypatch)
        added = (spec("x", chain="litecoin"), spec("y", chain="bitcoin:regtest"), spec("z"))
        refused = await relay.live.apply(ConfigChange(sources_added=added, tiers={"free": {"rank": 2}}))
        assert refused == {
            "chains.litecoin.sources.x": NOT_FOLLOWED,
            "chains.bitcoin-regtest.sources.y": OF_DEVNET,
        }
        assert relay.names() == ["z"]
        assert relay.policies == [("free", {"rank": 2})]
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())


def test_a_file_cut_short_does_not_take_the_last_source_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        relay = Relay(monkeypatch)
        await relay.live.apply(ConfigChange(sources_added=(spec("a"), spec("b"))))
        change = ConfigChange(sources_removed=(spec("a"), spec("b")), tiers={"free": {"rank": 2}})
        with pytest.raises(ConfigError, match="none is left of the 2 that run"):
            await relay.live.apply(change)
        assert (relay.names(), relay.removed, relay.policies) == (["a", "b"], [], [])
        await relay.live.apply(ConfigChange(sources_removed=(spec("a"),)))
        assert relay.names() == ["b"]
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())


def test_breakers_figures_are_applied_with_the_rest_or_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(*added: SourceSpec, **figures: float) -> ConfigChange:
        settings = BreakerSettings(overrides={"store": figures})
        return ConfigChange(sources_added=added, breakers=settings, breaker_keys=("breakers.store",))

    async def main() -> None:
        relay = Relay(monkeypatch)
        store = relay.breakers.store()
        await relay.live.apply(change(spec("a"), failures_to_open=7))
        assert (store.policy.failures_to_open, relay.names()) == (7, ["a"])
        with pytest.raises(ConfigError, match="it cannot be made"):
            await relay.live.apply(change(spec("bad"), failures_to_open=8))
        with pytest.raises(ConfigError, match="half_open_longest_s = 1 is below trial_lease_s = 30"):
            await relay.live.apply(change(spec("b"), half_open_longest_s=1.0))
        assert (store.policy.failures_to_open, relay.names()) == (7, ["a"])
        relay.sources.cancel()
        await relay.sources.ended()

    asyncio.run(main())
