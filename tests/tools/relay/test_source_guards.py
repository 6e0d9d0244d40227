"""Breakers around the sources of a chain: the last that serves is kept, a refused login is told on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sprint.core.errors import UpstreamError
from sprint.core.relay.source_url import SourceSpec, parse_source
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.source_guards import SourceGuards
from sprint.tools.relay.source_tasks import SourceTasks
from sprint.tools.relay.sources.connecting import ConnectingSource, Connection
from sprint.tools.relay.sources.guard import SourceGuard
from tests.tools.relay.serving import until

CHAIN = "litecoin-regtest"
REFUSED = "the node refuses the login (401)"


class Chain:
    """Stands in for a chain's intake; `serving` are the sources that are ready and serve."""

    def __init__(self) -> None:
        self.serving: set[str] = set()
        self.breakers = RelayBreakers("turbo")
        self.guards = SourceGuards(self.breakers)

    def serves_without(self, names: set[str]) -> bool:
        return bool(self.serving - names)

    def guard(self, url: str) -> SourceGuard:
        return self.guards.guard(CHAIN, spec(url), cast("Any", self))

    def state(self, name: str) -> str:
        found = self.breakers.registry.find(f"source:{CHAIN}:{name}")
        assert found is not None
        return found.state


def spec(url: str) -> SourceSpec:
    return parse_source(url)


def source(name: str, rest: str = "p2p://127.0.0.1:1") -> str:
    return f"{name}@litecoin:regtest={rest}"


def fail(guard: SourceGuard, times: int = 3) -> None:
    for _ in range(times):
        assert guard.attempt()
        guard.ended("connection refused")


def test_none_is_cut_off_while_no_other_serves_however_many_there_are() -> None:
    chain = Chain()
    guards = {name: chain.guard(source(name)) for name in ("alice", "bob", "carol")}
    for guard in guards.values():
        fail(guard)
    assert {chain.state(name) for name in guards} == {"closed"}
    assert guards["alice"].withheld == (
        "its breaker stays closed, as nobody stands in: 3 failures in a row, limit 3: connection refused"
    )


def test_a_sole_source_that_fails_is_told_of_once_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    """The only node was frozen for two minutes in which nothing said so."""
    alone = Chain().guard(source("alone"))
    for _ in range(2):
        fail(alone, 6)
        told = [r for r in caplog.records if r.getMessage() == "breaker would open, and nobody stands in"]
        assert len(told) == 1
        assert told[0].fields["evidence"] == alone.withheld.replace("6 failures", "3 failures")  # type: ignore[attr-defined]
        caplog.clear()
        assert alone.attempt()
        alone.answered("headers")


def test_one_that_serves_is_not_cut_off_for_a_dead_one_beside_it() -> None:
    chain = Chain()
    slow, dead = chain.guard(source("slow")), chain.guard(source("dead"))
    chain.serving = {"slow"}
    fail(slow)
    assert chain.state("slow") == "closed"
    fail(dead)
    assert chain.state("dead") == "open"


def test_two_that_fail_in_one_turn_are_not_both_cut_off_while_the_third_cannot_be_called() -> None:
    """Both went: each was still ready for the other's sake, and the third, paused, counted as a member."""
    chain = Chain()
    guards = {name: chain.guard(source(name)) for name in ("alice", "bob", "paused")}
    chain.serving = {"alice", "bob"}
    for _ in range(3):
        for name in ("alice", "bob"):
            if guards[name].attempt():
                guards[name].ended("connection refused")
    assert (chain.state("alice"), chain.state("bob")) == ("open", "closed")


def test_what_was_withheld_is_done_once_another_serves() -> None:
    chain = Chain()
    alice = chain.guard(source("alice"))
    chain.guard(source("bob"))
    fail(alice)
    chain.serving = {"bob"}
    fail(alice, 1)
    assert chain.state("alice") == "open"


def test_a_refused_login_is_told_to_those_that_log_in_with_the_same() -> None:
    chain = Chain()
    chain.serving = {"own"}
    login, provider = "rpc://user:right@127.0.0.1", "provider=rack"
    refused = chain.guard(source("refused", f"{login}:1?{provider}"))
    chain.guard(source("same", f"{login}:2?{provider}"))
    chain.guard(source("other_login", f"rpc://user:other@127.0.0.1:2?{provider}"))
    chain.guard(source("other_provider", f"{login}:3"))
    chain.guard(source("p2p", f"p2p://127.0.0.1:4?{provider}"))
    for _ in range(3):
        refused.concerns_provider(REFUSED)
    states = {name: chain.state(name) for name in ("same", "other_login", "other_provider", "p2p")}
    assert states == {"same": "open", "other_login": "closed", "other_provider": "closed", "p2p": "closed"}
    found = chain.breakers.registry.find(f"source:{CHAIN}:same")
    assert found is not None
    assert found.explain().because.text.endswith(f"refused: {REFUSED}")


