"""kill -9 of `sprint cb-chaos` amid a campaign, at any moment: nothing of it stays, seen from outside.

Against a user's relay, whose sources it leads through proxies of its own, and against a relay of its own.
Each process that it started, and those that these started, are known by a mark in their environment. Printed:
seed, and how far the killed had come, by the phase that was told last.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.journal_file import JournalFile, journals_in
from sprint.tools.chaos.rollback import rollback
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
KILLS = 3
KILLS_SOAK = 50
# The phase in which it is killed, and so long after that was told at most; before anything was told too.
PHASES = ("", "opening", "experiment", "steady", "method", "method", "rollback", "recovery")
AFTER_S_MAX = 1.5
PHASE_WAIT_S_MAX = 30.0
EXPERIMENTS = (
    *("latency", "errors", "upstream-stall", "network-partition", "packet-loss", "cascade", "reset-peer"),
    *("bandwidth", "force-open", "force-close", "resource-exhaustion-memory", "process-kill"),
)
# Not one of the relay's own settings: those are kept from an embedded one.
MARK = "TEST_OF_KILLED_TOOL"
PROC = Path("/proc")


def test_nothing_stays_when_the_tool_is_killed_amid_a_campaign(tmp_path: Path, seed: int) -> None:
    _kill_often(tmp_path, seed, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_nothing_stays_of_fifty_tools_that_were_killed_amid_a_campaign(tmp_path: Path, seed: int) -> None:
    _kill_often(tmp_path, seed, KILLS_SOAK)


def _kill_often(folder: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    reached: Counter[str] = Counter()
    with _users_relay(folder / "relay") as admin:
        for turn in range(kills):
            names = rng.sample(EXPERIMENTS, 3)
            target = ["--target", admin.url] if turn % 3 else []
            where = folder / f"turn-{turn}"
            phase, after_s = rng.choice(PHASES), rng.uniform(0.0, AFTER_S_MAX)
            reached[_killed(where, [*target, *_options(names)], phase, after_s)] += 1
            what = f"seed {seed}, turn {turn}: {', '.join(names)}, {'' if target else 'embedded, '}{where}"
            _nothing_stays(where, what)
            wait_until(lambda: _as_before(admin), f"{what}: the relay is as it was")
    print(f"seed {seed}: {kills} kills:", ", ".join(f"{what} {n}" for what, n in sorted(reached.items())))


@contextlib.contextmanager
def _users_relay(folder: Path) -> Iterator[RelayAdmin]:
    with DevnetProcess(CHAIN, beside=True) as devnet:
        sources = (f"alice@{devnet.source_url}", f"bob@{devnet.url_of('rpc', 'rpc_port')}")
        words = [word for source in sources for word in ("--source", source)]
        with (
            RelayProcess(folder, *words, "--data-dir", str(folder / "data")) as relay,
            RelayAdmin(str(relay.serving.admin)) as admin,
        ):
            wait_until(lambda: _as_before(admin), "the relay's sources are ready")
            yield admin


def _as_before(admin: RelayAdmin) -> bool:
    sample = admin.sample(0.0)
    states = {each.name: each.state for each in sample.sources}
    held = [each.name for each in sample.breakers if each.state != "closed"]
    return states == {"alice": "ready", "bob": "ready"} and not held


def _options(names: list[str]) -> list[str]:
    chosen = [word for name in names for word in ("--experiment", name)]
    return [*chosen, "--duration", "1s"]


def _killed(folder: Path, options: list[str], phase: str, after_s: float) -> str:
    """Start the tool, kill it some time after it has told of a phase; return the phase it told of last."""
    (folder / "temporary").mkdir(parents=True)
    command = [sys.executable, "-m", "sprint.cli.main", "cb-chaos", "--journal-dir", str(folder / "journals")]
    environment = {**os.environ, MARK: str(folder), "TMPDIR": str(folder / "temporary")}
    said = folder / "said"
    with said.open("wb") as stderr:
        tool = subprocess.Popen(
            [*command, *options, "--json"], stdout=subprocess.DEVNULL, stderr=stderr, env=environment
        )
        with contextlib.suppress(TimeoutError):
            wait_until(
                lambda: not phase or phase in _told(said) or tool.poll() is not None,
                phase,
                timeout_s=PHASE_WAIT_S_MAX,
            )
        with contextlib.suppress(subprocess.TimeoutExpired):
            tool.wait(after_s)
        tool.kill()
        tool.wait()
    return (_told(said) or ["nothing"])[-1]


def _told(said: Path) -> list[str]:
    """Return the phases that a tool has told of, each by its name."""
    return [line.split()[0] for line in said.read_text().splitlines() if line.strip()]


def _nothing_stays(folder: Path, what: str) -> None:
    mark = f"{MARK}={folder}\0".encode()
    try:
        wait_until(lambda: not _marked(mark), what)
    except TimeoutError:
        pytest.fail(f"{what}: still running: {_marked(mark)}")
    assert list((folder / "temporary").iterdir()) == [], what
    for path in journals_in(folder / "journals"):
        with JournalFile(path) as journal:
            assert journal.read().open() == [], f"{what}: {path}"
    # One that was killed before its keeper was there has put nothing on, and not said that it has ended.
    for found in rollback(folder / "journals"):
        assert (found.state, found.undone, found.remains) == ("ended", (), ()), f"{what}: {found}"
    assert rollback(folder / "journals") == [], what


def _marked(mark: bytes) -> dict[int, str]:
    """Return the running processes that have a mark in their environment, and their commands."""
    found = {}
    for path in PROC.iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit() and mark in (path / "environ").read_bytes() + b"\0":
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found
