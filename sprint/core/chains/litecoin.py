"""Litecoin: scrypt proof of work, a block each two and a half minutes (constants from Litecoin Core's
`chainparams.cpp`). Ids are double SHA-256 of the header all the same.

The heights of extension blocks are those at which the deployment became active: miners' signals decided
them, so they do not stand in `chainparams.cpp`.
"""

from __future__ import annotations

from sprint.core.chains import Checkpoint
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import (
    DifficultyRules,
    ExtensionRules,
    NetworkParameters,
    RetargetEra,
    genesis_header,
    pinned_hashes,
)

_GENESIS_ROOT = "97ddfbbae6be97fd6cdf3e7ca13232a3afff2353e29badfab7f73011edd4ced9"
_MONEY_MAX = 84_000_000 * 100_000_000
_PERIOD_S = 7 * 12 * 60 * 60  # three and a half days
_EASY_AFTER_S = 2 * 150
_KERNEL_LOCK_HEIGHT = 3_110_001  # the same on all networks: it stands in Litecoin Core's libmw
_LATER_RULES = ExtensionRules(
    pegouts_height=3_154_440, extra_data_height=3_172_640, lock_height=_KERNEL_LOCK_HEIGHT
)
_TEST_RULES = ExtensionRules(pegouts_height=0, extra_data_height=0, lock_height=_KERNEL_LOCK_HEIGHT)


def _difficulty(easy_after_s: int | None = None) -> DifficultyRules:
    era = RetargetEra(
        blocks=2_016,
        timespan_s=_PERIOD_S,
        timespan_s_min=_PERIOD_S // 4,
        timespan_s_max=_PERIOD_S * 4,
        reaches_back=True,
        easy_after_s=easy_after_s,
    )
    return DifficultyRules(eras=(era,), halves_first=True)


MAIN = NetworkParameters(
    chain_id="litecoin",
    name="main",
    magic=bytes.fromhex("fbc0b6db"),
    default_port=9333,
    genesis=genesis_header(_GENESIS_ROOT, 1_317_972_665, 0x1E0F_FFF0, 2_084_524_493),
    target_limit=(1 << 236) - 1,
    proof_of_work="scrypt",
    bip34_height=710_000,
    bip65_height=918_684,
    bip66_height=811_879,
    version_bits_height=1_201_536,
    csv_height=1_201_536,
    witness_height=1_201_536,
    mweb_height=2_257_920,
    mweb_rules=_LATER_RULES,
    block_interval_s=150.0,
    no_block_alarm_s=20 * 60.0,
    difficulty=_difficulty(),
    checkpoint=Checkpoint(
        900_000,
        bytes.fromhex(
            "03000000be4888357a007fda4f9235c6594700a0e02be135da3d8e69c2aebd1b809e8193"
            "2912ca57d429c5b7332f86aa3778aacaaffbda73034cd2e946635f323e9e9211"
            "b8046656c54e011b0480e328"
        ),
    ),
    pinned=pinned_hashes(
        {
            1_500: "841a2965955dd288cfa707a755d05a54e45f8bd476835ec9af4402a2b59a2967",
            4_032: "9ce90e427198fc0ef05e5905ce3503725b80e26afd35a987965fd7e3d9cf0846",
            8_064: "eb984353fc5190f210651f150c40b8a4bab9eeeff0b729fcb3987da694430d70",
            16_128: "602edf1859b7f9a6af809f1d9b0e6cb66fdc1d4d9dcd7a4bec03e12a1ccd153d",
            23_420: "d80fdf9ca81afd0bd2b2a90ac3a9fe547da58f2530ec874e978fce0b5101b507",
            50_000: "69dc37eb029b68f075a5012dcc0419c127672adb4f3a32882b2b3e71d07a20a6",
            80_000: "4fcb7c02f676a300503f49c764a89955a8f920b46a8cbecb4867182ecdb2e90a",
            120_000: "bd9d26924f05f6daa7f0155f32828ec89e8e29cee9e7121b026a7a3552ac6131",
            161_500: "dbe89880474f4bb4f75c227c77ba1cdc024991123b28b8418dbbf7798471ff43",
            179_620: "2ad9c65c990ac00426d18e446e0fd7be2ffa69e9a7dcb28358a50b2b78b9f709",
            240_000: "7140d1c4b4c2157ca217ee7636f24c9c73db39c4590c4e6eab2e3ea1555088aa",
            383_640: "2b6809f094a9215bafc65eb3f110a35127a34be94b7d0590a096c3f126c6f364",
            409_004: "487518d663d9f1fa08611d9395ad74d982b667fbdc0e77e9cf39b4f1355908a3",
            456_000: "bf34f71cc6366cd487930d06be22f897e34ca6a40501ac7d401be32456372004",
            638_902: "15238656e8ec63d28de29a8c75fcf3a5819afc953dcd9cc45cecc53baec74f38",
            721_000: "198a7b4de1df9478e2463bd99d75b714eab235a2e63e741641dc8a759a9840e5",
            900_000: "545127eacc261629ae25ada99c7aadc1a929aed2da32f95ef866333f37c11e49",
        }
    ),
    money_max=_MONEY_MAX,
)

TESTNET = NetworkParameters(
    chain_id="litecoin-testnet",
    name="testnet",
    magic=bytes.fromhex("fdd2c8f1"),
    default_port=19335,
    genesis=genesis_header(_GENESIS_ROOT, 1_486_949_366, 0x1E0F_FFF0, 293_345),
    target_limit=(1 << 236) - 1,
    proof_of_work="scrypt",
    bip34_height=76,
    bip65_height=76,
    bip66_height=76,
    version_bits_height=6_048,
    csv_height=6_048,
    witness_height=6_048,
    mweb_height=2_215_584,
    mweb_rules=_TEST_RULES,
    block_interval_s=150.0,
    no_block_alarm_s=60 * 60.0,
    difficulty=_difficulty(_EASY_AFTER_S),
    pinned=pinned_hashes(
        {
            300: "54e6075affe658d6574e04c9245a7920ad94dc5af8f5b37fd9a094e317769740",
            2_056: "17748a31ba97afdc9a4f86837a39d287e3e7c7290a08a1d816c5969c78a83289",
            2_352_616: "7540437e7bf7831fa872ba8cfae85951a1e5dbb04c201b6f5def934d9299f3c2",
        }
    ),
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
    bip65_height=1_351,
    bip66_height=1_251,
    version_bits_height=0,
    csv_height=432,
    witness_height=0,
    mweb_height=432,
    mweb_rules=_TEST_RULES,
    block_interval_s=150.0,
    fixed_bits=0x207F_FFFF,
    money_max=_MONEY_MAX,
)

CHAIN = BitcoinFamilyChain(
    name="litecoin",
    aliases=("ltc",),
    networks={network.name: network for network in (MAIN, TESTNET, REGTEST)},
)
