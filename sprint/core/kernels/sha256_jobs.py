"""SHA-256 twice of many messages of any length, each lane taking the next when it is done with one.

What is to be hashed is put up as jobs. So lanes are busy whatever the lengths are. A job's whole blocks are
read where they stand; only its padded end is copied, or all of it where a message is made of pieces.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np

from sprint.core.kernels.raw_bytes import clear_bytes, copy_bytes, store_word
from sprint.core.kernels.sha256_pieces import Pieces, run_piece
from sprint.core.kernels.sha256_rules import START

# What numba works on, which mypy knows nothing of: arrays, and integers of a machine's sizes.
Array = Any
Int = Any

DIGEST_SIZE: Final = 32
PADDED_SIZE_MAX: Final = 128  # of the end of a message: up to 63 bytes, and 9 at least that pad them

# A job, by place: where its whole blocks begin and how many they are, the same of what is in the scratch, and
# where its digest goes, and where it goes again or -1.
MAIN_AT, MAIN_BLOCKS, REST_AT, REST_BLOCKS, TARGET_AT, AGAIN_AT = 0, 1, 2, 3, 4, 5
JOB_FIELDS: Final = 6


# What a lane works on.
IDLE, MAIN, REST, SECOND = 0, 1, 2, 3

_START = np.array(START, dtype=np.uint32)


@numba.njit(nogil=True)
def put_whole(
    raw: Array, start: Int, stop: Int, scratch: Array, used: Int, job: Array, target_at: Int
) -> Int:
    """Put up a message that stands in the block as it is hashed; return how much of the scratch is used."""
    size = stop - start
    whole = size // 64
    rest = size - 64 * whole
    job[MAIN_AT], job[MAIN_BLOCKS], job[REST_AT], job[TARGET_AT] = start, whole, used, target_at
    copy_bytes(raw, start + 64 * whole, scratch, used, rest)
    return _pad(scratch, used, rest, size, job)


@numba.njit(nogil=True)
def put_parts(
    raw: Array,
    start: Int,
    marker: Int,
    body: Int,
    stop: Int,
    lock: Int,
    scratch: Array,
    used: Int,
    job: Array,
    target_at: Int,
) -> Int:
    """Put up a message of version, witness marker if any, the bytes from `body` to `stop`, and lock time."""
    job[MAIN_AT], job[MAIN_BLOCKS], job[REST_AT], job[TARGET_AT] = 0, 0, used, target_at
    copy_bytes(raw, start, scratch, used, 4)
    at = used + 4
    if marker:
        scratch[at] = 0
        scratch[at + 1] = 1
        at += 2
    copy_bytes(raw, body, scratch, at, stop - body)
    at += stop - body
    copy_bytes(raw, lock, scratch, at, 4)
    size = at + 4 - used
    return _pad(scratch, used, size, size, job)


@numba.njit(nogil=True)
def _pad(scratch: Array, used: Int, rest: Int, size: Int, job: Array) -> Int:
    """Pad what lies at `used` to whole blocks, for a message of `size` bytes."""
    blocks = (rest + 9 + 63) // 64
    end = used + 64 * blocks
    scratch[used + rest] = 0x80
    clear_bytes(scratch, used + rest + 1, end - used - rest - 5)
    store_word(scratch, end - 4, _swapped(np.uint32(8 * size)))
    job[REST_BLOCKS] = blocks
    return end


@numba.njit(nogil=True)
def hash_jobs(pieces: Pieces, raw: Array, scratch: Array, jobs: Array, count: Int, digests: Array) -> None:
    """Hash each job's message twice. A lane that is done with one takes the next."""
    lanes = pieces.lanes
    state = np.zeros(8 * lanes, dtype=np.uint32)
    seconds = np.zeros((lanes, 16), dtype=np.uint32)
    pointers = np.empty(lanes, dtype=np.uint64)
    left = np.zeros(lanes, dtype=np.int64)
    doing = np.zeros(lanes, dtype=np.int64)
    job_of = np.zeros(lanes, dtype=np.int64)
    raw_at = np.uint64(raw.ctypes.data)
    scratch_at = np.uint64(scratch.ctypes.data)
    seconds_at = np.uint64(seconds.ctypes.data)
    taken = 0
    busy = 0
    for lane in range(lanes):
        # The second hash is of a digest: 32 bytes, and what pads them to a block.
        seconds[lane, 8] = 0x80
        seconds[lane, 15] = 0x1_0000
        pointers[lane] = seconds_at
        if taken < count:
            _take(jobs[taken], lane, taken, job_of, doing, left, pointers, raw_at, scratch_at)
            _start(pieces, state, lane)
            taken += 1
            busy += 1
    while busy:
        run_piece(pieces.compress, state, 0, pointers, 0)
        for lane in range(lanes):
            left[lane] -= 1
            if left[lane] > 0:
                pointers[lane] += np.uint64(64)
                continue
            if doing[lane] == IDLE:
                continue
            job = jobs[job_of[lane]]
            if doing[lane] == MAIN:
                doing[lane] = REST
                pointers[lane] = scratch_at + np.uint64(job[REST_AT])
                left[lane] = job[REST_BLOCKS]
            elif doing[lane] == REST:
                for word in range(8):
                    seconds[lane, word] = _swapped(_word(pieces, state, lane, word))
                _start(pieces, state, lane)
                doing[lane] = SECOND
                pointers[lane] = seconds_at + np.uint64(64 * lane)
                left[lane] = 1
            else:
                for word in range(8):
                    value = _swapped(_word(pieces, state, lane, word))
                    store_word(digests, job[TARGET_AT] + 4 * word, value)
                if job[AGAIN_AT] >= 0:
                    copy_bytes(digests, job[TARGET_AT], digests, job[AGAIN_AT], DIGEST_SIZE)
                if taken < count:
                    _take(jobs[taken], lane, taken, job_of, doing, left, pointers, raw_at, scratch_at)
                    _start(pieces, state, lane)
                    taken += 1
                else:
                    doing[lane] = IDLE
                    pointers[lane] = seconds_at
                    busy -= 1
    # Named once more, so that what the addresses point to is kept up to here.
    seconds[0, 0] = scratch[0]


@numba.njit(nogil=True)
def _take(
    job: Array,
    lane: Int,
    number: Int,
    job_of: Array,
    doing: Array,
    left: Array,
    pointers: Array,
    raw_at: Int,
    scratch_at: Int,
) -> None:
    job_of[lane] = number
    if job[MAIN_BLOCKS]:
        doing[lane] = MAIN
        pointers[lane] = raw_at + np.uint64(job[MAIN_AT])
        left[lane] = job[MAIN_BLOCKS]
    else:
        doing[lane] = REST
        pointers[lane] = scratch_at + np.uint64(job[REST_AT])
        left[lane] = job[REST_BLOCKS]


@numba.njit(nogil=True)
def _start(pieces: Pieces, state: Array, lane: Int) -> None:
    for word in range(8):
        state[pieces.word_stride * word + pieces.lane_stride * lane] = _START[word]


@numba.njit(nogil=True)
def _word(pieces: Pieces, state: Array, lane: Int, word: Int) -> Int:
    return state[pieces.word_stride * word + pieces.lane_stride * lane]


@numba.njit(nogil=True)
def _swapped(word: Int) -> Int:
    byte = np.uint32(0xFF)
    return np.uint32(
        (word & byte) << np.uint32(24)
        | (word >> np.uint32(8) & byte) << np.uint32(16)
        | (word >> np.uint32(16) & byte) << np.uint32(8)
        | word >> np.uint32(24)
    )
