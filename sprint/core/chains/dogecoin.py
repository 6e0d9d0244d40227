"""Dogecoin: scrypt proof of work, merged mining with Litecoin, a block each minute (constants from Dogecoin
Core's `chainparams.cpp`). Ids are double SHA-256 of the 80-byte header all the same.
"""

from __future__ import annotations

from sprint.core.chains import Checkpoint
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import (
    AuxpowRules,
    DifficultyRules,
    NetworkParameters,
    RetargetEra,
    genesis_header,
    pinned_hashes,
)

_GENESIS_ROOT = "5b2a3f53f605d62c53e62932dac6925e3d74afa5a4b459745c36d42d0ed26a69"
_MONEY_MAX = 10_000_000_000 * 100_000_000  # of one transaction's outputs; the supply has no limit
_CHAIN_ID = 0x62
_PERIOD_S = 4 * 60 * 60
_BLOCK_S = 60
_EASY_AFTER_S = 2 * _BLOCK_S
_DIGISHIELD_HEIGHT = 145_000
_EASY_ALWAYS_HEIGHT = 157_501


def _period_era(from_height: int, fastest: int, easy_after_s: int | None) -> RetargetEra:
    """An era before DigiShield: four hours a period, at most `fastest` times harder after one."""
    return RetargetEra(
        from_height=from_height,
        blocks=_PERIOD_S // _BLOCK_S,
        timespan_s=_PERIOD_S,
        timespan_s_min=_PERIOD_S // fastest,
        timespan_s_max=_PERIOD_S * 4,
        reaches_back=True,
        easy_after_s=easy_after_s,
    )


def _digishield_era(from_height: int, easy_after_s: int | None = None) -> RetargetEra:
    """DigiShield: a new target each block, from the time that the last one took."""
    return RetargetEra(
        from_height=from_height,
        blocks=1,
        timespan_s=_BLOCK_S,
        timespan_s_min=_BLOCK_S - _BLOCK_S // 4,
        timespan_s_max=_BLOCK_S + _BLOCK_S // 2,
        damping=8,
        reaches_back=True,
        easy_after_s=easy_after_s,
        easy_at_retarget=easy_after_s is not None,
    )


