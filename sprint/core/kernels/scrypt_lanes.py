"""scrypt's memory-hard middle (RFC 7914 with N = 1024, r = 1) of several messages at once: the code.

Each message has a lane of 32 vectors, word by word, and 128 KiB of rows of its own. A row is written and read
as it lies in memory, so it is turned into lanes and back by transposes: reading lane by lane with gathers
takes longer.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from sprint.core.kernels.sha256_lanes import WORD_TYPE, LaneCode, intrinsic, load, place, store

Builder = Any
Value = Any

WORDS = 32  # of a message's state
ROWS = 1024
ROW_SIZE = 4 * WORDS
_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_LINES = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
_DOUBLE_ROUNDS = 4


class ScryptCode(LaneCode):
    """Writes the code of one turn of either loop. The rows of lane l begin at l * ROWS * ROW_SIZE."""

    def fill(self, builder: Builder, state: Value, rows: Value) -> None:
        """Write the state to each lane's row at `rows`, and mix it."""
        words = self._words(builder, state)
        for first in range(0, WORDS, self.lanes):
            for lane, row in enumerate(self._transpose(builder, words[first : first + self.lanes])):
                at = ROWS * ROW_SIZE * lane + 4 * first
                store(builder, row, place(builder, rows, at, self._type))
        self._keep(builder, state, self._mix(builder, words))

    def mix(self, builder: Builder, state: Value, rows: Value) -> None:
        """Add to each lane's state the row that its word 16 names, and mix it. `rows` is the first row."""
        words = self._words(builder, state)
        numbers = builder.and_(words[16], *self._all([ROWS - 1]))
        starts = []
        for lane in range(self.lanes):
            number = builder.zext(
                builder.extract_element(numbers, ir.Constant(WORD_TYPE, lane)), ir.IntType(64)
            )
            at = builder.mul(number, ir.Constant(ir.IntType(64), ROW_SIZE))
            starts.append((builder.gep(rows, [at]), ROWS * ROW_SIZE * lane))
        added: list[Value] = []
        for first in range(0, WORDS, self.lanes):
            lanes = [load(builder, place(builder, base, at + 4 * first, self._type)) for base, at in starts]
            added += self._transpose(builder, lanes)
        words = [builder.xor(old, new) for old, new in zip(words, added, strict=True)]
        self._keep(builder, state, self._mix(builder, words))

    def _words(self, builder: Builder, state: Value) -> list[Value]:
        size = 4 * self.lanes
        return [load(builder, place(builder, state, size * word, self._type)) for word in range(WORDS)]

    def _keep(self, builder: Builder, state: Value, words: list[Value]) -> None:
        for number, word in enumerate(words):
            store(builder, word, place(builder, state, 4 * self.lanes * number, self._type))

    def _mix(self, builder: Builder, words: list[Value]) -> list[Value]:
        low, high = words[:16], words[16:]
        low = self._salsa(builder, [builder.xor(*both) for both in zip(low, high, strict=True)])
        return low + self._salsa(builder, [builder.xor(*both) for both in zip(low, high, strict=True)])

    def _salsa(self, builder: Builder, before: list[Value]) -> list[Value]:
        turn = intrinsic(builder, f"llvm.fshl.v{self.lanes}i32", self._type, 3)
        words = list(before)
        for _ in range(_DOUBLE_ROUNDS):
            for a, b, c, d in _COLUMNS + _LINES:
                for target, one, two, by in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
                    total = builder.add(words[one], words[two])
                    turned = builder.call(turn, [total, total, *self._all([by])])
                    words[target] = builder.xor(words[target], turned)
        return [builder.add(old, new) for old, new in zip(before, words, strict=True)]
