"""SHA-256 of several messages at once, each in its own lane of vectors: the code, as LLVM's own language.

Every step of SHA-256 is additions, rotations and bit logic on words of 32 bits, so with one message a lane
N of them cost what one does. 16 lanes fill AVX-512's registers, 8 AVX2's; 4 run on every processor.
Messages lie in memory one behind the other, words big-endian; loading turns them into lanes by a transpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from sprint.core.kernels.sha256_rules import ROUND_CONSTANTS, START, WORD, padding, schedule

# llvmlite has no types of its own for mypy: a builder, an instruction, a value.
Builder = Any
Value = Any

PAIR_SIZE = 64
HEADER_SIZE = 80
DIGEST_SIZE = 32
WORD_TYPE = ir.IntType(32)
BYTE_TYPE = ir.IntType(8)
_INDEX_TYPE = ir.IntType(64)
_ROUNDS_A_TURN = 16
_CACHE_LINE_SIZE = 64  # bytes; on processors with longer ones some fetches are for nothing
# What assembly calls a vector register, by the beginning of LLVM's name of the processor's kind.
_VECTOR_REGISTERS = {"x86_64": "v", "i686": "v", "aarch64": "w", "arm64": "w"}


class LaneCode:
    """Writes the code for `lanes` messages at once: 4, 8 or 16."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._type = ir.VectorType(WORD_TYPE, lanes)

    def hash_pairs(self, builder: Builder, source: Value, target: Value) -> None:
        """Double SHA-256 of `lanes` messages of 64 bytes at `source`, to 32 bytes each at `target`."""
        self._fetch_next(builder, source, PAIR_SIZE)
        message = self._read(builder, [(source, PAIR_SIZE * lane) for lane in range(self.lanes)])
        state = self._compress(builder, self._start(), message)
        state = self._compress_known(builder, state, schedule(padding(PAIR_SIZE)))
        self._write_second(builder, state, target)

    def hash_headers(self, builder: Builder, source: Value, target: Value) -> None:
        """Double SHA-256 of `lanes` messages of 80 bytes at `source`, to 32 bytes each at `target`."""
        self._fetch_next(builder, source, HEADER_SIZE)
        places = [(source, HEADER_SIZE * lane) for lane in range(self.lanes)]
        state = self._compress(builder, self._start(), self._read(builder, places))
        rest = self._read(builder, [(source, at + 64) for _, at in places], words=4)
        state = self._compress(builder, state, rest + self._all(padding(HEADER_SIZE)))
        self._write_second(builder, state, target)

    def compress(self, builder: Builder, state: Value, pointers: Value) -> None:
        """Take one block of 64 bytes into each lane's state; word w of lane l is word w * lanes + l of it.

        `pointers` are the addresses of the blocks, one a lane, 64 bits each.
        """
        blocks = []
        for lane in range(self.lanes):
            slot = builder.gep(builder.bitcast(pointers, ir.IntType(64).as_pointer()), [_index(lane)])
            blocks.append((builder.inttoptr(builder.load(slot), BYTE_TYPE.as_pointer()), 0))
        message = self._read(builder, blocks)
        places = [place(builder, state, 4 * self.lanes * word, self._type) for word in range(8)]
        before = [load(builder, each) for each in places]
        for each, value in zip(places, self._compress(builder, before, message), strict=True):
            store(builder, value, each)

    def _fetch_next(self, builder: Builder, source: Value, size: int) -> None:
        """Have the messages of the next step on their way while this one is hashed.

        A step begins with all its loads at once, so without it each waits for memory anew. To fetch what lies
        behind the last message does no harm: a fetch never faults.
        """
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [BYTE_TYPE.as_pointer(), number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for at in range(size * self.lanes, 2 * size * self.lanes, _CACHE_LINE_SIZE):
            pointer = place(builder, source, at, BYTE_TYPE)
            builder.call(fetch, [pointer, number(0), number(3), number(1)])  # to read, keep near, data

    def _start(self) -> list[Value]:
        return self._all(START)

    def _all(self, words: Sequence[int]) -> list[Value]:
        return [ir.Constant(self._type, [word] * self.lanes) for word in words]

    def _write_second(self, builder: Builder, state: list[Value], target: Value) -> None:
        """Hash the lanes' digests again and write them one behind the other."""
        state = self._compress(builder, self._start(), state + self._all(padding(DIGEST_SIZE)))
        rows = [swap_bytes(builder, word) for word in state]
        if self.lanes == 4:
            for first, four in enumerate((rows[:4], rows[4:])):
                for lane, row in enumerate(self._transpose(builder, four)):
                    store(builder, row, place(builder, target, DIGEST_SIZE * lane + 16 * first, row.type))
            return
        undefined = ir.Constant(self._type, ir.Undefined)
        rows = self._transpose(builder, rows + [undefined] * (self.lanes - 8))
        half = ir.Constant(ir.VectorType(WORD_TYPE, 8), list(range(8)))
        for lane, row in enumerate(rows):
            digest = row if self.lanes == 8 else builder.shuffle_vector(row, row, half)
            store(builder, digest, place(builder, target, DIGEST_SIZE * lane, digest.type))

    def _read(self, builder: Builder, places: list[tuple[Value, int]], words: int = 16) -> list[Value]:
        """Read so many words of each lane's message; the result has a vector a word."""
        found: list[Value] = []
        step = min(words, self.lanes)
        kind = ir.VectorType(WORD_TYPE, step)
        spread = ir.Constant(self._type, [min(lane, step - 1) for lane in range(self.lanes)])
        for first in range(0, words, step):
            rows = [load(builder, place(builder, base, at + 4 * first, kind)) for base, at in places]
            if step < self.lanes:
                rows = [builder.shuffle_vector(row, row, spread) for row in rows]
            found += self._transpose(builder, rows)[:step]
        return [swap_bytes(builder, word) for word in found]

    def _transpose(self, builder: Builder, rows: list[Value]) -> list[Value]:
        """Swap the off-diagonal quarters of ever smaller squares."""
        width = self.lanes // 2
        while width:
            turned = list(rows)
            for row in range(self.lanes):
                if row & width:
                    continue
                upper, lower = rows[row], rows[row | width]
                lanes = range(self.lanes)
                high = [lane if not lane & width else self.lanes + (lane ^ width) for lane in lanes]
                low = [lane | width if not lane & width else self.lanes + lane for lane in lanes]
                turned[row] = builder.shuffle_vector(upper, lower, ir.Constant(self._type, high))
                turned[row | width] = builder.shuffle_vector(upper, lower, ir.Constant(self._type, low))
            rows, width = turned, width // 2
        return rows

    def _compress(self, builder: Builder, state: list[Value], block: list[Value]) -> list[Value]:
        """Take in a block; the words of the schedule are made in the place of those that are done with."""
        count = len(block)

        def sixteen(constant: Callable[[int], Value], values: list[Value]) -> list[Value]:
            current, words = values[:8], values[8:]
            for number in range(count):
                current = self._round(builder, current, builder.add(words[number], constant(number)))
                early, late = words[(number + 1) % count], words[(number + 14) % count]
                first = builder.add(words[number], self._mixed(builder, early, (7, 18), 3))
                second = builder.add(words[(number + 9) % count], self._mixed(builder, late, (17, 19), 10))
                words[number] = builder.add(first, second)
            return current + words

        # The last sixteen rounds need no more words.
        turned = self._turns(builder, ROUND_CONSTANTS[:-count], state + block, sixteen)
        after, words = turned[:8], turned[8:]
        for word, constant in zip(words, self._all(ROUND_CONSTANTS[-count:]), strict=True):
            after = self._round(builder, after, builder.add(word, constant))
        return [builder.add(old, new) for old, new in zip(state, after, strict=True)]

    def _compress_known(self, builder: Builder, state: list[Value], words: Sequence[int]) -> list[Value]:
        """Take in a block whose words are known beforehand: its schedule needs no work."""
        sums = [constant + word & WORD for constant, word in zip(ROUND_CONSTANTS, words, strict=True)]

        def sixteen(constant: Callable[[int], Value], current: list[Value]) -> list[Value]:
            for number in range(_ROUNDS_A_TURN):
                current = self._round(builder, current, constant(number))
            return current

        after = self._turns(builder, sums, state, sixteen)
        return [builder.add(old, new) for old, new in zip(state, after, strict=True)]

    def _turns(
        self,
        builder: Builder,
        constants: Sequence[int],
        values: list[Value],
        body: Callable[[Callable[[int], Value], list[Value]], list[Value]],
    ) -> list[Value]:
        """Run `body` on the values for each sixteen constants: as a loop, which fits the nearest cache.

        `body` is given what returns one of its sixteen constants, in all lanes.
        """
        kind = ir.ArrayType(WORD_TYPE, len(constants))
        table = cgutils.global_constant(builder, "rounds", ir.Constant(kind, list(constants)))
        before = builder.block
        turn, behind = builder.append_basic_block("turn"), builder.append_basic_block("behind")
        builder.branch(turn)
        builder.position_at_end(turn)
        at = builder.phi(_INDEX_TYPE)
        at.add_incoming(_index(0), before)
        current = [builder.phi(value.type) for value in values]

        def constant(number: int) -> Value:
            word = builder.load(builder.gep(table, [_index(0), builder.add(at, _index(number))]))
            alone = builder.insert_element(ir.Constant(self._type, ir.Undefined), word, WORD_TYPE(0))
            return builder.shuffle_vector(alone, alone, *self._all([0]))

        after = body(constant, list(current))
        following = builder.add(at, _index(_ROUNDS_A_TURN))
        at.add_incoming(following, turn)
        for phi, old, new in zip(current, values, after, strict=True):
            phi.add_incoming(old, before)
            phi.add_incoming(new, turn)
        builder.cbranch(builder.icmp_unsigned("<", following, _index(len(constants))), turn, behind)
        builder.position_at_end(behind)
        return after

    def _round(self, builder: Builder, state: list[Value], word: Value) -> list[Value]:
        """Do a round. What waits for the round before is added last; `_held` keeps that order."""
        a, b, c, d, e, f, g, h = state
        held = partial(self._held, builder)
        known, chosen = held(builder.add(h, word)), self._chosen(builder, e, f, g)
        mixed = self._mixed(builder, e, (6, 11, 25))
        first = held(builder.add(held(builder.add(known, chosen)), mixed))
        later = builder.add(held(builder.add(held(builder.add(d, known)), chosen)), mixed)
        most = held(builder.add(first, self._most(builder, a, b, c)))
        return [builder.add(most, self._mixed(builder, a, (2, 13, 22))), a, b, c, later, e, f, g]

    def _chosen(self, builder: Builder, e: Value, f: Value, g: Value) -> Value:
        return builder.xor(g, builder.and_(e, builder.xor(f, g)))

    def _most(self, builder: Builder, a: Value, b: Value, c: Value) -> Value:
        return builder.or_(builder.and_(a, b), builder.and_(c, builder.or_(a, b)))

    def _held(self, builder: Builder, value: Value) -> Value:
        """Return the value through assembly of no instruction, which LLVM does not look into.

        LLVM would else put the sums into an order in which each round waits longer for the one before.
        """
        found = (kind for name, kind in _VECTOR_REGISTERS.items() if builder.module.triple.startswith(name))
        kind = next(found, None)
        if kind is None:
            return value
        return builder.asm(
            ir.FunctionType(self._type, [self._type]), "", f"={kind},0", [value], side_effect=False
        )

    def _mixed(self, builder: Builder, word: Value, turns: tuple[int, ...], shift: int = 0) -> Value:
        """Return the exclusive or of a word turned right by each of `turns`, and shifted by `shift`."""
        turn = intrinsic(builder, f"llvm.fshr.v{self.lanes}i32", self._type, 3)
        parts = [builder.call(turn, [word, word, *self._all([by])]) for by in turns]
        if shift:
            parts.append(builder.lshr(word, *self._all([shift])))
        return builder.xor(builder.xor(parts[0], parts[1]), parts[2])


class Avx512Code(LaneCode):
    """Writes the code for 16 messages, with AVX-512's one instruction for any function of three bits."""

    def __init__(self) -> None:
        super().__init__(16)

    def _chosen(self, builder: Builder, e: Value, f: Value, g: Value) -> Value:
        return self._looked_up(builder, e, f, g, 0b1100_1010)

    def _most(self, builder: Builder, a: Value, b: Value, c: Value) -> Value:
        return self._looked_up(builder, a, b, c, 0b1110_1000)

    def _looked_up(self, builder: Builder, high: Value, middle: Value, low: Value, table: int) -> Value:
        """Return for each bit what `table` has at the number that the three bits are."""
        name, kinds = "llvm.x86.avx512.pternlog.d.512", [self._type] * 3
        known = builder.module.globals.get(name)
        logic = known or ir.Function(
            builder.module, ir.FunctionType(self._type, [*kinds, WORD_TYPE]), name=name
        )
        return builder.call(logic, [high, middle, low, WORD_TYPE(table)])


def intrinsic(builder: Builder, name: str, kind: ir.Type, arguments: int) -> Value:
    """Return one of LLVM's or the processor's own functions, all of whose values are of one type."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(kind, [kind] * arguments), name=name)


def swap_bytes(builder: Builder, words: Value) -> Value:
    swap = intrinsic(builder, f"llvm.bswap.v{words.type.count}i32", words.type, 1)
    return builder.call(swap, [words])


def place(builder: Builder, base: Value, offset_bytes: int, kind: ir.Type) -> Value:
    """Return where a value of a type lies, so many bytes behind a pointer."""
    whole = builder.bitcast(base, BYTE_TYPE.as_pointer())
    return builder.bitcast(builder.gep(whole, [_index(offset_bytes)]), kind.as_pointer())


def load(builder: Builder, pointer: Value) -> Value:
    """Read from anywhere: what comes from a stranger's bytes lies at no round address."""
    value = builder.load(pointer)
    value.align = 1
    return value


def store(builder: Builder, value: Value, pointer: Value) -> None:
    builder.store(value, pointer).align = 1


def _index(number: int) -> Value:
    return ir.Constant(_INDEX_TYPE, number)
