"""Which database a URL names, and what is said where it is none or where PostgreSQL's client is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError, StoreError, StoreMismatch
from sprint.tools.migrate.target import Target, known_of, open_target, target_of, write_new
from sprint.tools.store.migrating.packaged import packaged_migrations


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql://sprint@h/d", Target(url="postgresql://sprint@h/d")),
        ("postgres://h/d", Target(url="postgres://h/d")),
        ("sqlite:///var/lib/a%20b.db", Target(file=Path("/var/lib/a b.db"))),
        ("data/sprint.db", Target(file=Path("data/sprint.db"))),
        ("/data/sprint.db", Target(file=Path("/data/sprint.db"))),
    ],
)
def test_a_url_or_a_path_names_a_database(url: str, target: Target) -> None:
    assert target_of(url) == target
    assert target.dialect == ("sqlite" if target.file else "postgres")


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite://relative", "postgresql:h"])
def test_what_is_no_store_is_refused_with_the_forms_there_are(url: str) -> None:
    with pytest.raises(ConfigError, match="want "):
        target_of(url)


def test_a_password_is_in_no_message() -> None:
    with pytest.raises(ConfigError) as caught:
        target_of("mysql://someone:secret@h/d")
    assert "secret" not in str(caught.value)


def test_without_psycopg_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sprint.tools.store.migrating.postgres_dialect", None)
    with pytest.raises(
        StoreError, match=r"PostgreSQL needs psycopg.*pip install 'bitcoin-sprint\[postgres\]'"
    ):
        open_target(Target(url="postgresql://h/d"), to_write=False)


def test_files_are_the_packages_or_those_of_a_folder(tmp_path: Path) -> None:
    assert known_of(None, "postgres") == packaged_migrations("postgres")
    with pytest.raises(StoreMismatch, match="there is no such folder of migrations"):
        known_of(tmp_path, "sqlite")
    written = write_new(tmp_path, "first")
    assert [path.exists() for path in written] == [True] * 4
    assert [each.name for each in known_of(tmp_path, "postgres")] == ["0001_first"]
    (tmp_path / "sqlite" / "0001_first.up.sql").write_bytes(b"-- \xff\n")
    with pytest.raises(StoreMismatch, match=r"0001_first\.up\.sql: not UTF-8 at byte 3"):
        known_of(tmp_path, "sqlite")
