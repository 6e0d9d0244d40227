"""A disk that refuses under a running relay: it delivers nothing that is not logged, says so, and goes on.

The disk is made to refuse in two ways: the kernel lets no file of the relay grow past a size (EFBIG), and,
where the test may mount, a small tmpfs is filled (ENOSPC).
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_breakers import RelayBreakers
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import (
    Listener,
    blocks_of,
    kinds_of,
    latest_hash,
    wait_until_delivered,
)

CHAIN = "litecoin-regtest"
TMPFS_SIZE = "4m"
FILLER_PART = 4096
BURST = 20
BURSTS_MAX = 40
MINED_MEANWHILE = 50
REQUEST_TIMEOUT_S = 10.0
STOP_S_MAX = 10.0


class Disk(Protocol):
    """Where a relay keeps its data; it can be made to refuse."""

    folder: Path

    def refuse(self, relay: RelayProcess) -> None: ...
    def relent(self, relay: RelayProcess) -> None: ...


class NarrowFiles:
    """No file of the relay may grow past the size that its write-ahead log has now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def refuse(self, relay: RelayProcess) -> None:
        size = max(file.stat().st_size for file in self.folder.iterdir())
        resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def relent(self, relay: RelayProcess) -> None:
        if relay.running:  # the limit ends with the process
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(relay.pid, resource.RLIMIT_FSIZE, unlimited)


class SmallDisk:
    """A tmpfs of its own, filled to the last block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def refuse(self, _: RelayProcess) -> None:
        self.refuse_now()

    def relent(self, _: RelayProcess) -> None:
        self.relent_now()

    def refuse_now(self) -> None:
        with self._filler.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(FILLER_PART))

    def relent_now(self) -> None:
        self._filler.unlink()


@pytest.fixture(params=["narrow files", "full tmpfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "data"
    folder.mkdir()
    if request.param == "narrow files":
        yield NarrowFiles(folder)
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_SIZE},mode=0700", "sprint-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def health_of(relay: RelayProcess) -> dict[str, Any]:
    answer = httpx.get(f"{relay.url}/api/v1/health", timeout=REQUEST_TIMEOUT_S, trust_env=False)
    found: dict[str, Any] = answer.json()
    return found


def ready_status_of(relay: RelayProcess) -> int:
    answer = httpx.get(f"{relay.url}/api/v1/ready", timeout=REQUEST_TIMEOUT_S, trust_env=False)
    return answer.status_code


def blocks_received(listener: Listener) -> int:
    (source,) = listener.client.status(CHAIN)["sources"]
    return int(source["blocks_received"])


def mine_until_it_refuses(relay: RelayProcess, devnet: DevnetProcess) -> None:
    for _ in range(BURSTS_MAX):
        devnet.mine(BURST)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: health_of(relay)["status"] == "failing", "the store fails", timeout_s=0.3)
            return
    # A relay that is starved of the processor has not taken in yet what no disk of that size can hold.
    wait_until(lambda: health_of(relay)["status"] == "failing", "the store fails")


@contextlib.contextmanager
def relay_on(folder: Path, disk: Disk, devnet: DevnetProcess) -> Iterator[RelayProcess]:
    arguments = ("--source", devnet.source_url, "--data-dir", str(disk.folder))
    with RelayProcess(folder, *arguments) as relay:
        wait_until_delivered(relay.url, CHAIN, devnet.tip)
        yield relay


def test_a_disk_that_refuses_stops_intake_and_delivery_until_there_is_room(
    tmp_path: Path, disk: Disk
) -> None:
    with (
        DevnetProcess(CHAIN) as devnet,
        relay_on(tmp_path, disk, devnet) as relay,
        Listener(relay.url) as listener,
    ):
        listener.wait_for_block(devnet.mine(5)[-1])
        disk.refuse(relay)
        mine_until_it_refuses(relay, devnet)
        store = health_of(relay)["parts"]["store"]
        assert store["status"] == "failing"
        assert "SQLITE" in store["reason"]
        assert ready_status_of(relay) == 503
        assert "the store refuses; intake stops" in relay.stderr()
        # What went out before the refusal may still be on its way to the subscriber.
        listener.wait_for_block(latest_hash(listener.client, CHAIN) or "")
        received, seen = blocks_received(listener), blocks_of(listener.events)
        devnet.mine(MINED_MEANWHILE)
        wait_until(lambda: health_of(relay)["status"] == "failing", "it still fails")
        assert (blocks_received(listener), blocks_of(listener.events)) == (received, seen)
        print(f"{store['reason']}: stopped after {len(blocks_of(listener.events))} blocks of {devnet.height}")
        disk.relent(relay)
        listener.wait_for_block(devnet.tip)
        assert kinds_of(listener.events) == [f"block {block}" for block in devnet.hashes(3)]
        assert [event.seq for event in listener.events] == list(range(1, len(listener.events) + 1))
        assert health_of(relay)["status"] == "ok"
        assert ready_status_of(relay) == 200
        assert "the store works again" in relay.stderr()
        with RelayBreakers(relay) as breakers:
            first, *_, last = breakers.history("store")
        assert (first["to"], first["reason"]) == ("open", "tripped")
        assert "SQLITE" in first["evidence"]["text"]
        assert (last["to"], last["reason"]) == ("closed", "trials_succeeded")


def test_a_relay_killed_on_a_disk_that_refuses_has_lost_nothing_it_gave(tmp_path: Path, disk: Disk) -> None:
    with DevnetProcess(CHAIN) as devnet, relay_on(tmp_path, disk, devnet) as first:
        with Listener(first.url) as listener:
            listener.wait_for_block(devnet.mine(5)[-1])
            disk.refuse(first)
            mine_until_it_refuses(first, devnet)
            first.kill()
            given = list(listener.events)
        disk.relent(first)
        with relay_on(tmp_path, disk, devnet) as second, Listener(second.url) as fresh:
            assert second.log_id == first.log_id
            fresh.wait_for_block(devnet.tip)
            assert fresh.events[: len(given)] == given
            assert kinds_of(fresh.events) == [f"block {block}" for block in devnet.hashes(3)]


def test_a_relay_told_to_stop_while_its_disk_refuses_says_what_is_not_in(tmp_path: Path, disk: Disk) -> None:
    with (
        DevnetProcess(CHAIN) as devnet,
        relay_on(tmp_path, disk, devnet) as relay,
        Listener(relay.url) as listener,
    ):
        listener.wait_for_block(devnet.mine(5)[-1])
        disk.refuse(relay)
        mine_until_it_refuses(relay, devnet)
        began = time.monotonic()
        code = relay.terminate()
        print(f"stopped with {code} after {time.monotonic() - began:.1f} s")
        assert code == 3
        assert time.monotonic() - began < STOP_S_MAX
        assert "commits not in" in relay.stderr()
        assert "nobody was given them" in relay.stderr()
