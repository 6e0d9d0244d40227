"""The relay as a process on the RPC of a real litecoind alone: nothing is lost, nothing comes twice.

The node's own list of blocks is the truth; where a P2P source stands beside, both tell of each block.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from sprint.core.model import BlockEvent, ReorgEvent
from tests.integration.mweb_node import MwebNode
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, require, wait_until
from tests.integration.relay_process import COMMAND, PLAIN_KERNELS, RelayProcess
from tests.integration.subscribers import Listener, blocks_of, kinds_of, wait_until_delivered

pytestmark = pytest.mark.real("litecoind")

CHAIN = "litecoin-regtest"
BLOCKS = 100
BURST_MAX = 20
CHECK_TIMEOUT_S = 30.0
VARIABLES = {"NODE_USER": RPC_LOGIN[0], "NODE_PASSWORD": RPC_LOGIN[1]}
QUERY = "user_env=NODE_USER&password_env=NODE_PASSWORD"


class CookieLitecoind(Litecoind):
    """A litecoind whose fixed login is one of -rpcauth, so that it also writes a cookie at each start."""

    options: tuple[str, ...] = ()

    def _command(self, onion_port: int) -> list[str]:
        user, password = RPC_LOGIN
        digest = hmac.new(b"salt", password.encode(), hashlib.sha256).hexdigest()
        fixed = [
            part for part in super()._command(onion_port) if not part.startswith(("-rpcuser", "-rpcpass"))
        ]
        return [*fixed, f"-rpcauth={user}:salt${digest}", *self.options]

    @property
    def cookie(self) -> Path:
        return self.folder / "regtest" / ".cookie"


@pytest.fixture
def cookie_node(tmp_path: Path) -> Iterator[CookieLitecoind]:
    require("litecoind")
    node = CookieLitecoind(tmp_path / "node")
    node.start()
    node.mine(1)
    yield node
    node.stop()


def source_of(node: Litecoind, query: str = QUERY) -> str:
    return f"litecoin:regtest=rpc://{HOST}:{node.rpc_port}?{query}"


@contextmanager
def relay_on(folder: Path, *sources: str, tip: str) -> Iterator[RelayProcess]:
    """A relay that has delivered `tip`."""
    flags = [part for source in sources for part in ("--source", source)]
    data = str(folder / "data")
    with RelayProcess(folder, *flags, "--data-dir", data, environment=VARIABLES) as relay:
        wait_until_delivered(relay.url, CHAIN, tip)
        yield relay


def told_by_both(url: str, block_hash: str) -> bool:
    found = httpx.get(f"{url}/api/v1/blocks/{block_hash}/status").json()
    return len({arrival["source"] for arrival in found["sources"]}) == 2


def branch_of(node: Litecoind, first_height: int) -> list[str]:
    return [str(node.rpc("getblockhash", height)) for height in range(first_height, node.height + 1)]


def test_100_blocks_in_bursts_arrive_once_in_order(litecoind: Litecoind, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with (
        relay_on(tmp_path, source_of(litecoind), tip=litecoind.tip) as relay,
        Listener(relay.url) as listener,
    ):
        mined = 0
        while mined < BLOCKS:
            mined += len(litecoind.mine(min(rng.randint(1, BURST_MAX), BLOCKS - mined)))
        listener.wait_for_block(litecoind.tip)
        assert kinds_of(listener.events) == [f"block {each}" for each in branch_of(litecoind, 1)]


def test_a_branch_of_3_that_is_replaced_gives_one_reorg_then_the_new_blocks_once(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    with (
        relay_on(tmp_path, source_of(litecoind), tip=litecoind.tip) as relay,
        Listener(relay.url) as listener,
    ):
        old = litecoind.mine(5)
        listener.wait_for_block(old[-1])
        seen = len(listener.events)
        litecoind.rpc("invalidateblock", old[2])
        new = litecoind.mine(4)
        listener.wait_for_block(new[-1])
        assert kinds_of(listener.events[seen:]) == ["reorg", *(f"block {block}" for block in new)]
        (reorg,) = (event.data for event in listener.events if isinstance(event, ReorgEvent))
        assert (reorg.fork_height, reorg.depth, reorg.added) == (3, 3, tuple(new))


def test_a_node_that_was_killed_and_wrote_a_new_cookie_is_followed_again(
    cookie_node: CookieLitecoind, tmp_path: Path
) -> None:
    source = source_of(cookie_node, f"cookie_file={cookie_node.cookie}")
    with (
        relay_on(tmp_path, source, tip=cookie_node.tip) as relay,
        Listener(relay.url) as listener,
    ):
        before = cookie_node.cookie.read_text()
        cookie_node.rpc("gettxoutsetinfo")  # which writes the chain to disk: the crash is to cost no block
        cookie_node.kill()
        cookie_node.start()
        assert cookie_node.cookie.read_text() != before
        listener.wait_for_block(cookie_node.mine(3)[-1])
        assert blocks_of(listener.events) == branch_of(cookie_node, 1)


def test_p2p_and_rpc_of_one_node_both_tell_of_each_block(litecoind: Litecoind, tmp_path: Path) -> None:
    with (
        relay_on(tmp_path, litecoind.source_url, source_of(litecoind), tip=litecoind.tip) as relay,
        Listener(relay.url) as listener,
    ):
        for _ in range(5):
            (block_hash,) = litecoind.mine(1)
            listener.wait_for_block(block_hash)
            wait_until(partial(told_by_both, relay.url, block_hash), "both sources told of the block")
        assert blocks_of(listener.events) == branch_of(litecoind, 1)


def test_blocks_with_extension_blocks_come_whole(litecoind: Litecoind, tmp_path: Path) -> None:
    coins = MwebNode(litecoind)
    coins.begin_extension_blocks()
    with (
        relay_on(tmp_path, source_of(litecoind), tip=litecoind.tip) as relay,
        Listener(relay.url) as listener,
    ):
        coins.pay_in(3)
        (block_hash,) = coins.mine()
        listener.wait_for_block(block_hash)
        told = next(
            e.data for e in listener.events if isinstance(e, BlockEvent) and e.data.hash == block_hash
        )
        assert told.size == len(coins.raw_block(block_hash))
        assert "mweb" in " ".join(told.proof.checks)


def test_a_node_with_one_thread_for_rpc_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait takes the thread; what is mined over RPC is then mined when the wait is over."""
    require("litecoind")
    monkeypatch.setattr(CookieLitecoind, "options", ("-rpcthreads=1",))
    node = CookieLitecoind(tmp_path / "node")
    node.start()
    try:
        node.mine(1)
        with (
            relay_on(tmp_path, source_of(node), tip=node.tip) as relay,
            Listener(relay.url) as listener,
        ):
            listener.wait_for_block(node.mine(3)[-1])
            assert blocks_of(listener.events) == branch_of(node, 1)
    finally:
        node.stop()


