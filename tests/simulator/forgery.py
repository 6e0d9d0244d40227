"""Makes false blocks: each breaks one rule and keeps all others, so that this rule alone refuses it.

A `Spot` is where such a block is to stand: what an honest miner would build on and put into a header. What
is forged does its work unless that is the lie. `FORGERIES` are blocks that can never be valid, by the name
of the lie; `MUTATIONS` are false bodies of true blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from sprint.core.chains.bitcoin_family.auxpow import AUXPOW_VERSION_FLAG
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
    parse_transaction,
)
from sprint.core.kernels import merkle_root, scrypt_1024_1_1, sha256d
from sprint.core.wire import Reader, compact_size, var_bytes
from sprint.tools.devnet.block_maker import Recipe, make_body
from sprint.tools.devnet.merged_mining import Lie, block_version, merge_mine
from tests.simulator.networks import TIME_WARP_S, bits_of, target_of

NONCES_MAX = 200_000
EASIER_BY_BITS = 1
_OP_TRUE = b"\x51"
_LOCK_TIME_IS_TIME = 500_000_000
_IN_FIRST_OUTPOINT = 10  # of a body: after count, version, marker and count of inputs


class Spot(msgspec.Struct, frozen=True):
    """Where a block is to stand.

    `bits` and `timestamp` are those of an honest block there, `median_time` is that of the eleven below,
    `parent_time` the parent's, `unix_time` what the clocks say. `first_of_period`: its target is new.
    """

    parent: bytes
    height: int
    bits: int
    timestamp: int
    median_time: int
    parent_time: int
    unix_time: int
    first_of_period: bool = False


class Forged(msgspec.Struct, frozen=True):
    """A false block. `check` refuses it: its header, or else (`in_body`) its body or what its place says."""

    lie: str
    check: str
    in_body: bool
    header: bytes
    body: bytes

    @property
    def hash(self) -> bytes:
        return sha256d(self.header[:HEADER_SIZE])


class Forger:
    """Forges blocks of one network. All randomness comes from `rng`."""

    def __init__(self, parameters: NetworkParameters, rng: Random) -> None:
        self.parameters = parameters
        self.rng = rng

    def lies_at(self, spot: Spot) -> list[str]:
        """Name what can be forged at a spot."""
        return [lie for lie in FORGERIES if self._possible(lie, spot)]

    def forge(self, lie: str, spot: Spot) -> Forged:
        """Make the false block of this name. KeyError where there is no such lie."""
        check, in_body, make = FORGERIES[lie]
        if check == "difficulty" and self.parameters.fixed_bits is not None:
            check = "target"  # where one target alone is allowed, no branch is needed to refuse another
        header, transactions = make(self, spot)
        body = compact_size(len(transactions)) + b"".join(t.encode() for t in transactions)
        return Forged(lie, check, in_body, header, header + body)

    def honest(self, spot: Spot, *others: Transaction) -> tuple[BlockHeader, list[Transaction]]:
        """An honest block of these transactions, but for its work. None of them has witness data."""
        made = make_body(Recipe(spot.height, self.rng.getrandbits(64), 0, witness=False))
        coinbase = parse_transaction(Reader(made.full, 1))
        coinbase = msgspec.structs.replace(coinbase, witnesses=(), outputs=coinbase.outputs[:1])
        return self.over(spot, [coinbase, *others])

    def over(self, spot: Spot, transactions: list[Transaction]) -> tuple[BlockHeader, list[Transaction]]:
        """A header that commits to transactions."""
        root, _ = merkle_root([t.txid for t in transactions])
        return self.header(spot, root), transactions

    def header(self, spot: Spot, merkle_root: bytes) -> BlockHeader:
        """An honest header, but for its work."""
        version = block_version(self.parameters, spot.height)
        return BlockHeader(version, spot.parent, merkle_root, spot.timestamp, spot.bits, 0)

    def mined(self, header: BlockHeader, *, proved: bool = True, target: int | None = None) -> bytes:
        """Do a header's work, or just not; return it as it stands on the wire.

        It is done by a parent block where the version says so.
        """
        if self.parameters.auxpow is not None and header.version & AUXPOW_VERSION_FLAG:
            return self.merge_mined(header, None if proved else Lie.IDLE_PARENT)
        wanted = target_of(header.bits) if target is None else target
        proof_hash = sha256d if self.parameters.proof_of_work == "sha256d" else scrypt_1024_1_1
        for nonce in range(NONCES_MAX):
            raw = msgspec.structs.replace(header, nonce=nonce).encode()
            if (int.from_bytes(proof_hash(raw), "little") <= wanted) == proved:
                return raw
        raise AssertionError(f"none of {NONCES_MAX} nonces for target {wanted:#x}")

    def merge_mined(self, header: BlockHeader, lie: Lie | None = None) -> bytes:
        """Do a header's work by a parent block, of which a lie may be told."""
        rules = self.parameters.auxpow
        assert rules is not None
        return header.encode() + merge_mine(header, rules, self.rng.getrandbits(32), lie).encode()

    def _possible(self, lie: str, spot: Spot) -> bool:
        parameters, rules = self.parameters, self.parameters.difficulty
        if lie == "warped time":
            guarded = rules is not None and rules.time_warp_s is not None and spot.first_of_period
            return guarded and spot.parent_time - TIME_WARP_S - 1 > spot.median_time
        if lie == "easier bits":
            return target_of(spot.bits) <= parameters.target_limit >> EASIER_BY_BITS
        if lie == "easier bits at the border":
            return spot.first_of_period and target_of(spot.bits) <= parameters.target_limit >> EASIER_BY_BITS
        if lie == "another height":
            return spot.height >= parameters.bip34_height
        if lie == "version 1":
            return spot.height >= parameters.bip34_height
        merge_mined = parameters.auxpow is not None and spot.height >= parameters.auxpow.height
        if lie in MERGED_MINING:
            return merge_mined
        # A parent's work is done for the target that the header states, which must be one.
        return not (merge_mined and lie in TARGETS_OF_NONE)


