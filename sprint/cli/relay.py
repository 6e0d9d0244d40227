"""`sprint relay` with `check` and `tail`: options in, a tool called, lines out."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sprint.cli import exits, relay_config, relay_verify
from sprint.cli.optimize_options import RelayLevel
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
    from sprint.core.config import Resolved
    from sprint.tools.relay.attendant import Attendant
    from sprint.tools.relay.config_reload import Loading
    from sprint.tools.relay.service import RelayOptions, Serving

app = typer.Typer(
    help="Relay verified blocks from your nodes to your programs.",
    rich_markup_mode=None,
    invoke_without_command=True,
    no_args_is_help=False,
)


# \b tells click to keep the lines of the examples as they are.
RELAY_HELP = """Relay verified blocks. Without a source it runs an embedded devnet.

\b
sprint relay
sprint relay --tier turbo --source litecoin:regtest=p2p://127.0.0.1:19444
sprint relay tail
"""
CHECK_HELP = """Reach every source and the database once and say what was found. Exit 1 if one cannot be used.

\b
sprint relay check --source litecoin:regtest=p2p://127.0.0.1:19444
"""
NO_SOURCE_NOTE = (
    "no source is named, so only the database was looked at; without one `sprint relay` runs the devnet, "
    "which keeps nothing in that database"
)
TAIL_HELP = """Print a relay's events as they come; resumes by itself.

\b
sprint relay tail --chain bitcoin
sprint relay tail --json --from earliest
"""


Source = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="[NAME@]CHAIN[:NETWORK]=URL", help="A node; may be repeated."),
]

DevnetFaults = Annotated[
    str | None, typer.Option(metavar="SEED", help="Let the devnet misbehave by a schedule out of SEED.")
]
DevnetInterval = Annotated[
    int | None,
    typer.Option("--devnet-interval-ms", help="The devnet mines a block so often; 0 when told only."),
]


@app.callback(help=RELAY_HELP)
def relay(
    context: typer.Context,
    source: Source = None,
    config: ConfigFile = None,
    tier: Tier = None,
    host: Host = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the one tier; 0 takes a free one.")
    ] = None,
    admin_port: AdminPort = None,
    metrics_port: MetricsPort = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrlOption = None,
    auto_migrate: AutoMigrate = None,
    chain: Annotated[list[str] | None, typer.Option(help="Only this chain; may be repeated.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Run the devnet, beside sources if any.")] = False,
    devnet_faults: DevnetFaults = None,
    devnet_interval: DevnetInterval = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    optimize: RelayLevel = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log warnings and errors only.")] = False,
) -> None:
    """Relay verified blocks. Without a source it runs an embedded devnet."""
    if context.invoked_subcommand is not None:
        with exits.errors_end_the_command():
            _refuse_options_before(context, context.invoked_subcommand)
        return
    with exits.errors_end_the_command():
        from sprint.cli.optimize_attending import attendant_of, level_flag
        from sprint.cli.settings import load_settings, loading_of

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
        ) | level_flag(optimize)
        loaded = load_settings(config, flags)
        form = _begin_log(loaded.resolved, quiet=quiet)
        sources = tuple(source or ())
        options = _options(
            loaded.resolved,
            sources=sources,
            chains=tuple(chain or ()),
            port=port,
            demo=demo,
            devnet={"--devnet-faults": devnet_faults, "--devnet-interval-ms": devnet_interval},
        )
        loading = loading_of(loaded, flags, sources, quiet=quiet)
        code = _serve(options, loading, (attendant_of(loaded.resolved),), as_json=form == "json", quiet=quiet)
    raise typer.Exit(code)


def _begin_log(resolved: Resolved, *, quiet: bool) -> str:
    """Set up the log as the config has it, say what counts for nothing, and return the log's form."""
    from sprint.tools.runtime import log_fields, set_up_logging

    section = resolved.config.log
    set_up_logging(section.format, "warning" if quiet else section.level)
    for note in resolved.notes:
        log_fields(logging.getLogger(__name__), logging.WARNING, note)
    return section.format


def _refuse_options_before(context: typer.Context, subcommand: str) -> None:
    """Refuse an option that stands before a subcommand, which would be read by nobody."""
    from sprint.core.errors import ConfigError

    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise ConfigError(
                f"{option} stands before `{subcommand}` and would count for nothing; "
                f"options of a subcommand stand after it: sprint relay {subcommand} {option} …"
            )


def _options(
    resolved: Resolved,
    *,
    sources: tuple[str, ...],
    chains: tuple[str, ...],
    port: int | None,
    demo: bool,
    devnet: dict[str, Any],
) -> RelayOptions:
    from sprint.cli.settings import data_dir
    from sprint.core.config import sections_by_chain, sources_of
    from sprint.core.errors import ConfigError
    from sprint.core.relay.tiers import find_tier
    from sprint.tools.plugins import ChainCatalog
    from sprint.tools.relay.listeners import Ports
    from sprint.tools.relay.service import RelayOptions

    config = resolved.config
    if port is not None and resolved.origin("relay.tiers").name != "--tier":
        raise ConfigError("--port needs --tier: without it each tier has its own port")
    specs = sources_of(config, sources)
    devnet_only = not specs
    given = next((option for option, value in devnet.items() if value is not None), None)
    if given is not None and not (demo or devnet_only):
        raise ConfigError(f"{given} needs the devnet: give --demo too, it then runs beside the sources")

    def asked(key: str, value: int) -> int | None:
        """Return a port that somebody asked for; a default that is taken may be replaced by a free one."""
        return None if resolved.origin(key).kind == "default" else value

    return RelayOptions(
        sources=specs,
        chain_sections=sections_by_chain(config, ChainCatalog.installed().id_of),
        tiers=tuple(find_tier(resolved.tiers, name) for name in config.relay.tiers),
        ports=Ports(
            host=config.relay.host,
            tier=port,
            admin=asked("admin.port", config.admin.port),
            metrics=asked("metrics.port", config.metrics.port),
            free_if_taken=devnet_only,
            one_tier=len(config.relay.tiers) == 1,
            tiers_set=frozenset(name for name, fields in config.tiers.items() if "port" in fields),
        ),
        data_dir=data_dir(config, devnet_only=devnet_only),
        durability=config.relay.durability,
        store=config.store,
        demo=demo or devnet_only,
        devnet_faults=devnet["--devnet-faults"],
        devnet_interval_ms=devnet["--devnet-interval-ms"],
        chains=chains,
        kernels=config.relay.kernels,
        features=config.features,
        breakers=resolved.breakers,
    )


