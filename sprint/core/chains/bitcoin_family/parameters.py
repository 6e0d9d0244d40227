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


class NetworkParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of one network.

    `magic` starts every P2P message. `target_limit` is the easiest target allowed. `bip34_height`,
    `bip65_height` and `bip66_height` are where versions 2, 4 and 3 start to bind, and with version 2 the
    height in the coinbase; `witness_height` is where the witness commitment (BIP 141) does, None on a
    network without witness data; `mweb_height` where extension blocks (LIP 2) do, None where there are
    none. `fixed_bits` is the one compact target a network without retargeting uses. `no_block_alarm_s` is
    how long without a block is worth an alarm; None where blocks are made on demand. `weight_max` is
    BIP 141's limit in weight units.
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
    witness_height: int | None
    mweb_height: int | None = None
    auxpow: AuxpowRules | None = None
    checkpoint: Checkpoint | None = None
    block_interval_s: float
    money_max: int
    fixed_bits: int | None = None
    no_block_alarm_s: float | None = None
    weight_max: int = 4_000_000

    @property
    def genesis_hash(self) -> bytes:
        return sha256d(self.genesis)


def genesis_header(merkle_root_displayed: str, timestamp: int, bits: int, nonce: int) -> bytes:
    """Build the 80 bytes of a genesis header: version 1, no parent."""
    merkle_root = bytes.fromhex(merkle_root_displayed)[::-1]
    return i32(1) + ZERO_HASH + merkle_root + u32(timestamp) + u32(bits) + u32(nonce)
