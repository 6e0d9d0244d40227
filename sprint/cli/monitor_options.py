"""The options of `sprint cb-monitor`. None is the value of one that was not given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[NAME=]URL",
        help="A relay's admin URL; may be repeated (http://127.0.0.1:8081, else a demo).",
    ),
]
Tier = Annotated[str | None, typer.Option(help="Whose policies the demo has, in any case (business).")]
Interval = Annotated[
    str | None, typer.Option(help="How often relays are asked for health and sources, 1s to 5m (5s).")
]
Terminal = Annotated[bool, typer.Option("--tui", help="The terminal, also beside --port.")]
Host = Annotated[
    str | None, typer.Option(help="Address to serve on; off loopback with a key and TLS (127.0.0.1).")
]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Serve page and API there (8090 without a terminal).")
]
Dashboard = Annotated[bool, typer.Option("--dashboard", help="Serve, and open the page in a browser.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="What happens as lines of JSON on stdout.")]
Once = Annotated[bool, typer.Option("--once", help="Print how all is now, and end.")]
ReadOnly = Annotated[
    bool | None, typer.Option("--read-only", help="Change nothing: orders and figures are refused.")
]
Record = Annotated[Path | None, typer.Option(metavar="FILE", help="Write what happens to a new file.")]
Replay = Annotated[Path | None, typer.Option(metavar="FILE", help="Show what --record wrote.")]
TlsCa = Annotated[str | None, typer.Option("--tls-ca", help="Certificates to trust, of relays at https://.")]
TlsCert = Annotated[
    str | None, typer.Option("--tls-cert", help="Our certificate: served with, and shown to relays.")
]
TlsKey = Annotated[str | None, typer.Option("--tls-key", help="And its key.")]
Alerts = Annotated[
    bool, typer.Option("--alerts", help="Raise alerts; also by --webhook or [monitor.alerts].")
]
Webhook = Annotated[list[str] | None, typer.Option(metavar="URL", help="Post alerts there; may be repeated.")]
WebhookSecretFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Sign what is posted by the secret in its first line.")
]
SlackUrlFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Post alerts to Slack, by the incoming webhook in it.")
]
TeamsUrlFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Post alerts to Teams, by the workflow's URL in it.")
]
PagerDutyKeyFile = Annotated[
    str | None,
    typer.Option("--pagerduty-key-file", metavar="FILE", help="Page by PagerDuty, by the routing key in it."),
]
AlertsFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Where alerts are kept until they are sent.")
]
TestAlert = Annotated[bool, typer.Option("--test-alert", help="Send a test to each sink, and end.")]
