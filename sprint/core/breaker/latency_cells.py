"""Latencies in a fixed number of cells, and percentiles that interpolate between them.

A cell is a sixteenth of a doubling, so its middle is within `CELL_ERROR_MAX` of every latency in it, from a
microsecond to eight minutes, in 1.8 KiB. A raw list would grow with the traffic, and the kernels' histogram
takes 30 KiB for each of a window's buckets.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import accumulate
from sys import byteorder

CELLS_PER_DOUBLING_BITS = 4
CELLS_PER_DOUBLING = 1 << CELLS_PER_DOUBLING_BITS
CELL_ERROR_MAX = 1 / (2 * CELLS_PER_DOUBLING)  # of the latency itself
_EXPONENT_MIN = -19  # of math.frexp: 2**-20 s is 0.5 * 2**-19
_EXPONENT_MAX = 9
LATENCY_S_MIN = 2.0 ** (_EXPONENT_MIN - 1)  # what is below is counted as this
LATENCY_S_MAX = 2.0**_EXPONENT_MAX  # from here on as the last cell
CELLS = (_EXPONENT_MAX - _EXPONENT_MIN + 1) * CELLS_PER_DOUBLING
_FIRST = (_EXPONENT_MIN << CELLS_PER_DOUBLING_BITS) + CELLS_PER_DOUBLING
_COUNT_SIZE = 4
_HEADS_PER_DOUBLE = 4
_HEAD = 3 if byteorder == "little" else 0
_HEAD_OF_FIRST = (_EXPONENT_MIN + 1022) << CELLS_PER_DOUBLING_BITS
_HEAD_OF_INFINITY = 0x7FF0
_NO_COUNTS = bytes(_COUNT_SIZE * CELLS)


def empty_counts() -> array[int]:
    """Return the counts of all cells, none counted yet."""
    return array("I", _NO_COUNTS)


def cell_of(latency_s: float) -> int:
    """Return the number of a latency's cell: the first for what is below 0 or no number."""
    if not latency_s >= LATENCY_S_MIN:
        return 0
    if latency_s >= LATENCY_S_MAX:
        return CELLS - 1
    mantissa, exponent = math.frexp(latency_s)
    return (exponent << CELLS_PER_DOUBLING_BITS) + int(mantissa * (2 * CELLS_PER_DOUBLING)) - _FIRST


def count_each(counts: array[int], latencies_s: Iterable[float]) -> None:
    """Count many latencies, several times as fast as one by one.

    A double's first 16 bits are its sign, its exponent and the first four bits of its mantissa (IEEE 754):
    without the sign just the number of the cell, but for where the cells begin.
    """
    heads = memoryview(array("d", latencies_s).tobytes()).cast("H")[_HEAD::_HEADS_PER_DOUBLE]
    for head, count in Counter(heads.tolist()).items():
        no_latency = head > _HEAD_OF_INFINITY  # below 0, or no number
        counts[0 if no_latency else min(max(head - _HEAD_OF_FIRST, 0), CELLS - 1)] += count


def latency_of(cell: int) -> float:
    """Return the middle of a cell, in seconds."""
    doublings, part = divmod(cell, CELLS_PER_DOUBLING)
    return math.ldexp((CELLS_PER_DOUBLING + part + 0.5) / (2 * CELLS_PER_DOUBLING), doublings + _EXPONENT_MIN)


def merged(counts: Iterable[array[int]]) -> array[int]:
    """Return the sum of several counts, cell by cell.

    Each array is one long number here, whose digits are its cells: adding two takes one operation. A
    window holds fewer calls than a cell can count, so nothing carries over.
    """
    total = sum(int.from_bytes(each.tobytes(), byteorder) for each in counts)
    added = array("I")
    added.frombytes(total.to_bytes(len(_NO_COUNTS), byteorder))
    return added


def cell_percentile(counts: array[int], share: float) -> float | None:
    """Return a percentile of what was counted, in seconds; None where nothing was. `share` is 0 to 1."""
    upto = list(accumulate(counts))
    return _interpolated(share, upto[-1], lambda rank: latency_of(bisect_right(upto, rank)))


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return a percentile of values as they are; None where there are none."""
    ordered = sorted(values)
    return _interpolated(share, len(ordered), ordered.__getitem__)


def _interpolated(share: float, count: int, value_at: Callable[[int], float]) -> float | None:
    """Return the type 7 percentile (Hyndman and Fan 1996; numpy's and R's default): rank (n - 1) * share."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share of {share}, it is from 0 to 1")
    if not count:
        return None
    rank = (count - 1) * share
    below = int(rank)
    low = value_at(below)
    return low if rank == below else low + (value_at(below + 1) - low) * (rank - below)
