"""Hogs: each takes what was asked, no more than may be taken, and gives it back whoever ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import pytest

from sprint.core.chaos.faults import Hog, PacketLoss
from sprint.core.errors import ConfigError
from sprint.tools.chaos import hogs
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.hogs import HogProcess, refuse_hog
from sprint.tools.chaos.processes import end, lives
from tests.integration.chaos_scene import has_nft, pids_with
from tests.integration.real_servers import wait_until

Resource = Literal["cpu", "memory", "descriptors", "disk"]
MIB = 1024 * 1024
TTL_S = 120.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def started(resource: Resource, amount: float, file: Path, ttl_s: float = TTL_S) -> HogProcess:
    hog = HogProcess(Hog(resource, amount, str(file.parent)), str(file), ttl_s)
    hog.go()
    return hog


def test_a_hog_waits_until_it_is_told_and_ends_with_who_could_tell_it(disk: Path) -> None:
    hog = HogProcess(Hog("disk", 1.0, str(disk)), str(disk / "sprint-chaos-1"), TTL_S)
    assert lives(hog.name)
    assert list(disk.iterdir()) == []
    stdin, _ = hogs._pipes(hog._process)
    stdin.close()
    wait_until(lambda: not lives(hog.name), "it ended")
    hog.end()


@pytest.mark.parametrize("how", ["its time is over", "its pipe ends", "it is ended by its undo"])
@pytest.mark.parametrize("resource", ["cpu", "memory", "descriptors", "disk"])
def test_a_hog_gives_all_back_however_it_ends(resource: Resource, how: str, disk: Path) -> None:
    file = disk / f"sprint-chaos-{os.getpid()}-{resource}"
    ttl_s = 0.3 if how == "its time is over" else TTL_S
    hog = started(resource, 1.0, file, ttl_s)
    if how == "its pipe ends":
        hogs._pipes(hog._process)[0].close()
    if how == "it is ended by its undo":
        end(hog.name)
        # Killed, it removes nothing any more: that is the second half of its undo.
        file.unlink(missing_ok=True)
    wait_until(lambda: not lives(hog.name), "it ended")
    wait_until(lambda: not pids_with(str(file)), "those that it started ended too")
    hog.end()


def test_a_hog_holds_as_much_as_was_asked(disk: Path) -> None:
    file = disk / "sprint-chaos-held"
    for resource, amount in (("memory", 64.0), ("descriptors", 200.0), ("disk", 3.0)):
        hog = started(resource, amount, file)  # type: ignore[arg-type]
        seen = psutil.Process(hog.name.pid)
        if resource == "memory":
            assert seen.memory_info().rss > 64 * MIB
        if resource == "descriptors":
            assert seen.num_fds() > 200
        if resource == "disk":
            assert file.stat().st_size == 3 * MIB
            assert file.stat().st_blocks * 512 >= 3 * MIB
            file.unlink()
        hog.end()


def test_a_hog_of_cores_keeps_so_many_busy(disk: Path) -> None:
    hog = started("cpu", 1.5, disk / "sprint-chaos-busy")
    burning = psutil.Process(hog.name.pid).children()
    assert len(burning) == 2
    wait_until(lambda: all(sum(each.cpu_times()[:2]) > 0.1 for each in burning), "each has worked")
    hog.end()
    wait_until(lambda: not pids_with(str(disk)), "they ended with it")


@pytest.mark.parametrize(
    ("resource", "most"),
    [
        ("cpu", hogs.CORES_FACTOR_MAX * (os.cpu_count() or 1)),
        ("memory", hogs.MEMORY_SHARE_MAX * psutil.virtual_memory().total / MIB),
        ("descriptors", 1e9),
    ],
)
def test_a_hog_that_would_take_too_much_is_refused_with_what_there_is(
    resource: Resource, most: float, tmp_path: Path
) -> None:
    refuse_hog(Hog(resource, 1.0), tmp_path)
    for amount in (most + 1.0, 0.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=f"{resource} hog: .*; want more than 0 and at most"):
            refuse_hog(Hog(resource, amount), tmp_path)


def test_a_disk_is_not_filled_where_the_journal_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 300 * MIB
    monkeypatch.setattr(
        "sprint.tools.chaos.hogs.shutil.disk_usage", lambda _: type("Usage", (), {"free": free})()
    )
    refuse_hog(Hog("disk", 44.0, str(tmp_path)), tmp_path)
    with pytest.raises(
        ConfigError, match=r"at most 44: 300 MiB are free at .*, 256 of them stay \(the journal"
    ):
        refuse_hog(Hog("disk", 44.5, str(tmp_path)), tmp_path)
    for folder in ("relative", str(tmp_path / "nowhere")):
        with pytest.raises(ConfigError, match="want an absolute path of a folder that is there"):
            refuse_hog(Hog("disk", 1.0, folder), tmp_path)


SMALL_DISK = """
import errno, sys
from pathlib import Path
from sprint.core.chaos.faults import Hog
from sprint.tools.chaos.faults import FaultKeeper
disk, journals = Path(sys.argv[1]), Path(sys.argv[2])
with FaultKeeper(journals) as faults:
    number = faults.inject(Hog("disk", 1.9, str(disk)), "disk", str(disk), "full")
    try:
        (disk / "relay.db").write_bytes(bytes(200_000))
    except OSError as error:
        print(errno.errorcode[error.errno], end=" ")
    faults.undo(number)
    (disk / "relay.db").write_bytes(bytes(200_000))
    print([path.name for path in disk.iterdir()])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system of its own wants root")
