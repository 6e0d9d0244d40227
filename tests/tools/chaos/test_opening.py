"""What is told of the relay that experiments are made with, beside what it tells itself."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError
from sprint.tools.chaos import opening
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.embedded import CHAINS
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.led_round import wanted_detours
from sprint.tools.chaos.opening import embedded_options, opened_subject, planned_subject
from sprint.tools.chaos.subject import Subject
from tests.integration.chaos_scene import ChaosScene, has_nft
from tests.integration.relay_process import RelayProcess

NOBODY = "http://127.0.0.1:1"


def opened(given: Given) -> Subject:
    async def open_and_close() -> Subject:
        async with AsyncExitStack() as stack:
            return (await opened_subject(options_of(given), stack))()

    return asyncio.run(open_and_close())


def test_the_embedded_relay_has_the_chains_that_were_asked_for_each_once() -> None:
    assert embedded_options(options_of(Given(chain=(CHAINS[2], CHAINS[0], CHAINS[2])))).chains == (
        CHAINS[2],
        CHAINS[0],
    )
    assert embedded_options(options_of(Given())).chains == CHAINS[:1]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Given(data_dir="/var"), "--data-dir: the embedded relay has its own"),
        (Given(packets=True), "--packets: the embedded relay has its own"),
        (Given(chain=CHAINS, target=NOBODY), "--chain: the relay that --target names has its own"),
    ],
)
def test_what_is_told_of_another_relay_than_the_one_meant_is_refused(given: Given, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        options_of(given)


def test_what_is_known_of_a_users_relay_is_what_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChaosScene(tmp_path) as scene:
        folder = str(tmp_path / "data")
        monkeypatch.setattr(opening, "lack_of_nft", lambda: "")
        wiring = opened(Given(target=scene.admin_url, data_dir=folder, packets=True)).wiring
        assert (wiring.data_folder, wiring.packets) == (folder, True)
        wiring = opened(Given(target=scene.admin_url)).wiring
        assert (wiring.data_folder, wiring.packets) == ("", False)
        with pytest.raises(ConfigError, match=r"--data-dir .*/none: there is no such folder"):
            opened(Given(target=scene.admin_url, data_dir=str(tmp_path / "none")))
        monkeypatch.setattr(opening, "lack_of_nft", lambda: "nft is refused here")
        with pytest.raises(ConfigError, match="--packets: nft is refused here"):
            opened(Given(target=scene.admin_url, packets=True))


def test_a_dry_run_led_the_sources_of_a_relays_own_devnet_through_proxies(tmp_path: Path) -> None:
    with RelayProcess(tmp_path, "--demo", "--devnet-interval-ms", "0") as relay:
        admin_url = str(relay.serving.admin)

        async def proxies() -> list[str]:
            async with AsyncExitStack() as stack:
                options = options_of(Given(target=admin_url))
                return sorted((await planned_subject(options, stack, ("latency",)))().wiring.proxies)

        assert asyncio.run(proxies()) == []
        with RelayAdmin(admin_url) as admin:
            relay_map = admin.map()
        wiring = opened(Given(target=admin_url)).wiring
        able, lacks = wanted_detours(
            ("latency",), relay_map, Subject(admin_url=admin_url, api_url=relay.url, wiring=wiring), ()
        )
        assert able == ()
        assert len(lacks) == len(relay_map.sources)
        assert all("own devnet runs its chain" in lack for lack in lacks)


def test_the_embedded_relays_packets_are_dropped_where_that_can_be_done() -> None:
    wiring = opened(Given()).wiring
    assert (wiring.packets, wiring.relay_supervised) == (has_nft(), True)
