"""A run: rounds A B B A, a verdict for each subject, and what Ctrl-C leaves of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.optimize.bench_result import SettingState
from sprint.core.optimize.setting import Setting
from sprint.tools.optimize.bench import running
from sprint.tools.optimize.bench.options import ROUNDS, BenchOptions
from sprint.tools.optimize.bench.orders import Reply
from sprint.tools.optimize.bench.printing import text_of
from sprint.tools.optimize.bench.running import Bench
from sprint.tools.optimize.bench.scenes import SCENES, SceneName


class FakeMeasured:
    """Halves each latency while `timer_slack` is applied; Ctrl-C comes at `interrupted_at`."""

    interrupted_at = -1
    log: list[str]

    def __init__(self, _: Path) -> None:
        self._keys: list[str] = []
        self._number = itertools.count()
        type(self).log = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append("ended")

    def apply(self, settings: Sequence[Setting]) -> Reply:
        self._keys = [setting.key for setting in settings]
        self.log.append("B")
        return Reply(states=tuple(SettingState(key, "applied", "") for key in self._keys))

    def restore(self) -> Reply:
        self.log.append("restored")
        self._keys = []
        return Reply()

    def measure(self, scene: SceneName, seconds: float) -> tuple[float, ...]:
        number = next(self._number)
        if number == self.interrupted_at:
            raise KeyboardInterrupt
        self.log.append(f"{scene} {'B' if self._keys else 'A'}")
        factor = 0.5 if "timer_slack" in self._keys else 1.0
        return tuple((100 + number % 7) * factor for _ in SCENES[scene].figures)


class FakeLoad:
    def __init__(self, processes: int, seconds: float) -> None:
        assert processes >= 1
        assert seconds > 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> type[FakeMeasured]:
    monkeypatch.setattr(running, "Measured", FakeMeasured)
    monkeypatch.setattr(running, "CpuLoad", FakeLoad)
    monkeypatch.setattr(FakeMeasured, "interrupted_at", -1)
    return FakeMeasured


def a_bench(tmp_path: Path, **options: Any) -> Bench:
    asked = BenchOptions(**{"levels": ("basic", "turbo"), "relay": False, "seconds": 0.05, **options})
    return Bench(asked, clock=lambda: 0.0, tell=lambda _: None, journal_folder=tmp_path)


def test_rounds_go_a_b_b_a_and_each_b_is_restored(faked: type[FakeMeasured], tmp_path: Path) -> None:
    a_bench(tmp_path, levels=("turbo",)).run()
    idle = [entry[-1] for entry in faked.log if entry.startswith("idle")]
    assert "".join(idle) == "ABBA" * (ROUNDS // 2)
    assert faked.log.count("restored") == len(idle)
    assert faked.log[-1] == "ended"


def test_a_level_that_helps_is_told_and_worth_it(faked: type[FakeMeasured], tmp_path: Path) -> None:
    result = a_bench(tmp_path).run()
    verdicts = {subject.name: subject.verdict for subject in result.levels}
    assert verdicts == {"basic": "no effect here", "turbo": "helped"}
    assert (result.worth, result.interrupted) == ("turbo", False)
    assert all(figure.change is not None for subject in result.subjects for figure in subject.figures)


def test_each_setting_gets_a_verdict_or_a_reason_why_not(faked: type[FakeMeasured], tmp_path: Path) -> None:
    bench = a_bench(tmp_path, levels=(), settings_of="turbo")
    result = bench.run()
    verdicts = {subject.name: subject.verdict for subject in result.settings}
    assert verdicts["timer_slack"] == "helped"
    assert verdicts["nice"] == "no effect here"
    planned = {setting.key for setting in bench._planned("turbo")}
    assert planned == set(verdicts) | {note.partition(": ")[0] for note in result.notes}


def test_ctrl_c_gives_a_report_of_what_was_done(faked: type[FakeMeasured], tmp_path: Path) -> None:
    whole = 2 * ROUNDS * len(SCENES)
    faked.interrupted_at = whole + 5
    result = a_bench(tmp_path).run()
    assert result.interrupted
    assert [subject.name for subject in result.levels] == ["basic", "turbo"]
    assert result.levels[0].verdict == "no effect here"
    assert result.levels[1].says == "too few rounds for a verdict"
    assert result.worth is None
    assert faked.log[-1] == "ended"
    assert any("Ctrl-C" in line for line in text_of(result))


def test_ctrl_c_before_the_first_round_gives_a_report_too(faked: type[FakeMeasured], tmp_path: Path) -> None:
    faked.interrupted_at = 0
    result = a_bench(tmp_path).run()
    assert (result.subjects, result.worth) == ((), None)
    assert text_of(result)


def test_without_a_relay_that_runs_the_rest_is_measured_and_told(
    faked: type[FakeMeasured], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_relay(*_: object, **__: object) -> None:
        raise UpstreamError("it did not start")

    monkeypatch.setattr(running, "RelayScene", no_relay)
    result = a_bench(tmp_path, relay=True).run()
    assert result.notes == ("no relay was measured from basic on: it did not start",)
    assert len(result.levels) == 2


@pytest.mark.parametrize(
    "wrong", [{"seconds": 0.01}, {"seconds": 61.0}, {"rounds": 4}, {"rounds": 7}, {"rounds": 66}]
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong))}"):
        BenchOptions(**wrong)


def test_the_text_says_what_is_worth_it_and_each_verdict(faked: type[FakeMeasured], tmp_path: Path) -> None:
    lines = text_of(a_bench(tmp_path, levels=("turbo",), settings_of="turbo").run())
    assert any(line.startswith("worth it here: turbo; ") for line in lines)
    assert any(line.startswith("level turbo: helped") for line in lines)
    assert any(line.startswith("setting nice: no effect here") for line in lines)
