"""Fills a real node's mempool, so that its next block has as many transactions as a test asks for.

No wallet and no signatures: everything is paid to the witness script "true", which anybody can spend. One
transaction spends a coinbase into as many outputs as are wanted and is mined; then each output is spent by
a transaction of its own.
"""

from __future__ import annotations

import hashlib
import struct

from tests.integration.real_servers import Litecoind

COINBASE_MATURITY = 100
TRANSACTIONS_MAX = 2_000  # outputs of one transaction, kept well below the size that nodes relay
OUTPUT_VALUE = 100_000
FEE = 20_000
CALLS_PER_BATCH = 250
WITNESS_SCRIPT = b"\x51"
OUTPUT_SCRIPT = b"\x00\x20" + hashlib.sha256(WITNESS_SCRIPT).digest()


def fill_mempool(node: Litecoind, count: int) -> None:
    """Put `count` transactions into the mempool. Mines 102 blocks for it."""
    if not 1 <= count <= TRANSACTIONS_MAX:
        raise ValueError(f"{count} transactions, limit {TRANSACTIONS_MAX}")
    (coinbase_block,) = node.mine_to(f"raw({OUTPUT_SCRIPT.hex()})", 1)
    node.mine(COINBASE_MATURITY)
    coinbase = node.rpc("getblock", coinbase_block, 2)["tx"][0]
    fan_out_id = node.rpc("sendrawtransaction", _spend(coinbase["txid"], 0, [OUTPUT_VALUE] * count), 0)
    node.mine(1)
    spends = [_spend(fan_out_id, index, [OUTPUT_VALUE - FEE]) for index in range(count)]
    for start in range(0, count, CALLS_PER_BATCH):
        node.rpc_batch([("sendrawtransaction", text, 0) for text in spends[start : start + CALLS_PER_BATCH]])


def _spend(displayed_txid: str, index: int, values: list[int]) -> str:
    """One input, outputs of these values, in BIP 144's format and in hex."""
    funds = bytes.fromhex(displayed_txid)[::-1] + struct.pack("<I", index) + b"\x00" + b"\xff\xff\xff\xff"
    outputs = b"".join(struct.pack("<q", value) + _var_bytes(OUTPUT_SCRIPT) for value in values)
    witness = b"\x01" + _var_bytes(WITNESS_SCRIPT)
    parts = (
        struct.pack("<i", 2),
        b"\x00\x01\x01",
        funds,
        _compact_size(len(values)),
        outputs,
        witness,
        bytes(4),
    )
    return b"".join(parts).hex()


def _var_bytes(content: bytes) -> bytes:
    return _compact_size(len(content)) + content


def _compact_size(value: int) -> bytes:
    return bytes((value,)) if value < 0xFD else b"\xfd" + struct.pack("<H", value)
