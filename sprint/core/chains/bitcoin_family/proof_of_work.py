"""Compact targets and the work they stand for.

A compact target is a base-256 float: the top byte is the length in bytes, the rest the leading three
bytes, of which the highest bit is a sign (Bitcoin Core's `arith_uint256::SetCompact` is the reference).
"""

from __future__ import annotations

from sprint.core.errors import RuleError

_SIGN = 0x0080_0000
_MANTISSA = 0x007F_FFFF
_BITS_MAX = 256


def target_of(bits: int, target_limit: int) -> int:
    """Expand a compact target. RuleError if it is negative, zero, overflows, or easier than the limit."""
    mantissa = bits & _MANTISSA
    exponent = bits >> 24
    target = mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)
    if target == 0:
        raise RuleError("target", f"compact target {bits:#010x} is zero")
    if bits & _SIGN:
        raise RuleError("target", f"compact target {bits:#010x} is negative")
    if target.bit_length() > _BITS_MAX:
        raise RuleError("target", f"compact target {bits:#010x} overflows 256 bits")
    if target > target_limit:
        raise RuleError("target", f"target {target:#x} is easier than the network's limit {target_limit:#x}")
    return target


def bits_of(target: int) -> int:
    """Return the compact form of a target below 2**256: its leading bytes, rounded down.

    Where the highest bit of the three leading bytes is set, which would be the sign, two of them are kept
    (`arith_uint256::GetCompact`).
    """
    length = (target.bit_length() + 7) // 8
    mantissa = target >> 8 * (length - 3) if length > 3 else target << 8 * (3 - length)
    if mantissa & _SIGN:
        mantissa >>= 8
        length += 1
    return length << 24 | mantissa


def work_of(target: int) -> int:
    """Return the expected number of hashes to meet a target: 2**256 / (target + 1)."""
    return (1 << 256) // (target + 1)
