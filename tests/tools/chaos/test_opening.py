"""What is told of the relay that experiments are made with, beside what it tells itself."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError
from sprint.tools.chaos import opening
from sprint.tools.chaos.embedded import CHAINS
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.opening import embedded_options, opened_subject
from sprint.tools.chaos.subject import Subject
from tests.integration.chaos_scene import ChaosScene, has_nft

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


def test_the_embedded_relays_packets_are_dropped_where_that_can_be_done() -> None:
    wiring = opened(Given()).wiring
    assert (wiring.packets, wiring.relay_supervised) == (has_nft(), True)
