"""`sprint cb-chaos`, also installed as `cb-chaos`: options in, experiments run, what came of them out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from sprint.cli import exits
from sprint.cli.chaos_options import (
    Allow,
    Beside,
    Breakers,
    Cron,
    Devnet,
    DryRun,
    Duration,
    Every,
    Experiment,
    Export,
    Figure,
    Form,
    Halt,
    Host,
    JournalDir,
    JsonOutput,
    Map,
    MaxBlastRadius,
    Output,
    Port,
    Proxy,
    Quiet,
    RecoverySla,
    RelayPid,
    Rollback,
    Runs,
    Schedule,
    Seed,
    Serve,
    Source,
    Stream,
    Target,
    Tier,
    TlsCa,
    TlsCert,
    TlsKey,
    UpstreamPid,
    Validate,
)
from sprint.cli.options import ConfigFile
from sprint.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sprint.core.chaos.result import Result
    from sprint.core.chaos.schedule import Schedule as Times
    from sprint.tools.chaos.given import ChaosOptions, Given

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

# \b tells click to keep the lines of the examples as they are.
HELP = """Put a fault on a relay, watch what it does, take the fault off, and say how it held.

Without --target it starts a relay of its own on the devnet. Exit 0: it held, 1: it did not, 2: wrong use,
3: it could not run. What is put on comes off again, however this ends.

