"""How values are distributed, in constant memory: a histogram whose buckets grow with the value.

A value is known to `digits` significant decimal digits, as HdrHistogram means it (Gil Tene): values up to
2 * 10^digits have buckets of their own, and each doubling beyond has as many buckets as half of those, so a
bucket is never wider than its values over 10^digits. With 3 digits and nanoseconds up to an hour that is
32,768 to 33,792 counts, a quarter of a MiB. Values are whole numbers; what they count is the caller's.

`PlainHistogram` is the obvious form and the reference; `histogram_compiled` records faster and is held
equal to it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, compress
from operator import lt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Buffer

DIGITS_MAX = 4
VALUE_LIMIT = (1 << 63) - 1  # a larger one is recorded as this
HOUR_NS = 3_600_000_000_000
VALUE_SIZE = 8
VALUE_FORMATS = ("q", "l")  # of array and of numpy
_NOTHING_YET = (1 << 64) - 1  # the least value of a histogram that is empty


class HistogramCounts(NamedTuple):
    """All that a histogram keeps: which buckets hold something, rising, and how many values each."""

    value_max: int
    digits: int
    least: int
    greatest: int
    buckets: array[int]  # of type code "I"
    counts: array[int]  # of type code "Q"


class PlainHistogram:
    """Counts of whole numbers from 0 on; those above `value_max` are counted as that."""

    def __init__(self, value_max: int = HOUR_NS, *, digits: int = 3) -> None:
        if not 1 <= digits <= DIGITS_MAX:
            raise ValueError(f"{digits} significant digits; from 1 to {DIGITS_MAX} can be had")
        if not 1 <= value_max <= VALUE_LIMIT:
            raise ValueError(f"values up to {value_max}; the limit can be from 1 to {VALUE_LIMIT}")
        self.value_max = value_max
        self.digits = digits
        self._half_bits = (2 * 10**digits - 1).bit_length() - 1  # of half the buckets that hold one value
        self._counts = array("Q", bytes(8 * (self._bucket(value_max) + 1)))
        self._extremes = array("Q", (_NOTHING_YET, 0))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} values up to {self.value_max}, {self.digits} digits)"

    def __len__(self) -> int:
        """Return how many values were recorded."""
        return sum(self._span()[1])

    @property
    def size_bytes(self) -> int:
        """The memory of the counts, whatever is recorded."""
        return len(self._counts) * self._counts.itemsize

    @property
    def least(self) -> int | None:
        """The least value that was recorded, exactly."""
        return None if self._extremes[0] == _NOTHING_YET else self._extremes[0]

    @property
    def greatest(self) -> int | None:
        """The greatest value that was recorded, exactly, also above `value_max`."""
        return None if self._extremes[0] == _NOTHING_YET else self._extremes[1]

    def record(self, value: int, /) -> None:
        """Count a value. TypeError for what is no int, ValueError for one below 0."""
        value = checked_value(value)
        self._counts[self._bucket(min(value, self.value_max))] += 1
        self._extremes[0] = min(self._extremes[0], value)
        self._extremes[1] = max(self._extremes[1], value)

    def record_many(self, values: Buffer, /) -> None:
        """Count 64-bit signed numbers, as of array("q"); all of them, or none if one is below 0."""
        numbers = checked_values(values)
        if any(value < 0 for value in numbers):
            raise ValueError(f"a value of {min(numbers)}, the least is 0")
        for value in numbers:
            self.record(value)

    def merge(self, other: PlainHistogram) -> None:
        """Add the counts of another histogram of the same limits; ValueError if they are others."""
        if (self.value_max, self.digits) != (other.value_max, other.digits):
            raise ValueError(f"{other} cannot be added to {self}: value_max and digits have to be the same")
        first, counts = other._span()
        self._add(first, counts)
        self._extremes[0] = min(self._extremes[0], other._extremes[0])
        self._extremes[1] = max(self._extremes[1], other._extremes[1])

    def counted(self) -> HistogramCounts | None:
        """Return all that is kept, for `add_counted` of another process's histogram; None without values."""
        first, counts = self._span()
        if not counts:
            return None
        buckets, some = self._filled(first, counts)
        least, greatest = self._extremes
        return HistogramCounts(self.value_max, self.digits, least, greatest, buckets, some)

    def add_counted(self, other: HistogramCounts) -> None:
        """Add what another of the same limits kept; ValueError, and nothing is added, if it can't be."""
        if (self.value_max, self.digits) != (other.value_max, other.digits):
            raise ValueError(
                f"counts up to {other.value_max} by {other.digits} digits cannot be added to {self}: "
                "value_max and digits have to be the same"
            )
        if not self._belong(other):
            raise ValueError(
                f"{len(other.buckets)} buckets, {len(other.counts)} counts, from {other.least} to "
                f"{other.greatest}: they are not those of one histogram"
            )
        for bucket, count in zip(other.buckets, other.counts, strict=True):
            self._counts[bucket] += count
        self._extremes[0] = min(self._extremes[0], other.least)
        self._extremes[1] = max(self._extremes[1], other.greatest)

    def clear(self) -> None:
        """Forget all values."""
        memoryview(self._counts).cast("B")[:] = bytes(self.size_bytes)
        self._extremes[0], self._extremes[1] = _NOTHING_YET, 0

    def percentiles(self, shares: Sequence[float]) -> list[int] | None:
        """Return for each share, 0 to 1 and rising, a value that so many do not exceed; None without values.

        Each is the largest value of its bucket, or the greatest recorded: at most a part in 10^digits above
        the exact answer.
        """
        if self.least is None:
            return None
        first, counts = self._span()
        upto = list(accumulate(counts))
        found, place = [], 0
        for share in shares:
            if not 0.0 <= share <= 1.0:
                raise ValueError(f"a share of {share}, it is from 0 to 1")
            wanted = max(1, _ceiling(share * upto[-1]))
            while upto[place] < wanted:
                place += 1
            found.append(min(self._last_value(first + place), self._extremes[1]))
        return found

    def counts_within(self, limits: Sequence[int]) -> list[int]:
        """Return for each limit how many values do not exceed it; those of its own bucket all count."""
        first, counts = self._span()
        upto = [0, *accumulate(counts)]
        places = (self._bucket(min(max(limit, 0), self.value_max)) - first + 1 for limit in limits)
        return [upto[min(max(place, 0), len(counts))] for place in places]

    def _filled(self, first: int, counts: array[int]) -> tuple[array[int], array[int]]:
        """Return which buckets hold something and how many values each, of the counts from `first` on."""
        buckets = array("I", compress(range(first, first + len(counts)), counts))
        return buckets, array("Q", filter(None, counts))

    def _belong(self, other: HistogramCounts) -> bool:
        """Return whether buckets rise, as many as counts, from that of the least to the greatest's."""
        if not 0 < len(other.buckets) == len(other.counts) or not 0 <= other.least <= other.greatest:
            return False
        if other.greatest > VALUE_LIMIT or not all(other.counts):
            return False
        ends = (self._bucket(min(extreme, self.value_max)) for extreme in (other.least, other.greatest))
        rising = all(map(lt, other.buckets, other.buckets[1:]))
        return rising and (other.buckets[0], other.buckets[-1]) == tuple(ends)

    def _add(self, first: int, counts: array[int]) -> None:
        for place, count in enumerate(counts, first):
            self._counts[place] += count

    def _span(self) -> tuple[int, array[int]]:
        """Return the place of the least value's count, and the counts from there to the greatest's."""
        if self.least is None:
            return 0, self._counts[:0]
        first, last = (self._bucket(min(extreme, self.value_max)) for extreme in self._extremes)
        return first, self._counts[first : last + 1]

    def _bucket(self, value: int) -> int:
        """Return the number of a value's bucket: `doublings` are those beyond buckets of one value."""
        doublings = (value >> (self._half_bits + 1)).bit_length()
        return (doublings << self._half_bits) + (value >> doublings)

    def _last_value(self, bucket: int) -> int:
        """Return the largest value of a bucket."""
        doublings = max(0, (bucket >> self._half_bits) - 1)
        return (bucket - (doublings << self._half_bits) + 1 << doublings) - 1


def checked_value(value: int) -> int:
    """Return a value that can be counted, VALUE_LIMIT instead of a larger one."""
    if not isinstance(value, int):
        raise TypeError(f"a value is an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"a value of {value}, the least is 0")
    return min(value, VALUE_LIMIT)


def checked_values(values: Buffer) -> memoryview:
    """Return 64-bit signed numbers in one row; TypeError and ValueError where they are not."""
    view = memoryview(values)
    if view.itemsize != VALUE_SIZE or view.format not in VALUE_FORMATS:
        raise TypeError(f"values of format {view.format!r}, they are signed numbers of 64 bits")
    if view.ndim != 1 or not view.c_contiguous:
        raise ValueError("values stand in one row, without gaps between them")
    return view


def _ceiling(value: float) -> int:
    return -int(-value // 1)
