"""kill -9 of a migrator, at each statement in turn: the database is whole or as before, and can go on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from sprint.tools.store.migrating.runner import migrate_up
from tests.integration.real_servers import wait_until
from tests.tools.store.migrating.killed_migrators import Told
from tests.tools.store.migrating.places import Place

LONG = "SELECT pg_sleep(600)"
RUNS_LONG = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"
TIMEOUT_S = 240.0
STRIDE = 1 if os.environ.get("SPRINT_SOAK") == "1" else 24


def kills(place: Place, which: str) -> list[Told]:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.tools.store.migrating.killed_migrators"),
            *(place.dialect, place.address, which, str(STRIDE)),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [msgspec.json.decode(line, type=Told) for line in done.stdout.splitlines() if line[:1] == "{"]
    print(f"{len(found)} kills on {place.dialect}: {dict(Counter(told.left for told in found))}")
    return found


def test_a_killed_migrator_leaves_the_database_whole_or_as_before(place: Place) -> None:
    found = kills(place, "packaged")
    assert {told.left for told in found} == {"before", "whole"}
    assert not any(told.repaired for told in found)
    # Of each file only the last moment, after its commit, is one that leaves it whole.
    for name in {told.name for told in found}:
        left = [told.left for told in found if told.name == name and told.direction == "up"]
        assert left == ["before"] * (len(left) - 1) + ["whole"]


def test_what_a_killed_migrator_left_without_a_transaction_is_mended(place: Place) -> None:
    found = kills(place, "alone")
    assert {told.left for told in found} == {"before", "whole"}
    assert {told.name for told in found if told.repaired} == {"0002_alone", "0003_checked"}
    # A verify section shows that the statement had ended: then nothing is undone.
    checked = [told.left for told in found if told.name == "0003_checked" and told.repaired]
    assert "whole" in checked


@pytest.mark.real("postgres")
def test_the_next_migrator_does_not_wait_for_a_killed_ones_statement(
    database_url: str, tmp_path: Path
) -> None:
    """The server would have ended it when it wanted to answer, and held its locks until then."""
    place = Place("postgres", database_url)
    known = place.migrations()
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "0001_first.up.sql").write_text(f"{known[0].up.partition('--')[0]}{LONG};\n")
    (tmp_path / "postgres" / "0001_first.down.sql").write_text("SELECT 1;\n")
    command = [*(sys.executable, "-m", "sprint.cli.main", "migrate", "up"), *("--url", place.address)]
    with subprocess.Popen([*command, "--dir", str(tmp_path)]) as migrator:
        try:
            wait_until(lambda: bool(place.ask(RUNS_LONG)), "the migrator is within its statement")
        finally:
            migrator.kill()
    with place.running(*known) as running:
        assert len(migrate_up(running)) == len(known)
    assert place.ask(RUNS_LONG) == []