\b
sprint cb-chaos
sprint cb-chaos --experiment
sprint cb-chaos --experiment network-partition --duration 60s
sprint cb-chaos --validate --recovery-sla 5s
sprint cb-chaos --target http://127.0.0.1:8081 --experiment all --dry-run
sprint cb-chaos --schedule --cron "0 2 * * *" --experiment all
"""
# What these are when they stand without a value.
_WITHOUT_VALUE = {"--experiment": "", "--schedule": "", "--map": "text"}
_NOT_OF_THE_RUN = (
    *("config", "schedule", "cron", "every", "runs", "serve", "host", "port", "dry_run", "map_form"),
    *("rollback", "halt", "export", "form", "output", "json_output", "quiet"),
)


class OptionalValues(TyperCommand):
    """A command some of whose options may stand without a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give those options their value where the next word is another option, or there is none."""
        full: list[str] = []
        for place, word in enumerate(args):
            full.append(word)
            following = args[place + 1] if place + 1 < len(args) else None
            if word in _WITHOUT_VALUE and (following is None or following.startswith("--")):
                full.append(_WITHOUT_VALUE[word])
        return super().parse_args(ctx, full)


@app.command("cb-chaos", help=HELP, cls=OptionalValues)
def cb_chaos(
    experiment: Experiment = None,
    target: Target = None,
    stream: Stream = None,
    duration: Duration = None,
    source: Source = None,
    figure: Figure = None,
    proxy: Proxy = None,
    devnet: Devnet = None,
    relay_pid: RelayPid = None,
    upstream_pid: UpstreamPid = None,
    tier: Tier = None,
    breakers: Breakers = None,
    seed: Seed = None,
    validate: Validate = None,
    recovery_sla: RecoverySla = None,
    max_blast_radius: MaxBlastRadius = None,
    allow: Allow = None,
    beside: Beside = None,
    journal_dir: JournalDir = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    schedule: Schedule = None,
    cron: Cron = None,
    every: Every = None,
    runs: Runs = None,
    serve: Serve = False,
    host: Host = None,
    port: Port = None,
    dry_run: DryRun = False,
    map_form: Map = None,
    rollback: Rollback = False,
    halt: Halt = False,
    export: Export = None,
    config: ConfigFile = None,
    form: Form = None,
    output: Output = None,
    json_output: JsonOutput = False,
    quiet: Quiet = False,
) -> None:
    """Put a fault on a relay, watch what it does, take the fault off, and say how it held."""
    # Every option is looked up by its name: those of the run are laid over what a file says.
    asked = dict(locals())
    with exits.errors_end_the_command():
        code = _do(asked)
    raise typer.Exit(code)


def _do(asked: dict[str, Any]) -> int:
    """Do the one thing that the options ask for; return the exit code."""
    from sprint.tools.chaos.given import Given
    from sprint.tools.command_file import given_of

    if asked["experiment"] and "" in asked["experiment"]:
        return _list(asked)
    flags = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in asked.items()
        if name not in _NOT_OF_THE_RUN
    }
    given = given_of(Given, "chaos", asked["config"], flags)
    if asked["rollback"] or asked["halt"]:
        return _take_off(given, halts=asked["halt"])
    return _plan_or_run(given, asked)


def _list(asked: dict[str, Any]) -> int:
    """Print which experiments there are."""
    import json

    from sprint.tools.chaos.listing import listed, listing_text

    if asked["json_output"]:
        print(json.dumps(listed(), indent=2))
    else:
        print(listing_text())
    return exits.DONE


def _take_off(given: Given, *, halts: bool) -> int:
    """Take off what runs left on; with `halts` those that go on are told to end first."""
    from sprint.tools.chaos.journal_file import default_folder
    from sprint.tools.chaos.rollback import rollback

    folder = Path(given.journal_dir) if given.journal_dir else default_folder()
    found = rollback(folder, halt=halts)
    for each in found:
        print(f"run {each.run}: {each.state}")
        for text in (*each.undone, *(f"on still: {one}" for one in each.remains)):
            print(f"  {text}")
    if not found:
        print(f"nothing is left on: no run in {folder} that has not ended")
    return exits.NOT_MET if any(each.state in {"remains", "unreadable"} for each in found) else exits.DONE


def _plan_or_run(given: Given, asked: dict[str, Any]) -> int:
    """Say what would be done, or do it: once, by a schedule, or when told over HTTP."""
    from sprint.core.chaos.schedule_words import schedule_of
    from sprint.tools.chaos.given import options_of
    from sprint.tools.runtime import run, set_up_logging

    # What happens is told as it goes on; parts that log otherwise would write between.
    set_up_logging("text", "error")
    options = options_of(given)
    if asked["map_form"] or asked["export"] or asked["dry_run"]:
        return _plan(options, asked)
    if asked["serve"]:
        return _serve(given, asked)
    output = asked["output"]
    if output is not None and not output.parent.is_dir():
        raise ConfigError(f"--output {output}: there is no folder {output.parent}")
    schedule = schedule_of(asked["schedule"], asked["cron"], asked["every"])
    return run(_run_by(schedule, options, asked))


def _plan(options: ChaosOptions, asked: dict[str, Any]) -> int:
    """Print the map or what would be done, or write the document for `chaos run`."""
    from sprint.tools.chaos.planning import document_text, dry_run, dry_run_text, map_in_form, relay_map
    from sprint.tools.runtime import run

    if asked["map_form"]:
        print(map_in_form(run(relay_map(options)), asked["map_form"].value))
        return exits.DONE
    if asked["export"]:
        if len(options.experiments) != 1:
            raise ConfigError(f"--export: {len(options.experiments)} experiments; a file has one")
        text = document_text(run(dry_run(options)))
        asked["export"].write_text(text, encoding="utf-8")
        print(f"written; run it with: chaos run {asked['export']}", file=sys.stderr)
        return exits.DONE
    print(dry_run_text(run(dry_run(options))))
    return exits.DONE


def _serve(given: Given, asked: dict[str, Any]) -> int:
    from sprint.tools.chaos.serving import PORT_DEFAULT, serve_until_stopped
    from sprint.tools.net import bind
    from sprint.tools.runtime import run

    port = PORT_DEFAULT if asked["port"] is None else asked["port"]
    bound = bind(asked["host"] or "127.0.0.1", port)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return run(serve_until_stopped(given, bound, os.environ.get("SPRINT_CHAOS_KEY", ""), say))


async def _run_by(schedule: Times, options: ChaosOptions, asked: dict[str, Any]) -> int:
    """Run campaigns by a schedule, and tell of each; return the gravest exit code."""
    import asyncio
    import signal

    from sprint.core.chaos.schedule import seeded_draw
    from sprint.tools.chaos.campaign import Campaign, exit_code_of
    from sprint.tools.chaos.scheduled import Chance, Scheduled

    codes: list[int] = []
    going_on: list[Campaign] = []

    def tell(phase: str, text: str) -> None:
        if not asked["quiet"]:
            print(f"{phase:<10} {text}", file=sys.stderr, flush=True)

    async def once() -> None:
        campaign = Campaign(options, tell)
        going_on[:] = [campaign]
        results = await campaign.run()
        _tell_results(results, asked)
        codes.append(exit_code_of(results, options.experiments))

    chance = Chance(draw=seeded_draw(options.seed))
    scheduled = Scheduled(schedule, once, tell, runs_max=asked["runs"], chance=chance)

    def stop() -> None:
        tell("stopping", "what is on comes off")
        scheduled.stop()
        for campaign in going_on:
            campaign.stop("interrupted")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await scheduled.run()
    return _gravest(codes)


def _gravest(codes: list[int]) -> int:
    """Return 1 where a run was not met, else what else went wrong."""
    return exits.NOT_MET if exits.NOT_MET in codes else max(codes, default=exits.DONE)


def _tell_results(results: Sequence[Result], asked: dict[str, Any]) -> None:
    """Print the results, or write them where they are wanted."""
    from rich.console import Console

    from sprint.tools.chaos.reports import CONSOLE
    from sprint.tools.chaos.reports.console import print_result
    from sprint.tools.chaos.result_files import files_of

    output, form = asked["output"], _form(asked)
    if output is not None:
        for path, content in files_of(form, results, output):
            path.write_bytes(content)
    elif form != CONSOLE:
        sys.stdout.buffer.write(b"".join(content for _, content in files_of(form, results, Path("-"))))
        sys.stdout.buffer.flush()
    if form == CONSOLE or (output is not None and not asked["quiet"]):
        console = Console()
        for result in results:
            print_result(result, console)
            console.print()


def _form(asked: dict[str, Any]) -> str:
    """Return the form that was asked for, by --format, --json, or the end of the file's name."""
    if asked["form"] is not None:
        return str(asked["form"].value)
    by_suffix = "" if asked["output"] is None else asked["output"].suffix.lower().lstrip(".")
    if asked["json_output"] or by_suffix == "json":
        return "json"
    return "html" if by_suffix in {"html", "htm"} else "console"


def run() -> None:
    """Run the command line; the console script `cb-chaos`."""
    exits.open_standard_streams()
    app()
