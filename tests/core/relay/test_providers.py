"""Ways to one node agree as one: a quorum and `agreed_by` count providers."""

from __future__ import annotations

from sprint.core.relay.providers import Providers
from sprint.core.relay.settings import ChainSettings
from tests.core.relay.driving import Blocks, Driver, begun
from tests.core.relay.test_quorum import delivered, fire

STRICT = ChainSettings(quorum=2, quorum_wait_ms=500, quorum_strict=True)
LENIENT = ChainSettings(quorum=2, quorum_wait_ms=500)


def name(driver: Driver, **providers: str) -> None:
    for source, provider in providers.items():
        driver.state.providers.name(source, provider)


def test_a_source_without_a_provider_is_its_own() -> None:
    providers = Providers()
    assert providers.count(["a", "b"]) == 2
    providers.name("a", "rack")
    providers.name("b", "rack")
    assert providers.count(["a", "b", "c"]) == 2
    assert repr(providers) == "Providers(1 of 2 sources)"
    providers.forget("b")
    assert providers.count(["a", "b"]) == 2
    assert providers.count([]) == 0


def test_three_ways_to_one_node_fill_no_quorum_and_a_second_node_does() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, STRICT, "p2p", "rpc", "zmq", "other"), blocks.mine(1)
    name(driver, p2p="node", rpc="node", zmq="node")
    driver.follow("p2p", hashes)
    for source in ("rpc", "zmq"):
        driver.admit(driver.headers_of(source, hashes))
    driver.timer(1.0)
    assert driver.told("block") == []
    driver.admit(driver.headers_of("other", hashes))
    fire(driver)
    assert len(delivered(driver)) == 1


def test_where_all_that_is_ready_is_one_node_nobody_is_waited_for() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, LENIENT, "p2p", "rpc"), blocks.mine(1)
    name(driver, p2p="node", rpc="node")
    driver.follow("p2p", hashes)
    assert len(driver.told("block")) == 1


def test_a_lying_node_on_three_ways_agrees_with_itself_alone() -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks, ChainSettings(), "p2p", "rpc", "zmq"), blocks.mine(1)
    name(driver, p2p="liar", rpc="liar", zmq="liar")
    driver.headers("p2p", hashes)
    for source in ("rpc", "zmq"):
        driver.admit(driver.headers_of(source, hashes))
    driver.body("p2p", hashes[0])
    assert [(e.data.agreed_by, e.data.sources_seen) for e in driver.told("block")] == [(1, 3)]


def test_the_provider_of_a_ready_source_is_kept() -> None:
    driver = begun(Blocks())
    driver.take(driver.pipeline.source_ready("x", driver.now, provider="rack"))
    driver.take(driver.pipeline.source_ready("y", driver.now, provider="rack", serves=False))
    assert driver.state.providers.count(["x", "y"]) == 1
