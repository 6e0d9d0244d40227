"""The config is changed again and again while hundreds read: nobody is dropped, nothing lost or twice.

Three tiers are served to WebSocket and NDJSON readers, half and half, while a node makes 20 blocks a second.
Each reload changes the tiers' windows, ranks and limits, and adds, removes, renames or replaces sources;
every third file is a bad one, which must change nothing and be named. The node's own list of blocks is
the truth.
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import httpx
import pytest

from tests.integration.crowd import Crowd
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
INTERVAL_MS = 50.0
TIERS = ("free", "business", "turbo")
OF_EACH = 50  # of each tier, over WebSocket, and as many lines
RELOADS = 20
RELOADS_SOAK = 400
BAD_EVERY = 3
BLOCKS_BETWEEN = 3
# All that a source may be: its name says how it is connected to.
SOURCES = ("p2p-1", "p2p-2", "p2p-3", "rpc-1", "rpc-2", "zmq-1")
BAD_FILES = {
    "[log]\nlevel = 'loud'\n": "log.level = 'loud': Invalid enum value 'loud'",
    "[tiers.free]\nrank = 0\n": "tiers.free.rank = 0: Expected `int` >= 1",
    "[chains.dogecone]\nquorum = 1\n": "[chains.dogecone]",
    "[relay\n": "not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 7)",
}


class Wanted(NamedTuple):
    """A config: the sources' names, and what each tier is given."""

    sources: tuple[str, ...]
    tiers: dict[str, dict[str, float]]

    @classmethod
    def drawn(cls, rng: random.Random) -> Wanted:
        # An RPC or ZMQ source alone would do as well; one P2P source keeps the blocks coming at their rate.
        names = {rng.choice(SOURCES[:3]), *rng.sample(SOURCES, rng.randint(0, 3))}
        ranks = rng.sample(range(1, 10), len(TIERS))
        return cls(
            tuple(sorted(names)),
            {
                tier: {
                    "rank": rank,
                    "coalescing_window_ms": rng.choice((0, 0, 1, 10, 50)),
                    "connections_max": rng.choice((2 * OF_EACH, 150, 200)),
                }
                for tier, rank in zip(TIERS, ranks, strict=True)
            },
        )

    def text(self, node: DevnetProcess) -> str:
        lines = ["[features]", "watch_config = false", "[relay]", f"tiers = {list(TIERS)}"]
        for tier, fields in self.tiers.items():
            lines += [f"[tiers.{tier}]", "port = 0", *(f"{key} = {value}" for key, value in fields.items())]
        for name in self.sources:
            scheme = name.partition("-")[0]
            port = node.addresses["port" if scheme == "p2p" else f"{scheme}_port"]
            lines += [
                f"[[chains.{CHAIN}.sources]]",
                f"name = '{name}'",
                f"url = '{scheme}://127.0.0.1:{port}'",
            ]
        return "\n".join(lines) + "\n"


class Operator:
    """Who writes the file, tells the relay, and looks at what came of it."""

    def __init__(self, path: Path, relay: RelayProcess) -> None:
        self._path, self._relay = path, relay
        self._http = httpx.Client(trust_env=False)
        self.reloads = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def tell(self, text: str) -> str:
        """Write the file, have it read, and return what the log says of it."""
        self._path.write_text(text)
        before = self._relay.stderr_path.stat().st_size
        os.kill(self._relay.pid, signal.SIGHUP)
        self.reloads += 1
        wait_until(lambda: self._reloads() == self.reloads, "the config is read again")
        return self._relay.stderr_path.read_bytes()[before:].decode()

    def sources(self) -> list[str]:
        listed = self._http.get(f"{self._relay.serving.admin}/api/sources").json()["sources"][CHAIN]
        return sorted(source["name"] for source in listed)

    def _reloads(self) -> float:
        text = self._http.get(f"{self._relay.serving.metrics}/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("sprint_config_reloads_total")]
        return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_reloads_under_load_drop_nobody_and_lose_nothing(tmp_path: Path, seed: int) -> None:
    reload_under_load(tmp_path, seed, RELOADS)


@pytest.mark.soak
def test_many_reloads_under_load_drop_nobody_and_lose_nothing(tmp_path: Path, seed: int) -> None:
    reload_under_load(tmp_path, seed, RELOADS_SOAK)


def reload_under_load(folder: Path, seed: int, reloads: int) -> None:
    rng = random.Random(seed)
    path = folder / "sprint.toml"
    with ExitStack() as stack:
        node = stack.enter_context(DevnetProcess(CHAIN, interval_ms=INTERVAL_MS, beside=True))
        path.write_text(Wanted.drawn(rng).text(node))
        arguments = ("--config", str(path), "--data-dir", str(folder / "data"))
        relay = stack.enter_context(RelayProcess(folder, *arguments, tier=None))
        urls = {listener.tier: listener.url for listener in relay.serving.listeners}
        crowd = stack.enter_context(Crowd(urls, OF_EACH))
        operator = stack.enter_context(Operator(path, relay))
        reload_again_and_again(rng, reloads, node, operator, crowd)
        last = node.mine(1)[-1]
        crowd.wait_for_block(last)
        hashes = node.hashes()
        truth = hashes[: hashes.index(last) + 1]
        (begun,) = {crowd.kinds_of(member, last)[0] for member in crowd.members}
        expected = truth[truth.index(begun) :]
        assert [member for member in crowd.members if crowd.kinds_of(member, last) != expected] == []
        assert crowd.dropped == []
        print(
            f"{reloads} reloads, {len(crowd.members)} subscribers, {len(expected)} blocks each, seed {seed}"
        )


def reload_again_and_again(
    rng: random.Random, reloads: int, node: DevnetProcess, operator: Operator, crowd: Crowd
) -> None:
    """Change the config and see each time that it holds, and that blocks go on reaching everybody."""
    sources = operator.sources()
    for number in range(1, reloads + 1):
        if number % BAD_EVERY == 0:
            text, said = rng.choice(sorted(BAD_FILES.items()))
            log = operator.tell(text)
            assert "config kept as it was" in log
            assert said in log
        else:
            wanted = Wanted.drawn(rng)
            sources = list(wanted.sources)
            log = operator.tell(wanted.text(node))
            assert "config read again" in log
            assert "restart needed" not in log
        assert operator.sources() == sources, f"after reload {number}"
        height = node.height + BLOCKS_BETWEEN
        wait_until(partial(has_reached, node, height), "the node went on mining")
        crowd.wait_for_block(node.tip)


def has_reached(node: DevnetProcess, height: int) -> bool:
    return node.height >= height
