"""Several migrators at once, each a process of its own: every file is run once, and nobody fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack

import msgspec
import pytest

from sprint.core.errors import StoreError
from sprint.tools.store.migrating import tell_nobody
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.runner import Running, migrate_up
from tests.tools.store.migrating.places import Place

TIMEOUT_S = 60.0


def migrator(place: Place, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "sprint.cli.main", "migrate", "up", "--url", place.address),
            *("--json", "--wait", "60s", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("count", range(2, 7) if os.environ.get("SPRINT_SOAK") == "1" else [6])
def test_migrators_at_once_apply_each_file_once(place: Place, count: int) -> None:
    known = packaged_migrations(place.dialect)
    with ExitStack() as stack:
        # All of them stand at the lock, which is ours, before the first one goes on.
        with place.opened() as database, database.held(TIMEOUT_S, tell_nobody):
            migrators = [stack.enter_context(migrator(place)) for _ in range(count)]
            for each in migrators:
                assert each.stderr is not None
                assert each.stderr.readline().startswith("waiting: ")
        answers = [each.communicate(timeout=TIMEOUT_S) for each in migrators]
    assert [each.returncode for each in migrators] == [0] * count, answers
    done = [msgspec.json.decode(out)["done"] for out, _ in answers]
    assert sorted(each["name"] for one in done for each in one) == [each.name for each in known]
    with place.opened() as database:
        assert [each.name for each in database.applied()] == [each.name for each in known]


def test_migrators_to_different_versions_end_at_the_highest(place: Place) -> None:
    known = packaged_migrations(place.dialect)
    with place.opened() as database:
        migrate_up(Running(database, known, 1), to=2)
    with ExitStack() as stack:
        migrators = [stack.enter_context(migrator(place, "--to", str(to))) for to in (3, 4, 5)]
        answers = [each.communicate(timeout=TIMEOUT_S) for each in migrators]
    assert [each.returncode for each in migrators] == [0] * len(migrators), answers
    with place.opened() as database:
        versions = [each.version for each in database.applied()]
    assert versions == list(range(1, len(known) + 1))


def test_who_migrates_is_named_to_whom_it_takes_too_long(place: Place) -> None:
    with place.opened() as database, place.opened() as other, database.held(TIMEOUT_S, tell_nobody):
        told: list[str] = []
        with pytest.raises(StoreError) as caught, other.held(0.2, told.append):
            pass
        assert re.search(r"process \d+", str(caught.value))
        assert "waited 0.2 s for it" in str(caught.value)
        assert len(told) == 1
        assert told[0].startswith("waiting: ")


def test_what_another_one_did_meanwhile_is_seen_before_anything_is_run(place: Place) -> None:
    known = place.migrations()
    with place.running(*known) as first, place.running(*known) as second:
        migrate_up(first, to=2)
        assert [done.name for done in migrate_up(second)] == [known[2].name]
        assert migrate_up(first) == []
