"""Bitcoin: double SHA-256 proof of work, a block each ten minutes (constants from Bitcoin Core's
`chainparams.cpp`).

Of signet everything is checked but what makes it one: the signature that BIP 325 puts into each block.
"""

from __future__ import annotations

from sprint.core.chains import Checkpoint
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import (
    DifficultyRules,
    NetworkParameters,
    RetargetEra,
    genesis_header,
    pinned_hashes,
)

_GENESIS_ROOT = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
_TESTNET4_GENESIS_ROOT = "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e"
_MONEY_MAX = 21_000_000 * 100_000_000
_TWO_WEEKS_S = 14 * 24 * 60 * 60
_EASY_AFTER_S = 2 * 600


def _difficulty(*, easy_after_s: int | None = None, bip94: bool = False) -> DifficultyRules:
    era = RetargetEra(
        blocks=2_016,
        timespan_s=_TWO_WEEKS_S,
        timespan_s_min=_TWO_WEEKS_S // 4,
        timespan_s_max=_TWO_WEEKS_S * 4,
        easy_after_s=easy_after_s,
    )
    return DifficultyRules(eras=(era,), from_first_target=bip94, time_warp_s=600 if bip94 else None)


MAIN = NetworkParameters(
    chain_id="bitcoin",
    name="main",
    magic=bytes.fromhex("f9beb4d9"),
    default_port=8333,
    genesis=genesis_header(_GENESIS_ROOT, 1_231_006_505, 0x1D00_FFFF, 2_083_236_893),
    target_limit=(1 << 224) - 1,
    proof_of_work="sha256d",
    bip34_height=227_931,
    bip65_height=388_381,
    bip66_height=363_725,
    csv_height=419_328,
    witness_height=481_824,
    block_interval_s=600.0,
    no_block_alarm_s=75 * 60.0,
    difficulty=_difficulty(),
    checkpoint=Checkpoint(
        951_658,
        bytes.fromhex(
            "04c03a25324409f3c6f4854ec44ca6b4890235e8ffc9b2a8675c01000000000000000000"
            "c731dfc5a4e40187d893c75dbd6e5e75e5df1f15dea22270ac899bf967931101"
            "2f5c1a6a8f0602171a014f96"
        ),
    ),
    pinned=pinned_hashes(
        {
            11_111: "0000000069e244f73d78e8fd29ba2fd2ed618bd6fa2ee92559f542fdb26e7c1d",
            33_333: "000000002dd5588a74784eaa7ab0507a18ad16a236e7b1ce69f00d7ddfb5d0a6",
            74_000: "0000000000573993a3c9e41ce34471c079dcf5f52a0e824a81e7f953b8661a20",
            105_000: "00000000000291ce28027faea320c8d2b054b2e0fe44a773f3eefb151d6bdc97",
            134_444: "00000000000005b12ffd4cd315cd34ffd4a594f430ac814c91184a0d42d2b0fe",
            168_000: "000000000000099e61ea72015e79632f216fe6cb33d7899acb35b75c8303b763",
            193_000: "000000000000059f452a5f7340de6682a977387c17010ff6e6c3bd83ca8b1317",
            210_000: "000000000000048b95347e83192f69cf0366076336c639f9b7228e9ba171342e",
            216_116: "00000000000001b4f4b433e81ee46494af945cf96014816a4e2370f11b23df4e",
            225_430: "00000000000001c108384350f74090433e7fcf79a606b8e797f065b130575932",
            250_000: "000000000000003887df1f29024b06fc2200b55f8af8f35453d7be294df2d214",
            279_000: "0000000000000001ae8c72a0b0c301f67e3afca10e819efa9041e458e9bd7e40",
            295_000: "00000000000000004d9b4ef50f0f9d686fd69db2e03af35a100370c64632a983",
            951_658: "00000000000000000001cbe4b4add61d60d9a470e0958f1b4024f202db9ca628",
        }
    ),
    money_max=_MONEY_MAX,
)

TESTNET = NetworkParameters(
    chain_id="bitcoin-testnet",
    name="testnet",
    magic=bytes.fromhex("0b110907"),
    default_port=18333,
    genesis=genesis_header(_GENESIS_ROOT, 1_296_688_602, 0x1D00_FFFF, 414_098_458),
    target_limit=(1 << 224) - 1,
    proof_of_work="sha256d",
    bip34_height=21_111,
    bip65_height=581_885,
    bip66_height=330_776,
    csv_height=770_112,
    witness_height=834_624,
    block_interval_s=600.0,
    no_block_alarm_s=120 * 60.0,
    difficulty=_difficulty(easy_after_s=_EASY_AFTER_S),
    pinned=pinned_hashes({546: "000000002a936ca763904c3c35fce2f3556c559c0214345d31b1bcebf76acb70"}),
    money_max=_MONEY_MAX,
)

TESTNET4 = NetworkParameters(
    chain_id="bitcoin-testnet4",
    name="testnet4",
    magic=bytes.fromhex("1c163f28"),
    default_port=48333,
    genesis=genesis_header(_TESTNET4_GENESIS_ROOT, 1_714_777_860, 0x1D00_FFFF, 393_743_547),
    target_limit=(1 << 224) - 1,
    proof_of_work="sha256d",
    bip34_height=1,
    bip65_height=1,
    bip66_height=1,
    csv_height=1,
    witness_height=1,
    block_interval_s=600.0,
    no_block_alarm_s=120 * 60.0,
    difficulty=_difficulty(easy_after_s=_EASY_AFTER_S, bip94=True),
    checkpoint=Checkpoint(
        40_000,
        bytes.fromhex(
            "0020b42b030216aa3bfeb2cffb069ffe3a9b0de3db50c75112279e4f1200000000000000"
            "456d7ffa5b03f0e8a4a2e10c296a2d140128e32728886aa304135e8d1cd1d0ca"
            "eac2c06604fa54195ec4d06c"
        ),
    ),
    pinned=pinned_hashes({40_000: "000000000000000c1a1fad82b0e133f4772802b6dff7a95990580ae2e15c634f"}),
    money_max=_MONEY_MAX,
)

SIGNET = NetworkParameters(
    chain_id="bitcoin-signet",
    name="signet",
    magic=bytes.fromhex("0a03cf40"),
    default_port=38333,
    genesis=genesis_header(_GENESIS_ROOT, 1_598_918_400, 0x1E03_77AE, 52_613_770),
    target_limit=0x0377AE << 216,
    proof_of_work="sha256d",
    bip34_height=1,
    bip65_height=1,
    bip66_height=1,
    csv_height=1,
    witness_height=1,
    block_interval_s=600.0,
    no_block_alarm_s=75 * 60.0,
    difficulty=_difficulty(),
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
    bip65_height=1,
    bip66_height=1,
    csv_height=1,
    witness_height=0,
    block_interval_s=600.0,
    fixed_bits=0x207F_FFFF,
    money_max=_MONEY_MAX,
)

CHAIN = BitcoinFamilyChain(
    name="bitcoin",
    aliases=("btc",),
    networks={network.name: network for network in (MAIN, TESTNET, TESTNET4, SIGNET, REGTEST)},
)
