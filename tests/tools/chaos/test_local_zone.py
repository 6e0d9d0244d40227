"""A schedule knows the zone's rules: five o'clock stays five o'clock over a night on which clocks are set."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sprint.core.chaos.schedule import Cron
from sprint.tools.chaos.local_zone import local_now, local_zone
from sprint.tools.chaos.scheduled import Chance

BERLIN = Path("/usr/share/zoneinfo/Europe/Berlin")


def test_a_cron_time_keeps_its_hour_when_clocks_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    zone = Chance().now().tzinfo
    before = datetime(2026, 3, 28, 10, 0, tzinfo=UTC).astimezone(zone)
    due = Cron("0 5 * * *").next(before, None, random.Random(0).random)
    assert due is not None
    assert due.astimezone(UTC) == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)


@pytest.mark.skipif(not BERLIN.exists(), reason="no zone files on this machine")
@pytest.mark.parametrize("variable", ["", "CET-1CEST", "No/Such"])
def test_without_a_name_it_is_the_machine_s_zone(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("TZ", variable)
    zone = local_zone(BERLIN)
    offsets = [zone.utcoffset(datetime(2026, month, 1, tzinfo=zone)) for month in (1, 7)]
    assert offsets == [timedelta(hours=1), timedelta(hours=2)]


def test_a_machine_without_a_zone_has_utc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TZ", raising=False)
    assert local_zone(tmp_path / "none") is UTC
    broken = tmp_path / "broken"
    broken.write_bytes(b"no zone")
    assert local_zone(broken) is UTC


def test_now_is_now() -> None:
    before = datetime.now(UTC)
    assert before <= local_now() <= datetime.now(UTC)
