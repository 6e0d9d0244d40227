"""`sprint migrate` as a person meets it: what each verb says, on which stream, and how it ends."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from sprint.cli.migrate import app
from sprint.core.migrate.files import Migration
from sprint.tools.store.file_lock import FileLock
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.sqlite_dialect import SqliteDatabase
from tests.cli.test_commands import run as run_sprint
from tests.tools.store.migrating.places import Place

NAMES = [each.name for each in packaged_migrations("sqlite")]
NEWEST = len(NAMES)


class Command:
    """`sprint migrate` on one file, with files of its own where `write` gave some."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "any.db"
        self.folder = folder / "files"
        self._own = False

    def __call__(self, verb: str, *options: str) -> Result:
        own = ("--dir", str(self.folder)) if self._own else ()
        return CliRunner().invoke(app, [verb, "--url", str(self.file), *own, *options])

    def write(self, *migrations: Migration) -> None:
        """Have just these files."""
        self._own = True
        (self.folder / "sqlite").mkdir(parents=True, exist_ok=True)
        for old in (self.folder / "sqlite").iterdir():
            old.unlink()
        for each in migrations:
            (self.folder / "sqlite" / f"{each.name}.up.sql").write_text(each.up)
            (self.folder / "sqlite" / f"{each.name}.down.sql").write_text(each.down)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name in list(os.environ):
        if name.startswith("SPRINT_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Command(tmp_path)


def test_up_status_down(command: Command) -> None:
    assert command("status").exit_code == 1
    assert not command.file.exists()
    done = command("up")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES
    assert command("up").stdout == "nothing to do\n"
    shown = command("status")
    assert shown.exit_code == 0
    assert f"version {NEWEST:04d} of {NEWEST:04d}" in shown.stdout
    undone = command("down")
    assert undone.stdout.startswith(f"{NAMES[-1]} down in ")
    assert undone.stderr == f"copied to {command.file}.before-down-of-{NAMES[-1]} before the first change\n"
    shown = command("status")
    assert (shown.exit_code, f"{NAMES[-1]:32} pending" in shown.stdout) == (1, True)
    assert command("down", "--to", "0").exit_code == 0
    assert command("down").stdout == "nothing to do\n"


def test_a_dry_run_says_what_would_be_and_changes_nothing(command: Command) -> None:
    done = command("up", "--dry-run", "--to", "2")
    assert done.stdout == f"would run {NAMES[0]}.up.sql\nwould run {NAMES[1]}.up.sql\n"
    assert not command.file.exists()
    command("up")
    before = command.file.read_bytes()
    assert command("down", "--dry-run", "--to", "3").stdout == "".join(
        f"would run {name}.down.sql\n" for name in reversed(NAMES[3:])
    )
    assert command("up", "--dry-run").stdout == "would run nothing\n"
    assert command.file.read_bytes() == before


def test_json_is_one_document_also_where_a_file_failed(command: Command) -> None:
    first, second, third = Place("sqlite", "").migrations()
    broken = Migration(3, third.name, "SELECT 1;\nSELECT a FROM nowhere;", "")
    command.write(first, second, broken)
    done = command("up", "--json")
    answer = msgspec.json.decode(done.stdout)
    assert done.exit_code == 3
    assert [each["name"] for each in answer["done"]] == [first.name, second.name]
    assert answer["failed"] == {
        "file": f"{third.name}.up.sql",
        "statement": 2,
        "line": 2,
        "column": 15,
        "reason": "no such table: nowhere",
        "then": "nothing of this file was applied",
    }
    assert "statement 2 at line 2, column 15: no such table: nowhere" in done.stderr
    command.write(first)
    assert "0002_second" in msgspec.json.decode(command("up", "--json").stdout)["failed"]["reason"]
    command.write(first, second, broken)
    status = msgspec.json.decode(command("status", "--json").stdout)
    assert (status["version"], status["newest"], status["pending"]) == (2, 3, [third.name])
    command.write(first, second, third)
    assert msgspec.json.decode(command("up", "--json").stdout)["failed"] is None
    assert msgspec.json.decode(command("plan", "--json").stdout) == []
    assert msgspec.json.decode(command("validate", "--json").stdout)["differences"] == []


def test_a_plan_shows_each_statement_and_what_is_dangerous_about_it(command: Command) -> None:
    known = Place("sqlite", "").migrations()
    command.write(*known)
    shown = command("plan", "--sql")
    assert shown.exit_code == 0
    for said in (
        "0001_first.up.sql\n",
        "  line 1    CREATE TABLE sprint_t_a (x bigint NOT NULL)\n",
        "  verify    both rows are there\n",
        "        UPDATE sprint_t_a SET y = 'is ; ' || x WHERE x > 0;\n",
        "3 files, 8 statements, 0 dangerous\n",
    ):
        assert said in shown.stdout
    command("up", "--to", "2")
    down = command("plan", "--to", "1").stdout
    assert "DANGEROUS: the table's data is lost" in down
    assert down.endswith("1 file, 1 statement, 1 dangerous\n")


@pytest.mark.parametrize("verb", ["up", "plan"])
def test_an_edited_a_missing_an_unknown_and_an_out_of_order_file_are_named(
    command: Command, verb: str
) -> None:
    first, second, third = Place("sqlite", "").migrations()
    command.write(first, second, third)
    assert command("up").exit_code == 0

    def refused(said: str, kind: str = "") -> None:
        done = command(verb)
        assert (done.exit_code, said in done.stderr) == (3, True), done.stderr
        status = command("status")
        if kind:
            assert status.exit_code == 1
            assert f"{kind}: " in status.stdout
        else:
            assert status.exit_code == 3

    command.write(first, Migration(2, second.name, second.up + "SELECT 1;\n", second.down), third)
    refused("0002_second.up.sql was edited after it was applied", "edited")
    command.write(first, second)
    refused("the schema has version 0003_third, this version of Sprint knows up to 0002", "newer")
    command.write(first, Migration(2, "0002_other", "SELECT 1;", ""), third)
    refused("the schema has version 0002_second, the files have 0002_other", "unknown")
    command.write(first, third)
    refused("0003_third: version 0002 was expected in its place")
    command.write(first, second, third)
    command.rows("DELETE FROM sprint_migrations_applied WHERE version = 2")
    refused("0002_second was not applied but 0003_third was; out of order", "out_of_order")


def test_repair_takes_an_edited_file_only_where_it_is_named(command: Command) -> None:
    first, second, third = Place("sqlite", "").migrations()
    command.write(first, second)
    command("up")
    command.write(first, Migration(2, second.name, second.up + "-- said better\n", second.down), third)
    left = command("repair")
    assert (left.exit_code, "edited: 0002_second.up.sql" in left.stdout) == (1, True)
    wrong = command("repair", "--accept-edited", "0001_first")
    assert wrong.exit_code == 3
    assert (
        "0001_first: it was not edited after it was applied; those that were are 0002_second" in wrong.stderr
    )
    done = command("repair", "--accept-edited", "0002_second")
    assert (done.exit_code, "0002_second: its file as it is now is noted" in done.stdout) == (0, True)
    assert command("repair").stdout == f"{command.file}: nothing to mend\n"
    assert command("up").exit_code == 0


def test_validate_and_drift_end_with_1_and_name_what_differs(command: Command) -> None:
    command("up")
    assert command("validate").stdout == f"{command.file}: version {NEWEST:04d}, as it should be\n"
    assert (command("drift").exit_code, command("drift").stdout) == (0, "")
    command.rows("ALTER TABLE sprint_core_heads ADD COLUMN more TEXT")
    for verb in ("validate", "drift"):
        done = command(verb)
        assert done.exit_code == 1
        assert done.stdout == "drift: extra column more of sprint_core_heads: TEXT\n"


def test_baseline_notes_a_schema_that_was_there(command: Command) -> None:
    command("up")
    command.rows("DROP TABLE sprint_migrations_applied")
    assert command("baseline", "--to", "1").exit_code == 3
    done = command("baseline")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, f"{NAMES[0]} noted as applied")
    assert command("validate").exit_code == 0


