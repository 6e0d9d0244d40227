"""`sprint cb-loadtest`, also installed as `cb-loadtest`: options in, a run, its report out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import typer

from sprint.cli import exits
from sprint.cli.loadtest_options import (
    Chaos,
    Compare,
    Connections,
    Data,
    Duration,
    FailureRate,
    Fault,
    Form,
    Header,
    JsonOutput,
    LatencyMax,
    LatencyMin,
    Method,
    Output,
    Pattern,
    Processes,
    Profile,
    Quiet,
    ReportFormat,
    Rps,
    Scenario,
    Seed,
    Stage,
    Target,
    Threshold,
    Tier,
    Timeout,
    TlsCa,
    TlsCert,
    TlsInsecure,
    TlsKey,
    WantsReport,
    Workers,
)
from sprint.cli.loadtest_signals import StopSignals
from sprint.cli.options import ConfigFile

if TYPE_CHECKING:
    from sprint.core.loadtest.report import Report
    from sprint.tools.loadtest.options import LoadOptions

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

# \b tells click to keep the lines of the examples as they are.
HELP = """Load a target at a steady rate, whatever its answers do, and say how it held.

Without --target it loads the breaker of a tier around a simulated service, in process. Exit 0: all
thresholds met, 1: one was not, 2: wrong use, 3: it could not run.