def test_a_disk_that_a_hog_filled_refuses_others_and_takes_them_again_afterwards(tmp_path: Path) -> None:
    disk, journals = tmp_path / "disk", tmp_path / "journals"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size=2m none {disk} && exec {sys.executable} -c "$0" {disk} {journals}'
    command = ["unshare", "--mount", "sh", "-c", mount, SMALL_DISK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "ENOSPC ['relay.db']\n", done.stderr


def test_signals_of_a_terminal_do_not_end_a_hog(disk: Path) -> None:
    hog = started("descriptors", 1.0, disk / "sprint-chaos-signals")
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(hog.name.pid, number)
    assert lives(hog.name)
    hog.end()
    assert not lives(hog.name)


@pytest.mark.skipif(not has_nft(), reason="wants root, and nft")
def test_packets_to_a_port_are_lost_until_the_table_goes_and_then_come_again(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_STREAM) as server, FaultKeeper(tmp_path) as faults:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0] as accepted:
            reading = threading.Thread(target=_read_to_the_end, args=(accepted,))
            reading.start()
            faults.inject(PacketLoss(port, 0.3), "packet-loss", str(port), "30 %", ttl_s=TTL_S)
            table = f"sprint_chaos_{faults.run}_1".replace("-", "_")
            assert _dropped(table) == 0
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(40):
                client.send(b"x")
            wait_until(lambda: _dropped(table) > 0, "packets were lost")
            faults.undo(1)
            tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
            assert table not in tables.stdout
            client.shutdown(socket.SHUT_WR)
            reading.join(TTL_S)
            assert not reading.is_alive()


def _dropped(table: str) -> int:
    told = subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True, check=True)
    return int(told.stdout.partition("counter packets ")[2].split()[0])


def _read_to_the_end(line: socket.socket) -> None:
    while line.recv(4_096):
        pass


@pytest.mark.skipif(os.geteuid() == 0 and has_nft(), reason="here packets can be dropped")
def test_without_nft_packets_are_not_dropped_and_the_way_round_is_named(tmp_path: Path) -> None:
    with FaultKeeper(tmp_path) as faults:
        with pytest.raises(ConfigError, match="use loss bursts through a fault proxy"):
            faults.inject(PacketLoss(8080, 0.1), "packet-loss", "8080", "10 %")
        assert faults.on() == []
