"""Reading and copying bytes at any place of an array, for compiled kernels. It imports numba.

numba's own indexing takes a negative index as counted from the end, so a loop over bytes looks at each one by
itself. These take the place as it is: whoever calls has made sure that it lies in the array.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _element(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _loader(bits: int, kind: Any) -> Any:
    def load(_: Any, array: Any, at: Any) -> Any:
        def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            pointer = _element(context, builder, signature.args[0], *values)
            word = builder.load(builder.bitcast(pointer, ir.IntType(bits).as_pointer()))
            word.align = 1
            return builder.zext(word, ir.IntType(64)) if bits < 64 else word

        return kind(array, types.int64), generated

    return intrinsic(load)


byte_at = _loader(8, types.int64)
half_at = _loader(16, types.int64)
word_at = _loader(32, types.int64)
long_at = _loader(64, types.int64)  # as a signed number


@intrinsic
def copy_bytes(_: Any, source: Any, source_at: Any, target: Any, target_at: Any, size: Any) -> Any:
    """Copy `size` bytes from one array of bytes to another."""

    def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first = _element(context, builder, signature.args[0], values[0], values[1])
        second = _element(context, builder, signature.args[2], values[2], values[3])
        cgutils.raw_memcpy(builder, second, first, values[4], 1)
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64, types.int64), generated


@intrinsic
def clear_bytes(_: Any, target: Any, at: Any, size: Any) -> Any:
    """Set `size` bytes from `at` on to zero."""

    def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], values[0], values[1])
        cgutils.memset(builder, pointer, values[2], 0)
        return context.get_dummy_value()

    return types.void(target, types.int64, types.int64), generated


@intrinsic
def store_word(_: Any, target: Any, at: Any, word: Any) -> Any:
    """Write 32 bits at byte `at` of an array of bytes, the lowest first."""

    def generated(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], values[0], values[1])
        written = builder.store(values[2], builder.bitcast(pointer, ir.IntType(32).as_pointer()))
        written.align = 1
        return context.get_dummy_value()

    return types.void(target, types.int64, types.uint32), generated
