"""Detours: a source led through a fault proxy is journalled, blocks go on, and the original is given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sprint.core.chaos.wiring import NotPossible
from sprint.core.errors import ConfigError
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.proxies import Detours
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import wait_until_delivered

CHAIN = "litecoin-regtest"
TTL_S = 60.0


@contextmanager
def relay_on(folder: Path, *sources: str) -> Iterator[tuple[RelayProcess, RelayAdmin]]:
    arguments = [part for source in sources for part in ("--source", source)]
    with (
        RelayProcess(folder, *arguments, "--data-dir", str(folder / "data")) as relay,
        RelayAdmin(str(relay.serving.admin)) as admin,
    ):
        wait_until(lambda: all(each.usable for each in admin.map().sources), "all sources are usable")
        yield relay, admin


def states(admin: RelayAdmin) -> dict[str, str]:
    return {each.name: each.state for each in admin.sample(0.0).sources}


@pytest.mark.real("litecoind")
def test_a_litecoinds_blocks_go_on_through_a_detour_and_its_undo_gives_the_source_back(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    node = litecoind_factory()
    with relay_on(tmp_path, f"alice@{node.source_url}") as (relay, admin):
        wait_until_delivered(relay.url, CHAIN, node.mine(1)[-1])
        with FaultKeeper(tmp_path / "journal") as faults, Detours(admin.map()) as detours:
            (number,) = detours.open(faults, [f"{CHAIN}:alice"], TTL_S)
            (open_fault,) = faults.on()
            assert (open_fault.kind, open_fault.target) == ("detour", f"source:{CHAIN}:alice")
            assert states(admin) == {"alice": "paused", "alice-chaos": "ready"}
            proxy = detours.proxies[f"{CHAIN}:alice-chaos"]
            led = {each.name: each for each in admin.map().sources}["alice-chaos"]
            wait_until_delivered(relay.url, CHAIN, node.mine(3)[-1])
            shown = httpx.get(f"{proxy.control_url}/api/proxies/{proxy.proxy}").json()
            assert (shown["listen"], shown["target"]) == (led.address, f"{HOST}:{node.p2p_port}")
            assert shown["connections"] == 1
            faults.undo(number)
            wait_until(lambda: states(admin) == {"alice": "ready"}, "the source itself is back, and alone")
            wait_until_delivered(relay.url, CHAIN, node.mine(1)[-1])
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{proxy.control_url}/api/proxies")


@pytest.mark.real("litecoind")
def test_a_source_that_is_logged_in_to_is_named_with_what_would_work_and_nothing_is_done(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    node = litecoind_factory()
    rpc = f"bob@litecoin:regtest=rpc://{':'.join(RPC_LOGIN)}@{HOST}:{node.rpc_port}"
    with relay_on(tmp_path, f"alice@{node.source_url}", rpc) as (_, admin):
        with FaultKeeper(tmp_path / "journal") as faults, Detours(admin.map()) as detours:
            with pytest.raises(NotPossible) as raised:
                detours.open(faults, [f"{CHAIN}:alice", f"{CHAIN}:bob"], TTL_S)
            said = f"no detour for {CHAIN}:bob: its node wants a login, which the relay tells nobody; start"
            assert str(raised.value).startswith(said)
            assert "--proxy node=" in str(raised.value)
            assert faults.on() == []
        assert states(admin) == {"alice": "ready", "bob": "ready"}


def test_sources_of_all_kinds_are_led_and_the_end_of_the_faults_gives_them_back(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN, beside=True) as devnet:
        urls = {
            "p2p": devnet.source_url,
            "rpc": devnet.url_of("rpc", "rpc_port"),
            "zmq": devnet.url_of("zmq", "zmq_port"),
        }
        with relay_on(tmp_path, *(f"{name}@{url}" for name, url in urls.items())) as (relay, admin):
            with Detours(admin.map()) as detours:
                with FaultKeeper(tmp_path / "journal") as faults:
                    detours.open(faults, [f"{CHAIN}:{name}" for name in urls], TTL_S)
                    assert states(admin) == {
                        **dict.fromkeys(urls, "paused"),
                        **dict.fromkeys([f"{name}-chaos" for name in urls], "ready"),
                    }
                    assert [each.provider for each in admin.map().sources][3:] == ["p2p", "rpc", "zmq"]
                    wait_until_delivered(relay.url, CHAIN, devnet.mine(2)[-1])
                wait_until(lambda: states(admin) == dict.fromkeys(urls, "ready"), "all are back")
            wait_until_delivered(relay.url, CHAIN, devnet.mine(1)[-1])


def test_a_source_that_there_is_not_or_that_is_led_already_is_refused(tmp_path: Path) -> None:
    with (
        DevnetProcess(CHAIN) as devnet,
        relay_on(tmp_path, f"alice@{devnet.source_url}") as (_, admin),
        Detours(admin.map()) as detours,
        FaultKeeper(tmp_path / "journal") as faults,
    ):
        with pytest.raises(ConfigError, match=rf"source '{CHAIN}:bob': the relay has {CHAIN}:alice"):
            detours.open(faults, [f"{CHAIN}:bob"], TTL_S)
        with pytest.raises(ConfigError, match="0 sources to lead through proxies, want 1 to 64"):
            detours.open(faults, [], TTL_S)
        detours.open(faults, [f"{CHAIN}:alice"], TTL_S)
        with Detours(admin.map()) as again, pytest.raises(NotPossible, match="it is not usable now"):
            again.open(faults, [f"{CHAIN}:alice"], TTL_S)
        assert len(faults.on()) == 1
