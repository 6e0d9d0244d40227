"""Reading the config again: when a file counts as changed, what is kept where something fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from sprint.core.config import ConfigChange
from sprint.core.errors import ConfigError
from sprint.tools.relay.config_reload import ConfigReload, Loading
from tests.tools.relay.serving import until

RUNNING = {"log.level": "info", "features.watch_config": True, "relay.host": "127.0.0.1"}


class Bench:
    """A reload whose config is a dict, and whose relay refuses what it is told to refuse."""

    def __init__(self, path: Path | None = None, *, interval_s: float = 60.0) -> None:
        self.wanted: dict[str, Any] = dict(RUNNING)
        self.error: Exception | None = None
        self.refused: dict[str, str] = {}
        self.changes: list[ConfigChange] = []
        self.registry = CollectorRegistry()
        self.reload = ConfigReload(
            Loading(path, dict(RUNNING), self._load), self._apply, self.registry, watch_interval_s=interval_s
        )

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("sprint_config_reloads_total", {"outcome": outcome}) or 0.0

    def restart_needed(self) -> float | None:
        return self.registry.get_sample_value("sprint_config_restart_needed")

    def _load(self) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        return dict(self.wanted)

    async def _apply(self, change: ConfigChange) -> Mapping[str, str]:
        self.changes.append(change)
        return self.refused


def test_a_difference_is_applied_once_and_the_rest_is_counted_until_a_restart() -> None:
    async def main() -> None:
        bench = Bench()
        bench.wanted |= {"log.level": "debug", "relay.host": "::1"}
        await bench.reload.reload()
        await bench.reload.reload()
        assert [change.log_level for change in bench.changes] == ["debug"]
        assert bench.reload.running == RUNNING | {"log.level": "debug"}
        assert bench.restart_needed() == 1
        assert (bench.counted("applied"), bench.counted("unchanged")) == (1, 1)

    asyncio.run(main())


def test_what_the_relay_refuses_stays_a_difference() -> None:
    async def main() -> None:
        bench = Bench()
        bench.wanted["log.level"] = "debug"
        bench.refused = {"log.level": "the relay is starting or stopping"}
        await bench.reload.reload()
        assert bench.reload.running == RUNNING
        bench.refused = {}
        await bench.reload.reload()
        assert bench.reload.running["log.level"] == "debug"
        assert len(bench.changes) == 2

    asyncio.run(main())


@pytest.mark.parametrize("error", [ConfigError("sprint.toml: log.level = 'loud'"), ValueError("a mistake")])
def test_a_config_that_cannot_be_read_changes_nothing_and_says_why(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        bench = Bench()
        bench.error = error
        await bench.reload.reload()
        assert (bench.changes, bench.reload.running, bench.counted("kept")) == ([], RUNNING, 1)

    asyncio.run(main())
    (record,) = caplog.records
    assert record.getMessage() == "config kept as it was"
    assert str(error) in str(getattr(record, "fields", record.exc_text))


def test_a_file_counts_as_changed_once_it_has_stayed_so_for_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text("a")

    async def main() -> None:
        bench = Bench(path)
        looks = [await bench.reload._changed() for _ in range(3)]
        path.write_text("half of wh")
        looks.append(await bench.reload._changed())
        path.write_text("half of what is to be")
        looks += [await bench.reload._changed() for _ in range(2)]
        await bench.reload.reload()
        looks += [await bench.reload._changed() for _ in range(2)]
        assert looks == [False, False, False, False, False, True, False, False]

    asyncio.run(main())


def test_a_file_is_not_watched_where_the_config_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sprint.toml"
    path.write_text("a")

    async def main() -> None:
        bench = Bench(path)
        bench.reload.running = RUNNING | {"features.watch_config": False}
        path.write_text("other")
        assert [await bench.reload._changed() for _ in range(3)] == [False] * 3

    asyncio.run(main())


def test_being_told_wakes_the_watch_at_once_and_a_failure_does_not_end_it() -> None:
    async def main() -> None:
        bench = Bench(interval_s=3600.0)
        watching = asyncio.create_task(bench.reload.run())
        bench.error = ConfigError("no")
        bench.reload.tell()
        await until(lambda: bench.counted("kept") == 1)
        bench.error = None
        bench.wanted["log.level"] = "error"
        bench.reload.tell()
        await until(lambda: bench.reload.running["log.level"] == "error")
        watching.cancel()

    asyncio.run(main())


def test_the_file_that_was_read_is_named_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        watching = asyncio.create_task(Bench(tmp_path / "sprint.toml", interval_s=3600.0).reload.run())
        await asyncio.sleep(0)
        watching.cancel()

    caplog.set_level("INFO")
    asyncio.run(main())
    (record,) = caplog.records
    assert (record.getMessage(), getattr(record, "fields", {})) == (
        "config read",
        {"file": tmp_path / "sprint.toml"},
    )
