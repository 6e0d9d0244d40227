"""Bitcoin: double SHA-256 proof of work, a block each ten minutes (constants from Bitcoin Core's
`chainparams.cpp`).
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters, genesis_header

_GENESIS_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
_MONEY_MAX = 21_000_000 * 100_000_000

MAIN = NetworkParameters(
    chain_id="bitcoin",
    name="main",
    magic=bytes.fromhex("f9beb4d9"),
    default_port=8333,
    genesis=genesis_header(_GENESIS_ROOT, 1_231_006_505, 0x1D00_FFFF, 2_083_236_893),
    target_limit=(1 << 224) - 1,
    proof_of_work="sha256d",
    bip34_height=227_931,
    witness_height=481_824,
    block_interval_s=600.0,
    no_block_alarm_s=75 * 60.0,
    money_max=_MONEY_MAX,
)

REGTEST = NetworkParameters(
    chain_id="bitcoin-regtest",
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    default_port=18444,
    genesis=genesis_header(_GENESIS_ROOT, 1_296_688_602, 0x207F_FFFF, 2),
    target_limit=(1 << 255) - 1,
    proof_of_work="sha256d",
    bip34_height=1,
    witness_height=0,
    block_interval_s=600.0,
    fixed_bits=0x207F_FFFF,
    money_max=_MONEY_MAX,
)

CHAIN = BitcoinFamilyChain(
    name="bitcoin", aliases=("btc",), networks={network.name: network for network in (MAIN, REGTEST)}
)
