"""The compiled steps of the histogram, on addresses. What they are given was checked by `histogram_compiled`.

A context is a row of words: addresses of the counts and of the least and the greatest value, the bits of
half the buckets that hold one value, `value_max`; behind them what a builtin has to know
(`_builtin.shared_words`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cfunc, config, njit, types

from sprint.core.kernels import _builtin
from sprint.core.kernels._builtin_memory import (
    address_of,
    bit_length,
    call_python,
    integer_of,
    load_word,
    store_word,
)

if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set: there is nothing to compile, the reference is to be used")

Word = Any  # an address or a number, of 64 bits without sign
Array = Any  # of numba

_COUNTS, _EXTREMES, _HALF_BITS, _VALUE_MAX = (np.uint64(8 * n) for n in range(4))
_COUNTED, _INT_TYPE, _NONE_OBJECT, _VECTORCALL, _CONVERT, _OTHERWISE = (
    np.uint64(32 + 8 * n) for n in (2, 5, 6, 7, 8, 9)
)
_WORD, _ONE, _WORD_SHIFT = np.uint64(8), np.uint64(1), np.uint64(3)
_TYPE_AT, _BYTES_AT, _TUPLE_AT = (
    np.uint64(place) for place in (_builtin.TYPE_AT, _builtin.BYTES_AT, _builtin.TUPLE_AT)
)

_step = njit(forceinline=True, error_model="numpy")


@_step
def _record(context: Word, value: Word) -> None:
    extremes, half_bits = load_word(context + _EXTREMES), load_word(context + _HALF_BITS)
    if value < load_word(extremes):
        store_word(extremes, value)
    if value > load_word(extremes + _WORD):
        store_word(extremes + _WORD, value)
    counted = min(value, load_word(context + _VALUE_MAX))
    doublings = bit_length(counted >> (half_bits + _ONE))
    bucket = (doublings << half_bits) + (counted >> doublings)
    count_at = load_word(context + _COUNTS) + (bucket << _WORD_SHIFT)
    store_word(count_at, load_word(count_at) + _ONE)


# numba doesn't see that another file of kernels was edited: nothing is kept but in a folder that was named.
_KEPT = bool(config.CACHE_DIR)
_WORDS = types.Array(types.uint64, 1, "C")
_VALUES = types.Array(types.int64, 1, "C", readonly=True)


@njit(types.void(_WORDS, types.uint64), cache=_KEPT, error_model="numpy")
def record_one(words: Array, value: Word) -> None:
    _record(address_of(words), value)


@njit(types.boolean(_WORDS, _VALUES), cache=_KEPT, error_model="numpy")
def record_each(words: Array, values: Array) -> bool:
    """Count all values; False, and none is counted, where one is below 0."""
    signs = np.int64(0)
    for value in values:
        signs |= value
    if signs < 0:
        return False
    context = address_of(words)
    for value in values:
        _record(context, np.uint64(value))
    return True


@cfunc(types.uint64(types.uint64, types.uint64, types.int64), cache=_KEPT, error_model="numpy")
def record_builtin(owner: Word, arguments: Word, count: int) -> Word:
    context = load_word(owner + _TUPLE_AT) + _BYTES_AT
    if count == 1:
        given = load_word(arguments)
        if load_word(given + _TYPE_AT) == load_word(context + _INT_TYPE):
            value = integer_of(load_word(context + _CONVERT), given)
            if value >= 0:
                _record(context, np.uint64(value))
                nothing, counted = load_word(context + _NONE_OBJECT), load_word(context + _COUNTED)
                if counted != np.uint64(0):
                    store_word(nothing, load_word(nothing) + counted)
                return nothing
    vectorcall, otherwise = load_word(context + _VECTORCALL), load_word(context + _OTHERWISE)
    return call_python(vectorcall, otherwise, arguments, np.uint64(count))
