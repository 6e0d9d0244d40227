"""How much memory this process has, read from one open file: a few microseconds, so ten times a second."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4_096
_STATM = Path("/proc/self/statm")
_READ_SIZE = 256


class ProcessMemory:
    """`resident_bytes` is what was sampled last: anonymous and resident; elsewhere than on Linux all."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        with contextlib.suppress(OSError):
            self._descriptor = os.open(_STATM, os.O_RDONLY)
        self.resident_bytes = 0
        self.data_bytes = 0
        self.sample()

    def sample(self) -> int:
        """Read anew; return the resident bytes. proc(5): size resident shared text lib data, in pages."""
        if self._descriptor is None:
            found = psutil.Process().memory_info()
            self.resident_bytes, self.data_bytes = found.rss, found.vms
            return self.resident_bytes
        fields = os.pread(self._descriptor, _READ_SIZE, 0).split()
        self.resident_bytes = (int(fields[1]) - int(fields[2])) * PAGE_BYTES
        self.data_bytes = int(fields[5]) * PAGE_BYTES
        return self.resident_bytes

    def close(self) -> None:
        """Close its file; again is harmless."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
