"""`sprint cb-loadtest`, also installed as `cb-loadtest`: options in, a run, its report out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sprint.cli.loadtest_reporting import Reporting
from sprint.cli.loadtest_signals import StopSignals
from sprint.cli.options import ConfigFile

if TYPE_CHECKING:
    from sprint.core.loadtest.compare import Comparison
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


def _run(flags: dict[str, Any], config: Path | None, reporting: Reporting) -> int:
    with StopSignals() as signals:
        options = _options(flags, config)
        earlier = _earlier(reporting.compare)
        reporting.check()
        made = _load(options, reporting, signals)
        return reporting.tell(made, _compared(earlier, made))


def _earlier(file: Path | None) -> Report | None:
    from sprint.core.errors import ConfigError
    from sprint.core.loadtest.report import decode_report

    if file is None:
        return None
    try:
        return decode_report(file.read_bytes(), str(file))
    except OSError as error:
        raise ConfigError(f"--compare {file}: {error.strerror or error}") from error


def _compared(earlier: Report | None, made: Report) -> Comparison | None:
    from sprint.core.loadtest.compare import compare

    return None if earlier is None else compare(earlier, made)


def _options(flags: dict[str, Any], config: Path | None) -> LoadOptions:
    from sprint.core.relay.tiers import find_tier, parse_tiers
    from sprint.tools.breaker import packaged_policies
    from sprint.tools.command_file import given_of
    from sprint.tools.loadtest.given import SECTION, TIER_DEFAULT, Given, options_of
    from sprint.tools.loadtest.processors import usable_processors
    from sprint.tools.relay.config_file import packaged_tiers_text

    given = given_of(Given, SECTION, config, flags)
    tier = find_tier(parse_tiers(packaged_tiers_text()), given.tier or TIER_DEFAULT).name
    return options_of(given, tier, packaged_policies()[tier], cpus=usable_processors())


def _load(options: LoadOptions, reporting: Reporting, signals: StopSignals) -> Report:
    import asyncio

    from sprint.cli.status_line import is_wanted
    from sprint.tools.loadtest.load_test import LoadTest
    from sprint.tools.loadtest.priority import make_way
    from sprint.tools.runtime import run, set_up_logging

    # What goes wrong is told in the report; parts that log otherwise would write into the live display.
    set_up_logging("text", "error")

    async def main() -> Report:
        test = LoadTest(options, reporting.say, begun=make_way)
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


def run() -> None:
    """Run the command line; the console script `cb-loadtest`."""
    exits.open_standard_streams()
    app()
