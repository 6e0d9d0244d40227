"""The height that a coinbase states (BIP 34)."""

from __future__ import annotations

_OP_1 = 0x51
_OP_16 = 0x60
_HEIGHT_BYTES_MAX = 4
_SIGN_BIT = 0x80  # of the last byte of a number in a script


def height_claimed(script: bytes) -> int | None:
    """Return the height that BIP 34 puts first into the coinbase script.

    None where the script starts with anything else than a number from 0 up, pushed in its shortest form,
    the only one the rule allows.
    """
    if not script:
        return None
    length = script[0]
    if length == 0:
        return 0
    if _OP_1 <= length <= _OP_16:
        return length - _OP_1 + 1
    if length > _HEIGHT_BYTES_MAX or len(script) < 1 + length:
        return None
    pushed = script[1 : 1 + length]
    height = int.from_bytes(pushed, "little")
    negative = pushed[-1] >= _SIGN_BIT
    padded = pushed[-1] == 0 and (length == 1 or pushed[-2] < _SIGN_BIT)
    if negative or padded or height <= _OP_16 - _OP_1 + 1:
        return None
    return height