Made = tuple[bytes, list[Transaction]]
Maker = Callable[[Forger, Spot], Made]


def _with_header(forger: Forger, spot: Spot, *, target: int | None = None, **changes: int) -> Made:
    header, transactions = forger.honest(spot)
    return forger.mined(msgspec.structs.replace(header, **changes), target=target), transactions


def _unproved(forger: Forger, spot: Spot) -> Made:
    header, transactions = forger.honest(spot)
    return forger.mined(header, proved=False), transactions


def _zero_target(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, bits=0x0300_0000, target=forger.parameters.target_limit)


def _negative_target(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, bits=0x0480_0001, target=forger.parameters.target_limit)


def _target_over_limit(forger: Forger, spot: Spot) -> Made:
    limit = forger.parameters.target_limit
    return _with_header(forger, spot, bits=bits_of(min(limit * 2, (1 << 256) - 1)), target=limit)


def _overflowing_target(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, bits=0x2300_0001, target=forger.parameters.target_limit)


def _easier_bits(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, bits=bits_of(target_of(spot.bits) << EASIER_BY_BITS))


def _harder_bits(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, bits=bits_of(target_of(spot.bits) >> 1))


def _time_of_median(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, timestamp=spot.median_time)


def _warped_time(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, timestamp=spot.parent_time - TIME_WARP_S - 1)


def _merged(lie: Lie) -> Maker:
    def make(forger: Forger, spot: Spot) -> Made:
        header, transactions = forger.honest(spot)
        version = block_version(forger.parameters, spot.height, lie)
        return forger.merge_mined(msgspec.structs.replace(header, version=version), lie), transactions

    return make


def _version_1(forger: Forger, spot: Spot) -> Made:
    return _with_header(forger, spot, version=1)


def _too_much_money(forger: Forger, spot: Spot) -> Made:
    _, (coinbase,) = forger.honest(spot)
    outputs = (TransactionOutput(forger.parameters.money_max + 1, _OP_TRUE),)
    return _over(forger, spot, [msgspec.structs.replace(coinbase, outputs=outputs)])


def _two_coinbases(forger: Forger, spot: Spot) -> Made:
    _, (second,) = forger.honest(spot)
    _, (first,) = forger.honest(spot)
    return _over(forger, spot, [first, second])


def _no_coinbase(forger: Forger, spot: Spot) -> Made:
    return _over(forger, spot, [_payment(forger)])


def _another_height(forger: Forger, spot: Spot) -> Made:
    _, transactions = forger.honest(msgspec.structs.replace(spot, height=spot.height + 1))
    return _over(forger, spot, transactions)


def _locked_by_height(forger: Forger, spot: Spot) -> Made:
    locked = _payment(forger, sequence=0, lock_time=spot.height)
    return _over(forger, spot, [*forger.honest(spot)[1], locked])


def _locked_by_time(forger: Forger, spot: Spot) -> Made:
    locked = _payment(forger, sequence=0, lock_time=max(spot.timestamp, _LOCK_TIME_IS_TIME))
    return _over(forger, spot, [*forger.honest(spot)[1], locked])


