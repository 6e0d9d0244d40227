"""The histogram with compiled recording: otherwise `histogram.PlainHistogram`. Importing it compiles it."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from sprint.core.kernels import _builtin
from sprint.core.kernels.histogram import HOUR_NS, PlainHistogram, checked_value, checked_values
from sprint.core.kernels.histogram_kernels import record_builtin, record_each, record_one

if TYPE_CHECKING:
    from typing_extensions import Buffer


class CompiledHistogram(PlainHistogram):
    """With `by_builtin` single values are recorded through a builtin, else through numba's own dispatcher."""

    record: Callable[[int], None]  # of each histogram's own

    def __init__(self, value_max: int = HOUR_NS, *, digits: int = 3, by_builtin: bool | None = None) -> None:
        super().__init__(value_max, digits=digits)
        counts, extremes = np.frombuffer(self._counts, np.uint64), np.frombuffer(self._extremes, np.uint64)
        addresses = (counts.ctypes.data, extremes.ctypes.data)
        words = np.array([*addresses, self._half_bits, value_max], np.uint64)

        def otherwise(value: int, /, *, _memory: object = (counts, extremes)) -> None:
            record_one(words, checked_value(value))

        self._words = words
        self.record = otherwise
        if _builtin.layout_is_known() if by_builtin is None else by_builtin:
            known = (*_builtin.shared_words(), id(otherwise))
            context = words.tobytes() + struct.pack(f"<{len(known)}Q", *known)
            owner = (context, otherwise)
            self.record = _builtin.make_builtin(record_builtin.address, "record", owner)

    def __reduce__(self) -> NoReturn:
        # The builtin holds addresses: a copy would count into the original.
        raise TypeError("a compiled histogram can't be copied; make a new one and merge this into it")

    def record_many(self, values: Buffer, /) -> None:
        numbers = np.frombuffer(checked_values(values).toreadonly(), np.int64)
        if len(numbers) and not record_each(self._words, numbers):
            raise ValueError(f"a value of {numbers.min()}, the least is 0")

    def _filled(self, first: int, counts: array[int]) -> tuple[array[int], array[int]]:
        numbers = np.frombuffer(counts, np.uint64)
        places = np.flatnonzero(numbers)
        buckets = (places + first).astype(np.uint32)
        return array("I", buckets.tobytes()), array("Q", numbers[places].tobytes())

    def _add(self, first: int, counts: array[int]) -> None:
        np.frombuffer(self._counts, np.uint64)[first : first + len(counts)] += np.frombuffer(
            counts, np.uint64
        )
