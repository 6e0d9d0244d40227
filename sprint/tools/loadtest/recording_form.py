"""The form of histogram that a generator records with: compiled where its rate is worth the wait for that.

To load the compiler and to compile costs a generator a second before its run, and some 100 MB. At a high rate
it saves a microsecond or two of each request, which is a good part of what one costs.
"""

from __future__ import annotations

from array import array
from importlib import import_module
from typing import NamedTuple

from sprint.core.kernels.binding import NewHistogram
from sprint.core.kernels.histogram import HOUR_NS, PlainHistogram
from sprint.core.kernels.tiers import REFERENCE

COMPILED = "compiled"
COMPILED_FROM_PER_S = 10_000  # of one generator
# Each power of two with its neighbours: the ends of the buckets, and some above the limit.
_CHECKED = array("q", [(1 << power) + more for power in range(62) for more in (-1, 0, 1)])


class RecordingForm(NamedTuple):
    """`name` is that in the report; `said` is what its reader should know, if there is something."""

    name: str
    new_histogram: NewHistogram
    said: str = ""


def recording_form(rate_per_s: float) -> RecordingForm:
    """Return what to record so many requests a second with."""
    if rate_per_s < COMPILED_FROM_PER_S:
        return RecordingForm(REFERENCE, PlainHistogram)
    try:
        new: NewHistogram = import_module("sprint.core.kernels.histogram_compiled").CompiledHistogram
    except ImportError as error:
        return _plain(str(error))
    if _counted_by(new) != _counted_by(PlainHistogram):
        return _plain("it counts otherwise than plain Python")
    return RecordingForm(COMPILED, new)


def _plain(why: str) -> RecordingForm:
    said = f"recorded by plain Python, which costs a generator 1 to 2 µs of each request: {why}"
    return RecordingForm(REFERENCE, PlainHistogram, said)


def _counted_by(new: NewHistogram) -> object:
    histogram = new(HOUR_NS, digits=3)
    histogram.record_many(_CHECKED)
    return histogram.counted()
