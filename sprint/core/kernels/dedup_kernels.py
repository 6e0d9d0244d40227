"""The compiled steps of the dedup table, on addresses. What they are given was checked by `dedup_compiled`.

A space's context is a row of words: addresses of slots, entries (numbered from 1) and state, the mask of a
slot's position, how many entries there may be, the space's number, its `ttl_s`, the start of its keyed hash,
eight keys; behind them what a builtin has to know (`_builtin.shared_words`).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import cfunc, config, njit, types

from sprint.core.kernels import _builtin
from sprint.core.kernels._builtin_memory import (
    address_of,
    call_python,
    load_float,
    load_half,
    load_word,
    prefetch,
    store_byte,
    store_float,
    store_half,
    store_word,
)
from sprint.core.kernels.dedup import DIGEST_SIZE

if config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT is set: there is nothing to compile, the reference is to be used")

Word = Any  # an address or a number, of 64 bits without sign
Array = Any  # of numba

ENTRY_SIZE: Final = 64
GROUP: Final = 24  # hashes of a batch whose slots are fetched together
STATE_SIZE: Final = -(-8 * (5 + GROUP) // ENTRY_SIZE) * ENTRY_SIZE

_SLOTS, _ENTRIES, _STATE, _MASK, _MAX, _SPACE, _TTL, _START = (np.uint64(8 * n) for n in range(8))
_KEYS = np.uint64(64)
_KNOWN = np.uint64(128)
_COUNT, _NEWEST, _OLDEST, _FREE, _FRESH = (np.uint64(8 * n) for n in range(5))
_E_SPACE, _E_HASH, _E_FIRST_SEEN, _E_OLDER, _E_NEWER = (np.uint64(n) for n in (32, 36, 40, 48, 52))
_ENTRY_SHIFT, _SLOT_SHIFT = np.uint64(6), np.uint64(3)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFF_FFFF)
_NONE, _ONE, _SIXTEEN = np.uint64(0), np.uint64(1), np.uint64(16)
_WORD, _SIZE = np.uint64(8), np.uint64(DIGEST_SIZE)
_SCRATCH, _GROUP = np.uint64(40), np.uint64(GROUP * DIGEST_SIZE)
_MIX, _MIX_SHIFT = np.uint64(0x9E37_79B1), np.uint64(15)

_step = njit(forceinline=True, error_model="numpy")


@_step
def _product(context: Word, digest: Word, at: Word) -> Word:
    word = load_word(digest + at)
    keys = context + _KEYS + at + at
    return ((word & _LOW) + load_word(keys)) * ((word >> _HALF) + load_word(keys + _WORD))


@_step
def _hash(context: Word, digest: Word) -> Word:
    """The upper half of the keyed sum is universal; what follows is one to one and sets neighbours apart."""
    total = load_word(context + _START)
    total += _product(context, digest, _NONE) + _product(context, digest, _WORD)
    total += _product(context, digest, _SIXTEEN) + _product(context, digest, _SIXTEEN + _WORD)
    mixed = ((total >> _HALF) * _MIX) & _LOW
    return mixed ^ (mixed >> _MIX_SHIFT)


@_step
def _is_of(entry: Word, digest: Word, space: Word) -> bool:
    same = (load_word(entry) ^ load_word(digest)) | (load_word(entry + _WORD) ^ load_word(digest + _WORD))
    third, fourth = _SIXTEEN, _SIXTEEN + _WORD
    same |= load_word(entry + third) ^ load_word(digest + third)
    same |= load_word(entry + fourth) ^ load_word(digest + fourth)
    return (same | (np.uint64(load_half(entry + _E_SPACE)) ^ space)) == _NONE


@_step
def _find(context: Word, digest: Word, key_hash: Word) -> Word:
    """Return the address of the slot that holds a key, or of the empty one where it belongs."""
    slots, mask = load_word(context + _SLOTS), load_word(context + _MASK)
    entries, space = load_word(context + _ENTRIES), load_word(context + _SPACE)
    position = key_hash & mask
    while True:
        slot_at = slots + (position << _SLOT_SHIFT)
        slot = load_word(slot_at)
        if slot == _NONE:
            return slot_at
        if (slot >> _HALF) == key_hash and _is_of(entries + ((slot & _LOW) << _ENTRY_SHIFT), digest, space):
            return slot_at
        position = (position + _ONE) & mask


@_step
def _clear(context: Word, slot_at: Word) -> None:
    """Empty a slot: those behind it move up as far as they may, so that every run stays without holes."""
    slots, mask = load_word(context + _SLOTS), load_word(context + _MASK)
    gap = (slot_at - slots) >> _SLOT_SHIFT
    position = (gap + _ONE) & mask
    while True:
        slot = load_word(slots + (position << _SLOT_SHIFT))
        if slot == _NONE:
            break
        from_home = (position - (slot >> _HALF)) & mask
        if from_home >= ((position - gap) & mask):
            store_word(slots + (gap << _SLOT_SHIFT), slot)
            gap = position
        position = (position + _ONE) & mask
    store_word(slots + (gap << _SLOT_SHIFT), _NONE)


@_step
def _unlink(state: Word, entries: Word, number: Word) -> None:
    entry = entries + (number << _ENTRY_SHIFT)
    older, newer = np.uint64(load_half(entry + _E_OLDER)), np.uint64(load_half(entry + _E_NEWER))
    if older == _NONE:
        store_word(state + _OLDEST, newer)
    else:
        store_half(entries + (older << _ENTRY_SHIFT) + _E_NEWER, np.uint32(newer))
    if newer == _NONE:
        store_word(state + _NEWEST, older)
    else:
        store_half(entries + (newer << _ENTRY_SHIFT) + _E_OLDER, np.uint32(older))


@_step
def _link_newest(state: Word, entries: Word, number: Word) -> None:
    entry, newest = entries + (number << _ENTRY_SHIFT), load_word(state + _NEWEST)
    store_half(entry + _E_OLDER, np.uint32(newest))
    store_half(entry + _E_NEWER, np.uint32(0))
    if newest == _NONE:
        store_word(state + _OLDEST, number)
    else:
        store_half(entries + (newest << _ENTRY_SHIFT) + _E_NEWER, np.uint32(number))
    store_word(state + _NEWEST, number)


@_step
def _evict(context: Word, state: Word, entries: Word) -> Word:
    """Take the least recently used entry out of its slot; return its number."""
    number = load_word(state + _OLDEST)
    slots, mask = load_word(context + _SLOTS), load_word(context + _MASK)
    position = np.uint64(load_half(entries + (number << _ENTRY_SHIFT) + _E_HASH)) & mask
    while (load_word(slots + (position << _SLOT_SHIFT)) & _LOW) != number:
        position = (position + _ONE) & mask
    _clear(context, slots + (position << _SLOT_SHIFT))
    _unlink(state, entries, number)
    # Those that go next are known now, so their slots can be on their way from memory until they do.
    following = load_word(state + _OLDEST)
    entry = entries + (following << _ENTRY_SHIFT)
    position = np.uint64(load_half(entry + _E_HASH)) & mask
    prefetch(slots + (position << _SLOT_SHIFT))
    prefetch(entries + (np.uint64(load_half(entry + _E_NEWER)) << _ENTRY_SHIFT))
    return number


@_step
def _room(context: Word, state: Word, entries: Word) -> Word:
    """Return the number of an entry that may be written: one never used, a free one, or the oldest."""
    count = load_word(state + _COUNT)
    if count == load_word(context + _MAX):
        return _evict(context, state, entries)
    store_word(state + _COUNT, count + _ONE)
    number = load_word(state + _FREE)
    if number != _NONE:
        store_word(state + _FREE, np.uint64(load_half(entries + (number << _ENTRY_SHIFT) + _E_NEWER)))
        return number
    number = load_word(state + _FRESH) + _ONE
    store_word(state + _FRESH, number)
    return number


@_step
def _insert(context: Word, state: Word, entries: Word, digest: Word, key_hash: Word, now: float) -> None:
    number = _room(context, state, entries)
    # An eviction may have moved slots, so the empty one is looked for anew.
    store_word(_find(context, digest, key_hash), (key_hash << _HALF) | number)
    entry = entries + (number << _ENTRY_SHIFT)
    store_word(entry, load_word(digest))
    store_word(entry + _WORD, load_word(digest + _WORD))
    store_word(entry + _SIXTEEN, load_word(digest + _SIXTEEN))
    store_word(entry + _SIXTEEN + _WORD, load_word(digest + _SIXTEEN + _WORD))
    store_half(entry + _E_SPACE, np.uint32(load_word(context + _SPACE)))
    store_half(entry + _E_HASH, np.uint32(key_hash))
    store_float(entry + _E_FIRST_SEEN, now)
    _link_newest(state, entries, number)


@_step
def _seen(context: Word, digest: Word, key_hash: Word, now: float) -> bool:
    state, entries = load_word(context + _STATE), load_word(context + _ENTRIES)
    slot = load_word(_find(context, digest, key_hash))
    if slot == _NONE:
        _insert(context, state, entries, digest, key_hash, now)
        return False
    number = slot & _LOW
    if number != load_word(state + _NEWEST):
        _unlink(state, entries, number)
        _link_newest(state, entries, number)
    entry = entries + (number << _ENTRY_SHIFT)
    age_s = now - load_float(entry + _E_FIRST_SEEN)
    if age_s >= 0.0 and age_s < load_float(context + _TTL):
        return True
    store_float(entry + _E_FIRST_SEEN, now)
    return False


@_step
def _forget(context: Word, digest: Word) -> bool:
    state, entries = load_word(context + _STATE), load_word(context + _ENTRIES)
    slot_at = _find(context, digest, _hash(context, digest))
    slot = load_word(slot_at)
    if slot == _NONE:
        return False
    number = slot & _LOW
    _clear(context, slot_at)
    _unlink(state, entries, number)
    store_half(entries + (number << _ENTRY_SHIFT) + _E_NEWER, np.uint32(load_word(state + _FREE)))
    store_word(state + _FREE, number)
    store_word(state + _COUNT, load_word(state + _COUNT) - _ONE)
    return True


# numba doesn't see that another file of kernels was edited: nothing is kept but in a folder that was named.
_KEPT = bool(config.CACHE_DIR)
_WORDS = types.Array(types.uint64, 1, "C")
_BYTES_READ = types.Array(types.uint8, 1, "C", readonly=True)
_BYTES = types.Array(types.uint8, 1, "C")
_DIGEST = types.Bytes(types.uint8, 1, "C")


@njit(types.boolean(_WORDS, _DIGEST, types.float64), cache=_KEPT, error_model="numpy")
def seen_one(words: Array, digest: bytes, now: float) -> bool:
    context, given = address_of(words), address_of(digest)
    return _seen(context, given, _hash(context, given), now)


@njit(types.boolean(_WORDS, _DIGEST), cache=_KEPT, error_model="numpy")
def forget_one(words: Array, digest: bytes) -> bool:
    return _forget(address_of(words), address_of(digest))


@njit(types.void(_WORDS, _BYTES_READ, types.float64, _BYTES), cache=_KEPT, error_model="numpy")
def seen_each(words: Array, digests: Array, now: float, answers: Array) -> None:
    """Look at a group of hashes in two rounds: their slots are on their way while the others are hashed."""
    context, digest, answer = address_of(words), address_of(digests), address_of(answers)
    slots, mask = load_word(context + _SLOTS), load_word(context + _MASK)
    hashes = load_word(context + _STATE) + _SCRATCH
    end = digest + np.uint64(digests.size)
    while digest != end:
        group_end, ahead, hash_at = min(end, digest + _GROUP), digest, hashes
        while ahead != group_end:
            key_hash = _hash(context, ahead)
            store_word(hash_at, key_hash)
            prefetch(slots + ((key_hash & mask) << _SLOT_SHIFT))
            ahead += _SIZE
            hash_at += _WORD
        hash_at = hashes
        while digest != group_end:
            store_byte(answer, np.uint8(_seen(context, digest, load_word(hash_at), now)))
            digest += _SIZE
            answer += _ONE
            hash_at += _WORD


_AS_BUILTIN = types.uint64(types.uint64, types.uint64, types.int64)
_TYPE_AT, _SIZE_AT = np.uint64(_builtin.TYPE_AT), np.uint64(_builtin.SIZE_AT)
_BYTES_AT, _FLOAT_AT = np.uint64(_builtin.BYTES_AT), np.uint64(_builtin.FLOAT_AT)
_TUPLE_AT = np.uint64(_builtin.TUPLE_AT)
_TRUE, _FALSE, _COUNTED = (np.uint64(128 + 8 * n) for n in range(3))
_BYTES_TYPE, _FLOAT_TYPE = np.uint64(152), np.uint64(160)
_VECTORCALL, _OTHERWISE = np.uint64(184), np.uint64(200)


@_step
def _is_digest(context: Word, given: Word) -> bool:
    right_type = load_word(given + _TYPE_AT) == load_word(context + _BYTES_TYPE)
    return right_type and load_word(given + _SIZE_AT) == _SIZE


@_step
def _truth(context: Word, answer: bool) -> Word:
    result = load_word(context + (_TRUE if answer else _FALSE))
    counted = load_word(context + _COUNTED)
    if counted != _NONE:
        store_word(result, load_word(result) + counted)
    return result


@cfunc(_AS_BUILTIN, cache=_KEPT, error_model="numpy")
def seen_builtin(owner: Word, arguments: Word, count: int) -> Word:
    context = load_word(owner + _TUPLE_AT) + _BYTES_AT
    if count == 2:
        digest, now = load_word(arguments), load_word(arguments + _WORD)
        if _is_digest(context, digest) and load_word(now + _TYPE_AT) == load_word(context + _FLOAT_TYPE):
            given = digest + _BYTES_AT
            answer = _seen(context, given, _hash(context, given), load_float(now + _FLOAT_AT))
            return _truth(context, answer)
    vectorcall, otherwise = load_word(context + _VECTORCALL), load_word(context + _OTHERWISE)
    return call_python(vectorcall, otherwise, arguments, np.uint64(count))


@cfunc(_AS_BUILTIN, cache=_KEPT, error_model="numpy")
def forget_builtin(owner: Word, arguments: Word, count: int) -> Word:
    context = load_word(owner + _TUPLE_AT) + _BYTES_AT
    if count == 1:
        digest = load_word(arguments)
        if _is_digest(context, digest):
            return _truth(context, _forget(context, digest + _BYTES_AT))
    vectorcall, otherwise = load_word(context + _VECTORCALL), load_word(context + _OTHERWISE)
    return call_python(vectorcall, otherwise, arguments, np.uint64(count))
