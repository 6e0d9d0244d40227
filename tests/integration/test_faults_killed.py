"""kill -9 of the tool while a fault goes on or comes off: nothing stays, seen from outside.

The tool stands still at a moment (`faulty_tool`) or is killed at any; every second time its keeper is killed
just before it, so that only `--rollback` is left. Printed: seed, and how many kills fell on what.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprint.tools.chaos.journal_file import journals_in
from sprint.tools.chaos.rollback import rollback
from tests.integration.chaos_scene import KINDS, ChaosScene, pids_with
from tests.integration.faulty_tool import MOMENTS
from tests.integration.real_servers import wait_until

KILLS = 3
KILLS_SOAK = 50
ANY_MOMENT_S_MAX = 1.0


def test_nothing_stays_on_when_the_tool_is_killed_amid_a_fault(tmp_path: Path, seed: int) -> None:
    _kill_often(tmp_path, seed, KILLS)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_nothing_stays_on_of_fifty_killed_tools(tmp_path: Path, seed: int) -> None:
    _kill_often(tmp_path, seed, KILLS_SOAK)


def _kill_often(folder: Path, seed: int, kills: int) -> None:
    rng = random.Random(seed)
    kinds = rng.sample(KINDS, len(KINDS))
    hit: Counter[tuple[str, ...]] = Counter()
    with ChaosScene(folder) as scene:
        for turn in range(kills):
            kind = kinds[turn % len(kinds)]
            moment = rng.choice(MOMENTS)
            alone = turn % 2 == 1
            hit.update([(kind,), (moment,), ("keeper too" if alone else "tool alone",)])
            _kill_once(scene, folder / f"journals-{turn}", kind, moment, rng, alone=alone)
    print(f"seed {seed}: {kills} kills:", ", ".join(f"{each[0]} {n}" for each, n in sorted(hit.items())))


def _kill_once(
    scene: ChaosScene, folder: Path, kind: str, moment: str, rng: random.Random, *, alone: bool
) -> None:
    fault = msgspec.json.encode(scene.fault(kind)).decode()
    command = [sys.executable, "-m", "tests.integration.faulty_tool", str(folder), moment, fault]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tool:
        told: dict[str, Any] = json.loads(tool.stdout.readline()) if tool.stdout else {}
        if moment == "any":
            time.sleep(rng.uniform(0.0, ANY_MOMENT_S_MAX))
        if alone:
            os.kill(told["keeper"], signal.SIGKILL)
        tool.kill()
    what = f"{kind} at {moment}"
    if alone:
        wait_until(lambda: not pids_with(str(folder)), f"{what}: the tool and its keeper are gone")
        (found,) = rollback(folder)
        assert (found.state, found.remains) == ("ended", ()), what
    wait_until(lambda: not pids_with(str(folder)), f"{what}: the keeper has ended")
    _wait_until_nothing_is_left(lambda: scene.left(told["run"], kind), what)
    (journal,) = journals_in(folder)
    assert journal.read_bytes().splitlines()[-1].startswith(b'{"type":"ended"'), what
    assert rollback(folder) == [], what


def _wait_until_nothing_is_left(left: Callable[[], list[str]], what: str) -> None:
    """What a fault's own end takes time for, as a devnet's stall, may be there a moment longer."""
    try:
        wait_until(lambda: not left(), what)
    except TimeoutError:
        pytest.fail(f"{what}: {left()}")
