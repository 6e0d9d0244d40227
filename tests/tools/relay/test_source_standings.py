"""The race as metrics: by chain and source, and nothing of a source that was never ready."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from sprint.core.relay.board import SourceBoard
from sprint.core.relay.settings import ChainSettings
from sprint.tools.relay.source_standings import SourceStandings


def test_the_race_is_told_by_source() -> None:
    board = SourceBoard(ChainSettings(lag_s_max=30.0))
    for name in ("first", "late"):
        board.ready(name)
    board.won("first", 10)
    board.confirmed("late", 10, 0.25)
    board.won("first", 11)
    sources = [SimpleNamespace(spec=SimpleNamespace(name=name)) for name in ("first", "late", "never")]
    pipeline = SimpleNamespace(state=SimpleNamespace(board=board))
    chains: Any = {"bitcoin": SimpleNamespace(intake=SimpleNamespace(pipeline=pipeline), sources=sources)}
    registry = CollectorRegistry()
    registry.register(SourceStandings(chains))

    def value(name: str, source: str) -> float | None:
        return registry.get_sample_value(name, {"chain": "bitcoin", "source": source})

    assert value("sprint_source_wins_total", "first") == 2
    assert value("sprint_source_lag_seconds", "late") == 0.25
    assert value("sprint_source_demoted", "late") == 0
    assert value("sprint_source_wins_total", "never") is None
    board.check(0.0)
    board.check(30.0)
    assert value("sprint_source_demoted", "late") == 1
    assert value("sprint_source_demoted", "first") == 0
