"""A relay's disk that is filled for real: it says so, serves on what it has, and loses nothing it gave.

The relay's data are on a tmpfs of a few MiB, which `resource-exhaustion-disk` fills but for little.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sprint.tools.client import Client
from tests.integration.chaos_litecoinds import LitecoindStage
from tests.integration.chaos_stage import CHAIN
from tests.integration.real_servers import Litecoind, wait_until

SIZE = "8m"
MIB = 2**20
# What is left beside the file: a few blocks.
LEFT_MIB = 0.2
DURATION = "8s"
OPENS_S_MAX = 90.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "sprint-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def free_mib(folder: Path) -> float:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize / MIB


@pytest.mark.real("litecoind")
def test_a_relay_whose_disk_is_filled_says_so_serves_on_and_loses_nothing(
    small_disk: Path, tmp_path: Path, litecoind_factory: Callable[[], Litecoind]
) -> None:
    with LitecoindStage(tmp_path, litecoind_factory, data=small_disk) as stage:
        figure = f"disk_left_mib={LEFT_MIB}"
        served: list[int] = []
        full = threading.Event()

        def read_what_there_is() -> None:
            wait_until(lambda: "open" in stage.breaker_states("store"), "it opens", timeout_s=OPENS_S_MAX)
            full.set()
            with Client(stage.api_url) as client:
                served.append(client.latest(CHAIN).height)

        reader = threading.Thread(target=read_what_there_is)
        reader.start()
        outcome = stage.run_experiment("resource-exhaustion-disk", "--duration", DURATION, "--figure", figure)
        reader.join()
        assert full.is_set(), outcome.result.reason
        assert served
        result, facts = outcome.result, outcome.result.facts
        assert (outcome.code, result.verdict) == (0, "met"), result.reason
        assert facts is not None
        assert [each.seen_by for each in facts.faults] != [""]
        assert facts.false_opens == ()
        assert facts.contained.breakers_hit == ()
        opened = {each.breaker: each for each in facts.breakers if each.opened_after_s is not None}
        assert set(opened) == {"store"}
        assert "disk is full" in opened["store"].evidence
        assert free_mib(small_disk) > LEFT_MIB
        assert stage.left(result.run) == []
        assert stage.stream_faults() == []
