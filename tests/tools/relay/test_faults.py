"""Faults of sources as a counter: each source's, by kind, with no more kinds than the bound."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sprint.tools.relay.faults import KINDS_MAX, SourceFaults, bounded


def source(name: str, **faults: int) -> Any:
    return SimpleNamespace(spec=SimpleNamespace(name=name), faults=lambda: Counter(faults))


def test_each_sources_faults_are_counted_by_kind_and_go_on_rising() -> None:
    sources = [source("a", malformed=2, unknown=1), source("b")]
    registry = CollectorRegistry()
    registry.register(SourceFaults({"bitcoin": SimpleNamespace(sources=sources)}))  # type: ignore[dict-item]  # a stand-in
    labels = {"chain": "bitcoin", "source": "a", "kind": "malformed"}
    assert registry.get_sample_value("sprint_source_faults_total", labels) == 2
    sources[0] = source("a", malformed=3)
    assert registry.get_sample_value("sprint_source_faults_total", labels) == 3


@pytest.mark.parametrize(("kinds", "labels"), [(KINDS_MAX, KINDS_MAX), (KINDS_MAX + 2, KINDS_MAX + 1)])
def test_kinds_beyond_the_bound_are_one(kinds: int, labels: int) -> None:
    faults = {f"kind-{number:03}": 1 for number in range(kinds)}
    assert len(bounded(faults)) == labels
    assert sum(bounded(faults).values()) == kinds
