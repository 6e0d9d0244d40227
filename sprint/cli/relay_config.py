"""`sprint relay config`: an example, a check, what holds and why, one key explained, converted or set."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sprint.cli import exits
from sprint.cli.options import (
    AdminPort,
    AutoMigrate,
    ConfigFile,
    DatabaseUrlOption,
    DataDir,
    Host,
    LogFormatOption,
    LogLevelOption,
    MetricsPort,
    Tier,
    flags_of,
)

if TYPE_CHECKING:
    from sprint.core.config.keys import Key

app = typer.Typer(
    help="Tell of the config, check it, change it.", rich_markup_mode=None, no_args_is_help=True
)

SHOW_HELP = """Print every value that holds. Options are those of `sprint relay`.

\b
sprint relay config show --origin
sprint relay config show --origin --tier turbo --admin-port 0
"""
SET_HELP = """Set a key in the config file; a list is separated by commas.

\b
sprint relay config set log.level debug
sprint relay config set relay.tiers free,business
sprint relay config set breakers.source:bitcoin:core-1.failures_to_open 5
"""


@app.command()
def example() -> None:
    """Print a config file with every key, commented out."""
    with exits.errors_end_the_command():
        from sprint.core.config.pages import example as example_text
        from sprint.tools.breaker.registry import packaged_texts
        from sprint.tools.relay.config_file import packaged_tiers_text

        print(example_text(packaged_tiers_text(), packaged_texts()), end="")


@app.command()
def check(config: ConfigFile = None) -> None:
    """Say all that is wrong with the config. Exit 1 if anything is."""
    with exits.errors_end_the_command():
        from sprint.cli.settings import layers_of, problems_of

        layers, path = layers_of(config)
        problems = problems_of(layers)
        for line in problems or (f"{path or layers.name}: ok",):
            print(line)
    raise typer.Exit(exits.NOT_MET if problems else exits.DONE)


@app.command(help=SHOW_HELP)
def show(
    config: ConfigFile = None,
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON, with origins.")] = False,
    tier: Tier = None,
    host: Host = None,
    admin_port: AdminPort = None,
    metrics_port: MetricsPort = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    auto_migrate: AutoMigrate = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Print every value that holds."""
    with exits.errors_end_the_command():
        import msgspec

        from sprint.cli.settings import load_settings
        from sprint.core.config.pages import show as values_text
        from sprint.core.config.pages import shown

        flags = flags_of(
            tier=tier,
            host=host,
            data_dir=data_dir,
            admin_port=admin_port,
            metrics_port=metrics_port,
            log_format=log_format,
            log_level=log_level,
            database_url=database_url,
            auto_migrate=auto_migrate,
        )
        resolved = load_settings(config, flags).resolved
        text = values_text(resolved, origins=origin)
        print(msgspec.json.encode(shown(resolved)).decode() if json_output else text)
        for note in resolved.notes:
            print(f"note: {note}", file=sys.stderr)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A dotted name, as relay.data_dir.")],
    config: ConfigFile = None,
) -> None:
    """Tell of one key: what it is for, where it is set, what it is now."""
    with exits.errors_end_the_command():
        from sprint.cli.settings import load_settings
        from sprint.core.config.pages import explain as key_text

        print(key_text(key, load_settings(config).resolved))


@app.command()
def convert(file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML, JSON or TOML.")]) -> None:
    """Print a YAML or JSON config as TOML. What has no place in it stands there as comments."""
    with exits.errors_end_the_command():
        from sprint.cli.settings import problems_of
        from sprint.core.config import Layers
        from sprint.core.config.foreign import left_out_lines
        from sprint.core.config.toml_text import document
        from sprint.tools.breaker.registry import packaged_texts
        from sprint.tools.relay.config_file import packaged_tiers_text, read_config

        read = read_config(file.expanduser())
        layers = Layers(
            table=read.table, name=str(file), tiers_text=packaged_tiers_text(), policies=packaged_texts()
        )
        problems = problems_of(layers)
        text = document(read.table) if not problems else ""
        print("\n".join([text, *left_out_lines(read.translated)]).strip("\n") if not problems else "", end="")
        if not problems:
            print()
        for line in problems or (f"note: {note}" for note in read.translated.notes):
            print(line, file=sys.stderr)
        if not problems and "#" in read.text:
            print("note: comments of the file are lost", file=sys.stderr)
    raise typer.Exit(exits.NOT_MET if problems else exits.DONE)


@app.command("set", help=SET_HELP)
def set_key(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A dotted name, as log.level.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What to set it to.")],
    config: ConfigFile = None,
) -> None:
    """Set a key in the config file."""
    with exits.errors_end_the_command():
        from sprint.cli.settings import problems_of
        from sprint.core.breaker.policy_table import NONE_WORD
        from sprint.core.config import Layers, resolve
        from sprint.core.config.formats import key_text, table_of_toml
        from sprint.core.config.keys import file_path
        from sprint.core.config.toml_text import set_in_text
        from sprint.core.errors import ConfigError
        from sprint.tools.breaker.registry import packaged_texts
        from sprint.tools.relay.config_file import packaged_tiers_text, write_config

        known = _settable(key)
        path, text = _toml_file(config)
        table_of_toml(text, str(path))
        try:
            converted = known.from_text(value)
        except ConfigError as error:
            raise ConfigError(f"{key} = {value!r}: {error}") from error
        if converted is None and key.startswith("breakers."):
            converted = NONE_WORD
        elif converted is None:
            raise ConfigError(f"{key} = {value!r}: take the key out of the file, it then has its default")
        where = file_path(key)
        edited = set_in_text(text, where, converted)
        layers = Layers(
            table=table_of_toml(edited.text, str(path)),
            name=str(path),
            environment=dict(os.environ),
            tiers_text=packaged_tiers_text(),
            policies=packaged_texts(),
        )
        problems = problems_of(layers)
        if problems:
            raise ConfigError(f"not written, as it would not be valid: {problems[0]}")
        write_config(path, edited.text)
        if not edited.kept and "#" in text:
            print(f"note: {path} is written anew; its comments are lost", file=sys.stderr)
        origin = resolve(layers).origin(".".join(map(key_text, where)))
        if origin.kind != "file":
            print(f"note: {origin.name} is set and goes over it", file=sys.stderr)


def _settable(key: str) -> Key:
    """Return the key; ConfigError where it is unknown, or no single value of the file."""
    from sprint.core.config.environment import variable_of
    from sprint.core.config.keys import ANY_NAME, find_key
    from sprint.core.errors import ConfigError

    known = find_key(key)
    if variable_of(key) is None and not key.startswith("breakers."):
        raise ConfigError(f"{key}: sources are a list of tables; edit the file: {known.section}")
    if ANY_NAME in key.split("."):
        raise ConfigError(f"{key}: give a name in the place of {ANY_NAME}")
    return known


def _toml_file(config: Path | None) -> tuple[Path, str]:
    """Return the file to write and its text; empty where it was named and isn't there yet."""
    from sprint.core.errors import ConfigError
    from sprint.tools.relay.config_file import TOML_SUFFIXES, find_config, read_config

    path = find_config(config, os.environ)
    if path is None:
        raise ConfigError("there is no config file; name one to write with --config FILE")
    if path.suffix.lower() not in TOML_SUFFIXES:
        raise ConfigError(f"{path}: only TOML is written; `sprint relay config convert {path}` makes it")
    return path, read_config(path).text if path.exists() else ""
