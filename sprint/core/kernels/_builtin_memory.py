"""Reading and writing memory by address inside compiled kernels. It imports numba.

Addresses and words are uint64 throughout: numba makes a float of a signed and an unsigned one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_WORD = ir.IntType(64)


def _loader(kind: Any, llvm_type: ir.Type) -> Any:
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.load(builder.inttoptr(arguments[0], llvm_type.as_pointer()))

        return kind(types.uint64), generate

    return load


def _storer(kind: Any, llvm_type: ir.Type) -> Any:
    def store(typing_context: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            builder.store(arguments[1], builder.inttoptr(arguments[0], llvm_type.as_pointer()))
            return context.get_dummy_value()

        return types.void(types.uint64, kind), generate

    return store


load_word = intrinsic(_loader(types.uint64, _WORD))
load_half = intrinsic(_loader(types.uint32, ir.IntType(32)))
load_float = intrinsic(_loader(types.float64, ir.DoubleType()))
load_byte = intrinsic(_loader(types.uint8, ir.IntType(8)))
store_word = intrinsic(_storer(types.uint64, _WORD))
store_half = intrinsic(_storer(types.uint32, ir.IntType(32)))
store_float = intrinsic(_storer(types.float64, ir.DoubleType()))
store_byte = intrinsic(_storer(types.uint8, ir.IntType(8)))


@intrinsic
def prefetch(typing_context: Any, address: Any) -> Any:
    """Have the processor fetch the line at an address that will be written soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), (pointer, flag, flag, flag))
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(
            function, (builder.inttoptr(arguments[0], pointer), flag(1), flag(3), flag(1))
        )  # to write, keep in all caches, data
        return context.get_dummy_value()

    return types.void(types.uint64), generate


@intrinsic
def call_python(typing_context: Any, vectorcall: Any, function: Any, arguments_at: Any, count: Any) -> Any:
    """Return what PyObject_Vectorcall at address `vectorcall` gives; 0 where the call raised."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, (_WORD, _WORD, _WORD, _WORD))
        target = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(target, (*arguments[1:], _WORD(0)))

    return types.uint64(types.uint64, types.uint64, types.uint64, types.uint64), generate


@intrinsic
def new_bytes(typing_context: Any, make: Any, size: Any) -> Any:
    """Return a new bytes object by PyBytes_FromStringAndSize at `make`, not yet filled; 0 where it raised."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_WORD, (_WORD, _WORD))
        target = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(target, (_WORD(0), arguments[1]))

    return types.uint64(types.uint64, types.uint64), generate


@intrinsic
def integer_of(typing_context: Any, convert: Any, number: Any) -> Any:
    """Return an int object's value by PyLong_AsLongLongAndOverflow at `convert`; -1 beyond 63 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        flag = ir.IntType(32)
        kind = ir.FunctionType(_WORD, (_WORD, flag.as_pointer()))
        overflow = cgutils.alloca_once(builder, flag)
        target = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(target, (arguments[1], overflow))

    return types.int64(types.uint64, types.uint64), generate


@intrinsic
def address_of(typing_context: Any, buffer: Any) -> Any:
    """Return where the data of a bytes object or a contiguous array begins."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(array.data, _WORD)

    return types.uint64(buffer), generate


@intrinsic
def bit_length(typing_context: Any, word: Any) -> Any:
    """Return how many bits a word needs; 0 for 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sub(_WORD(64), builder.ctlz(arguments[0], ir.IntType(1)(0)))

    return types.uint64(types.uint64), generate
