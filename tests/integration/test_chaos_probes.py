"""Probes and actions of experiments against a real relay, a devnet and a fault proxy, as processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sprint.core.errors import SprintError
from sprint.tools.chaos import actions, probes
from sprint.tools.chaos.faults import FaultKeeper
from tests.integration.devnet_process import DevnetProcess
from tests.integration.fault_proxy_process import NAME, FaultProxyProcess
from tests.integration.real_servers import HOST, free_ports, wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
ALICE = f"source:{CHAIN}:alice"
# A devnet's block each so often; a probe that waits for one waits for some.
INTERVAL_MS = 250.0


class Scene(NamedTuple):
    """A relay whose one source is a devnet behind a fault proxy."""

    devnet: DevnetProcess
    proxy: FaultProxyProcess
    relay: RelayProcess
    admin_url: str
    keeper: FaultKeeper


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("probes")
    with (
        DevnetProcess(CHAIN, interval_ms=INTERVAL_MS, control=True) as devnet,
        FaultProxyProcess(devnet.port) as proxy,
    ):
        source = f"alice@litecoin:regtest=p2p://{HOST}:{proxy.port}"
        with (
            RelayProcess(folder, "--source", source, "--data-dir", str(folder / "data")) as relay,
            FaultKeeper(folder / "journals") as keeper,
            actions.use_keeper(keeper),
        ):
            assert relay.serving.admin is not None
            admin_url = relay.serving.admin
            wait_until(lambda: probes.sources_ready(admin_url, CHAIN) == 1, "the source is ready")
            yield Scene(devnet, proxy, relay, admin_url, keeper)


def test_probes_tell_of_a_relay_that_is_well(scene: Scene) -> None:
    url = scene.relay.url
    assert probes.relay_ready(url)
    assert probes.health_status(scene.admin_url) == "ok"
    assert probes.breaker_state(scene.admin_url, ALICE) == "closed"
    assert probes.chain_advances(url, CHAIN)
    assert probes.events_delivered(url, CHAIN)
    assert probes.head_height(url, CHAIN) > 0
    assert probes.connects(HOST, scene.proxy.port)
    assert probes.round_trip_ms(HOST, scene.proxy.port) < 2_000


def test_a_stall_is_seen_by_chain_subscriber_and_round_trip_and_gone_after(scene: Scene) -> None:
    url = scene.relay.url
    actions.add_toxic(scene.proxy.control_url, NAME, "stall", ttl_s=60.0)
    # What had passed the proxy before may be on its way still.
    wait_until(lambda: not probes.chain_advances(url, CHAIN, within_s=1.0), "the chain stands")
    assert not probes.events_delivered(url, CHAIN, within_s=1.0)
    assert probes.round_trip_ms(HOST, scene.proxy.port, within_s=0.5) >= 500
    actions.remove_toxics(scene.proxy.control_url, NAME)
    assert scene.proxy.view()["toxics"] == []
    assert probes.chain_advances(url, CHAIN, within_s=30.0)
    assert probes.events_delivered(url, CHAIN, within_s=30.0)


def test_an_order_to_a_breaker_is_seen_and_taken_back(scene: Scene) -> None:
    actions.order_breaker(scene.admin_url, ALICE, "force_close")
    assert probes.breaker_state(scene.admin_url, ALICE) == "force_close"
    actions.release_breaker(scene.admin_url, ALICE)
    assert probes.breaker_state(scene.admin_url, ALICE) == "closed"


def test_a_paused_source_is_seen_and_resumed(scene: Scene) -> None:
    actions.pause_source(scene.admin_url, CHAIN, "alice")
    assert probes.sources_ready(scene.admin_url, CHAIN) == 0
    actions.resume_source(scene.admin_url, CHAIN, "alice")
    wait_until(lambda: probes.sources_ready(scene.admin_url, CHAIN) == 1, "the source is back")


def test_bursts_reach_the_proxy_and_leave_nothing(scene: Scene) -> None:
    before = len(scene.keeper.journal.read().planned)
    actions.lose_in_bursts(scene.proxy.control_url, NAME, share=0.5, period_s=0.2, lasts_s=0.6)
    journal = scene.keeper.journal.read()
    assert len(journal.injected) - before == 3
    assert journal.open() == []
    assert scene.proxy.view()["toxics"] == []


def test_undo_all_takes_off_what_is_on(scene: Scene) -> None:
    actions.add_toxic(scene.proxy.control_url, NAME, "latency", {"latency_ms": 300})
    assert [each["kind"] for each in scene.proxy.view()["toxics"]] == ["latency"]
    actions.undo_all()
    assert scene.proxy.view()["toxics"] == []


def test_what_does_not_answer_or_is_no_relay_says_so(scene: Scene) -> None:
    (closed,) = free_ports(1)
    assert not probes.connects(HOST, closed)
    assert probes.round_trip_ms(HOST, closed, within_s=0.5) == 500
    for ask, error in (
        (lambda: probes.relay_ready(f"http://{HOST}:{closed}"), "gives no answer to /api/v1/ready"),
        (lambda: probes.health_status(scene.proxy.control_url), "is it a relay's port"),
        (lambda: probes.sources_ready(scene.admin_url, "no-chain"), "no chain 'no-chain'"),
        (lambda: probes.breaker_state(scene.admin_url, "no:breaker"), "answers 404"),
    ):
        with pytest.raises(SprintError, match=error):
            ask()


def test_a_host_that_is_not_allowed_is_refused(scene: Scene) -> None:
    with pytest.raises(SprintError, match="neither on loopback nor among the allowed"):
        actions.add_toxic("http://192.0.2.1:1", NAME, "stall")
    assert scene.keeper.on() == []


def test_the_tool_itself_is_neither_frozen_nor_killed(scene: Scene) -> None:
    for act in (actions.freeze_process, actions.kill_process):
        with pytest.raises(SprintError, match="this tool"):
            act(os.getpid())
    assert scene.keeper.on() == []


def test_each_fault_has_its_target_in_the_journal(scene: Scene) -> None:
    actions.add_toxic(scene.proxy.control_url, NAME, "stall", target=ALICE)
    (planned,) = scene.keeper.on()
    assert (planned.kind, planned.target, planned.ttl_s) == ("stall", ALICE, actions.TTL_S)
    actions.undo_all()