def _input_twice(forger: Forger, spot: Spot) -> Made:
    payment = _payment(forger)
    twice = msgspec.structs.replace(payment, inputs=payment.inputs * 2)
    return _over(forger, spot, [*forger.honest(spot)[1], twice])


def _null_input(forger: Forger, spot: Spot) -> Made:
    payment = _payment(forger)
    null = TransactionInput(bytes(32), NULL_INDEX, b"", NULL_INDEX)
    with_null = msgspec.structs.replace(payment, inputs=(*payment.inputs, null))
    return _over(forger, spot, [*forger.honest(spot)[1], with_null])


def _over(forger: Forger, spot: Spot, transactions: list[Transaction]) -> Made:
    header, _ = forger.over(spot, transactions)
    return forger.mined(header), transactions


def _payment(forger: Forger, *, sequence: int = NULL_INDEX, lock_time: int = 0) -> Transaction:
    source = TransactionInput(forger.rng.randbytes(32), 0, var_bytes(_OP_TRUE), sequence)
    return Transaction(2, (source,), (TransactionOutput(1, _OP_TRUE),), (), lock_time)


# The lie: the check that refuses it, whether that check needs the body, and who makes it.
FORGERIES: dict[str, tuple[str, bool, Maker]] = {
    "no work": ("proof_of_work", False, _unproved),
    "target of zero": ("target", False, _zero_target),
    "negative target": ("target", False, _negative_target),
    "target over the limit": ("target", False, _target_over_limit),
    "target over 256 bits": ("target", False, _overflowing_target),
    "easier bits": ("difficulty", False, _easier_bits),
    "easier bits at the border": ("difficulty", False, _easier_bits),
    "harder bits": ("difficulty", False, _harder_bits),
    "time of the median": ("median_time", False, _time_of_median),
    "warped time": ("time_warp", False, _warped_time),
    "version 1": ("version", False, _version_1),
    "a chain branch that leads elsewhere": ("auxpow", False, _merged(Lie.CHAIN_BRANCH)),
    "a coinbase branch that leads elsewhere": ("auxpow", False, _merged(Lie.COINBASE_BRANCH)),
    "a parent of this chain": ("auxpow", False, _merged(Lie.OWN_PARENT)),
    "another chain's id": ("version", False, _merged(Lie.CHAIN_ID)),
    "a parent without work": ("proof_of_work", False, _merged(Lie.IDLE_PARENT)),
    "too much money": ("transactions", True, _too_much_money),
    "two coinbases": ("coinbase", True, _two_coinbases),
    "no coinbase": ("coinbase", True, _no_coinbase),
    "another height": ("coinbase_height", True, _another_height),
    "locked by height": ("lock_time", True, _locked_by_height),
    "locked by time": ("lock_time", True, _locked_by_time),
    "an output spent twice": ("transactions", True, _input_twice),
    "a null input": ("transactions", True, _null_input),
}


MERGED_MINING = {lie for lie, (_, _, make) in FORGERIES.items() if make.__qualname__.startswith("_merged")}
TARGETS_OF_NONE = {"target of zero", "negative target", "target over 256 bits"}


class Mutated(msgspec.Struct, frozen=True):
    """A false body behind a true header. `check` is what refuses it."""

    mutation: str
    check: str
    body: bytes


def mutations_of(
    header: bytes, body: bytes, stripped: bytes, other: bytes, transactions: int, rng: Random
) -> list[Mutated]:
    """Return the false bodies that can be made of a true block, each behind its header.

    `body` and `stripped` are what follows the header, with and without witness data, `other` is another
    block's; `transactions` is how many it has.
    """
    place = _IN_FIRST_OUTPOINT
    flipped = body[:place] + bytes((body[place] ^ 1,)) + body[place + 1 :]
    found = [
        Mutated("one bit", "merkle_root", header + flipped),
        Mutated("cut short", "parse", header + body[: rng.randrange(1, len(body))]),
        Mutated("a byte more", "parse", header + body + b"\x00"),
        Mutated("another block's body", "merkle_root", header + other),
    ]
    if stripped != body:
        found.append(Mutated("stripped of its witness", "witness_commitment", header + stripped))
    if transactions > 1 and transactions % 2 == 1:
        found.append(Mutated("its end repeated", "merkle_root", header + _with_last_repeated(body)))
    return found


def _with_last_repeated(body: bytes) -> bytes:
    """Repeat the last of an odd number of transactions, which leaves the merkle root (CVE-2012-2459)."""
    reader = Reader(body)
    count = reader.compact_size(len(body), "transactions")
    transactions: Sequence[Transaction] = [parse_transaction(reader) for _ in range(count)]
    return compact_size(count + 1) + b"".join(t.encode() for t in (*transactions, transactions[-1]))
