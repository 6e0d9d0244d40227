"""`sprint migrate`: options in, a verb of the migrator called, lines out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sprint.cli import exits
from sprint.cli.migrate_options import (
    AcceptEdited,
    DataDir,
    DownTo,
    DryRun,
    Folder,
    JsonOutput,
    LockTimeout,
    NewLog,
    ShadowUrl,
    Sql,
    UpTo,
    Url,
    Wait,
)
from sprint.cli.options import ConfigFile

if TYPE_CHECKING:
    from sprint.core.migrate.files import Direction, Migration
    from sprint.tools.migrate.target import Target
    from sprint.tools.store.migrating import Database
    from sprint.tools.store.migrating.runner import Done, Running

# \b tells click to keep the lines of the examples as they are.
HELP = """Bring a store's schema from version to version, and say what differs.

Without --url it is the store of the relay's config: what store.url or SPRINT_DATABASE_URL names, or the
embedded one.

\b
sprint migrate status
sprint migrate plan --sql
sprint migrate up --url postgresql://sprint@127.0.0.1/sprint
"""
WAIT_S_MAX = 3_600.0
LOCK_TIMEOUT_S_MIN = 0.001  # to PostgreSQL less is 0, and that is no end at all

app = typer.Typer(help=HELP, rich_markup_mode=None, no_args_is_help=True)


@app.command()
def up(
    url: Url = None,
    to: UpTo = None,
    dry_run: DryRun = False,
    wait: Wait = None,
    lock_timeout: LockTimeout = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Apply what is pending, each file whole or not at all. A SQLite file is copied first."""
    with _working(
        url, data_dir, config, folder, wait=wait, lock_timeout=lock_timeout, write=not dry_run
    ) as work:
        _run("up", work, to, dry_run=dry_run, json_output=json_output)


