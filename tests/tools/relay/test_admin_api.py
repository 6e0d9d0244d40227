"""What an operator is told of a relay's health."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.rows import row_of
from sprint.core.relay.source_url import parse_source
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.relay.admin_api import AdminApi, rejects
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.sources.paused import PausedSource
from tests.tools.relay.test_live_sources import ShownSource


def opened(*, shadow: bool) -> Machine:
    policy = replace(Policy(), failures_to_open=1, shadow=shadow)
    machine = Machine("node", policy, now=0.0, rng=lambda: 0.5)
    permit = machine.admit(0.0)
    assert permit is not None
    machine.settle(permit, "failure", 0.01, 0.0)
    assert machine.state == "open"
    return machine


def test_a_breaker_in_shadow_that_only_says_it_is_open_makes_nothing_degraded() -> None:
    assert rejects(row_of(opened(shadow=False), 0.0, 0.0))
    assert not rejects(row_of(opened(shadow=True), 0.0, 0.0))


def test_an_operators_word_shuts_also_one_in_shadow() -> None:
    machine = opened(shadow=True)
    machine.force_open(0.0)
    assert rejects(row_of(machine, 0.0, 0.0))
    machine.force_close(0.0)
    assert not rejects(row_of(machine, 0.0, 0.0))


CHAIN = "litecoin-regtest"


def health_with(source: object, breakers: RelayBreakers) -> dict[str, Any]:
    """Return the health of a relay with one source, whose other parts are well."""
    said = {"status": "ok", "version": "1", "parts": {"store": {}, "chains": {CHAIN: {}}}}
    view = SimpleNamespace(health=lambda: said, listeners=list)
    state = SimpleNamespace(sources_ready=0)
    intake = SimpleNamespace(pipeline=SimpleNamespace(state=state))
    chain = SimpleNamespace(sources=[source], intake=intake)
    feed = BreakerFeed(breakers.registry)
    api = AdminApi(cast("Any", view), cast("Any", {CHAIN: chain}), feed, cast("Any", None))
    answer = asyncio.run(api._health(cast("Any", None)))
    return cast("dict[str, Any]", msgspec.json.decode(answer.body))


def test_the_breaker_of_a_source_that_is_paused_makes_nothing_degraded() -> None:
    """A relay had been degraded for as long as a node was paused whose breaker was open before."""
    spec = parse_source("a@litecoin:regtest=p2p://127.0.0.1:1")
    breakers = RelayBreakers("turbo")
    breakers.source(CHAIN, spec).force_open("its disk is exchanged")
    source = ShownSource(spec)
    runs = health_with(source, breakers)
    assert (runs["status"], len(runs["reasons"])) == ("degraded", 1)
    paused = PausedSource(source, "paused by an operator")
    assert paused.view().retry_in_s == math.inf
    rests = health_with(paused, breakers)
    assert (rests["status"], rests["reasons"]) == ("ok", [])
    assert rests["chains"][CHAIN]["sources_paused"] == 1


def test_a_sole_source_that_fails_makes_the_relay_degraded_though_its_breaker_stays_closed() -> None:
    """The only node was frozen for two minutes in which health was ok."""
    spec = parse_source("a@litecoin:regtest=p2p://127.0.0.1:1")
    breakers = RelayBreakers("turbo")
    breaker = breakers.source(CHAIN, spec)
    source = ShownSource(spec)
    assert health_with(source, breakers)["status"] == "ok"
    for _ in range(3):
        breaker.admit().failure(TimeoutError("no answer to ping for 12 s"))
    assert breaker.state == "closed"
    found = health_with(source, breakers)
    assert found["status"] == "degraded"
    assert found["reasons"][0].startswith(
        f"breaker {breaker.name} would be open, and nobody stands in: 3 fail"
    )
