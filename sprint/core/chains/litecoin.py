"""Litecoin: scrypt proof of work, a block each two and a half minutes (constants from Litecoin Core's
`chainparams.cpp`). Ids are double SHA-256 of the header all the same.
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters, genesis_header

_GENESIS_ROOT = "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9"
_MONEY_MAX = 84_000_000 * 100_000_000

MAIN = NetworkParameters(
    chain_id="litecoin",
    name="main",
    magic=bytes.fromhex("fbc0b6db"),
    default_port=9333,
    genesis=genesis_header(_GENESIS_ROOT, 1_317_972_665, 0x1E0F_FFF0, 2_084_524_493),
    target_limit=(1 << 236) - 1,
    proof_of_work="scrypt",
    bip34_height=710_000,
    witness_height=1_201_536,
    block_interval_s=150.0,
    no_block_alarm_s=20 * 60.0,
    money_max=_MONEY_MAX,
)

REGTEST = NetworkParameters(
    chain_id="litecoin-regtest",
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    default_port=19444,
    genesis=genesis_header(_GENESIS_ROOT, 1_296_688_602, 0x207F_FFFF, 0),
    target_limit=(1 << 255) - 1,
    proof_of_work="scrypt",
    bip34_height=500,
    witness_height=0,
    block_interval_s=150.0,
    fixed_bits=0x207F_FFFF,
    money_max=_MONEY_MAX,
)

CHAIN = BitcoinFamilyChain(
    name="litecoin", aliases=("ltc",), networks={network.name: network for network in (MAIN, REGTEST)}
)