def _serve(
    options: RelayOptions, loading: Loading, attendants: Sequence[Attendant], *, as_json: bool, quiet: bool
) -> int:
    import asyncio

    import msgspec

    from sprint.cli.lines import serving_lines, status_line, typed_command
    from sprint.cli.status_line import StatusLine, is_wanted
    from sprint.tools.relay.config_reload import ConfigReload
    from sprint.tools.relay.service import RelayService
    from sprint.tools.runtime import StopSignal, run

    def serving(line: Serving) -> None:
        if as_json:
            print(msgspec.json.encode(line).decode(), flush=True)
        elif not quiet:
            command = typed_command(Path(sys.argv[0]), Path.cwd())
            lines = serving_lines(line, devnet=not options.sources, command=command)
            print("\n".join(lines), flush=True)

    async def main() -> int:
        stop = StopSignal()
        service = RelayService(options, attendants=attendants)
        reload = ConfigReload(loading, service.apply, service.registry)
        stop.install(reload.tell)
        tasks = [asyncio.create_task(reload.run())]
        if not (as_json or quiet) and is_wanted(sys.stderr, os.environ):
            line = StatusLine(sys.stderr, lambda: status_line(service.view))
            tasks.append(asyncio.create_task(line.run()))
        try:
            await service.run(serving, stop)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return stop.exit_code

    return run(main())


@app.command(help=CHECK_HELP)
def check(
    source: Source = None,
    config: ConfigFile = None,
    database_url: DatabaseUrlOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Reach every source and the database once and say what was found. Exit 1 if one cannot be used."""
    with exits.errors_end_the_command():
        import msgspec

        from sprint.cli.lines import table_lines
        from sprint.cli.settings import load_settings
        from sprint.core.config import sections_by_chain, sources_of
        from sprint.core.errors import ConfigError
        from sprint.tools.plugins import ChainCatalog
        from sprint.tools.relay.check import check_kernels, check_sources, check_store
        from sprint.tools.runtime import run

        flags = {"store.url": ("--database-url", database_url)}
        settings = load_settings(config, flags).resolved.config
        sections_by_chain(settings, ChainCatalog.installed().id_of)
        specs = sources_of(settings, tuple(source or ()))
        form = check_kernels(settings.relay.kernels)
        store = check_store(settings.store, settings.relay.durability)
        said = f"kernels: {form.tier}, {form.text}" + (f"\nstore: {store.text}" if store.text else "")
        if not (specs or store.text):
            print(said, file=sys.stderr)
            raise ConfigError("no source: give --source, or a config file with [[chains.NAME.sources]]")
        if not specs:
            print(NO_SOURCE_NOTE, file=sys.stderr)
        found = run(check_sources(specs))
        if specs or json_output:
            print(msgspec.json.encode(found).decode() if json_output else "\n".join(table_lines(found)))
        print(said, file=sys.stderr if json_output else sys.stdout)
    usable = form.usable and store.usable and all(row.usable for row in found)
    raise typer.Exit(exits.DONE if usable else exits.NOT_MET)


@app.command(help=TAIL_HELP)
def tail(
    chain: Annotated[list[str] | None, typer.Option(help="Only this chain; may be repeated.")] = None,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", help="Only this event type; may be repeated.")
    ] = None,
    start: Annotated[str, typer.Option("--from", help="latest, earliest or a cursor.")] = "latest",
    url: Annotated[
        str | None, typer.Option(help="The relay; the default is the one on this machine.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print events as NDJSON.")] = False,
) -> None:
    """Print a relay's events as they come; resumes by itself."""
    with exits.errors_end_the_command():
        import msgspec

        from sprint.cli.lines import line_of
        from sprint.tools.relay.tail import follow, running_relay

        relay_url = running_relay(url)
        if not json_output:
            print(f"tailing {relay_url}; Ctrl-C ends", file=sys.stderr)

        def new_log(log_id: str) -> None:
            print(f"a new log has begun at the relay: {log_id}; read from its start", file=sys.stderr)

        with _refusals_named_by_option():
            for event in follow(relay_url, chain, event_type, start, new_log):
                print(msgspec.json.encode(event).decode() if json_output else line_of(event), flush=True)


@contextlib.contextmanager
def _refusals_named_by_option() -> Iterator[None]:
    """Tell what only the relay could know of an option as an option that cannot be."""
    from sprint.core.errors import ClientError, ConfigError, CursorUnknown

    try:
        yield
    except CursorUnknown as error:
        raise ConfigError(f"--from: {error}") from error
    except ClientError as error:
        if error.code != "unknown_chain":
            raise
        raise ConfigError(f"--chain: {error}") from error


app.command(help=relay_verify.VERIFY_HELP)(relay_verify.verify)
app.add_typer(relay_config.app, name="config")
