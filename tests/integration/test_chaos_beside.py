"""A second relay beside an experiment: what shows in both is told apart from what shows in one alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sprint.core.chaos.result import Result
from sprint.core.errors import ConfigError
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.embedded import NODE_NAMES, EmbeddedOptions
from tests.integration.chaos_scores import ScoredRelay
from tests.integration.real_servers import HOST, wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
DURATION_S = 3.0
BOTH_DURATION_S = 8.0  # two breakers open, each by its own clock


@pytest.fixture(scope="module")
def relay() -> Iterator[ScoredRelay]:
    with ScoredRelay(EmbeddedOptions()) as made:
        yield made


def run_beside(
    relay: ScoredRelay,
    folder: Path,
    source: str,
    addresses: Mapping[str, str],
    duration_s: float = DURATION_S,
) -> Result:
    """Run an experiment at a source with a second relay beside it, whose sources are at these addresses."""
    words = [
        word
        for name, address in addresses.items()
        for word in ("--source", f"{name}@litecoin:regtest=p2p://{address}")
    ]
    with RelayProcess(folder, *words, "--data-dir", str(folder / "data")) as second:
        assert second.serving.admin is not None
        with RelayAdmin(second.serving.admin) as admin:
            wait_until(lambda: all(one.usable for one in admin.map().sources), "the second relay's are ready")
        return relay.run("errors", duration_s, source=f"{CHAIN}:{source}", beside=second.serving.admin)


def test_what_the_fault_did_alone_shows_in_the_relay_that_it_was_put_on_and_not_beside_it(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    nodes = relay.stack.devnets[CHAIN].first_line["nodes"]
    direct = {name: f"{HOST}:{node['port']}" for name, node in zip(NODE_NAMES, nodes, strict=True)}
    result = run_beside(relay, tmp_path, "alice", direct)
    beside = result.beside
    assert beside is not None
    assert len(beside.subject.opened) == 1
    assert (beside.control.opened, beside.control.not_ready, beside.control.health) == ((), (), "ok")
    assert beside.in_both == ()
    assert f"breakers that opened: {beside.subject.opened[0]}; beside it none" in beside.differed
    assert beside.common_blocks >= 5
    assert beside.later_ms is not None
    assert result.verdict == "met"


def test_a_fault_that_shows_in_both_relays_is_told_as_not_the_faults_alone(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    proxies = relay.stack.proxy.first_line["proxies"]
    same = {name: str(proxies[f"{CHAIN}.{name}"]) for name in NODE_NAMES}
    beside = run_beside(relay, tmp_path, "bob", same, BOTH_DURATION_S).beside
    assert beside is not None
    (opened,) = beside.control.opened
    assert f"breakers that opened: {opened}; beside it {opened}: not the fault's alone" in beside.in_both


def test_a_relay_is_not_held_beside_itself_and_nothing_is_put_on_where_the_second_is_none(
    relay: ScoredRelay,
) -> None:
    before = relay.journals()
    with pytest.raises(ConfigError, match="that is the target itself"):
        relay.run("errors", DURATION_S, beside=relay.stack.admin_url)
    with pytest.raises(ConfigError, match="the port of a tier"):
        relay.run("errors", DURATION_S, beside=relay.stack.api_url)
    assert relay.journals() == before
