"""The bounded mempool: what it keeps, what goes first, who is asked for what."""

from __future__ import annotations

import random
import time

import pytest

from sprint.core import kernels
from sprint.core.chains.bitcoin import REGTEST
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.errors import WireError
from sprint.core.kernels.binding import REFERENCE_KERNELS
from sprint.core.relay.mempool import ASKED_AGAIN_AFTER_S, TRANSACTION_SIZE_MAX, Mempool, MempoolSettings


def spend(number: int, *, witness: bytes = b"w", value: int = 1) -> Transaction:
    source = TransactionInput(number.to_bytes(32, "big"), 0, b"", 0xFFFF_FFFF)
    return Transaction(2, (source,), (TransactionOutput(value, b"\x51"),), ((witness,),), 0)


def pool(transactions_max: int = 3, bytes_max: int = 10_000, asked_max: int = 3) -> Mempool:
    settings = MempoolSettings(transactions_max=transactions_max, bytes_max=bytes_max, asked_max=asked_max)
    return Mempool(REGTEST, settings)


def wtxids(mempool: Mempool) -> list[bytes]:
    return [each.wtxid for each in mempool.transactions()]


def test_a_transaction_is_known_by_both_its_ids_and_kept_once() -> None:
    mempool = pool()
    for _ in range(2):
        assert mempool.add(spend(1).encode()) == (spend(1).txid, spend(1).wtxid)
    assert len(mempool) == 1
    assert spend(1).txid in mempool
    assert spend(1).wtxid in mempool
    assert mempool.size_bytes == len(spend(1).encode())


def test_at_the_count_the_oldest_goes() -> None:
    mempool = pool(transactions_max=3)
    for number in range(3):
        mempool.add(spend(number).encode())
    assert (len(mempool), mempool.evicted) == (3, 0)
    mempool.add(spend(3).encode())
    assert wtxids(mempool) == [spend(number).wtxid for number in (1, 2, 3)]
    assert mempool.evicted == 1
    assert spend(0).txid not in mempool


def test_at_the_bytes_the_oldest_goes() -> None:
    size = len(spend(1).encode())
    mempool = pool(bytes_max=2 * size)
    for number in range(2):
        mempool.add(spend(number).encode())
    assert mempool.size_bytes == 2 * size
    mempool.add(spend(2).encode())
    assert mempool.size_bytes == 2 * size
    assert wtxids(mempool) == [spend(1).wtxid, spend(2).wtxid]


def test_what_is_in_a_block_is_forgotten_by_its_txid() -> None:
    mempool = pool()
    mempool.add(spend(1).encode())
    mempool.remove([spend(1).txid, spend(2).txid])
    assert (len(mempool), mempool.size_bytes, spend(1).txid in mempool) == (0, 0, False)


def test_two_witnesses_of_one_transaction_are_both_kept_and_both_go() -> None:
    mempool = pool()
    for witness in (b"one", b"two"):
        mempool.add(spend(1, witness=witness).encode())
    assert len(mempool) == 2
    mempool.remove([spend(1).txid])
    assert wtxids(mempool) == [spend(1, witness=b"one").wtxid]


@pytest.mark.parametrize("value", [-1, REGTEST.money_max + 1])
def test_a_transaction_that_breaks_a_rule_by_itself_is_not_kept(value: int) -> None:
    mempool = pool()
    mempool.add(spend(1, value=value).encode())
    assert len(mempool) == 0


def test_a_transaction_over_the_size_limit_is_not_kept() -> None:
    mempool = pool(bytes_max=1_000_000)
    padding = TRANSACTION_SIZE_MAX - len(spend(1, witness=bytes(65_536)).encode()) + 65_536
    at_limit = spend(1, witness=bytes(padding))
    assert len(at_limit.encode()) == TRANSACTION_SIZE_MAX
    mempool.add(spend(1, witness=bytes(padding + 1)).encode())
    assert len(mempool) == 0
    mempool.add(at_limit.encode())
    assert len(mempool) == 1


@pytest.mark.parametrize("raw", [b"", spend(1).encode()[:-1], spend(1).encode() + b"\x00"])
def test_what_is_not_one_transaction_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        pool().add(raw)


def test_a_transaction_is_asked_for_once_until_it_is_given_up() -> None:
    mempool, txid = pool(), spend(1).txid
    assert mempool.wanted([txid], 0.0)
    assert not mempool.wanted([txid], ASKED_AGAIN_AFTER_S - 1)
    assert mempool.wanted([txid], ASKED_AGAIN_AFTER_S)
    mempool.add(spend(1).encode())
    assert not mempool.wanted([txid], 10 * ASKED_AGAIN_AFTER_S)
    assert not mempool.wanted([spend(1).wtxid], 10 * ASKED_AGAIN_AFTER_S)


def test_what_was_asked_for_is_remembered_to_a_bound() -> None:
    mempool = pool(asked_max=3)
    for number in range(4):
        assert mempool.wanted([number.to_bytes(32, "big")], 0.0)
    assert not mempool.wanted([(1).to_bytes(32, "big")], 1.0)
    assert mempool.wanted([(0).to_bytes(32, "big")], 1.0), "the oldest was forgotten"


def test_many_are_asked_for_as_one_after_the_other(seed: int) -> None:
    rng = random.Random(seed)
    one, many = pool(asked_max=8), pool(asked_max=8)
    ids = [rng.randbytes(32) for _ in range(12)]
    for step in range(300):
        told, now = rng.choices(ids, k=rng.randrange(6)), 4.0 * step
        assert many.wanted(told, now) == [digest for digest in told if one.wanted([digest], now)], seed
        if step % 40 == 0:
            ids += [mempool.add(spend(step).encode())[1] for mempool in (one, many)][:1]


def test_what_was_asked_for_is_remembered_when_the_table_changes_its_form() -> None:
    compiled = pytest.importorskip("sprint.core.kernels.dedup_compiled", exc_type=ImportError)
    mempool, early, late = pool(), spend(1).txid, spend(2).txid
    assert mempool.wanted([early], 0.0) == [early]
    form = REFERENCE_KERNELS._replace(new_dedup_table=compiled.compiled_tables(bytes(32)))
    before = kernels.use(form)
    try:
        assert mempool.wanted([early, late], 1.0) == [late]
        assert isinstance(mempool._table, compiled.CompiledDedupTable)
    finally:
        kernels.use(before)
    assert mempool.wanted([early, late], 2.0) == []
    assert mempool.wanted([early, late], ASKED_AGAIN_AFTER_S) == [early]


def test_asking_took_longer_the_more_had_been_forgotten() -> None:
    """A dict looks through the places of all that was deleted at its front to find the oldest."""
    rng = random.Random(1)
    mempool, taken_s = pool(asked_max=30_000), []
    for _ in range(3):
        digests = [rng.randbytes(32) for _ in range(30_000)]
        start = time.thread_time()
        mempool.wanted(digests, 0.0)
        taken_s.append(time.thread_time() - start)
    assert max(taken_s[1:]) < 5 * taken_s[0], taken_s