@app.command()
def down(
    url: Url = None,
    to: DownTo = None,
    dry_run: DryRun = False,
    wait: Wait = None,
    lock_timeout: LockTimeout = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Undo the newest version, or all above --to. Data of what is taken away is lost."""
    with _working(
        url, data_dir, config, folder, wait=wait, lock_timeout=lock_timeout, write=not dry_run
    ) as work:
        newest = max((each.version for each in work.database.applied()), default=0)
        target = max(newest - 1, 0) if to is None else to
        _run("down", work, target, dry_run=dry_run, json_output=json_output)


@app.command()
def status(
    url: Url = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Say which versions are applied. Exit 1 where one is pending or not as it should be."""
    with _looking(url, data_dir, config, folder) as (database, known):
        from sprint.cli.migrate_lines import status_lines
        from sprint.tools.migrate import verbs

        found = verbs.status(database, known)
        _print(found, status_lines(found), json_output=json_output)
        _end(met=found.up_to_date)


@app.command()
def plan(
    url: Url = None,
    to: UpTo = None,
    sql: Sql = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Show what would be run: each statement, what it locks, and what is dangerous about it."""
    with _looking(url, data_dir, config, folder) as (database, known):
        from sprint.cli.migrate_lines import plan_lines
        from sprint.tools.migrate import verbs

        files = verbs.planned(database, known, to)
        _print(files, plan_lines(files, database.dialect, sql=sql), json_output=json_output)


@app.command()
def validate(
    url: Url = None,
    shadow_url: ShadowUrl = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Check versions, files and the live schema. Exit 1 where anything is not as it should be."""
    with _looking(url, data_dir, config, folder, shadow_url=shadow_url) as (database, known):
        from sprint.cli.migrate_lines import validation_lines
        from sprint.tools.migrate import verbs

        found = verbs.validate(database, known)
        _print(found, validation_lines(found), json_output=json_output)
        _end(met=found.valid)


@app.command()
def drift(
    url: Url = None,
    shadow_url: ShadowUrl = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Name each difference of the live schema from the applied versions. Exit 1 where there is one."""
    with _looking(url, data_dir, config, folder, shadow_url=shadow_url) as (database, known):
        from sprint.cli.migrate_lines import difference_lines
        from sprint.tools.migrate import verbs

        found = verbs.drift(database, known)
        _print(found, difference_lines(found), json_output=json_output)
        _end(met=not found)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it does, as add_peer_notes.")],
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Write the files of the next version for both dialects, up and down, to be filled in."""
    with exits.errors_end_the_command():
        from sprint.tools.migrate.target import write_new

        files = [str(path) for path in write_new(folder, name)]
        _print(files, iter(files), json_output=json_output)


@app.command()
def baseline(
    url: Url = None,
    to: UpTo = None,
    wait: Wait = None,
    shadow_url: ShadowUrl = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Note versions as applied in a database that has their schema already; refused where it has another."""
    with _working(url, data_dir, config, folder, wait=wait, shadow_url=shadow_url) as work:
        from sprint.tools.migrate import verbs

        names = verbs.baseline(work, to)
        _print(names, (f"{name} noted as applied" for name in names), json_output=json_output)


@app.command()
def repair(
    url: Url = None,
    accept_edited: AcceptEdited = None,
    new_log: NewLog = False,
    wait: Wait = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    folder: Folder = None,
    json_output: JsonOutput = False,
) -> None:
    """Mend what a killed migrator left, take edited files that are named. Exit 1 if something is left."""
    with _working(url, data_dir, config, folder, wait=wait) as work:
        from sprint.cli.migrate_lines import repair_lines
        from sprint.tools.migrate import verbs

        found = verbs.repair(work, tuple(accept_edited or ()), new_log=new_log)
        _print(found, repair_lines(found), json_output=json_output)
        _end(met=not found.left)


def _run(verb: Direction, work: Running, to: int | None, *, dry_run: bool, json_output: bool) -> None:
    """Run files and say which, or only say which would be."""
    from sprint.tools.migrate import verbs

    if dry_run:
        files = [file.file for file in verbs.planned(work.database, work.known, to) if file.direction == verb]
        _print(files, (f"would run {file}" for file in files or ("nothing",)), json_output=json_output)
        return
    from sprint.core.errors import MigrationFailed, SprintError

    done: list[Done] = []
    failed: dict[str, Any] = {}

    def did(each: Done) -> None:
        done.append(each)
        if not json_output:
            print(f"{each.name} {each.direction} in {each.took_ms:g} ms", flush=True)

    try:
        verbs.move(work, verb, to, did)
        if not done and not json_output:
            print("nothing to do")
    except MigrationFailed as failure:
        place = dict(zip(("statement", "line", "column"), failure.place, strict=True))
        failed = {"file": failure.file, **place, "reason": failure.reason, "then": failure.then}
        raise
    except SprintError as error:
        failed = {"reason": str(error)}
        raise
    finally:
        if json_output:
            answer = {"database": work.database.address, "done": done, "failed": failed or None}
            _print(answer, iter(()), json_output=True)


def _print(data: Any, lines: Iterator[str], *, json_output: bool) -> None:
    import msgspec

    for line in [msgspec.json.encode(data).decode()] if json_output else lines:
        print(line)


def _end(*, met: bool) -> None:
    if not met:
        raise typer.Exit(exits.NOT_MET)


@contextmanager
def _looking(
    url: str | None,
    data_dir: Path | None,
    config: Path | None,
    folder: Path | None,
    *,
    shadow_url: str | None = None,
    lock_timeout: str | None = None,
    write: bool = False,
) -> Iterator[tuple[Database, tuple[Migration, ...]]]:
    """Lend the database that the options name, and the files of its dialect."""
    with exits.errors_end_the_command():
        from contextlib import closing

        import msgspec

        from sprint.tools.migrate.target import known_of, open_target

        target = _target(url, data_dir, config)
        wait_s = _seconds(
            "--lock-timeout", lock_timeout, target.statement_lock_wait_s, least_s=LOCK_TIMEOUT_S_MIN
        )
        target = msgspec.structs.replace(target, shadow_url=shadow_url, statement_lock_wait_s=wait_s)
        known = known_of(folder, target.dialect)
        with closing(open_target(target, to_write=write)) as database:
            yield database, known


@contextmanager
def _working(
    url: str | None,
    data_dir: Path | None,
    config: Path | None,
    folder: Path | None,
    *,
    wait: str | None,
    shadow_url: str | None = None,
    lock_timeout: str | None = None,
    write: bool = True,
) -> Iterator[Running]:
    """Lend what a migrator works with, which tells on stderr what it does."""
    with _looking(
        url, data_dir, config, folder, shadow_url=shadow_url, lock_timeout=lock_timeout, write=write
    ) as (database, known):
        from sprint.tools.runtime import wall_clock
        from sprint.tools.store.migrating import LOCK_WAIT_S
        from sprint.tools.store.migrating.runner import Running

        wait_s = _seconds("--wait", wait, LOCK_WAIT_S)
        yield Running(database, known, int(wall_clock() * 1000), _tell, wait_s)


def _tell(note: str) -> None:
    print(note, file=sys.stderr, flush=True)


def _seconds(option: str, text: str | None, default: float, *, least_s: float = 0.0) -> float:
    from sprint.core.duration import parse_duration_s

    if text is None:
        return default
    return parse_duration_s(text, option=option, least_s=least_s, most_s=WAIT_S_MAX)


def _target(url: str | None, data_dir: Path | None, config: Path | None) -> Target:
    from sprint.cli.settings import data_dir as data_dir_of
    from sprint.cli.settings import load_settings
    from sprint.core.errors import ConfigError
    from sprint.tools.migrate.target import Target, target_of
    from sprint.tools.store.settings import STORE_FILE

    if url is not None and data_dir is not None:
        raise ConfigError("--url and --data-dir name two databases; give one of them")
    if url is not None:
        return target_of(url)
    if data_dir is not None:
        return Target(file=data_dir.expanduser() / STORE_FILE)
    settings = load_settings(config).resolved.config
    if settings.store.url is not None:
        return target_of(settings.store.url)
    place = data_dir_of(settings, devnet_only=False)
    return Target(file=(place or Path()) / STORE_FILE)
