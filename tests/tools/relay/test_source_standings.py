"""The race as metrics: by chain and source, and nothing of a source that was never ready."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

from prometheus_client import CollectorRegistry

from sprint.core.relay.board import SourceBoard
from sprint.core.relay.settings import ChainSettings
from sprint.tools.relay.source_standings import SourceStandings
from sprint.tools.relay.sources.view import SourceState


def source(name: str, state: str) -> SimpleNamespace:
    return SimpleNamespace(spec=SimpleNamespace(name=name), view=lambda: SimpleNamespace(state=state))


def test_the_state_that_each_source_is_in_is_told_and_that_it_is_in_no_other() -> None:
    sources = [source("good", "ready"), source("false", "blocked")]
    board = SourceBoard(ChainSettings())
    pipeline = SimpleNamespace(state=SimpleNamespace(board=board))
    chains: Any = {"bitcoin": SimpleNamespace(intake=SimpleNamespace(pipeline=pipeline), sources=sources)}
    registry = CollectorRegistry()
    registry.register(SourceStandings(chains))
    (family,) = [each for each in registry.collect() if each.name == "sprint_source_state"]
    told = {(each.labels["source"], each.labels["state"]): each.value for each in family.samples}
    assert {key for key, value in told.items() if value} == {("good", "ready"), ("false", "blocked")}
    assert len(told) == 2 * len(get_args(SourceState))


def test_the_race_is_told_by_source() -> None:
    board = SourceBoard(ChainSettings(lag_s_max=30.0))
    for name in ("first", "late"):
        board.ready(name)
    board.won("first", 10)
    board.confirmed("late", 10, 0.25)
    board.won("first", 11)
    sources = [source(name, "waiting" if name == "never" else "ready") for name in ("first", "late", "never")]
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
