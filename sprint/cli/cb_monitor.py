"""`sprint cb-monitor`, also installed as `cb-monitor`: breakers on a terminal, a page, or as lines."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import IO, TYPE_CHECKING, Any

import typer

from sprint.cli import exits
from sprint.cli.monitor_options import (
    Alerts,
    AlertsFile,
    Dashboard,
    Host,
    Interval,
    JsonOutput,
    Once,
    PagerDutyKeyFile,
    Port,
    ReadOnly,
    Record,
    Replay,
    SlackUrlFile,
    Target,
    TeamsUrlFile,
    Terminal,
    TestAlert,
    Tier,
    TlsCa,
    TlsCert,
    TlsKey,
    Webhook,
    WebhookSecretFile,
)
from sprint.cli.options import ConfigFile
from sprint.core.errors import ConfigError

if TYPE_CHECKING:
    from sprint.tools.monitor.given import Given
    from sprint.tools.monitor.running import Faces

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)

# \b tells click to keep the lines of the examples as they are.
HELP = """Show the breakers of relays live, and tell them what to do.

On a terminal it opens there; with --port or --dashboard it serves a page and an API. Without --target it
watches the relay on this machine, or a demo where there is none. Exit 0: ended, 2: wrong use, 3: it could
not run.

\b
sprint cb-monitor
sprint cb-monitor --dashboard
sprint cb-monitor --port 8090 --target main=http://127.0.0.1:8081 --target http://127.0.0.1:18081
sprint cb-monitor --once
sprint cb-monitor --json | jq -r 'select(.type == "transition") | .transition.breaker'
sprint cb-monitor --port 8090 --alerts --webhook https://example.org/alerts
sprint cb-monitor --record monday.ndjson; sprint cb-monitor --replay monday.ndjson
"""
_SECRETS = ("webhook_secret_file", "slack_url_file", "teams_url_file", "pagerduty_key_file")
_FACES = ("port", "host", "dashboard", "terminal", "record", "replay")
_RAISING = ("alerts", "webhook", *_SECRETS, "alerts_file")
# Options by their parameters, where they have another name.
_OPTIONS = {"terminal": "--tui", "json_output": "--json"}
# What does one thing only, and what says nothing beside it.
_ALONE = (
    ("test_alert", "sends a test and ends", (*_FACES, "json_output", "once", "target")),
    ("once", "prints and ends", (*_FACES, *_RAISING)),
    ("replay", "shows a file of what was", ("target", "record", *_RAISING)),
)
_FLAGS = ("target", "tier", "interval", "read_only", "tls_ca", "tls_cert", "tls_key")


@app.command("cb-monitor", help=HELP)
def cb_monitor(
    target: Target = None,
    port: Port = None,
    host: Host = None,
    dashboard: Dashboard = False,
    terminal: Terminal = False,
    json_output: JsonOutput = False,
    once: Once = False,
    read_only: ReadOnly = None,
    record: Record = None,
    replay: Replay = None,
    tier: Tier = None,
    interval: Interval = None,
    config: ConfigFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    alerts: Alerts = False,
    webhook: Webhook = None,
    webhook_secret_file: WebhookSecretFile = None,
    slack_url_file: SlackUrlFile = None,
    teams_url_file: TeamsUrlFile = None,
    pagerduty_key_file: PagerDutyKeyFile = None,
    alerts_file: AlertsFile = None,
    test_alert: TestAlert = False,
) -> None:
    """Show the breakers of relays live, and tell them what to do."""
    # Every option is looked up by its name: those of a file's section are laid under what is given here.
    asked = dict(locals())
    with exits.errors_end_the_command():
        code = _do(asked)
    raise typer.Exit(code)


def _do(asked: dict[str, Any]) -> int:
    """Do what the options ask for; return the exit code."""
    from sprint.tools.command_file import given_of
    from sprint.tools.monitor.given import Given
    from sprint.tools.runtime import run

    _check(asked)
    flags = {name: asked[name] for name in _FLAGS}
    if flags["target"] is not None:
        flags["target"] = tuple(flags["target"])
    given = _with_alerts(given_of(Given, "monitor", asked["config"], flags), asked)
    if asked["test_alert"]:
        return run(_test_alert(given))
    return run(_once(given, asked) if asked["once"] else _show(given, asked))


def _check(asked: dict[str, Any]) -> None:
    """Refuse options that say nothing together: one that is passed over is taken for one that works."""
    for name, does, without in _ALONE:
        beside = [
            _OPTIONS.get(each, f"--{each.replace('_', '-')}") for each in without if _is_said(asked[each])
        ]
        if _is_said(asked[name]) and beside:
            raise ConfigError(f"--{name.replace('_', '-')} {does}: leave out {', '.join(beside)}")
    if asked["terminal"] and asked["json_output"]:
        raise ConfigError("--tui and --json both want stdout; leave out one of them")


def _is_said(value: object) -> bool:
    """Tell whether an option is on the command line; port 0 is one."""
    return value is not None and value is not False and value != []


def _with_alerts(given: Given, asked: dict[str, Any]) -> Given:
    """Lay the flags of alerts over `[monitor.alerts]`; each of them has alerts raised."""
    from msgspec.structs import replace

    from sprint.tools.monitor.alerts_given import AlertsGiven

    flags = {
        "webhook": tuple(asked["webhook"] or ()),
        **{name: asked[name] for name in _SECRETS},
        "file": asked["alerts_file"],
    }
    flags = {name: value for name, value in flags.items() if value}
    if not (flags or asked["alerts"] or given.alerts):
        return given
    return replace(given, alerts=replace(given.alerts or AlertsGiven(), **flags))


async def _test_alert(given: Given) -> int:
    """Send a test to each sink; exit 3 where one doesn't confirm it."""
    from sprint.tools.monitor.alerts_given import AlertsGiven, plan_of, sinks_of
    from sprint.tools.monitor.trial_alert import send_test

    alerts = given.alerts or AlertsGiven()
    sinks = sinks_of(alerts)
    plan_of(alerts, sinks)  # what is wrong with rules and routes is said now, not at the first start
    if not sinks:
        raise ConfigError("--test-alert: no sink; give --webhook URL, or [monitor.alerts] in a --config")
    results = await send_test(sinks)
    for sink, failure in results:
        _say(f"{sink}: {f'failed: {failure}' if failure else 'confirmed'}")
    return exits.COULD_NOT_RUN if any(failure for _, failure in results) else exits.DONE


