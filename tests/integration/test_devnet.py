"""A real litecoind follows a devnet node: what the devnet mines and says holds outside its own parsers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.integration.real_servers import HOST, Litecoind

pytestmark = pytest.mark.real("litecoind")

BLOCKS = 425  # beyond two halvings of the reward, and a little below the first extension block
MWEB_HEIGHT = 432


@contextmanager
def devnet(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sprint.tools.devnet", "--chain", "litecoin-regtest", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def answer_of(process: subprocess.Popen[str], line: str = "") -> dict[str, object]:
    assert process.stdin is not None
    assert process.stdout is not None
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    assert isinstance(answer, dict)
    return answer


def last_of(answer: dict[str, object]) -> str:
    hashes = answer["hashes"]
    assert isinstance(hashes, list)
    return str(hashes[-1])


def test_a_real_node_syncs_and_follows_announcements_bursts_and_reorgs(litecoind: Litecoind) -> None:
    with devnet() as process:
        port = answer_of(process)["port"]
        tip = last_of(answer_of(process, f"mine {BLOCKS}"))
        litecoind.rpc("addnode", f"{HOST}:{port}", "onetry")
        litecoind.wait_for_tip(tip)
        for line in ("mine 1", "mine 1", "mine 8", "reorg 1", "mine 9", "reorg 5", "mine 1"):
            litecoind.wait_for_tip(last_of(answer_of(process, line)))
        assert litecoind.height == answer_of(process, "height")["height"]
        assert litecoind.height > MWEB_HEIGHT
        (peer,) = litecoind.rpc("getpeerinfo")
        assert peer["subver"] == "/sprint-devnet/"


def test_a_node_whose_clock_is_late_has_a_chain_of_that_time(litecoind: Litecoind) -> None:
    """An hour of twenty blocks a second ended when its chain was two hours ahead of the clock."""
    behind_s, tolerated_s = 86_400, 600
    with devnet("--behind-s", str(behind_s)) as process:
        port = answer_of(process)["port"]
        tip = last_of(answer_of(process, "mine 1"))
        litecoind.rpc("addnode", f"{HOST}:{port}", "onetry")
        litecoind.wait_for_tip(tip)
        late_s = time.time() - int(litecoind.rpc("getblockheader", tip)["time"])
        assert abs(late_s - behind_s) < tolerated_s
