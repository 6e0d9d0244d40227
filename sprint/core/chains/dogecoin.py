"""Dogecoin: scrypt proof of work, merged mining with Litecoin, a block each minute (constants from Dogecoin
Core's `chainparams.cpp`). Ids are double SHA-256 of the 80-byte header all the same.
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import AuxpowRules, NetworkParameters, genesis_header

_GENESIS_ROOT = "5b2a3f53f605d62c53e62932dac6925e3d74afa5a4b459745c36d42d0ed26a69"
_MONEY_MAX = 10_000_000_000 * 100_000_000  # of one transaction's outputs; the supply has no limit
_CHAIN_ID = 0x62

MAIN = NetworkParameters(
    chain_id="dogecoin",
    name="main",
    magic=bytes.fromhex("c0c0c0c0"),
    default_port=22556,
    genesis=genesis_header(_GENESIS_ROOT, 1_386_325_540, 0x1E0F_FFF0, 99_943),
    target_limit=(1 << 236) - 1,
    proof_of_work="scrypt",
    bip34_height=1_034_383,
    bip65_height=3_464_751,
    bip66_height=1_034_383,
    witness_height=None,
    auxpow=AuxpowRules(chain_id=_CHAIN_ID, height=371_337),
    block_interval_s=60.0,
    no_block_alarm_s=15 * 60.0,
    money_max=_MONEY_MAX,
)

TESTNET = NetworkParameters(
    chain_id="dogecoin-testnet",
    name="testnet",
    magic=bytes.fromhex("fcc1b7dc"),
    default_port=44556,
    genesis=genesis_header(_GENESIS_ROOT, 1_391_503_289, 0x1E0F_FFF0, 997_879),
    target_limit=(1 << 236) - 1,
    proof_of_work="scrypt",
    bip34_height=708_658,
    bip65_height=1_854_705,
    bip66_height=708_658,
    witness_height=None,
    auxpow=AuxpowRules(chain_id=_CHAIN_ID, height=158_100, strict_chain_id=False),
    block_interval_s=60.0,
    money_max=_MONEY_MAX,
)

REGTEST = NetworkParameters(
    chain_id="dogecoin-regtest",
    name="regtest",
    magic=bytes.fromhex("fabfb5da"),
    default_port=18444,
    genesis=genesis_header(_GENESIS_ROOT, 1_296_688_602, 0x207F_FFFF, 2),
    target_limit=(1 << 255) - 1,
    proof_of_work="scrypt",
    bip34_height=100_000_000,
    bip65_height=1_351,
    bip66_height=1_251,
    witness_height=None,
    auxpow=AuxpowRules(chain_id=_CHAIN_ID, height=20),
    block_interval_s=1.0,
    fixed_bits=0x207F_FFFF,
    money_max=_MONEY_MAX,
)

CHAIN = BitcoinFamilyChain(
    name="dogecoin",
    aliases=("doge",),
    networks={network.name: network for network in (MAIN, TESTNET, REGTEST)},
)