def _first_eras(easy_after_s: int | None = None) -> tuple[RetargetEra, ...]:
    return (
        _period_era(0, 16, easy_after_s),
        _period_era(5_001, 8, easy_after_s),
        _period_era(10_001, 4, easy_after_s),
        _digishield_era(_DIGISHIELD_HEIGHT),
    )


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
    difficulty=DifficultyRules(eras=_first_eras()),
    checkpoint=Checkpoint(
        371_337,
        bytes.fromhex(
            "020162000d6f03470d329026cd1fc720c0609cd378ca8691a117bd1aa46f01fb09b1a846"
            "8a15bf6f0b0e83f2e5036684169eafb9406468d4f075c999fb5b2a78fbb827ee"
            "41fb11548441361b00000000"
        ),
    ),
    pinned=pinned_hashes(
        {
            104_679: "35eb87ae90d44b98898fec8c39577b76cb1eb08e1261cfc10706c8ce9a1d01cf",
            145_000: "cc47cae70d7c5c92828d3214a266331dde59087d4a39071fa76ddfff9b7bde72",
            371_337: "60323982f9c5ff1b5a954eac9dc1269352835f47c2c5222691d80f0d50dcf053",
            450_000: "d279277f8f846a224d776450aa04da3cf978991a182c6f3075db4c48b173bbd7",
            771_275: "1b7d789ed82cbdc640952e7e7a54966c6488a32eaad54fc39dff83f310dbaaed",
            1_000_000: "6aae55bea74235f0c80bd066349d4440c31f2d0f27d54265ecd484d8c1d11b47",
            1_250_000: "00c7a442055c1a990e11eea5371ca5c1c02a0677b33cc88ec728c45edc4ec060",
            1_500_000: "f1d32d6920de7b617d51e74bdf4e58adccaa582ffdc8657464454f16a952fca6",
            1_750_000: "5c8e7327984f0d6f59447d89d143e5f6eafc524c82ad95d176c5cec082ae2001",
            2_000_000: "9914f0e82e39bbf21950792e8816620d71b9965bdbbc14e72a95e3ab9618fea8",
            2_031_142: "893297d89afb7599a3c571ca31a3b80e8353f4cf39872400ad0f57d26c4c5d42",
            2_250_000: "0a87a8d4e40dca52763f93812a288741806380cd569537039ee927045c6bc338",
            2_510_150: "77e3f4a4bcb4a2c15e8015525e3d15b466f6c022f6ca82698f329edef7d9777e",
            2_750_000: "d4f8abb835930d3c4f92ca718aaa09bef545076bd872354e0b2b85deefacf2e3",
            3_000_000: "195a83b091fb3ee7ecb56f2e63d01709293f57f971ccf373d93890c8dc1033db",
            3_250_000: "7f3e28bf9e309c4b57a4b70aa64d3b2ea5250ae797af84976ddc420d49684034",
            3_500_000: "eaa303b93c1c64d2b3a2cdcf6ccf21b10cc36626965cc2619661e8e1879abdfb",
            3_606_083: "954c7c66dee51f0a3fb1edb26200b735f5275fe54d9505c76ebd2bcabac36f1e",
            3_854_173: "e4b4ecda4c022406c502a247c0525480268ce7abbbef632796e8ca1646425e75",
            3_963_597: "2b6927cfaa5e82353d45f02be8aadd3bfd165ece5ce24b9bfa4db20432befb5d",
        }
    ),
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
    no_block_alarm_s=60 * 60.0,
    difficulty=DifficultyRules(
        eras=(*_first_eras(_EASY_AFTER_S), _digishield_era(_EASY_ALWAYS_HEIGHT, _EASY_AFTER_S))
    ),
    checkpoint=Checkpoint(
        1_234_580,
        bytes.fromhex(
            "03006200560b52800fe10f45142aee16377dc241cb76b447bafac9306ef6cab77ca1cc02"
            "568951efc02537bf5ba1eae8fe2f95af5b2248bf608f4e0b3582a9f8bd634671"
            "6bd9b45affff0f1e53c70e00"
        ),
    ),
    pinned=pinned_hashes(
        {
            483_173: "a804201ca0aceb7e937ef7a3c613a9b7589245b10cc095148c4ce4965b0b73b5",
            591_117: "5f6b93b2c28cedf32467d900369b8be6700f0649388a7dbfd3ebd4a01b1ffad8",
            658_924: "ed6c8324d9a77195ee080f225a0fca6346495e08ded99bcda47a8eea5a8a620b",
            703_635: "839fa54617adcd582d53030a37455c14a87a806f6615aa8213f13e196230ff7f",
            1_000_000: "1fe4d44ea4d1edb031f52f0d7c635db8190dc871a190654c41d2450086b8ef0e",
            1_202_214: "a2179767a87ee4e95944703976fee63578ec04fa3ac2fc1c9c2c83587d096977",
            1_234_580: "8ab6a176e8c5e2cf57c94451bf65ae141a330782f61b7fc16d91a2d5532d4692",
            1_250_000: "b46affb421872ca8efa30366b09694e2f9bf077f7258213be14adb05a9f41883",
            1_500_000: "0caa041b47b4d18a4f44bdc05cef1a96d5196ce7b2e32ad3e4eb9ba505144917",
            1_750_000: "8042462366d854ad39b8b95ed2ca12e89a526ceee5a90042d55ebb24d5aab7e9",
            2_000_000: "d6acde73e1b42fc17f29dcc76f63946d378ae1bd4eafab44d801a25be784103c",
            2_250_000: "c4342ae6d9a522a02e5607411df1b00e9329563ef844a758d762d601d42c86dc",
            2_500_000: "3a66ec4933fbb348c9b1889aaf2f732fe429fd9a8f74fee6895eae061ac897e2",
            2_750_000: "473ea9f625d59f534ffcc9738ffc58f7b7b1e0e993078614f5484a9505885563",
            3_062_910: "113c41c00934f940a41f99d18b2ad9aefd183a4b7fe80527e1e6c12779bd0246",
            3_286_675: "07fef07a255d510297c9189dc96da5f4e41a8184bc979df8294487f07fee1cf3",
            3_445_426: "70574db7856bd685abe7b0a8a3e79b29882620645bd763b01459176bceb58cd1",
        }
    ),
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