def test_new_writes_a_pair_for_each_dialect_and_nothing_over_what_is_there(command: Command) -> None:
    folder = str(command.folder)
    done = CliRunner().invoke(app, ["new", "Add notes", "--dir", folder])
    assert [Path(line).relative_to(folder).as_posix() for line in done.stdout.splitlines()] == [
        "sqlite/0001_add_notes.up.sql",
        "sqlite/0001_add_notes.down.sql",
        "postgres/0001_add_notes.up.sql",
        "postgres/0001_add_notes.down.sql",
    ]
    assert CliRunner().invoke(app, ["new", "add_notes", "--dir", folder]).exit_code == 2
    assert CliRunner().invoke(app, ["new", "more", "--dir", folder, "--json"]).exit_code == 0
    (command.folder / "postgres" / "0002_more.up.sql").unlink()
    (command.folder / "postgres" / "0002_more.down.sql").unlink()
    uneven = CliRunner().invoke(app, ["new", "last", "--dir", folder])
    assert (uneven.exit_code, "the dialects have not the same versions" in uneven.stderr) == (2, True)


def test_a_store_that_a_relay_has_is_left_alone(command: Command) -> None:
    lock = FileLock(command.file)
    done = command("up", "--wait", "0s")
    assert done.exit_code == 3
    assert f"any.db is in use by process {os.getpid()}" in done.stderr
    lock.release()
    assert command("up").exit_code == 0


