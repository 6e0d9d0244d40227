"""The harness itself: what the other integration tests take for granted of a real litecoind."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

import pytest

from tests.integration.many_transactions import fill_mempool
from tests.integration.real_servers import MWEB_HEIGHT, Litecoind, RpcError

pytestmark = pytest.mark.real("litecoind")

REGTEST_GENESIS = "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"


def test_a_fresh_node_has_one_block_on_the_regtest_genesis_and_is_out_of_initial_download(
    litecoind: Litecoind,
) -> None:
    info = litecoind.rpc("getblockchaininfo")
    assert (info["chain"], info["blocks"], info["initialblockdownload"]) == ("regtest", 1, False)
    assert litecoind.rpc("getblockhash", 0) == REGTEST_GENESIS


def test_mined_blocks_are_the_best_branch_in_order(litecoind: Litecoind) -> None:
    hashes = litecoind.mine(5)
    assert [litecoind.rpc("getblockhash", height) for height in range(2, 7)] == hashes
    assert litecoind.tip == hashes[-1]


def test_a_longer_branch_after_invalidateblock_shares_no_block_with_the_old_one(litecoind: Litecoind) -> None:
    old = litecoind.mine(3)
    litecoind.rpc("invalidateblock", old[0])
    assert litecoind.height == 1
    new = litecoind.mine(4)
    assert not set(old) & set(new)
    assert (litecoind.height, litecoind.tip) == (5, new[-1])


def test_switching_back_needs_only_more_work(litecoind: Litecoind) -> None:
    old = litecoind.mine(3)
    litecoind.rpc("invalidateblock", old[0])
    new = litecoind.mine(2)
    litecoind.rpc("reconsiderblock", old[0])
    assert (litecoind.tip, litecoind.height) == (old[-1], 4)
    assert {tip["hash"] for tip in litecoind.rpc("getchaintips")} == {old[-1], new[-1]}


def test_a_connected_node_takes_over_the_tip(litecoind_factory: Callable[[], Litecoind]) -> None:
    first, second = litecoind_factory(), litecoind_factory()
    tip = first.mine(3)[-1]
    second.connect_to(first)
    second.wait_for_tip(tip)
    assert second.height == 4


def test_the_p2p_port_accepts_connections(litecoind: Litecoind) -> None:
    with socket.create_connection(("127.0.0.1", litecoind.p2p_port), timeout=5.0):
        pass


def test_a_frozen_node_keeps_its_sockets_and_answers_again_when_thawed(litecoind: Litecoind) -> None:
    litecoind.freeze()
    with socket.create_connection(("127.0.0.1", litecoind.rpc_port), timeout=5.0) as waiting:
        waiting.sendall(b"GET /rest/chaininfo.json HTTP/1.0\r\n\r\n")
        waiting.settimeout(0.2)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        litecoind.thaw()
        waiting.settimeout(10.0)
        assert waiting.recv(4096).startswith(b"HTTP/1.0 200")


def test_a_killed_node_starts_again_on_its_ports_with_its_blocks(litecoind: Litecoind) -> None:
    tip, port = litecoind.mine(2)[-1], litecoind.p2p_port
    litecoind.stop()
    litecoind.start()
    assert (litecoind.tip, litecoind.p2p_port) == (tip, port)


def test_a_stopped_node_is_gone_within_its_bound_even_when_frozen(litecoind: Litecoind) -> None:
    pid = litecoind.pid
    litecoind.freeze()
    begun = time.monotonic()
    litecoind.stop()
    assert time.monotonic() - begun < 15.0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_block_has_as_many_transactions_as_the_mempool_was_filled_with(litecoind: Litecoind) -> None:
    fill_mempool(litecoind, 1_200)
    block = litecoind.rpc("getblock", litecoind.mine(1)[0])
    assert block["nTx"] == 1_201


def test_mining_to_an_address_pays_it(litecoind: Litecoind) -> None:
    address = litecoind.rpc("decodescript", "51")["p2sh"]
    block = litecoind.rpc("getblock", litecoind.mine(1, address)[0], 2)
    assert address in block["tx"][0]["vout"][0]["scriptPubKey"]["addresses"]


def test_a_batch_gives_its_answers_in_order_and_raises_what_was_refused(litecoind: Litecoind) -> None:
    first, second = litecoind.rpc_batch([("getblockhash", 0), ("getblockhash", 1)])
    assert (first, second) == (REGTEST_GENESIS, litecoind.tip)
    with pytest.raises(RpcError, match="out of range"):
        litecoind.rpc_batch([("getblockhash", 0), ("getblockhash", 10_000)])


def test_a_refused_call_says_which_and_why(litecoind: Litecoind) -> None:
    with pytest.raises(RpcError, match=r"getblockhash: Block height out of range \(-8\)"):
        litecoind.rpc("getblockhash", 10_000)


def test_mining_into_mweb_is_refused_with_the_limit(litecoind: Litecoind) -> None:
    with pytest.raises(ValueError, match=f"limit {MWEB_HEIGHT - 1}"):
        litecoind.mine(MWEB_HEIGHT)
