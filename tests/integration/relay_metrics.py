"""Reads a running relay from outside: stage histograms, health, resident memory."""

from __future__ import annotations

import http.client
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 10.0
STAGE_METRIC = "sprint_stage_seconds"


def fetch(url: str) -> bytes:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().read()
    finally:
        connection.close()


def health(admin_url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{admin_url}/api/v1/health"))
    return found


Buckets = dict[str, list[tuple[float, float]]]


def stage_buckets(metrics_url: str) -> Buckets:
    """Return the cumulative buckets of each stage: (upper bound in seconds, count)."""
    found: Buckets = {}
    text = fetch(f"{metrics_url}/metrics").decode()
    for family in text_string_to_metric_families(text):
        if family.name == STAGE_METRIC:
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    bucket = (float(sample.labels["le"]), float(sample.value))
                    found.setdefault(sample.labels["stage"], []).append(bucket)
    return found


def bucket_median(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> float:
    """Interpolate the median of what came between two readings of one histogram."""
    counts = dict(before)
    grown = [(bound, count - counts.get(bound, 0.0)) for bound, count in after]
    half, low, below = grown[-1][1] / 2, 0.0, 0.0
    for bound, count in grown:
        if count >= half:
            share = (half - below) / (count - below) if count > below else 1.0
            return low + share * ((low if bound == float("inf") else bound) - low)
        low, below = bound, count
    return low


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no resident memory: it has ended")


Histograms = dict[str, list[tuple[float, float]]]


def histograms(metrics_url: str, names: Collection[str]) -> Histograms:
    """Return the cumulative buckets of these histograms, each under its name and labels."""
    found: Histograms = {}
    for family in text_string_to_metric_families(fetch(f"{metrics_url}/metrics").decode()):
        if family.name not in names:
            continue
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                labels = [value for name, value in sample.labels.items() if name not in {"le", "chain"}]
                bucket = (float(sample.labels["le"]), float(sample.value))
                found.setdefault(" ".join((family.name, *labels)), []).append(bucket)
    return found


def bucket_percentile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """Interpolate the value that a share of a histogram does not exceed; its last bound if it lies beyond."""
    wanted, low, below = buckets[-1][1] * share, 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            part = (wanted - below) / (count - below) if count > below else 1.0
            return low if bound == float("inf") else low + part * (bound - low)
        low, below = bound, count
    return low