def test_a_source_that_was_changed_begins_with_a_clean_record_and_the_group_goes_on() -> None:
    chain = Chain()
    fail(chain.guard(source("alice")), 2)
    chain.guards.remove(CHAIN, "alice")
    again = chain.guard(source("alice"))
    chain.serving = {"alice"}
    fail(again, 2)
    fail(again, 1)
    assert chain.state("alice") == "closed", "it is the only one"
    chain.serving = {"alice", "bob"}
    chain.guard(source("bob"))
    fail(again, 1)
    assert chain.state("alice") == "open"


def test_one_that_is_removed_is_told_nothing_more() -> None:
    chain = Chain()
    url = "rpc://user:right@127.0.0.1:1?provider=rack"
    refused, _ = chain.guard(source("refused", url)), chain.guard(source("gone", url))
    chain.guards.remove(CHAIN, "gone")
    refused.concerns_provider(REFUSED)
    assert [each.name for each in chain.breakers.registry] == [f"source:{CHAIN}:refused"]


def test_one_that_rests_while_its_breaker_is_open_takes_no_place_and_is_back_with_a_clean_record() -> None:
    """Its breaker had stayed open for ever, and kept another one's place among those that may be out."""
    chain = Chain()
    chain.serving = {"bob"}
    chain.guard(source("bob"))
    fail(chain.guard(source("alice")))
    assert chain.breakers.registry.group(CHAIN).out == {f"source:{CHAIN}:alice"}
    chain.guards.rest(CHAIN, "alice")
    group = chain.breakers.registry.group(CHAIN)
    assert [*group.members, *group.out] == [f"source:{CHAIN}:bob"]
    again = chain.guard(source("alice"))
    assert (chain.state("alice"), again.retry_after_s()) == ("closed", 0.0)
    assert len(group.members) == 2
    fail(again)
    assert chain.state("alice") == "open"


def test_one_that_was_held_open_before_it_rested_is_held_open_after_it() -> None:
    chain = Chain()
    chain.guard(source("alice"))
    found = chain.breakers.registry.find(f"source:{CHAIN}:alice")
    assert found is not None
    found.force_open("the rack is moved")
    chain.guards.rest(CHAIN, "alice")
    chain.guard(source("alice"))
    assert chain.state("alice") == "force_open"
    assert chain.breakers.registry.group(CHAIN).out == {found.name}


def test_one_that_rests_is_not_told_what_its_provider_refused() -> None:
    chain = Chain()
    chain.serving = {"own"}
    login = "rpc://user:right@127.0.0.1:1?provider=rack"
    refused, _ = chain.guard(source("refused", login)), chain.guard(source("resting", login))
    chain.guards.rest(CHAIN, "resting")
    for _ in range(3):
        refused.concerns_provider(REFUSED)
    assert chain.state("resting") == "closed"


class RefusedSource(ConnectingSource):
    """A source at whose place nobody listens."""

    async def open(self) -> Connection:
        raise UpstreamError("connection refused")


def test_an_operator_who_pauses_and_resumes_a_source_takes_its_breaker_out_and_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = Chain()
    chain.serving = {"bob"}
    intake = QuietIntake(chain)
    served = SimpleNamespace(sources=[], intake=intake, network=None)
    chain.guard(source("bob"))

    async def main() -> None:
        tasks = SourceTasks(cast("Any", {CHAIN: served}), cast("Any", None), chain.guards)
        monkeypatch.setattr(tasks, "make", lambda _, spec: RefusedSource(spec, cast("Any", intake)))
        alice = tasks.make(CHAIN, spec(source("alice")))
        tasks.add(CHAIN, alice)
        await until(lambda: chain.state("alice") == "open")
        resting = await tasks.pause(CHAIN, alice, "its disk is exchanged")
        group = chain.breakers.registry.group(CHAIN)
        assert [*group.members, *group.out] == [f"source:{CHAIN}:bob"]
        tasks.resume(CHAIN, resting)
        assert chain.state("alice") == "closed"
        assert len(group.members) == 2
        tasks.cancel()
        await tasks.ended()

    asyncio.run(main())


class QuietIntake:
    """An intake of which a source asks only whether it may try."""

    chain = CHAIN
    needs_sources = paused = False

    def __init__(self, chain: Chain) -> None:
        self.serves_without = chain.serves_without

    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]:
        del changed  # nothing of it changes
        return nullcontext()

    def source_removed(self, name: str, reason: str) -> None:
        """It was never ready."""