async def _once(given: Given, asked: dict[str, Any]) -> int:
    """Print how all is now."""
    import json
    import shutil

    from sprint.core.monitor.summary import summary_lines
    from sprint.tools.monitor.given import options_of
    from sprint.tools.monitor.running import once, watching
    from sprint.tools.runtime import set_up_logging

    set_up_logging("text", "error")
    async with watching(options_of(given), _say) as monitor:
        told = await once(monitor)
        if asked["json_output"]:
            print(json.dumps(told))
        else:
            ascii_only = "utf" not in (sys.stdout.encoding or "").casefold()
            width = shutil.get_terminal_size().columns
            lines = summary_lines(monitor.board, monitor.now(), width=width, ascii_only=ascii_only)
            print("\n".join(lines))
    return exits.DONE


async def _show(given: Given, asked: dict[str, Any]) -> int:
    """Show it until it is told to end."""
    from sprint.tools.monitor.alerts_given import alerting
    from sprint.tools.monitor.given import options_of
    from sprint.tools.monitor.running import replaying, show, watching
    from sprint.tools.runtime import set_up_logging

    options = options_of(given)
    faces = _faces(given, asked)
    # What the terminal shows must not be written over; the page and it say which relay is lost.
    set_up_logging("text", "error" if faces.terminal else "warning")
    opened = watching(options, _say) if asked["replay"] is None else replaying(asked["replay"], _say)
    with contextlib.closing(faces):
        alerts = given.alerts if asked["replay"] is None else None
        async with opened as monitor, alerting(monitor, alerts, _say):
            return await show(monitor, faces, _say)


def _faces(given: Given, asked: dict[str, Any]) -> Faces:
    """Return what shows the monitor; the port is taken and a recording's file made before anything else."""
    from sprint.tools.monitor.recording import new_recording
    from sprint.tools.monitor.running import Faces
    from sprint.tools.monitor.service import KEY_VARIABLE, PORT_DEFAULT
    from sprint.tools.net import bind
    from sprint.tools.web.access import access_of

    served = asked["port"] is not None or asked["dashboard"]
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    terminal = asked["terminal"] or (on_terminal and not served and not asked["json_output"])
    served = served or not (terminal or asked["json_output"] or asked["record"])
    port = PORT_DEFAULT if asked["port"] is None else asked["port"]
    key = os.environ.get(KEY_VARIABLE, "") if served else ""
    access = access_of(
        asked["host"] or "127.0.0.1", key, given.tls_cert, given.tls_key, variable=KEY_VARIABLE
    )
    return Faces(
        bound=bind(access.host, port, off_loopback=True) if served else None,
        access=access,
        lines=_stdout() if asked["json_output"] else None,
        recording=None if asked["record"] is None else new_recording(asked["record"]),
        terminal=_terminal() if terminal else None,
        opens=_open_page if asked["dashboard"] else None,
    )


def _terminal() -> Any:
    from sprint.tools.monitor.tui.opening import run_tui

    return run_tui


def _stdout() -> IO[bytes]:
    return sys.stdout.buffer


def _open_page(url: str) -> None:
    """Open the page where there is a browser; its address was said in any case."""
    import webbrowser

    webbrowser.open(url)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run() -> None:
    """Run the command line; the console script `cb-monitor`."""
    exits.open_standard_streams()
    app()
