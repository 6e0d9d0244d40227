"""scrypt of headers in batches, each in its own lane, compiled by numba. Twin: `reference.scrypt_headers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from sprint.core.kernels.scrypt_lanes import ROW_SIZE, ROWS, WORDS, ScryptCode
from sprint.core.kernels.sha256_lanes import BYTE_TYPE
from sprint.core.kernels.sha256_pieces import run_piece

Array = Any
_SIGNATURE = types.void(types.uintp, types.uintp)
_CODE = {16: ScryptCode(16), 8: ScryptCode(8), 4: ScryptCode(4)}
_compiled: dict[tuple[int, bool], tuple[Any, ...]] = {}


class ScryptPieces(NamedTuple):
    """How many headers are taken at once, and where the pieces are."""

    lanes: int
    fill: int
    mix: int


SCRYPT_PIECES_TYPE = types.NamedUniTuple(types.intp, len(ScryptPieces._fields), ScryptPieces)


def compile_scrypt(lanes: int, *, cached: bool) -> ScryptPieces:
    """Compile the pieces for 4, 8 or 16 lanes, or load them from numba's cache."""
    if (lanes, cached) not in _compiled:
        made = tuple(numba.cfunc(_SIGNATURE, cache=cached)(function) for function in _FUNCTIONS[lanes])
        _compiled[lanes, cached] = made
    fill, mix = _compiled[lanes, cached]
    return ScryptPieces(lanes, fill.address, mix.address)


@numba.njit(nogil=True)
def mix_states(pieces: ScryptPieces, states: Array) -> None:
    """Do scrypt's two loops on the states of as many messages as there are lanes, 32 words each, in place."""
    lanes = pieces.lanes
    rows = np.empty(lanes * ROWS * ROW_SIZE, dtype=np.uint8)
    turned = np.empty(WORDS * lanes, dtype=np.uint32)
    for word in range(WORDS):
        for lane in range(lanes):
            turned[lanes * word + lane] = states[WORDS * lane + word]
    for row in range(ROWS):
        run_piece(pieces.fill, turned, 0, rows, ROW_SIZE * row)
    for _ in range(ROWS):
        run_piece(pieces.mix, turned, 0, rows, 0)
    for word in range(WORDS):
        for lane in range(lanes):
            states[WORDS * lane + word] = turned[lanes * word + lane]


def _piece(lanes: int, name: str) -> Any:
    def typed(_: Any, state: Any, rows: Any) -> Any:
        def generated(context: Any, builder: Any, _: Any, values: Any) -> Any:
            pointers = (builder.inttoptr(value, BYTE_TYPE.as_pointer()) for value in values)
            getattr(_CODE[lanes], name)(builder, *pointers)
            return context.get_dummy_value()

        return types.void(types.uintp, types.uintp), generated

    return intrinsic(typed)


_fill_16, _mix_16 = _piece(16, "fill"), _piece(16, "mix")
_fill_8, _mix_8 = _piece(8, "fill"), _piece(8, "mix")
_fill_4, _mix_4 = _piece(4, "fill"), _piece(4, "mix")


def fill_16(state: int, rows: int) -> None:
    _fill_16(state, rows)


def mix_16(state: int, rows: int) -> None:
    _mix_16(state, rows)


def fill_8(state: int, rows: int) -> None:
    _fill_8(state, rows)


def mix_8(state: int, rows: int) -> None:
    _mix_8(state, rows)


def fill_4(state: int, rows: int) -> None:
    _fill_4(state, rows)


def mix_4(state: int, rows: int) -> None:
    _mix_4(state, rows)


_FUNCTIONS: dict[int, tuple[Callable[[int, int], None], ...]] = {
    16: (fill_16, mix_16),
    8: (fill_8, mix_8),
    4: (fill_4, mix_4),
}
