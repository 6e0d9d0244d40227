"""What binds an extension block's inputs and outputs without the outputs they spend: signatures and one sum.

Each kernel, input and output carries a Schnorr signature, and the block's keys add up to an offset that its
header states (Litecoin Core's `TxBody::Validate` and `StealthSumValidator`). What stays unbound is an input's
commitment, which only the output it spends or the offsets of the block below would show to be wrong, and the
truth of range proofs and of the sums of values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from sprint.core.chains.bitcoin_family.mweb_format import (
    INPUT_HAS_EXTRA,
    ExtensionBlock,
    ExtensionInput,
    ExtensionKernel,
    ExtensionOutput,
    hash_of,
)
from sprint.core.errors import RuleError
from sprint.core.kernels.secp256k1 import (
    FIELD,
    GENERATOR,
    ORDER,
    Point,
    add_points,
    read_point,
    square_y,
    sum_of_multiples,
)
from sprint.core.wire import var_bytes

SIGNATURES_MAX = 400  # about a second of work; the rules allow a body more than two minutes of it
_KEY_PREFIXES = (2, 3)
_COMMITMENT_PREFIXES = (8, 9)
_FACTOR_SIZE = 16  # of the factors that keep one false signature from hiding another


class Signed(NamedTuple):
    """A message of 32 bytes, the key it is signed with, and the signature: R's x, then s."""

    message: bytes
    key: tuple[int, int]
    signature: bytes


def signature_count(extension: ExtensionBlock) -> int:
    """How many signatures an extension block has."""
    return len(extension.inputs) + len(extension.outputs) + len(extension.kernels)


def check_signatures(extension: ExtensionBlock) -> None:
    """Check all signatures of an extension block, and the sum of its keys. RuleError, always `mutated`."""
    for commitment in [i.commitment for i in extension.inputs] + [o.commitment for o in extension.outputs]:
        _commitment(commitment)
    signed = [_signed_kernel(kernel) for kernel in extension.kernels]
    signed += [_signed_input(spent) for spent in extension.inputs]
    signed += [_signed_output(output) for output in extension.outputs]
    if not all_signed(signed):
        raise _refused(f"one of {len(signed)} signatures of the extension block is false")
    _check_key_sum(extension)


def all_signed(signed: Sequence[Signed]) -> bool:
    """Verify all signatures at once: their equations, each times a factor, must add up to nothing.

    The factors come from a hash of everything, so nobody can choose signatures to suit them. A signature
    is true if s times the generator is R + e times the key, R being the point of its x whose y is a square
    and e the hash of x, key and message (libsecp256k1's `schnorrsig` before BIP 340).
    """
    seed = hashlib.sha256(b"".join(each.message + _encoded(each.key) + each.signature for each in signed))
    terms: list[tuple[int, Point]] = []
    total = 0
    for number, (message, key, signature) in enumerate(signed):
        x, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        y = square_y(x)
        if y is None or s >= ORDER:
            return False
        challenge = hashlib.sha256(signature[:32] + _encoded(key) + message).digest()
        drawn = hashlib.sha256(seed.digest() + number.to_bytes(8, "big")).digest()
        factor = int.from_bytes(drawn[:_FACTOR_SIZE], "big")
        terms += [(factor, (x, y)), (factor * int.from_bytes(challenge, "big"), key)]
        total += factor * s
    return sum_of_multiples([*terms, (-total, GENERATOR)]) is None


def _signed_kernel(kernel: ExtensionKernel) -> Signed:
    key = _commitment(kernel.excess)
    if kernel.stealth_excess:
        stealth = _key(kernel.stealth_excess)
        factor = hash_of(_encoded(key), kernel.stealth_excess)
        key = _sum((int.from_bytes(factor, "big"), key), (1, stealth))
    return Signed(hash_of(kernel.signed), key, kernel.signature)


def _signed_input(spent: ExtensionInput) -> Signed:
    extra = var_bytes(spent.extra) if spent.features & INPUT_HAS_EXTRA else b""
    key = _key(spent.output_key)
    if spent.input_key:
        factor = hash_of(spent.input_key, spent.output_key)
        key = _sum((int.from_bytes(factor, "big"), key), (1, _key(spent.input_key)))
    return Signed(hash_of(bytes((spent.features,)), spent.output_id, extra), key, spent.signature)


def _signed_output(output: ExtensionOutput) -> Signed:
    message = hash_of(
        output.commitment, output.sender_key, output.receiver_key, output.message_hash, output.proof_hash
    )
    return Signed(message, _key(output.sender_key), output.signature)


def _check_key_sum(extension: ExtensionBlock) -> None:
    """Senders' and input keys are the stealth excesses, the spent outputs' keys and the offset together."""
    left = [_key(output.sender_key) for output in extension.outputs]
    left += [_key(spent.input_key) for spent in extension.inputs if spent.input_key]
    right: list[Point] = [_key(k.stealth_excess) for k in extension.kernels if k.stealth_excess]
    right += [_key(spent.output_key) for spent in extension.inputs]
    offset = int.from_bytes(extension.header.stealth_offset, "big")
    if offset >= ORDER:
        raise _refused(f"stealth offset {offset:#x}, limit {ORDER:#x}")
    right.append(sum_of_multiples([(offset, GENERATOR)]))
    if add_points(left) != add_points(right):
        raise _refused("the keys of the extension block do not add up to its stealth offset")


def _key(raw: bytes) -> tuple[int, int]:
    """Read a compressed key."""
    point = read_point(int.from_bytes(raw[1:], "big"), odd=raw[0] == _KEY_PREFIXES[1])
    if raw[0] not in _KEY_PREFIXES or point is None:
        raise _refused(f"{raw.hex()} is no key")
    return point


def _commitment(raw: bytes) -> tuple[int, int]:
    """Read a commitment: prefix 8 for the y that is a square, 9 for the other."""
    x = int.from_bytes(raw[1:], "big")
    y = square_y(x)
    if raw[0] not in _COMMITMENT_PREFIXES or y is None:
        raise _refused(f"{raw.hex()} is no commitment")
    return x, y if raw[0] == _COMMITMENT_PREFIXES[0] else FIELD - y


def _encoded(point: tuple[int, int]) -> bytes:
    return bytes((_KEY_PREFIXES[point[1] % 2],)) + point[0].to_bytes(32, "big")


def _sum(*terms: tuple[int, Point]) -> tuple[int, int]:
    point = sum_of_multiples(terms)
    if point is None:
        raise _refused("two keys of the extension block cancel out")
    return point


def _refused(message: str) -> RuleError:
    return RuleError("mweb", message, mutated=True)
