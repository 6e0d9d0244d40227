"""The clock of the load tester: whole nanoseconds that rise steadily, the same for all processes."""

from __future__ import annotations

import time
from collections.abc import Callable

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

clock_ns: Callable[[], int] = time.monotonic_ns
