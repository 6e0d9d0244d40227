"""SHA-256 by the processor's SHA instructions, several messages side by side to keep them busy: the code.

The instructions hold the state as two vectors of four words, which Intel's manual calls ABEF and CDGH, its
first letter in the highest lane. Two rounds take several cycles, and a next one of another message may begin
in each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from sprint.core.kernels.sha256_lanes import (
    BYTE_TYPE,
    DIGEST_SIZE,
    HEADER_SIZE,
    PAIR_SIZE,
    WORD_TYPE,
    intrinsic,
    load,
    place,
    store,
    swap_bytes,
)
from sprint.core.kernels.sha256_rules import ROUND_CONSTANTS, START, WORD, padding, schedule

Builder = Any
Value = Any
_FOUR = ir.VectorType(WORD_TYPE, 4)
_GROUPS = 16  # of four rounds


class InstructionCode:
    """Writes the code for `lanes` messages side by side."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes

    def hash_pairs(self, builder: Builder, source: Value, target: Value) -> None:
        """Double SHA-256 of `lanes` messages of 64 bytes at `source`, to 32 bytes each at `target`."""
        blocks = [_read(builder, source, PAIR_SIZE * lane, 4) for lane in range(self.lanes)]
        states = _compress(builder, self._start(), blocks)
        states = _compress_known(builder, states, schedule(padding(PAIR_SIZE)))
        self._write_second(builder, states, target)

    def hash_headers(self, builder: Builder, source: Value, target: Value) -> None:
        """Double SHA-256 of `lanes` messages of 80 bytes at `source`, to 32 bytes each at `target`."""
        blocks = [_read(builder, source, HEADER_SIZE * lane, 4) for lane in range(self.lanes)]
        states = _compress(builder, self._start(), blocks)
        rest = _fours(padding(HEADER_SIZE))
        tails = [_read(builder, source, HEADER_SIZE * lane + 64, 1) + rest for lane in range(self.lanes)]
        self._write_second(builder, _compress(builder, states, tails), target)

    def compress(self, builder: Builder, state: Value, pointers: Value) -> None:
        """Take one block of 64 bytes into each lane's state; word w of lane l is word 8 * l + w of it.

        `pointers` are the addresses of the blocks, one a lane, 64 bits each.
        """
        blocks, states = [], []
        for lane in range(self.lanes):
            slot = place(builder, pointers, 8 * lane, ir.IntType(64))
            block = builder.inttoptr(builder.load(slot), BYTE_TYPE.as_pointer())
            blocks.append(_read(builder, block, 0, 4))
            abcd, efgh = (load(builder, place(builder, state, 32 * lane + at, _FOUR)) for at in (0, 16))
            abef = _shuffled(builder, abcd, efgh, (5, 4, 1, 0))
            states.append((abef, _shuffled(builder, abcd, efgh, (7, 6, 3, 2))))
        for lane, after in enumerate(_compress(builder, states, blocks)):
            for at, half in zip((0, 16), _in_order(builder, after), strict=True):
                store(builder, half, place(builder, state, 32 * lane + at, _FOUR))

    def _start(self) -> list[tuple[Value, Value]]:
        a, b, c, d, e, f, g, h = START
        return [(_four((f, e, b, a)), _four((h, g, d, c)))] * self.lanes

    def _write_second(self, builder: Builder, states: list[tuple[Value, Value]], target: Value) -> None:
        rest = _fours(padding(DIGEST_SIZE))
        blocks = [[*_in_order(builder, each), *rest] for each in states]
        for lane, after in enumerate(_compress(builder, self._start(), blocks)):
            for at, half in zip((0, 16), _in_order(builder, after), strict=True):
                store(builder, swap_bytes(builder, half), place(builder, target, 32 * lane + at, _FOUR))


def _compress(
    builder: Builder, states: list[tuple[Value, Value]], blocks: list[list[Value]]
) -> list[tuple[Value, Value]]:
    first = intrinsic(builder, "llvm.x86.sha256msg1", _FOUR, 2)
    second = intrinsic(builder, "llvm.x86.sha256msg2", _FOUR, 2)
    current = list(states)
    for group in range(_GROUPS):
        for lane, words in enumerate(blocks):
            if group >= 4:
                begun = builder.call(first, [words[0], words[1]])
                begun = builder.add(begun, _shuffled(builder, words[2], words[3], (1, 2, 3, 4)))
                words.append(builder.call(second, [begun, words[3]]))
                del words[0]
            word = words[min(group, 3)]
            added = builder.add(word, _four(ROUND_CONSTANTS[4 * group : 4 * group + 4]))
            current[lane] = _four_rounds(builder, current[lane], added)
    return _summed(builder, states, current)


def _compress_known(
    builder: Builder, states: list[tuple[Value, Value]], words: Sequence[int]
) -> list[tuple[Value, Value]]:
    """Take in a block whose words are known beforehand."""
    sums = [constant + word & WORD for constant, word in zip(ROUND_CONSTANTS, words, strict=True)]
    current = list(states)
    for group in range(_GROUPS):
        added = _four(sums[4 * group : 4 * group + 4])
        current = [_four_rounds(builder, each, added) for each in current]
    return _summed(builder, states, current)


def _four_rounds(builder: Builder, state: tuple[Value, Value], added: Value) -> tuple[Value, Value]:
    rounds = intrinsic(builder, "llvm.x86.sha256rnds2", _FOUR, 3)
    abef, cdgh = state
    cdgh = builder.call(rounds, [cdgh, abef, added])
    abef = builder.call(rounds, [abef, cdgh, _shuffled(builder, added, added, (2, 3, 0, 1))])
    return abef, cdgh


def _summed(
    builder: Builder, before: list[tuple[Value, Value]], after: list[tuple[Value, Value]]
) -> list[tuple[Value, Value]]:
    return [
        (builder.add(old[0], new[0]), builder.add(old[1], new[1]))
        for old, new in zip(before, after, strict=True)
    ]


def _in_order(builder: Builder, state: tuple[Value, Value]) -> tuple[Value, Value]:
    """Return the words a to d and e to h."""
    return _shuffled(builder, *state, (3, 2, 7, 6)), _shuffled(builder, *state, (1, 0, 5, 4))


def _read(builder: Builder, base: Value, at: int, fours: int) -> list[Value]:
    places = [place(builder, base, at + 16 * number, _FOUR) for number in range(fours)]
    return [swap_bytes(builder, load(builder, each)) for each in places]


def _fours(words: Sequence[int]) -> list[Value]:
    return [_four(words[at : at + 4]) for at in range(0, len(words), 4)]


def _four(words: Sequence[int]) -> Value:
    return ir.Constant(_FOUR, list(words))


def _shuffled(builder: Builder, left: Value, right: Value, lanes: tuple[int, ...]) -> Value:
    return builder.shuffle_vector(left, right, _four(lanes))
