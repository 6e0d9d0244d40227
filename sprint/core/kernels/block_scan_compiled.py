"""All transactions of a block and all their ids in one pass over its bytes, compiled by numba.

The twin is `chains.bitcoin_family.scan.scan_block`, which says what is wrong where something is. This one
only finds out that all is as it should be, and gives up at the first byte that is not: the twin then reads
the same bytes and has the last word.

Ids are hashed some hundred at a time, while the bytes are still near.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from sprint.core.kernels.block_scan import LOCK_TIME_THRESHOLD, PAIR_SIZE
from sprint.core.kernels.raw_bytes import byte_at, half_at, long_at, word_at
from sprint.core.kernels.sha256_jobs import (
    AGAIN_AT,
    DIGEST_SIZE,
    JOB_FIELDS,
    PADDED_SIZE_MAX,
    hash_jobs,
    put_parts,
    put_whole,
)
from sprint.core.kernels.sha256_pieces import Pieces

# What numba works on, which mypy knows nothing of: arrays, and integers of a machine's sizes.
Array = Any
Int = Any

OUTPOINT_SIZE: Final = 36
COUNT_MAX: Final = 4_000_000  # of inputs, outputs, witness items, and bytes of a script: as the twin has it
JOBS_MAX: Final = 512  # hashed in one go
COPY_SIZE: Final = 4096  # the longest message that is copied; longer ones are left to hashlib
LONG_SIZE: Final = 16_384  # the longest message that a lane takes: near the end the other lanes wait for it
SCRATCH_SIZE: Final = JOBS_MAX * PADDED_SIZE_MAX + 16 * COPY_SIZE
QUADRATIC_INPUTS_MAX: Final = 8  # up to so many are compared each with each
PROBES_MAX: Final = 64

# What a scan counts, by place.
END, WITNESS_SIZE, MARK_SIZE, MARKED, LAST_MARK, COINBASES = 0, 1, 2, 3, 4, 5
FIRST_COINBASE, PAIR_SIZED, LOCK_HEIGHT, LOCK_TIME, WITNESSES, DOUBTED, LONG = 6, 7, 8, 9, 10, 11, 12
FACTS: Final = 13

LONG_FIELDS: Final = 6


@numba.njit(nogil=True)
def scan_block(
    pieces: Pieces,
    raw: Array,
    position: Int,
    money_max: Int,
    mweb: bool,
    keys: Array,
    starts: Array,
    digests: Array,
    doubts: Array,
    longs: Array,
    facts: Array,
) -> bool:
    """Scan as many transactions as `starts` has places, from `position`; false where the twin must look.

    `digests` takes all txids and behind them all wtxids. `doubts` takes the numbers of those that may break a
    rule; `longs` those whose ids are left to hashlib, with flags, start, body, witness data and lock time.
    `facts` counts both.
    """
    count = len(starts)
    scratch = np.empty(SCRATCH_SIZE, dtype=np.uint8)
    jobs = np.empty((JOBS_MAX, JOB_FIELDS), dtype=np.int64)
    places = np.empty(len(raw) // (OUTPOINT_SIZE + 5) + 1, dtype=np.int64)
    job_count = 0
    used = 0
    for number in range(count + 1):
        full = job_count + 2 > JOBS_MAX or used + 2 * (COPY_SIZE + PADDED_SIZE_MAX) > SCRATCH_SIZE
        if full or number == count:
            hash_jobs(pieces, raw, scratch, jobs, job_count, digests)
            job_count = 0
            used = 0
        if number == count:
            break
        start = position
        if start + 10 > len(raw):
            return False
        flags: Int = 0
        body = start + 4
        if byte_at(raw, body) == 0:
            flags = byte_at(raw, body + 1)
            if flags == 0 or flags & ~(1 | (8 if mweb else 0)):
                return False
            body += 2
        position, inputs, final = _pass_inputs(raw, body, places)
        if position < 0:
            return False
        sound = _all_different(raw, places, inputs, keys)
        null = False
        for each in range(inputs):
            if _is_null(raw, places[each]):
                null = True
        position, values_sound = _pass_outputs(raw, position, money_max)
        if position < 0:
            return False
        witness = position
        if flags & 1:
            position = _pass_witnesses(raw, position, inputs)
            if position < 0:
                return False
        lock = position
        if flags & 8:
            if position >= len(raw) or byte_at(raw, position) != 0:
                return False
            lock += 1
        position = lock + 4
        if position > len(raw):
            return False
        starts[number] = start
        stripped_size = witness - body + 8
        witness_size = 2 + lock - witness - (1 if flags & 8 else 0) if flags & 1 else 0
        mark_size = 0 if not flags & 8 else 1 if flags & 1 else 3
        if null or not sound or not values_sound:
            doubts[facts[DOUBTED]] = number
            facts[DOUBTED] += 1
        _count(facts, number, inputs, null, flags, witness_size, mark_size, stripped_size)
        if not final:
            _note_lock(raw, lock, facts)
        # The ids: of the bytes as they stand, or of the pieces that they cover.
        txid_at, wtxid_at = DIGEST_SIZE * number, DIGEST_SIZE * (count + number)
        long = stripped_size > (COPY_SIZE if flags else LONG_SIZE)
        if flags & 1:
            long = long or stripped_size + witness_size > (COPY_SIZE if flags & 8 else LONG_SIZE)
        if long:
            row = longs[facts[LONG]]
            row[0], row[1], row[2], row[3], row[4], row[5] = number, flags, start, body, witness, lock
            facts[LONG] += 1
            continue
        jobs[job_count, AGAIN_AT] = jobs[job_count + 1, AGAIN_AT] = -1
        if not flags & 1:
            jobs[job_count, AGAIN_AT] = wtxid_at
        if flags == 0:
            used = put_whole(raw, start, position, scratch, used, jobs[job_count], txid_at)
        else:
            used = put_parts(raw, start, 0, body, witness, lock, scratch, used, jobs[job_count], txid_at)
        job_count += 1
        if flags == 1:
            used = put_whole(raw, start, position, scratch, used, jobs[job_count], wtxid_at)
            job_count += 1
        elif flags & 1:
            used = put_parts(raw, start, 1, body, lock - 1, lock, scratch, used, jobs[job_count], wtxid_at)
            job_count += 1
    facts[END] = position
    return True


@numba.njit(nogil=True)
def _count(
    facts: Array,
    number: Int,
    inputs: Int,
    null: bool,
    flags: Int,
    witness_size: Int,
    mark_size: Int,
    stripped_size: Int,
) -> None:
    if null and inputs == 1:
        facts[COINBASES] += 1
        if number == 0:
            facts[FIRST_COINBASE] = 1
    facts[WITNESS_SIZE] += witness_size
    facts[MARK_SIZE] += mark_size
    facts[LAST_MARK] = mark_size
    if mark_size:
        facts[MARKED] += 1
    if flags & 1:
        facts[WITNESSES] += 1
    if stripped_size == PAIR_SIZE:
        facts[PAIR_SIZED] = 1


@numba.njit(nogil=True)
def _note_lock(raw: Array, at: Int, facts: Array) -> None:
    lock = word_at(raw, at)
    place = LOCK_HEIGHT if lock < LOCK_TIME_THRESHOLD else LOCK_TIME
    facts[place] = max(facts[place], lock)


@numba.njit(nogil=True)
def _read_count(raw: Array, position: Int) -> tuple[Int, Int]:
    """Read a compact size up to COUNT_MAX in its shortest form: (value, next position), or (0, -1)."""
    if position >= len(raw):
        return 0, -1
    first = byte_at(raw, position)
    if first < 0xFD:
        return first, position + 1
    if first == 0xFD and position + 3 <= len(raw):
        value, least, position = half_at(raw, position + 1), 0xFD, position + 3
    elif first == 0xFE and position + 5 <= len(raw):
        value, least, position = word_at(raw, position + 1), 0x1_0000, position + 5
    else:
        # Nine bytes stand for 2**32 and more, which is beyond any limit.
        return 0, -1
    if value < least or value > COUNT_MAX:
        return 0, -1
    return value, position


@numba.njit(nogil=True)
def _pass_inputs(raw: Array, position: Int, places: Array) -> tuple[Int, Int, bool]:
    """Pass over the inputs: (where they end or -1, how many, whether every sequence is final)."""
    count, position = _read_count(raw, position)
    if position < 0 or count == 0 or count > len(places):
        return -1, 0, False
    final = True
    for number in range(count):
        places[number] = position
        length, position = _read_count(raw, position + OUTPOINT_SIZE)
        if position < 0:
            return -1, 0, False
        position += length + 4
        if position > len(raw):
            return -1, 0, False
        final = final and word_at(raw, position - 4) == 0xFFFF_FFFF
    return position, count, final


@numba.njit(nogil=True)
def _pass_outputs(raw: Array, position: Int, money_max: Int) -> tuple[Int, bool]:
    """Pass over the outputs: (where they end or -1, whether their values and all together can be)."""
    count, position = _read_count(raw, position)
    if position < 0 or count == 0:
        return -1, False
    total = np.int64(0)
    sound = True
    for _ in range(count):
        if position + 9 > len(raw):
            return -1, False
        value = long_at(raw, position)
        # As a signed number, one above any limit is negative; the sum of two allowed ones fits 64 bits.
        if value < 0 or value > money_max:
            sound = False
        elif sound:
            total += value
            sound = total <= money_max
        length, position = _read_count(raw, position + 8)
        if position < 0:
            return -1, False
        position += length
    return position if position <= len(raw) else -1, sound


@numba.njit(nogil=True)
def _pass_witnesses(raw: Array, position: Int, inputs: Int) -> Int:
    """Return where the witness data of so many inputs ends, or -1."""
    items = 0
    for _ in range(inputs):
        count, position = _read_count(raw, position)
        if position < 0:
            return -1
        items += count
        for _ in range(count):
            length, position = _read_count(raw, position)
            if position < 0:
                return -1
            position += length
    return position if items and position <= len(raw) else -1


@numba.njit(nogil=True)
def _is_null(raw: Array, at: Int) -> bool:
    if word_at(raw, at + 32) != 0xFFFF_FFFF:
        return False
    return (long_at(raw, at) | long_at(raw, at + 8) | long_at(raw, at + 16) | long_at(raw, at + 24)) == 0


@numba.njit(nogil=True)
def _same(raw: Array, left: Int, right: Int) -> bool:
    found = word_at(raw, left + 32) ^ word_at(raw, right + 32)
    for at in range(0, 32, 8):
        found |= long_at(raw, left + at) ^ long_at(raw, right + at)
    return bool(found == 0)


@numba.njit(nogil=True)
def _all_different(raw: Array, places: Array, count: Int, keys: Array) -> bool:
    """Tell whether no outpoint comes twice; false also where that takes too long to find out.

    Many are put into a table by a sum of products with secret keys (Multilinear; Lemire and Kaser 2014): who
    chooses outpoints can't choose them to fall into one place.
    """
    if count <= QUADRATIC_INPUTS_MAX:
        for left in range(count):
            for right in range(left + 1, count):
                if _same(raw, places[left], places[right]):
                    return False
        return True
    bits = 4
    while 1 << bits < 2 * count:
        bits += 1
    table = np.full(1 << bits, -1, dtype=np.int32)
    for number in range(count):
        at = places[number]
        total = keys[9]
        for word in range(9):
            total += keys[word] * np.uint64(word_at(raw, at + 4 * word))
        slot = np.int64(total >> np.uint64(64 - bits))
        probes = 0
        while table[slot] >= 0:
            if _same(raw, places[table[slot]], at):
                return False
            slot = (slot + 1) & ((1 << bits) - 1)
            probes += 1
            if probes > PROBES_MAX:
                return False
        table[slot] = number
    return True
