"""Garbage against what is spoken of compact blocks, transactions and addresses, at both ends.

As in test_bitcoin_p2p: SPRINT_FUZZ_S seconds in all (20 by default), SPRINT_SEED repeats a failure.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import msgspec
import pytest

from sprint.core.chains.bitcoin import REGTEST
from sprint.core.chains.bitcoin_family.scan import scan_block_plainly
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.addresses import Addresses, AddressesV2, NodeAddress
from sprint.core.protocols.bitcoin_p2p.compact import BlockTransactions, GetBlockTransactions, SendCompact
from sprint.core.protocols.bitcoin_p2p.compact_receiver import PARTIAL_BLOCKS_MAX, Relaying
from sprint.core.protocols.bitcoin_p2p.events import BlockReceived
from sprint.core.protocols.bitcoin_p2p.framing import encode_frame
from sprint.core.protocols.bitcoin_p2p.link import Link
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.messages import Inventory, InventoryItem
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.mempool import Mempool, MempoolSettings
from tests.core.protocols.bitcoin_p2p.compact_blocks import block_of, coinbase, compact_of, spend
from tests.core.protocols.bitcoin_p2p.peers import OWN_NONCE, SETTINGS, bare, frame, version
from tests.core.protocols.bitcoin_p2p.test_compact_serving import OneBlock

FUZZ_S = float(os.environ.get("SPRINT_FUZZ_S", "300" if os.environ.get("SPRINT_SOAK") == "1" else "20"))
CASES = 2
TRANSACTIONS = [coinbase(), *map(spend, range(10))]
RAW = block_of(TRANSACTIONS)
HASH = sha256d(RAW[:80])


def ids_of(raw: bytes) -> bytes:
    """The block's ids, which its header commits to; a changed witness is for the body's own check to find."""
    return scan_block_plainly(raw, 81, len(TRANSACTIONS), REGTEST.money_max, mweb=False).txids


IDS = ids_of(RAW)
TOLD = (NodeAddress("8.8.4.4", 8333, 9), NodeAddress("2606:4700::1111", 8333, 9))
POOL_BYTES_MAX = 800
VALID: tuple[tuple[str, bytes], ...] = (
    ("sendcmpct", SendCompact(announce=True, version=2).encode()),
    ("sendcmpct", SendCompact(announce=False, version=1).encode()),
    ("cmpctblock", compact_of(TRANSACTIONS).encode()),
    ("cmpctblock", compact_of(TRANSACTIONS, prefilled=(0, 3, 10)).encode()),
    ("blocktxn", BlockTransactions(HASH, tuple(each.encode() for each in TRANSACTIONS[6:])).encode()),
    ("getblocktxn", GetBlockTransactions(HASH, (1, 5, 10)).encode()),
    ("inv", Inventory(tuple(InventoryItem(1, each.txid) for each in TRANSACTIONS[1:])).encode()),
    *(("tx", each.encode()) for each in TRANSACTIONS),
    ("addr", Addresses(TOLD).encode()),
    ("addrv2", AddressesV2(TOLD).encode()),
    ("feefilter", bytes(8)),
)


def spoilt(rng: random.Random) -> bytes:
    """A message that is right, or nearly."""
    command, whole = rng.choice(VALID)
    payload = bytearray(whole)
    if rng.random() < 0.2:
        match rng.randrange(4):
            case 0:
                payload = payload[: rng.randrange(len(payload) + 1)]
            case 1:
                payload += rng.randbytes(rng.randrange(1, 40))
            case 2:
                payload[rng.randrange(len(payload))] = rng.randrange(256)
            case _:
                place = rng.randrange(len(payload))
                payload[place : place + 1] = rng.choice((b"\xfd\xff\xff", b"\xff" * 9, b""))
    return encode_frame(REGTEST.magic, command, bytes(payload))


def new_session(end: str, pool: Mempool) -> Link:
    if end == "serving":
        return ServingSession(REGTEST, OneBlock(), SETTINGS, nonce=OWN_NONCE, now=0.0)
    settings = msgspec.structs.replace(SETTINGS, addresses_wanted=True)
    return PeerSession(REGTEST, settings, nonce=OWN_NONCE, now=0.0, relaying=Relaying(pool, Counter()))


@pytest.mark.parametrize("end", ["asking", "serving"])
def test_no_input_makes_a_session_raise_grow_or_give_out_another_block(end: str, seed: int) -> None:
    rng = random.Random(f"{seed}/compact/{end}")
    deadline = time.monotonic() + FUZZ_S / CASES
    seen: Counter[str] = Counter()
    while seen["sessions"] < 50 or time.monotonic() < deadline:
        seen["sessions"] += 1
        pool = Mempool(REGTEST, MempoolSettings(bytes_max=POOL_BYTES_MAX, asked_max=5))
        session = new_session(end, pool)
        try:
            _talk(session, pool, rng, seen)
        except Exception as error:
            error.add_note(f"session {seen['sessions']} of {end}, seed {seed}")
            raise
        seen["closed" if session.closed else "open"] += 1
    print(f"{end}: {dict(seen)}")
    assert seen["closed"]
    assert seen["open"]
    assert end == "serving" or seen["blocks"]


def _talk(session: Link, pool: Mempool, rng: random.Random, seen: Counter[str]) -> None:
    session.receive_data(frame(version()) + bare("verack"), 0.0)
    for each in rng.sample(TRANSACTIONS[1:], rng.choice((0, 5, 10))):
        pool.add(each.encode())
    for _ in range(rng.randrange(1, 30)):
        events = session.receive_data(spoilt(rng), 0.0)
        if isinstance(session, PeerSession) and rng.random() < 0.5:
            events += session.request_blocks([HASH], 0.0)
            compact = session._compact
            assert compact is not None
            assert len(compact._partials) <= PARTIAL_BLOCKS_MAX
        session.data_to_send()
        for event in events:
            if isinstance(event, BlockReceived):
                seen["blocks"] += 1
                assert sha256d(event.raw[:80]) != HASH or ids_of(event.raw) == IDS
        assert pool.size_bytes <= POOL_BYTES_MAX
