"""What a generator recorded in one second, in a form that crosses a pipe.

A cell holds counts and whole histograms, so cells of several processes add up to what one process would have
recorded. Nothing in it grows with the number of requests.
"""

from __future__ import annotations

import struct
from array import array

import msgspec

from sprint.core.errors import WireError
from sprint.core.kernels.histogram import HistogramCounts

HISTOGRAM_DIGITS = 3
CELL_SIZE_MAX = 16 * 1024 * 1024
# Beyond the longest run: so long its last answers may take.
SECONDS_MAX = 25 * 3_600

RESPONSE, SERVICE, FAILED, SCHEDULE_ERROR, WORKER_WAIT = (
    "response",
    "service",
    "failed",
    "schedule_error",
    "worker_wait",
)
HISTOGRAMS = (RESPONSE, SERVICE, FAILED, SCHEDULE_ERROR, WORKER_WAIT)

_HEAD = struct.Struct("=qqQQI")  # value_max, digits, least, greatest, buckets


class Counts(msgspec.Struct):
    """What happened to requests, and bytes; sums are in nanoseconds."""

    begun: int = 0
    successes: int = 0
    failures: int = 0
    limited: int = 0
    rejected: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    response_ns_sum: int = 0
    service_ns_sum: int = 0
    failed_ns_sum: int = 0
    schedule_error_ns_sum: int = 0
    worker_wait_ns_sum: int = 0

    def add(self, other: Counts) -> None:
        """Add the counts of another."""
        for name in COUNT_NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def answered(self) -> int:
        """How many requests came to an end, whichever."""
        return self.successes + self.failures + self.limited + self.rejected


COUNT_NAMES = Counts.__struct_fields__


class KindSeen(msgspec.Struct):
    """A kind of error: how often, when first (ns from the start), and one example."""

    count: int
    first_ns: int
    example: str = ""


class StateChange(msgspec.Struct, frozen=True):
    """A breaker came into another state, `at_ns` from the start."""

    at_ns: int
    breaker: str
    state: str
    reason: str = ""


class Cell(msgspec.Struct, kw_only=True):
    """One process, from one second on."""

    process: int
    second: int
    in_flight: int
    counts: Counts
    kinds: dict[str, KindSeen]
    limits: dict[str, int]
    never_sent: dict[str, int]
    unanswered: int
    changes: list[StateChange]
    changes_dropped: int
    histograms: dict[str, bytes]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cell)


def encode_cell(cell: Cell) -> bytes:
    """Return a cell as bytes."""
    return _encoder.encode(cell)


def decode_cell(packet: bytes) -> Cell:
    """Read a cell; WireError where it is none."""
    if len(packet) > CELL_SIZE_MAX:
        raise WireError(f"a cell of {len(packet)} bytes, the limit is {CELL_SIZE_MAX}", kind="oversized")
    try:
        cell = _decoder.decode(packet)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise WireError(f"no cell of a load test: {error}") from error
    if not 0 <= cell.second <= SECONDS_MAX:
        raise WireError(f"a cell of second {cell.second}, the limit is {SECONDS_MAX}")
    if unknown := cell.histograms.keys() - set(HISTOGRAMS):
        raise WireError(f"a cell with histograms {', '.join(sorted(unknown))}, which nobody knows")
    return cell


def encode_counted(counted: HistogramCounts) -> bytes:
    """Return a histogram's counts as bytes, in this machine's byte order."""
    head = _HEAD.pack(
        counted.value_max, counted.digits, counted.least, counted.greatest, len(counted.buckets)
    )
    return head + counted.buckets.tobytes() + counted.counts.tobytes()


def decode_counted(data: bytes) -> HistogramCounts:
    """Read a histogram's counts; WireError where they are none."""
    buckets, counts = array("I"), array("Q")
    if len(data) < _HEAD.size:
        raise WireError(f"a histogram of {len(data)} bytes, at least {_HEAD.size}", kind="truncated")
    value_max, digits, least, greatest, length = _HEAD.unpack_from(data)
    middle = _HEAD.size + length * buckets.itemsize
    if len(data) != middle + length * counts.itemsize:
        raise WireError(f"a histogram of {len(data)} bytes, with {length} buckets")
    buckets.frombytes(data[_HEAD.size : middle])
    counts.frombytes(data[middle:])
    return HistogramCounts(value_max, digits, least, greatest, buckets, counts)
