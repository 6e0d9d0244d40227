"""A feature is as the config says from the start, and a reload switches it on every chain at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import msgspec
import pytest

from sprint.core.config import ConfigChange, FeaturesSection
from sprint.core.relay.fetch import BodyFetcher
from sprint.core.relay.settings import ChainSettings
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.features import switch_features
from sprint.tools.relay.service import RelayService, Serving
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.view import ServedChain
from sprint.tools.runtime import StopSignal
from tests.tools.relay.test_service import options

NETWORK = ChainCatalog.installed().find_id("bitcoin-regtest")


class Intake:
    """What of a chain's intake features are switched on."""

    def __init__(self) -> None:
        self.fetcher = BodyFetcher(ChainSettings())
        self.pipeline = self.state = self


def a_chain() -> tuple[ServedChain, Intake, P2pChain]:
    intake = Intake()
    chain = ServedChain(NETWORK, cast("Any", intake), [])
    return chain, intake, P2pChain.of(cast("Any", intake), NETWORK.parameters)


class Member:
    """A source whose node is told whether to send blocks unasked."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def prefer(self, *, high_bandwidth: bool) -> None:
        self.told.append(high_bandwidth)


def test_a_slow_body_is_asked_of_no_second_source_while_hedging_is_off() -> None:
    chain, intake, _ = a_chain()
    fetcher = intake.fetcher
    for source in ("a", "b"):
        fetcher.source_ready(source)
    fetcher.want(bytes(32), 1, ("a",))
    assert [each.source for each in fetcher.assign(0.0)] == ["a"]
    switch_features([chain], {"hedging": False})
    assert fetcher.assign(5.0) == []
    switch_features([chain], {"hedging": True})
    assert [each.source for each in fetcher.assign(5.0)] == ["b"]


def test_nobody_sends_blocks_unasked_while_high_bandwidth_is_off() -> None:
    chain, _, shared = a_chain()
    first, second = Member(), Member()
    shared.joined("first", first.prefer)
    shared.joined("second", second.prefer)
    shared.delivered("first", b"1" * 32)
    assert (first.told, second.told) == ([True], [])
    switch_features([chain], {"high_bandwidth": False})
    shared.delivered("second", b"2" * 32)
    assert (first.told, second.told) == ([True, False], [])
    switch_features([chain], {"high_bandwidth": True})
    shared.delivered("second", b"3" * 32)
    assert (first.told, second.told) == ([True, False], [True])


def test_a_switch_that_is_not_named_stays() -> None:
    chain, intake, _ = a_chain()
    switch_features([chain], {"watch_config": False})
    assert intake.fetcher.hedging


@pytest.mark.parametrize("begins", [True, False])
def test_a_relay_starts_with_the_configs_features_and_a_change_of_them_is_applied(*, begins: bool) -> None:
    async def main() -> None:
        asked = msgspec.structs.replace(options(), features=FeaturesSection(hedging=begins))
        service, stop = RelayService(asked), StopSignal()
        ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(service.run(ready.set_result, stop))
        await ready
        assert service.view is not None
        fetchers = [c.intake.pipeline.state.fetcher for c in service.view._chains.values()]
        assert [each.hedging for each in fetchers] == [begins] * len(fetchers)
        assert await service.apply(ConfigChange(features={"hedging": not begins})) == {}
        assert [each.hedging for each in fetchers] == [not begins] * len(fetchers)
        stop.stop(0)
        await running

    asyncio.run(main())
