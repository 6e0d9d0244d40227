"""The pieces of code in which the tiers differ, compiled by numba as functions at an address.

A piece takes two addresses: for `pairs` and `headers` of the messages and of the digests, for `compress` of
the states and of the addresses of the blocks. The kernels call them by address, so that each is compiled once
for a tier, and the kernels once for all tiers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sprint.core.kernels.sha256_instructions import InstructionCode
from sprint.core.kernels.sha256_lanes import BYTE_TYPE, Avx512Code, LaneCode

_SIGNATURE = types.void(types.uintp, types.uintp)
_compiled: dict[tuple[str, bool], tuple[Any, ...]] = {}  # An address is good as long as its function is kept.


class Pieces(NamedTuple):
    """A tier's pieces: how many messages they take, how a lane's state lies in memory, where they are."""

    lanes: int
    word_stride: int
    lane_stride: int
    pairs: int
    headers: int
    compress: int


PIECES_TYPE = types.NamedUniTuple(types.intp, len(Pieces._fields), Pieces)


def compile_pieces(tier: str, *, cached: bool) -> Pieces:
    """Compile a tier's pieces, or load them from numba's cache."""
    if (tier, cached) not in _compiled:
        made = tuple(numba.cfunc(_SIGNATURE, cache=cached)(function) for function in _FUNCTIONS[tier])
        _compiled[tier, cached] = made
    code = _CODE[tier]
    strides = (1, 8) if isinstance(code, InstructionCode) else (code.lanes, 1)
    return Pieces(code.lanes, *strides, *(made.address for made in _compiled[tier, cached]))


@intrinsic
def run_piece(_: Any, piece: Any, source: Any, source_at: Any, target: Any, target_at: Any) -> Any:
    """Run the piece at an address on the element `source_at` of one array and `target_at` of another."""

    def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = builder.inttoptr(values[0], ir.FunctionType(ir.VoidType(), [_ADDRESS] * 2).as_pointer())
        pointers = []
        for number in (1, 3):
            array = context.make_array(signature.args[number])(context, builder, values[number])
            element = builder.gep(array.data, [values[number + 1]])
            pointers.append(builder.ptrtoint(element, _ADDRESS))
        builder.call(address, pointers)
        return context.get_dummy_value()

    return types.void(types.intp, source, types.intp, target, types.intp), generated


_ADDRESS = ir.IntType(64)
_CODE: dict[str, LaneCode | InstructionCode] = {
    "avx512": Avx512Code(),
    "avx2": LaneCode(8),
    "sha": InstructionCode(4),
    "portable": LaneCode(4),
}


def _piece(tier: str, name: str) -> Any:
    def typed(_: Any, source: Any, target: Any) -> Any:
        def generated(context: Any, builder: Any, _: Any, values: Any) -> Any:
            pointers = (builder.inttoptr(value, BYTE_TYPE.as_pointer()) for value in values)
            getattr(_CODE[tier], name)(builder, *pointers)
            return context.get_dummy_value()

        return types.void(types.uintp, types.uintp), generated

    return intrinsic(typed)


# Each in a function of its own: numba keeps what it compiled by the function's name and place in its file.
_avx512_pairs = _piece("avx512", "hash_pairs")
_avx512_headers = _piece("avx512", "hash_headers")
_avx512_compress = _piece("avx512", "compress")
_avx2_pairs = _piece("avx2", "hash_pairs")
_avx2_headers = _piece("avx2", "hash_headers")
_avx2_compress = _piece("avx2", "compress")
_sha_pairs = _piece("sha", "hash_pairs")
_sha_headers = _piece("sha", "hash_headers")
_sha_compress = _piece("sha", "compress")
_portable_pairs = _piece("portable", "hash_pairs")
_portable_headers = _piece("portable", "hash_headers")
_portable_compress = _piece("portable", "compress")


def avx512_pairs(source: int, target: int) -> None:
    _avx512_pairs(source, target)


def avx512_headers(source: int, target: int) -> None:
    _avx512_headers(source, target)


def avx512_compress(state: int, pointers: int) -> None:
    _avx512_compress(state, pointers)


def avx2_pairs(source: int, target: int) -> None:
    _avx2_pairs(source, target)


def avx2_headers(source: int, target: int) -> None:
    _avx2_headers(source, target)


def avx2_compress(state: int, pointers: int) -> None:
    _avx2_compress(state, pointers)


def sha_pairs(source: int, target: int) -> None:
    _sha_pairs(source, target)


def sha_headers(source: int, target: int) -> None:
    _sha_headers(source, target)


def sha_compress(state: int, pointers: int) -> None:
    _sha_compress(state, pointers)


def portable_pairs(source: int, target: int) -> None:
    _portable_pairs(source, target)


def portable_headers(source: int, target: int) -> None:
    _portable_headers(source, target)


def portable_compress(state: int, pointers: int) -> None:
    _portable_compress(state, pointers)


_FUNCTIONS: dict[str, tuple[Callable[[int, int], None], ...]] = {
    "avx512": (avx512_pairs, avx512_headers, avx512_compress),
    "avx2": (avx2_pairs, avx2_headers, avx2_compress),
    "sha": (sha_pairs, sha_headers, sha_compress),
    "portable": (portable_pairs, portable_headers, portable_compress),
}
