"""What the keeper of faults holds: undo before injection, off in any case, whoever dies."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sprint.core.chaos.faults import DescriptorLimit, Freeze, Hog, Kill, Toxic
from sprint.core.chaos.journal import read_journal
from sprint.core.chaos.undo import RemoveToxic, StartProcess
from sprint.core.errors import ConfigError, FaultError
from sprint.tools.chaos import processes, undoing
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.journal_file import JournalFile
from sprint.tools.chaos.processes import lives, name_of, state_of
from sprint.tools.chaos.rollback import rollback
from tests.integration.fault_proxy_process import NAME, FaultProxyProcess
from tests.integration.real_servers import free_ports, wait_until

WAIT_S = 10.0
FAULTS_AT_ONCE = 12
OPENER = """
import sys
for line in sys.stdin:
    try:
        open("/dev/null").close()
        print("ok", flush=True)
    except OSError as error:
        print(error.errno, flush=True)
"""


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[FaultKeeper]:
    with FaultKeeper(tmp_path / "journals") as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxyProcess]:
    with socket.create_server(("127.0.0.1", 0)) as target, FaultProxyProcess(target.getsockname()[1]) as made:
        yield made


def latency(proxy: FaultProxyProcess) -> Toxic:
    return Toxic(proxy.control_url, NAME, {"kind": "latency", "latency_ms": 200})


def toxics(proxy: FaultProxyProcess) -> list[str]:
    return [toxic["name"] for toxic in proxy.view()["toxics"]]


def test_a_toxic_is_on_from_inject_to_undo_and_the_journal_tells_it(
    faults: FaultKeeper, proxy: FaultProxyProcess
) -> None:
    number = faults.inject(latency(proxy), "latency", "node", "200 ms", ttl_s=30)
    assert toxics(proxy) == [f"chaos-{faults.run}-{number}"]
    faults.undo(number)
    assert toxics(proxy) == []
    faults.undo(number)
    lines = faults.journal.path.read_bytes().splitlines()
    assert [line.split(b'"')[3] for line in lines] == [b"run", b"planned", b"injected", b"undone"]
    faults.close()
    known = faults.journal.read()
    assert (known.ended, known.undone[number].by, known.undone[number].says) == (True, "tool", "")


def test_what_takes_a_fault_off_is_on_the_disk_before_it_is_on(
    faults: FaultKeeper, proxy: FaultProxyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk: list[bytes] = []
    on: list[list[str]] = []

    def injecting(*_: object) -> None:
        on_disk.append(faults.journal.path.read_bytes())
        on.append(toxics(proxy))
        raise FaultError("not put on")

    monkeypatch.setattr("sprint.tools.chaos.faults.inject", injecting)
    with pytest.raises(FaultError, match="not put on"):
        faults.inject(latency(proxy), "latency", "node", "200 ms")
    (planned,) = read_journal(on_disk[0]).open()
    assert planned.undo == (RemoveToxic(proxy.control_url, NAME, f"chaos-{faults.run}-1"),)
    assert on == [[]]
    assert faults.on() == []


def test_three_who_take_all_off_at_once_do_each_once(
    tmp_path: Path, proxy: FaultProxyProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprint.tools.chaos.rollback.HALT_WAIT_S_MAX", 0.0)
    faults = FaultKeeper(tmp_path)
    for _ in range(FAULTS_AT_ONCE):
        faults.inject(latency(proxy), "latency", "node", "200 ms")
    with ThreadPoolExecutor(2) as pool:
        rolled_back = pool.submit(rollback, tmp_path, halt=True)
        os.kill(faults.keeper_pid, signal.SIGTERM)
        assert pool.submit(faults.undo_all).result(WAIT_S) == []
        assert rolled_back.result(WAIT_S)[0].remains == ()
    assert toxics(proxy) == []
    assert faults.close() == []
    content = faults.journal.path.read_bytes()
    assert content.count(b'"type":"undone"') == FAULTS_AT_ONCE
    assert content.count(b'"type":"ended"') == 1


def test_the_keeper_takes_a_fault_off_when_its_time_is_over(
    faults: FaultKeeper, proxy: FaultProxyProcess
) -> None:
    number = faults.inject(latency(proxy), "latency", "node", "200 ms", ttl_s=0.3)
    wait_until(lambda: not faults.on(), "the keeper took it off")
    assert toxics(proxy) == []
    assert faults.journal.read().undone[number].by == "keeper"


def test_a_keeper_that_died_ends_all_faults_and_is_told(
    tmp_path: Path, proxy: FaultProxyProcess, sleeper: subprocess.Popen[bytes]
) -> None:
    faults = FaultKeeper(tmp_path)
    faults.inject(latency(proxy), "latency", "node", "200 ms")
    faults.inject(Freeze(name_of(sleeper.pid)), "freeze", "sleeper", "stopped")
    processes.end(name_of(faults.keeper_pid))
    with pytest.raises(FaultError, match="ended with -9, so no fault may stay: all were taken off"):
        faults.inject(latency(proxy), "latency", "node", "200 ms")
    assert toxics(proxy) == []
    wait_until(lambda: state_of(name_of(sleeper.pid)) == "S", "it goes on, and sleeps again")
    assert faults.close() == []


def test_a_frozen_process_goes_on_and_one_that_is_gone_counts_as_undone(
    faults: FaultKeeper, sleeper: subprocess.Popen[bytes]
) -> None:
    frozen = name_of(sleeper.pid)
    number = faults.inject(Freeze(frozen), "freeze", "sleeper", "stopped")
    assert state_of(frozen) == "T"
    with pytest.raises(ConfigError, match="stopped already"):
        faults.inject(Freeze(frozen), "freeze", "sleeper", "stopped")
    faults.undo(number)
    assert state_of(frozen) != processes.STOPPED
    gone = faults.inject(Freeze(frozen), "freeze", "sleeper", "stopped")
    processes.end(frozen)
    assert faults.undo_all() == []
    assert faults.journal.read().undone[gone].says == f"process {frozen.pid} is gone"


def test_a_process_that_was_killed_is_started_again_where_that_was_asked(
    faults: FaultKeeper, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    program = f"import socket,time; s=socket.create_server(('127.0.0.1',{port})); time.sleep(60)"
    again = StartProcess((sys.executable, "-c", program), str(tmp_path), f"127.0.0.1:{port}")
    with subprocess.Popen([sys.executable, "-c", program]) as first:
        wait_until(lambda: listening(port), "it listens")
        number = faults.inject(Kill(name_of(first.pid), again), "process-kill", "it", "killed")
        assert first.wait(WAIT_S) == -signal.SIGKILL
    assert not listening(port)
    faults.undo(number)
    assert listening(port)
    second = undoing._started[-1]
    second.kill()
    second.wait(WAIT_S)


def test_a_process_opens_no_more_than_its_limit_until_it_has_its_own_again(faults: FaultKeeper) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as opener:
        assert opened(opener) == "ok\n"
        name = name_of(opener.pid)
        before = processes.descriptor_limit(name)
        assert before is not None
        with pytest.raises(ConfigError, match="want 0 to"):
            faults.inject(DescriptorLimit(name, before, before), "fds", "it", "as many")
        number = faults.inject(DescriptorLimit(name, 3, before), "fds", "it", "none more")
        assert opened(opener) == f"{errno.EMFILE}\n"
        faults.undo(number)
        assert (opened(opener), processes.descriptor_limit(name)) == ("ok\n", before)
        faults.inject(DescriptorLimit(name, 3, before), "fds", "it", "none more")
        processes.set_descriptor_limit(name, 100)
        faults.undo(number + 1)
        assert processes.descriptor_limit(name) == 100
        opener.kill()


def opened(opener: subprocess.Popen[bytes]) -> str:
    """Have a process open a file; what it says."""
    assert opener.stdin is not None
    assert opener.stdout is not None
    opener.stdin.write(b"\n")
    opener.stdin.flush()
    return opener.stdout.readline().decode()


def listening(port: int) -> bool:
    with socket.socket() as made:
        return made.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("resource", "amount"), [("cpu", 0.2), ("memory", 8.0), ("descriptors", 20.0)])
def test_a_hog_holds_what_it_is_for_until_it_is_ended(
    faults: FaultKeeper, resource: str, amount: float
) -> None:
    number = faults.inject(Hog(resource, amount), "hog", resource, "some", ttl_s=20)  # type: ignore[arg-type]
    hog = faults._hogs[number].name
    assert lives(hog)
    faults.undo(number)
    assert not lives(hog)


LOOSE = """
import sys
from sprint.core.chaos.faults import Hog
from sprint.tools.chaos.faults import keeper_of_this_process
keeper_of_this_process().inject(Hog("memory", 1.0), "memory", "here", "1 MiB")
assert keeper_of_this_process() is keeper_of_this_process()
sys.exit(3)
"""


def test_what_somebody_elses_runner_left_on_comes_off_as_its_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRINT_CHAOS_JOURNAL", str(tmp_path))
    assert subprocess.run([sys.executable, "-c", LOOSE], check=False, timeout=60).returncode == 3
    (path,) = tmp_path.iterdir()
    with JournalFile(path) as journal:
        known = journal.read()
    assert (known.ended, known.undone[1].by) == (True, "tool")
