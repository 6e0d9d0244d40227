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
    BlocksWithin,
    Breakers,
    Chain,
    Cron,
    DataDir,
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
    Packets,
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
    TlsCert,
    TlsKey,
    UpstreamPid,
    Validate,
)
from sprint.cli.options import ConfigFile
from sprint.core.errors import ConfigError

if TYPE_CHECKING:
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
            if word in _WITHOUT_VALUE and (following is None or following.startswith("-")):
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
    data_dir: DataDir = None,
    packets: Packets = None,
    chain: Chain = None,
    tier: Tier = None,
    breakers: Breakers = None,
    seed: Seed = None,
    validate: Validate = None,
    recovery_sla: RecoverySla = None,
    blocks_within: BlocksWithin = None,
    max_blast_radius: MaxBlastRadius = None,
    allow: Allow = None,
    beside: Beside = None,
    journal_dir: JournalDir = None,
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
    from sprint.cli.chaos_contradictions import check_together
    from sprint.tools.chaos.given import Given
    from sprint.tools.command_file import given_of

    if asked["experiment"] and "" in asked["experiment"]:
        return _list(asked)
    check_together(asked)
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
    from sprint.tools.chaos.campaign import checked_names
    from sprint.tools.chaos.given import options_of
    from sprint.tools.runtime import set_up_logging

    # What happens is told as it goes on; parts that log otherwise would write between.
    set_up_logging("text", "error")
    options = _with_known_tier(options_of(given))
    if asked["serve"]:
        checked_names(options)
        return _serve(given, asked)
    if asked["map_form"] or asked["export"] or asked["dry_run"]:
        return _plan(options, asked)
    return _run(options, asked)


def _with_known_tier(options: ChaosOptions) -> ChaosOptions:
    """Have the embedded relay's tier be one that there is, by its own name."""
    import msgspec

    from sprint.core.relay.tiers import find_tier, parse_tiers
    from sprint.tools.relay.config_file import packaged_tiers_text

    try:
        tier = find_tier(parse_tiers(packaged_tiers_text()), options.tier)
    except ConfigError as error:
        raise ConfigError(f"--tier: {error}") from error
    return msgspec.structs.replace(options, tier=tier.name)


def _say_target(options: ChaosOptions, *, quiet: bool) -> None:
    """Say, first of all, whom all that follows is about."""
    if not quiet:
        whom = options.target or "an embedded relay on a devnet of its own, as no --target is given"
        print(f"target     {whom}", file=sys.stderr, flush=True)


def _plan(options: ChaosOptions, asked: dict[str, Any]) -> int:
    """Print the map or what would be done, or write the document for `chaos run`."""
    from sprint.cli.whole_file import check_writable, write_whole
    from sprint.tools.chaos import planning
    from sprint.tools.chaos.campaign import checked_names
    from sprint.tools.runtime import run

    if asked["map_form"]:
        _say_target(options, quiet=asked["quiet"])
        form = "json" if asked["json_output"] else asked["map_form"].value
        print(planning.map_in_form(run(planning.relay_map(options)), form))
        return exits.DONE
    names = checked_names(options)
    if asked["export"]:
        check_writable(asked["export"], "--export")
        if len(names) != 1:
            raise ConfigError(f"--export: {len(names)} experiments; a file has one, name it by --experiment")
    _say_target(options, quiet=asked["quiet"])
    planned = run(planning.dry_run(options, to_keep=asked["export"] is not None))
    if asked["export"]:
        write_whole(asked["export"], planning.document_text(planned).encode())
        print(_told_of_document(options, asked["export"]), file=sys.stderr)
        return exits.DONE
    print(planning.dry_run_json(planned) if asked["json_output"] else planning.dry_run_text(planned))
    return exits.DONE if planning.any_can_run(planned) else exits.COULD_NOT_RUN


def _told_of_document(options: ChaosOptions, file: Path) -> str:
    if options.target:
        return f"written; run it with: chaos run --rollback-strategy always {file}"
    return "written, but its ports were of a relay that has ended now; name one of yours by --target"


def _serve(given: Given, asked: dict[str, Any]) -> int:
    from sprint.tools.chaos.serving import KEY_VARIABLE, PORT_DEFAULT, access_of, serve_until_stopped
    from sprint.tools.net import bind
    from sprint.tools.runtime import run

    port = PORT_DEFAULT if asked["port"] is None else asked["port"]
    key = os.environ.get(KEY_VARIABLE, "")
    access = access_of(asked["host"] or "127.0.0.1", key, given.tls_cert, given.tls_key)
    bound = bind(access.host, port, off_loopback=True)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    return run(serve_until_stopped(given, bound, access, say))


def _run(options: ChaosOptions, asked: dict[str, Any]) -> int:
    from sprint.cli.chaos_output import Output
    from sprint.cli.chaos_running import Running
    from sprint.core.chaos.schedule import Immediate
    from sprint.core.chaos.schedule_words import schedule_of
    from sprint.tools.chaos.campaign import checked_names
    from sprint.tools.runtime import run

    schedule = schedule_of(asked["schedule"], asked["cron"], asked["every"])
    comes_again = not isinstance(schedule, Immediate)
    output = Output(asked, several=len(checked_names(options)) > 1, comes_again=comes_again)
    _say_target(options, quiet=asked["quiet"])
    return run(Running(options, output, quiet=asked["quiet"]).run(schedule, asked["runs"]))


def run() -> None:
    """Run the command line; the console script `cb-chaos`."""
    exits.open_standard_streams()
    app()
