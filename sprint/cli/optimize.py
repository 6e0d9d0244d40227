"""`sprint optimize`: options in, a tool called, a table or JSON out."""

from __future__ import annotations

from typing import Annotated

import typer

from sprint.cli import exits
from sprint.cli.optimize_options import (
    AdminUrl,
    Command,
    DryRun,
    Fallback,
    Interval,
    Irq,
    JsonOutput,
    Level,
    Pid,
    RealtimePriority,
    Save,
    Set,
    Strict,
)
from sprint.cli.options import ConfigFile

# \b tells click to keep the lines of the examples as they are.
HELP = """Tune process and host in five levels: verified, recorded, undone. Alone it shows the status.

\b
sprint optimize
sprint optimize apply --level turbo --dry-run
sprint optimize apply --level enterprise -- my-program --its-option
sprint optimize restore
"""
APPLY_HELP = """Apply a level to the running relay, to a process, or to a command that is started under it.

Exit 0: applied as far as it was granted; 1: --strict and something was refused; 2: wrong use; 3: it could not
run. With a COMMAND its exit code.

\b
sprint optimize apply --level turbo
sprint optimize apply --level aggressive --set nice=0 --pid 4711
sprint optimize apply --level turbo --strict -- my-program --its-option
"""
CHECK_HELP = """Check a running relay.

Exit 1 if its level is not applied, garbage takes over 0.2 of the time, or there are over 10,000 tasks; a
warning from 0.1 on.

\b
sprint optimize check
"""
WATCH_HELP = """Print how a running relay does, and tune it.

A level up while p99 is over 10 ms, keeping of it what helps; a level down when it idles.

\b
sprint optimize watch --interval 5s
sprint optimize watch --level aggressive
"""

app = typer.Typer(help=HELP, rich_markup_mode=None, invoke_without_command=True, no_args_is_help=False)


@app.callback(help=HELP)
def optimize(context: typer.Context) -> None:
    """Show the status where no command is given."""
    if context.invoked_subcommand is None:
        with exits.errors_end_the_command():
            from sprint.cli.optimize_showing import show_status

            code = show_status(None, None, None, None, json_output=False)
        raise typer.Exit(code)


@app.command()
def status(
    level: Level = None,
    fields: Set = None,
    config: ConfigFile = None,
    admin_url: AdminUrl = None,
    json_output: JsonOutput = False,
) -> None:
    """Show what is set now, what this host permits, and what each level would change."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_showing import show_status

        code = show_status(level, fields, config, admin_url, json_output=json_output)
    raise typer.Exit(code)


@app.command(help=APPLY_HELP)
def apply(
    command: Command = None,
    level: Level = None,
    fields: Set = None,
    rt_priority: RealtimePriority = None,
    pid: Pid = None,
    admin_url: AdminUrl = None,
    fallback: Fallback = False,
    strict: Strict = False,
    dry_run: DryRun = False,
    save: Save = False,
    irq: Irq = False,
    config: ConfigFile = None,
    json_output: JsonOutput = False,
) -> None:
    """Apply a level to the running relay, to a process, or to a command that is started under it."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_applying import Applying, Wish

        wish = Wish(
            level=level,
            fields=tuple(fields or ()),
            rt_priority=rt_priority,
            command=tuple(command or ()),
            pid=pid,
            admin_url=admin_url,
            fallback=fallback,
            strict=strict,
            dry_run=dry_run,
            save=save,
            irq=irq,
            config=config,
            json_output=json_output,
        )
        code = Applying(wish).run()
    raise typer.Exit(code)


@app.command()
def restore(admin_url: AdminUrl = None, config: ConfigFile = None, json_output: JsonOutput = False) -> None:
    """Put everything back that was changed, also after a crash and on another day."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_applying import restore_everything

        code = restore_everything(admin_url, config, json_output=json_output)
    raise typer.Exit(code)


@app.command(help=CHECK_HELP)
def check(admin_url: AdminUrl = None, config: ConfigFile = None, json_output: JsonOutput = False) -> None:
    """Check a running relay."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_showing import show_check

        code = show_check(admin_url, config, json_output=json_output)
    raise typer.Exit(code)


@app.command()
def recommend(
    config: ConfigFile = None,
    json_output: JsonOutput = False,
) -> None:
    """Say which level this host is good for, and why: from its facts and from what `bench` measured here."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_showing import show_advice

        code = show_advice(config, json_output=json_output)
    raise typer.Exit(code)


@app.command(help=WATCH_HELP)
def watch(
    interval: Interval = "5s",
    level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="The highest level it may take (turbo).")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, help="End after so many looks.")] = None,
    dry_run: DryRun = False,
    admin_url: AdminUrl = None,
    config: ConfigFile = None,
    json_output: JsonOutput = False,
) -> None:
    """Print how a running relay does, and tune it."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_watching import watch_relay

        code = watch_relay(
            interval, level, rounds, admin_url, config, dry_run=dry_run, json_output=json_output
        )
    raise typer.Exit(code)


@app.command()
def bench(
    level: Annotated[
        list[str] | None, typer.Option(metavar="LEVEL", help="Only this level; may be repeated (all five).")
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="The level whose settings are measured one by one.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="Of each round and scene, 0.05 to 60 (0.5).")] = None,
    rounds: Annotated[int | None, typer.Option(help="With and without, an even number, 6 to 64.")] = None,
    relay: Annotated[bool, typer.Option(help="Measure a relay too.")] = True,
    json_output: JsonOutput = False,
) -> None:
    """Measure the levels on this host, and say which is worth it here."""
    with exits.errors_end_the_command():
        from sprint.cli.optimize_bench import measure

        code = measure(level, settings, seconds, rounds, relay=relay, json_output=json_output)
    raise typer.Exit(code)