@pytest.mark.parametrize(
    ("query", "chain", "said"),
    [
        (QUERY, "litecoin:regtest", "ok"),
        ("user_env=NODE_USER&password_env=HOME", "litecoin:regtest", "the node refuses the login (401)"),
        ("", "litecoin:regtest", "the node refuses the login (401)"),
        ("cookie_file=/nowhere", "litecoin:regtest", "cookie_file /nowhere: No such file"),
        ("user_env=NODE_USER&password_env=NONE", "litecoin:regtest", "the variable NONE is not set"),
        (QUERY, "bitcoin:regtest", "(litecoin-regtest), not at the genesis of bitcoin-regtest"),
        (QUERY, "litecoin", "(litecoin-regtest), not at the genesis of litecoin"),
    ],
)
def test_check_says_what_it_found_of_the_rpc(
    litecoind: Litecoind, monkeypatch: pytest.MonkeyPatch, query: str, chain: str, said: str
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    source = f"{chain}=rpc://{HOST}:{litecoind.rpc_port}?{query}"
    done = subprocess.run(
        [*COMMAND, "check", "--json", "--source", source],
        capture_output=True,
        text=True,
        timeout=CHECK_TIMEOUT_S,
        check=False,
        env={**os.environ, **PLAIN_KERNELS},
    )
    (row,) = json.loads(done.stdout)
    assert said in row["reason"]
    assert (done.returncode, row["usable"]) == ((0, True) if said == "ok" else (1, False))
    assert RPC_LOGIN[1] not in done.stdout + done.stderr


def test_the_port_of_another_protocol_is_told_apart(litecoind: Litecoind) -> None:
    source = f"litecoin:regtest=rpc://{HOST}:{litecoind.p2p_port}"
    done = subprocess.run(
        [*COMMAND, "check", "--source", source],
        capture_output=True,
        text=True,
        timeout=CHECK_TIMEOUT_S,
        check=False,
        env={**os.environ, **PLAIN_KERNELS},
    )
    assert done.returncode == 1
    assert "unusable" in done.stdout
