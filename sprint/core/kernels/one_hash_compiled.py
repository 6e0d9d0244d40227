"""One double SHA-256 called from Python, by the processor's SHA instructions. Importing it compiles it.

A message of 64 or 80 bytes, a pair of ids or a header, is hashed into a bytes object that is made for it: a
call takes a quarter of what two rounds through hashlib do. Any other argument goes to the reference.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, types
from numba.core import config
from numba.extending import intrinsic

from sprint.core.kernels import _builtin, reference
from sprint.core.kernels._builtin_memory import call_python, load_word, new_bytes
from sprint.core.kernels.reference import HASH_SIZE, HEADER_SIZE, PAIR_SIZE
from sprint.core.kernels.sha256_instructions import InstructionCode
from sprint.core.kernels.sha256_lanes import BYTE_TYPE

NEEDS = frozenset({"sha", "sse4.1"})

# A word or an address, uint64 to numba.
Word = Any

# numba doesn't see that another file of kernels was edited: nothing is kept but in a folder that was named.
_KEPT = bool(config.CACHE_DIR)
_CODE = InstructionCode(1)
_NONE = np.uint64(0)  # no memory: the exception is set
_TYPE_AT, _SIZE_AT = np.uint64(_builtin.TYPE_AT), np.uint64(_builtin.SIZE_AT)
_BYTES_AT, _TUPLE_AT = np.uint64(_builtin.BYTES_AT), np.uint64(_builtin.TUPLE_AT)
_PAIR, _HEADER, _DIGEST = np.uint64(PAIR_SIZE), np.uint64(HEADER_SIZE), np.uint64(HASH_SIZE)
# Places in the context: the shared words, then the two that only this builtin needs.
_BYTES_TYPE, _VECTORCALL, _MAKE_BYTES, _OTHERWISE = (np.uint64(8 * n) for n in (3, 7, 9, 10))


def compiled_sha256d(features: AbstractSet[str]) -> Callable[[bytes], bytes]:
    """Return a builtin for a processor with these features, by LLVM's names, or else the reference."""
    if not features >= NEEDS or not _builtin.layout_is_known():
        return reference.sha256d
    words = (*_builtin.shared_words(), _builtin.bytes_maker(), id(reference.sha256d))
    owner = (struct.pack(f"<{len(words)}Q", *words), reference.sha256d)
    return _builtin.make_builtin(_hash_builtin().address, "sha256d", owner)


@intrinsic
def _hash_pair(_: Any, source: Any, target: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _CODE.hash_pairs(builder, *_pointers(builder, arguments))
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64), generate


@intrinsic
def _hash_header(_: Any, source: Any, target: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _CODE.hash_headers(builder, *_pointers(builder, arguments))
        return context.get_dummy_value()

    return types.void(types.uint64, types.uint64), generate


def _pointers(builder: Any, addresses: Any) -> list[Any]:
    pointer: ir.Type = BYTE_TYPE.as_pointer()
    return [builder.inttoptr(address, pointer) for address in addresses]


@cache  # its address is good as long as it is kept
def _hash_builtin() -> Any:
    """Compile it when it is asked for: a processor without the instructions must not come here."""

    @cfunc(types.uint64(types.uint64, types.uint64, types.int64), cache=_KEPT, error_model="numpy")
    def hash_builtin(owner: Word, arguments: Word, count: int) -> Word:
        context = load_word(owner + _TUPLE_AT) + _BYTES_AT
        if count == 1:
            message = load_word(arguments)
            if load_word(message + _TYPE_AT) == load_word(context + _BYTES_TYPE):
                size = load_word(message + _SIZE_AT)
                if size == _PAIR:
                    digest = new_bytes(load_word(context + _MAKE_BYTES), _DIGEST)
                    if digest != _NONE:
                        _hash_pair(message + _BYTES_AT, digest + _BYTES_AT)
                    return digest
                if size == _HEADER:
                    digest = new_bytes(load_word(context + _MAKE_BYTES), _DIGEST)
                    if digest != _NONE:
                        _hash_header(message + _BYTES_AT, digest + _BYTES_AT)
                    return digest
        vectorcall, otherwise = load_word(context + _VECTORCALL), load_word(context + _OTHERWISE)
        return call_python(vectorcall, otherwise, arguments, np.uint64(count))

    return hash_builtin