\b
sprint cb-loadtest --rps 1000
sprint cb-loadtest --target http://localhost:8080 --rps 1000 --duration 300s
sprint cb-loadtest --target demo --threshold 'p99<50ms' --threshold 'error_rate<0.1%'
sprint cb-loadtest --chaos --failure-rate 0.1 --tier BUSINESS
sprint cb-loadtest --report --format json --output results.json
"""


@app.command("cb-loadtest", help=HELP)
def cb_loadtest(
    target: Target = None,
    profile: Profile = None,
    rps: Rps = None,
    duration: Duration = None,
    stage: Stage = None,
    pattern: Pattern = None,
    scenario: Scenario = None,
    workers: Workers = None,
    processes: Processes = None,
    method: Method = None,
    header: Header = None,
    data: Data = None,
    timeout: Timeout = None,
    connections: Connections = None,
    failure_rate: FailureRate = None,
    latency_min: LatencyMin = None,
    latency_max: LatencyMax = None,
    tier: Tier = None,
    chaos: Chaos = None,
    fault: Fault = None,
    threshold: Threshold = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_insecure: TlsInsecure = None,
    seed: Seed = None,
    config: ConfigFile = None,
    report: WantsReport = False,
    form: Form = None,
    output: Output = None,
    compare: Compare = None,
    json_output: JsonOutput = False,
    quiet: Quiet = False,
) -> None:
    """Load a target at a steady rate, whatever its answers do, and say how it held."""
    # Every option is looked up by its name: those of the load are laid over what a file says.
    given = dict(locals())
    with exits.errors_end_the_command():
        flags = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in given.items()
            if name not in _OF_THE_REPORT
        }
        # A switch that was not given says nothing, so that the file's word holds.
        flags |= dict.fromkeys((name for name, value in flags.items() if value is False), None)
        code = _run(flags, config, Reporting(form, output, compare, json_output=json_output, quiet=quiet))
    raise typer.Exit(code)


_OF_THE_REPORT = ("config", "report", "form", "output", "compare", "json_output", "quiet")


class Reporting:
    """Where the report goes and in which form."""

    def __init__(
        self,
        form: ReportFormat | None,
        output: Path | None,
        compare: Path | None,
        *,
        json_output: bool,
        quiet: bool,
    ) -> None:
        self.output = output
        self.compare = compare
        self.quiet = quiet
        by_suffix = output.suffix.lower().lstrip(".") if output is not None else ""
        known = {each.value for each in ReportFormat}
        default = by_suffix if by_suffix in known else ReportFormat.CONSOLE.value
        self.form = form.value if form is not None else default
        if json_output and output is None:
            self.form = ReportFormat.JSON.value
        self.json_too = json_output and output is not None
        self.said: list[str] = []  # on stderr, while it ran

    def told_already(self, note: str) -> bool:
        """Whether who reads stdout has read a note on stderr: both lead to one terminal, pipe or file."""
        return note in self.said and _is_one_file(sys.stdout, sys.stderr)


def _run(flags: dict[str, Any], config: Path | None, reporting: Reporting) -> int:
    from sprint.core.errors import ConfigError
    from sprint.core.loadtest.report import decode_report
    from sprint.tools.loadtest.given import given_of

    options = _options(given_of(config, flags))
    earlier = None
    if reporting.compare is not None:
        try:
            earlier = decode_report(reporting.compare.read_bytes(), str(reporting.compare))
        except OSError as error:
            raise ConfigError(f"--compare {reporting.compare}: {error.strerror or error}") from error
    if reporting.output is not None and not reporting.output.parent.is_dir():
        raise ConfigError(f"--output {reporting.output}: there is no folder {reporting.output.parent}")
    with StopSignals() as signals:
        made = _load(options, reporting, signals)
        return _tell(made, earlier, reporting)


def _options(given: Any) -> LoadOptions:
    from sprint.core.relay.tiers import find_tier, parse_tiers
    from sprint.tools.breaker import packaged_policies
    from sprint.tools.loadtest.given import options_of
    from sprint.tools.relay.config_file import packaged_tiers_text

    tier = find_tier(parse_tiers(packaged_tiers_text()), given.tier).name
    return options_of(given, tier, packaged_policies()[tier], cpus=os.cpu_count() or 1)


def _load(options: LoadOptions, reporting: Reporting, signals: StopSignals) -> Report:
    import asyncio

    from sprint.cli.status_line import is_wanted
    from sprint.tools.loadtest.load_test import LoadTest
    from sprint.tools.runtime import run, set_up_logging

    # What goes wrong is told in the report; parts that log otherwise would write into the live display.
    set_up_logging("text", "error")

    def said(line: str) -> None:
        if not reporting.quiet:
            print(line, file=sys.stderr, flush=True)
            reporting.said.append(line)

    async def main() -> Report:
        test = LoadTest(options, said)
        loop = asyncio.get_running_loop()
        signals.hand_to(lambda: loop.call_soon_threadsafe(test.stop))
        try:
            if reporting.quiet or not is_wanted(sys.stderr, os.environ):
                return await test.run()
            from sprint.tools.loadtest.display import shown_live

            async with shown_live(test, options.plan):
                return await test.run()
        finally:
            # The loop closes next; a signal from here on is one that comes while the report is made.
            signals.shield_the_report()

    return run(main())


def _tell(made: Report, earlier: Report | None, reporting: Reporting) -> int:
    from msgspec import structs
    from rich.console import Console

    from sprint.core.loadtest.compare import compare
    from sprint.core.loadtest.report import encode_report
    from sprint.tools.loadtest.reports import CONSOLE, file_of
    from sprint.tools.loadtest.reports.console import print_report, text_of

    comparison = None if earlier is None else compare(earlier, made)
    if reporting.output is not None:
        is_text = reporting.form == CONSOLE
        _write(
            reporting.output,
            text_of(made, comparison).encode() if is_text else file_of(reporting.form, made, comparison),
        )
    elif reporting.form != CONSOLE:
        sys.stdout.buffer.write(file_of(reporting.form, made, comparison))
    if reporting.json_too:
        sys.stdout.buffer.write(encode_report(made))
    elif not reporting.quiet and (reporting.form == CONSOLE or reporting.output is not None):
        notes = tuple(note for note in made.notes if not reporting.told_already(note))
        print_report(structs.replace(made, notes=notes), Console(), comparison)
    return made.exit_code


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all: what stood there stays until the new one is complete."""
    if file.exists() and not file.is_file():
        file.write_bytes(data)  # as /dev/stdout, which nothing can take the place of
        return
    target = file.resolve()
    part = target.with_name(f".{target.name}.part-{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _is_one_file(one: IO[str], other: IO[str]) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False  # one of them is no file


def run() -> None:
    """Run the command line; the console script `cb-loadtest`."""
    exits.open_standard_streams()
    app()
