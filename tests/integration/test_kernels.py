"""A relay serves on plain Python, swaps compiled kernels in while blocks come, and tells which form works."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.tools.relay.kernels_warm_up import cache_folder, compiled_folder
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
STOP_S_MAX = 5.0
WARM_TIMEOUT_S = 120.0


@pytest.fixture
def devnet() -> Iterator[DevnetProcess]:
    with DevnetProcess(CHAIN) as process:
        yield process


def relay_of(folder: Path, devnet: DevnetProcess, **environment: str) -> RelayProcess:
    options = ("--source", devnet.source_url, "--data-dir", str(folder / "data"))
    return RelayProcess(folder, *options, environment={"SPRINT_RELAY__KERNELS": "auto", **environment})


def form_of(relay: RelayProcess) -> dict[str, str]:
    found: dict[str, str] = json.loads(fetch(f"{relay.url}/api/v1/health"))["parts"]["kernels"]
    return found


def height_of(relay: RelayProcess) -> int | None:
    head = json.loads(fetch(f"{relay.url}/api/v1/chains/{CHAIN}/status"))["head"]
    return head["height"] if head else None


def test_blocks_are_relayed_before_and_after_the_swap_and_the_form_is_told(
    tmp_path: Path, devnet: DevnetProcess
) -> None:
    with cache_folder(os.environ) as folder:  # it is the user's, so what is waited for below is the swap
        asyncio.run(compiled_folder(folder, os.environ, "auto"))
    with relay_of(tmp_path, devnet) as relay:
        assert form_of(relay)["state"] in {"warming", "compiled"}
        wait_until(lambda: height_of(relay) is not None, "the tip is found")
        begun = height_of(relay) or 0
        devnet.mine(3)
        wait_until(lambda: height_of(relay) == begun + 3, "blocks on plain Python")
        wait_until(
            lambda: form_of(relay)["state"] == "compiled", "kernels are swapped in", timeout_s=WARM_TIMEOUT_S
        )
        devnet.mine(3)
        wait_until(lambda: height_of(relay) == begun + 6, "blocks on compiled kernels")
        tier = form_of(relay)["tier"]
        assert json.loads(fetch(f"{relay.url}/api/v1/version"))["kernels"] == tier != "reference"
        metrics = fetch(f"{relay.serving.metrics}/metrics").decode()
        assert f'sprint_kernels{{state="compiled",tier="{tier}"}} 1.0' in metrics
    assert "kernels swapped in" in relay.stderr()


def test_a_relay_that_still_compiles_stops_as_fast_as_any(tmp_path: Path, devnet: DevnetProcess) -> None:
    with relay_of(tmp_path, devnet, XDG_CACHE_HOME=str(tmp_path / "empty")) as relay:
        wait_until(lambda: height_of(relay) is not None, "the tip is found")
        assert form_of(relay)["state"] == "warming"
        begun = time.monotonic()
        assert relay.terminate() == 0
        assert time.monotonic() - begun < STOP_S_MAX


def test_a_relay_without_compiled_kernels_says_so_and_relays(tmp_path: Path, devnet: DevnetProcess) -> None:
    with relay_of(tmp_path, devnet, NUMBA_DISABLE_JIT="1") as relay:
        wait_until(
            lambda: form_of(relay)["state"] == "failed", "the failure is told", timeout_s=WARM_TIMEOUT_S
        )
        assert "NUMBA_DISABLE_JIT" in form_of(relay)["reason"]
        wait_until(lambda: height_of(relay) is not None, "the tip is found")
        begun = height_of(relay) or 0
        devnet.mine(1)
        wait_until(lambda: height_of(relay) == begun + 1, "blocks on plain Python")
        assert json.loads(fetch(f"{relay.url}/api/v1/health"))["status"] == "ok"
        metrics = fetch(f"{relay.serving.metrics}/metrics").decode()
        assert 'sprint_kernels{state="failed",tier="reference"} 1.0' in metrics
    assert "plain Python stays in use" in relay.stderr()
