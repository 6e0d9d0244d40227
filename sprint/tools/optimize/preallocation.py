"""Memory for blocks taken at the start, so that the first large ones needn't wait for the kernel's pages.

CPython can't be given buffers to make its objects in. What can be had is the C allocator's heap: glibc takes
pieces of 128 KiB and more from the kernel one by one and gives each back at once, until one of up to 32 MiB
was freed: from then on pieces of that size come from the heap and stay there (mallopt(3), M_MMAP_THRESHOLD
and M_TRIM_THRESHOLD, which move together). So one piece is taken and freed, then one of the same size again,
written to from end to end, and freed into the heap. A block's buffer then costs no page fault.
"""

from __future__ import annotations

import resource
import sys
from typing import NamedTuple

# Blocks are at most 4 MB, and a few are in work at once. glibc's own limit for this is 32 MiB.
HEAP_BYTES = 31 << 20
PROBE_BYTES = 4_000_000
_PAGE_STEP = 4_096


class Preallocated(NamedTuple):
    """Page faults that a buffer of 4 MB took before and after."""

    faults_before: int
    faults_after: int


def preallocate() -> Preallocated:
    """Take the memory, and measure what that gave."""
    before = _faults_of_a_buffer()
    _touch(HEAP_BYTES)
    _touch(HEAP_BYTES)
    return Preallocated(before, _faults_of_a_buffer())


def _touch(size: int) -> None:
    """Take a piece of memory, write to each of its pages, and free it."""
    piece = bytearray(size)
    piece[::_PAGE_STEP] = bytes(len(range(0, size, _PAGE_STEP)))


def _faults_of_a_buffer() -> int:
    """Return how many page faults it takes to fill a buffer of a large block."""
    began = _minor_faults()
    _touch(PROBE_BYTES)
    return _minor_faults() - began


def _minor_faults() -> int:
    return resource.getrusage(
        resource.RUSAGE_THREAD if sys.platform == "linux" else resource.RUSAGE_SELF
    ).ru_minflt
