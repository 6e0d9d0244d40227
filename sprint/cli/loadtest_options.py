"""The options of `sprint cb-loadtest`. None is the value of one that was not given."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ReportFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"
    HTML = "html"
    CSV = "csv"


Target = Annotated[
    str | None, typer.Option(metavar="URL", help="http(s)://…, ws(s)://…, or `demo`: an embedded relay.")
]
Profile = Annotated[str | None, typer.Option(help="`relay`: a mix of a relay's requests.")]
Rps = Annotated[int | None, typer.Option(help="Requests a second, 1 to 200,000 (1000).")]
Duration = Annotated[str | None, typer.Option(help="1s to 24h (30s).")]
Stage = Annotated[list[str] | None, typer.Option(metavar="DURATION:RPS", help="As 30s:100; may be repeated.")]
Pattern = Annotated[str | None, typer.Option(help="sustained, ramp, spike or step.")]
Scenario = Annotated[str | None, typer.Option(help="standard, spike, gradual-failure or recovery.")]
Workers = Annotated[int | None, typer.Option(help="Requests at a time, up to 10,000.")]
Processes = Annotated[int | None, typer.Option(help="Generator processes (by the rate).")]
Method = Annotated[str | None, typer.Option(help="GET, or POST with --data.")]
Header = Annotated[list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="A header; may be repeated.")]
Data = Annotated[str | None, typer.Option(help="The body; {n}, {uuid} and {random} are filled in.")]
Timeout = Annotated[str | None, typer.Option(help="How long an answer may take (10s).")]
Connections = Annotated[int | None, typer.Option(help="Hold so many WebSockets and measure what comes.")]
FailureRate = Annotated[float | None, typer.Option(help="Share of calls that fail, 0 to 1.")]
LatencyMin = Annotated[float | None, typer.Option(help="Of the simulated service, in ms (1).")]
LatencyMax = Annotated[float | None, typer.Option(help="Of the simulated service, in ms (20).")]
Tier = Annotated[str | None, typer.Option(help="Whose breaker, in any case (business).")]
Chaos = Annotated[bool | None, typer.Option("--chaos", help="Faults between us and the target.")]
Fault = Annotated[
    list[str] | None,
    typer.Option(metavar="KIND:KEY=VALUE", help="As latency:latency_ms=200; may be repeated."),
]
Threshold = Annotated[
    list[str] | None, typer.Option(metavar="'p99<50ms'", help="What has to hold; may be repeated.")
]
TlsCa = Annotated[str | None, typer.Option("--tls-ca", help="Certificates to trust.")]
TlsCert = Annotated[str | None, typer.Option("--tls-cert", help="Our own certificate.")]
TlsKey = Annotated[str | None, typer.Option("--tls-key", help="And its key.")]
TlsInsecure = Annotated[bool | None, typer.Option("--tls-insecure", help="Trust any.")]
Seed = Annotated[int | None, typer.Option(help="Of the simulated service and of faults (0).")]
WantsReport = Annotated[bool, typer.Option("--report", help="Print the report; done in any case.")]
Form = Annotated[ReportFormat | None, typer.Option("--format", help="console, json, html or csv (console).")]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report there.")]
Compare = Annotated[
    Path | None, typer.Option(metavar="FILE", help="An earlier report in JSON to compare with.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No live display, no notes.")]
