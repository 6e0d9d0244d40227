"""Constants of one network of the Bitcoin family."""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.chains import Checkpoint
from sprint.core.kernels import sha256d
from sprint.core.wire import i32, u32

HEADER_SIZE = 80
ZERO_HASH = bytes(32)


class AuxpowRules(msgspec.Struct, frozen=True, kw_only=True):
    """Merged mining: this chain's id among those that share a parent's work, and from which height on.

    From `height` on every header states the chain id in its version. `strict_chain_id`: one that states
    another id is refused, also as the id of a parent.
    """

    chain_id: int
    height: int
    strict_chain_id: bool = True


class ExtensionRules(msgspec.Struct, frozen=True, kw_only=True):
    """Later rules of extension blocks, by the first height at which each binds.

    `pegouts_height` and `extra_data_height`: a kernel that says it has such has some (Litecoin Core 0.21.5.6
    and 0.21.5.7). `lock_height`: a kernel's own lock height is not above the block's (0.21.5.5).
    """

    pegouts_height: int
    extra_data_height: int
    lock_height: int


class RetargetEra(msgspec.Struct, frozen=True, kw_only=True):
    """How targets move, from the header at `from_height` up to the next era.

    Every `blocks` headers the target is scaled by the time taken over `timespan_s`, that time first held
    within `timespan_s_min` and `timespan_s_max`. `damping`: only this fraction of the deviation counts
    (DigiShield's amplitude filter has 8). `reaches_back`: the time is taken from the block before the
    period's first one (Litecoin's answer to time-warp attacks).

    `easy_after_s`: a header this much later than its parent may have, and then must have, the easiest
    target (testnets); None where there is no such rule. `easy_at_retarget`: also where the target would be
    scaled.
    """

    from_height: int = 0
    blocks: int
    timespan_s: int
    timespan_s_min: int
    timespan_s_max: int
    damping: int = 1
    reaches_back: bool = False
    easy_after_s: int | None = None
    easy_at_retarget: bool = False


class DifficultyRules(msgspec.Struct, frozen=True, kw_only=True):
    """How a network's targets move: its eras, lowest first.

    `halves_first`: targets that would overflow 256 bits are halved before they are scaled and doubled
    afterwards, which loses their lowest bit (Litecoin Core's `CalculateAdjustedTarget`).
    `from_first_target`: the target of a period's first block is scaled, not that of its last (BIP 94).
    `time_warp_s`: a period's first header may be this much earlier than its parent (BIP 94).
    """

    eras: tuple[RetargetEra, ...]
    halves_first: bool = False
    from_first_target: bool = False
    time_warp_s: int | None = None

    def era_at(self, height: int) -> RetargetEra:
        """Return the era that decides the target of the header at `height`."""
        for era in reversed(self.eras):
            if height >= era.from_height:
                return era
        return self.eras[0]


class NetworkParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of one network.

    `magic` starts every P2P message. `target_limit` is the easiest target allowed. `bip34_height`,
    `bip65_height` and `bip66_height` are where versions 2, 4 and 3 start to bind, and with version 2 the
    height in the coinbase; `version_bits_height` is where versions below BIP 9's stop to be valid, None
    where they never did; `witness_height` is where the witness commitment (BIP 141) binds, None on a network
    without witness data; `mweb_height` where extension blocks (LIP 2) do, None where there are none,
    `mweb_rules` what came to bind them later. `csv_height` is where lock times are held against the median
    time (BIP 113), None where that never happened. `fixed_bits` is the one compact target a network without
    retargeting uses, `difficulty` the rules of one with it. `pinned` are the hashes, in wire order, that the
    headers at these heights must have. `no_block_alarm_s` is how long without a block is worth an alarm; None
    where blocks are made on demand. `weight_max` is BIP 141's limit in weight units.
    """

    chain_id: str
    name: str
    magic: bytes
    default_port: int
    genesis: bytes
    target_limit: int
    proof_of_work: Literal["sha256d", "scrypt"]
    bip34_height: int
    bip65_height: int = 0
    bip66_height: int = 0
    version_bits_height: int | None = None
    witness_height: int | None
    csv_height: int | None = None
    mweb_height: int | None = None
    mweb_rules: ExtensionRules | None = None
    auxpow: AuxpowRules | None = None
    checkpoint: Checkpoint | None = None
    block_interval_s: float
    money_max: int
    fixed_bits: int | None = None
    difficulty: DifficultyRules | None = None
    pinned: dict[int, bytes] = {}
    no_block_alarm_s: float | None = None
    weight_max: int = 4_000_000

    @property
    def genesis_hash(self) -> bytes:
        return sha256d(self.genesis)


def genesis_header(merkle_root_displayed: str, timestamp: int, bits: int, nonce: int) -> bytes:
    """Build the 80 bytes of a genesis header: version 1, no parent."""
    merkle_root = bytes.fromhex(merkle_root_displayed)[::-1]
    return i32(1) + ZERO_HASH + merkle_root + u32(timestamp) + u32(bits) + u32(nonce)


def pinned_hashes(displayed_by_height: dict[int, str]) -> dict[int, bytes]:
    """Return hashes in wire order from the way they are published."""
    return {height: bytes.fromhex(displayed)[::-1] for height, displayed in displayed_by_height.items()}
