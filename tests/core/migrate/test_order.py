"""Whatever a database and the files don't agree about is named; nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError, StoreMismatch
from sprint.core.migrate.files import Migration
from sprint.core.migrate.order import Applied, check_applied, findings, pending, steps

COUNT = 6
KNOWN = tuple(Migration(n, f"{n:04d}_step", f"SELECT {n};", "SELECT 0;") for n in range(1, COUNT + 1))
APPLIED = tuple(Applied(each.version, each.name, each.checksum) for each in KNOWN)


def kinds(known: tuple[Migration, ...], applied: tuple[Applied, ...]) -> list[tuple[str, int]]:
    return [(found.kind, found.version) for found in findings(known, applied)]


@given(st.integers(0, COUNT), st.integers(0, COUNT))
def test_the_first_versions_of_the_files_leave_the_rest_pending(applied: int, to: int) -> None:
    check_applied(KNOWN, APPLIED[:applied])
    assert pending(KNOWN, APPLIED[:applied]) == KNOWN[applied:]
    todo = steps(KNOWN, APPLIED[:applied], to=to)
    versions = [(step.migration.version, step.direction) for step in todo]
    assert versions == (
        [(version, "up") for version in range(applied + 1, to + 1)]
        if to > applied
        else [(version, "down") for version in range(applied, to, -1)]
    )


@given(st.sets(st.integers(1, COUNT)))
def test_a_file_that_was_left_out_is_named_and_only_that(there: set[int]) -> None:
    applied = tuple(each for each in APPLIED if each.version in there)
    left_out = [n for n in range(1, max(there, default=0)) if n not in there]
    assert kinds(KNOWN, applied) == [("out_of_order", version) for version in left_out]


@given(st.integers(0, COUNT - 1))
def test_an_edited_a_renamed_and_a_running_one_are_named(place: int) -> None:
    def with_one(**changes: str) -> tuple[Applied, ...]:
        old = APPLIED[place]
        fields = {"name": old.name, "checksum": old.checksum, "running": "", **changes}
        new = Applied(old.version, fields["name"], fields["checksum"], 0, fields["running"])  # type: ignore[arg-type]
        return (*APPLIED[:place], new, *APPLIED[place + 1 :])

    assert kinds(KNOWN, with_one(checksum="other")) == [("edited", place + 1)]
    assert kinds(KNOWN, with_one(name="0000_other")) == [("unknown", place + 1)]
    assert kinds(KNOWN, with_one(running="up")) == [("running", place + 1)]


@given(st.integers(0, COUNT))
def test_versions_that_no_file_is_known_of_are_newer(files: int) -> None:
    assert kinds(KNOWN[:files], APPLIED) == [("newer", n) for n in range(files + 1, COUNT + 1)]


def test_all_that_is_wrong_is_said_at_once() -> None:
    applied = (Applied(1, "0001_other", ""), Applied(3, KNOWN[2].name, "x"), Applied(9, "0009_late", ""))
    with pytest.raises(StoreMismatch) as caught:
        check_applied(KNOWN, applied)
    for said in ("0001_other", "0002_step was not applied but 0009_late was", "0003_step.up.sql was edited"):
        assert said in str(caught.value)
    assert "the schema has version 0009_late, this version of Sprint knows up to 0006" in str(caught.value)


@pytest.mark.parametrize("to", [-1, COUNT + 1])
def test_a_version_that_there_is_not_is_refused(to: int) -> None:
    with pytest.raises(ConfigError, match=f"there is no version {to}; want 0 to {COUNT}"):
        steps(KNOWN, (), to=to)
