"""What the benchmarks print: the machine's load, and percentiles of what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence


def environment() -> str:
    """Describe the machine now, load included: figures of a busy machine are no figures."""
    load = ", ".join(f"{part:.2f}" for part in os.getloadavg())
    return f"python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} cores, load {load}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def row_ms(name: str, values_s: Sequence[float]) -> str:
    """One line of a table: p50, p99 and the largest, in milliseconds."""
    if not values_s:
        return f"{name:44} none"
    p50, p99, worst = (1000 * percentile(values_s, share) for share in (0.5, 0.99, 1.0))
    return f"{name:44} {p50:8.3f} {p99:8.3f} {worst:8.3f}  n={len(values_s)}"


ROW_HEAD = f"{'ms':44} {'p50':>8} {'p99':>8} {'max':>8}"
