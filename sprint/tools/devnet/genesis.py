"""The bodies of the genesis blocks, rebuilt from what is published of their one transaction.

A network's parameters hold only its genesis header. A node must be able to serve the whole block; all
networks of a chain share its one coinbase, and it is known by the txid that is the header's merkle root.
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import ZERO_HASH, NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.errors import ConfigError
from sprint.core.wire import compact_size, var_bytes

_COIN = 100_000_000
_OP_CHECKSIG = b"\xac"
_SCRIPT_START = bytes.fromhex("04ffff001d0104")  # the first compact target and the number 4, both pushed

_LITECOIN_KEY = (
    "040184710fa689ad5023690c80f3a49c8f13f8d45b8c857fbcbc8bc4a8e4d3eb4b"
    "10f4d4604fa08dce601aaf0f470216fe1b51850b4acf21b179c45070ac7b03a9"
)
_HEADLINE_KEY_AND_COINS = (
    (  # Bitcoin
        "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks",
        (
            "04678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"
            "49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5f"
        ),
        50,
    ),
    (  # Litecoin; its headline holds a typographic apostrophe
        "NY Times 05/Oct/2011 Steve Jobs, Apple\N{RIGHT SINGLE QUOTATION MARK}s Visionary, Dies at 56",
        _LITECOIN_KEY,
        50,
    ),
    ("Nintondo", _LITECOIN_KEY, 88),  # Dogecoin
)


def genesis_body(parameters: NetworkParameters) -> bytes:
    """Return the whole genesis block of a network. ConfigError where its coinbase is not known here."""
    wanted = parse_header(parameters.genesis).merkle_root
    for headline, key, coins in _HEADLINE_KEY_AND_COINS:
        coinbase = _coinbase(headline, bytes.fromhex(key), coins)
        if coinbase.txid == wanted:
            return parameters.genesis + compact_size(1) + coinbase.encode()
    raise ConfigError(
        f"the devnet does not know the genesis coinbase of {parameters.chain_id}"
        f" (merkle root {wanted[::-1].hex()}); add it to sprint/tools/devnet/genesis.py"
    )


def _coinbase(headline: str, key: bytes, coins: int) -> Transaction:
    script = _SCRIPT_START + var_bytes(headline.encode())
    return Transaction(
        version=1,
        inputs=(TransactionInput(ZERO_HASH, NULL_INDEX, script, NULL_INDEX),),
        outputs=(TransactionOutput(coins * _COIN, var_bytes(key) + _OP_CHECKSIG),),
        witnesses=(),
        lock_time=0,
    )
