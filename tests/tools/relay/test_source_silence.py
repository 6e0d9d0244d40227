"""What a source's breaker is told by real connections: answers, silences, refusals; over loopback.

An answer is late here after a twentieth of a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from sprint.core.relay import lateness
from sprint.core.relay.source_url import source_of
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.devnet.edge import Devnet
from sprint.tools.devnet.faults import Fault
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.sources.connecting import ConnectingSource
from sprint.tools.relay.sources.guard import SourceGuard
from sprint.tools.relay.sources.p2p import P2pSource
from sprint.tools.relay.sources.p2p import _Connection as P2pConnection
from sprint.tools.relay.sources.rpc import RpcSource
from tests.core.protocols.json_rpc.model_node import GENESIS, ModelNode
from tests.tools.relay.model_rpc_server import ModelRpcServer
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import CHAIN, Observer, SpyIntake, genesis, new_devnet
from tests.tools.relay.test_rpc_source import QUICK, network, spec_of


@pytest.fixture(autouse=True)
def late_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "LATE_AFTER_S", 0.05)


def guarded(source: ConnectingSource) -> CircuitBreaker:
    """Put the relay's own breaker around a source; another that is well is in its group."""
    breakers = RelayBreakers("turbo")
    breakers.source(CHAIN, source_of("bitcoin", "regtest", "p2p://127.0.0.1:1", name="other"))
    breaker = breakers.source(CHAIN, source.spec)
    source.guard = SourceGuard(breaker)
    return breaker


async def running(source: ConnectingSource, scene: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(source.run())
    try:
        await scene()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def over_rpc(scene: Callable[[SpyIntake, CircuitBreaker, ModelRpcServer], Awaitable[None]]) -> None:
    async def main() -> None:
        async with ModelRpcServer(ModelNode()) as server:
            intake = SpyIntake()
            source = RpcSource(spec_of(server.port), network(), intake, Observer(), QUICK)
            breaker = guarded(source)
            await running(source, lambda: scene(intake, breaker, server))

    asyncio.run(main())


def over_p2p(scene: Callable[[SpyIntake, CircuitBreaker, Devnet], Awaitable[None]]) -> None:
    async def main() -> None:
        devnet = new_devnet()
        (address,) = await devnet.start()
        spec = source_of("bitcoin", "regtest", f"p2p://127.0.0.1:{address.port}", name="n")
        intake = SpyIntake()
        source = P2pSource(spec, network().parameters, intake, Observer())
        breaker = guarded(source)
        try:
            await running(source, lambda: scene(intake, breaker, devnet))
        finally:
            await devnet.stop()

    asyncio.run(main())


def totals(breaker: CircuitBreaker) -> dict[str, int]:
    return breaker.explain().totals


def test_over_rpc_answers_are_successes_and_a_silent_node_opens_it() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        assert totals(breaker) == {}, "it has greeted, and answered no request yet"
        intake.request(locator=[GENESIS])
        await intake.next()
        assert totals(breaker) == {"success": 1}
        server.silent = True
        intake.request(locator=[GENESIS])
        await until(lambda: breaker.state == "open")
        assert "no answer to get" in breaker.explain().because.text

    over_rpc(scene)


def test_over_rpc_a_refused_login_opens_it_and_says_so() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, server: ModelRpcServer) -> None:
        await until(lambda: breaker.state == "open")
        assert "the node refuses the login (401)" in breaker.explain().because.text

    async def main() -> None:
        async with ModelRpcServer(ModelNode()) as server:
            told: list[str] = []
            source = RpcSource(spec_of(server.port, "user:wrong"), network(), SpyIntake(), Observer(), QUICK)
            breaker = guarded(source)
            source.guard = SourceGuard(breaker, told.append)
            await running(source, lambda: scene(SpyIntake(), breaker, server))
            assert told, "it is told on to those that log in with the same"
            assert "(401)" in told[0]

    asyncio.run(main())


def test_over_rpc_a_node_that_has_too_much_to_do_is_neither_good_nor_bad() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, server: ModelRpcServer) -> None:
        assert await intake.next() == "ready"
        intake.request(locator=[GENESIS])
        await intake.next()
        server.status = 503
        intake.request(locator=[GENESIS])
        await until(lambda: totals(breaker).get("inconclusive", 0) > 0)
        assert breaker.state == "closed"

    over_rpc(scene)


def test_over_p2p_answers_are_successes_and_a_silent_node_opens_it() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, devnet: Devnet) -> None:
        assert await intake.next() == "ready"
        assert totals(breaker) == {}, "a handshake is no answer to a request"
        intake.request(locator=[genesis()])
        await intake.next()
        intake.request(bodies=[devnet.ledger(CHAIN).tip])
        await intake.next()
        assert totals(breaker) == {"success": 2}
        devnet.show(CHAIN, Fault.STALL, 600)
        intake.request(locator=[genesis()])
        await until(lambda: breaker.state == "open")
        assert "no answer to getheaders" in breaker.explain().because.text

    over_p2p(scene)


def test_over_p2p_a_block_that_the_relay_gave_up_waiting_for_is_a_failure() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, devnet: Devnet) -> None:
        assert await intake.next() == "ready"
        intake.request(locator=[genesis()])
        await intake.next()
        assert intake.upstream is not None
        intake.upstream.overdue(2.0)
        intake.upstream.overdue(2.0)
        found = breaker.explain()
        assert (found.totals["failure"], found.failures_in_a_row) == (1, 1), "one pause is one failure"

    over_p2p(scene)


def test_over_p2p_a_quiet_node_that_is_well_is_called_nothing_else() -> None:
    async def scene(intake: SpyIntake, breaker: CircuitBreaker, devnet: Devnet) -> None:
        assert await intake.next() == "ready"
        intake.request(locator=[genesis()])
        await intake.next()
        looks_at = cast("P2pConnection", intake.upstream)._lateness
        await until(lambda: looks_at.next_timer() is None)  # it has looked, and nothing is owed
        assert totals(breaker) == {"success": 1}

    over_p2p(scene)