WRONG = [
    (("up", "--to", str(NEWEST + 1)), f"there is no version {NEWEST + 1}; want 0 to {NEWEST}"),
    (("up", "--wait", "soon"), "--wait 'soon': no duration"),
    (("up", "--wait", "2h"), "want 0 s to 3600 s"),
    (("up", "--data-dir", "x"), "--url and --data-dir name two databases"),
    (("up", "--url", "mysql://h/d"), "the scheme 'mysql' is no store's"),
    (("up", "--url", "sqlite://relative"), "want sqlite:///path"),
]


@pytest.mark.parametrize(("options", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_use_ends_with_2(command: Command, options: tuple[str, ...], said: str) -> None:
    done = command(*options)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_the_store_of_the_config_is_the_default(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = command.file.parent
    (folder / "sprint.toml").write_text(f'[relay]\ndata_dir = "{folder / "kept"}"\n')
    assert CliRunner().invoke(app, ["up"]).exit_code == 0
    assert CliRunner().invoke(app, ["status", "--data-dir", str(folder / "kept")]).exit_code == 0
    monkeypatch.setenv("SPRINT_DATABASE_URL", f"sqlite://{folder}/other.db")
    assert CliRunner().invoke(app, ["up"]).exit_code == 0
    with closing(sqlite3.connect(folder / "other.db")) as connection:
        assert SqliteDatabase(connection).applied()[-1].version == NEWEST


def test_the_command_loads_no_compiler_and_ends_by_its_exit_codes(tmp_path: Path) -> None:
    done = run_sprint("migrate", "up", "--url", "any.db", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run_sprint("migrate", "drift", "--url", "any.db", cwd=tmp_path).returncode == 0
    assert run_sprint("migrate", cwd=tmp_path).returncode == 2
    program = (
        "import sys\nfrom sprint.cli.migrate import app\ntry:\n    app(['status', '--url', 'any.db'])\n"
        "except SystemExit:\n    pass\nassert not {'numba', 'psycopg', 'uvicorn'} & set(sys.modules)\n"
    )
    (tmp_path / "program.py").write_text(program)
    root = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
    )


def test_a_new_file_that_nobody_had_filled_in_was_noted_as_applied(command: Command) -> None:
    """What was written into it afterwards was an edit, and after `repair --accept-edited` never run."""
    command.write(Migration(1, "0001_first", "CREATE TABLE t (x);", "DROP TABLE t;"))
    for direction, text in (("up", "-- Peer notes: say here what for.\n"), ("down", "-- Undoes it.\n")):
        (command.folder / "sqlite" / f"0002_peer_notes.{direction}.sql").write_text(text)
    for verb in ("up", "plan"):
        refused = command(verb)
        assert (refused.exit_code, "0002_peer_notes.up.sql: no statement; fill it in" in refused.stderr) == (
            3,
            True,
        )
    (command.folder / "sqlite" / "0002_peer_notes.up.sql").write_text("ALTER TABLE t ADD COLUMN y;")
    assert command("up").exit_code == 0
    assert command.rows("SELECT name FROM pragma_table_info('t')") == [("x",), ("y",)]


def test_a_name_that_cannot_be_ended_like_a_store_that_cannot_be_used(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["new", "No, not so", "--dir", str(tmp_path)])
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "is no name for a migration" in ended.stderr


def test_a_folder_in_the_place_of_a_file_was_a_disk_error(tmp_path: Path) -> None:
    for verb in ("status", "up"):
        ended = CliRunner().invoke(app, [verb, "--url", str(tmp_path)])
        assert ended.exit_code == 3
        assert ended.stderr == (
            f"error: {tmp_path}: it is a folder; name the file in it, or the folder with --data-dir\n"
        )


@pytest.mark.parametrize("given", ["0s", "0.9ms"])
def test_no_time_at_all_for_a_lock_was_no_end_of_the_wait(given: str, tmp_path: Path) -> None:
    """PostgreSQL takes a `lock_timeout` of 0 milliseconds for none."""
    ended = CliRunner().invoke(app, ["up", "--url", str(tmp_path / "any.db"), "--lock-timeout", given])
    assert ended.exit_code == 2
    assert f"--lock-timeout {given}" in ended.stderr
    assert "want 0.001 s to 3600 s" in ended.stderr
