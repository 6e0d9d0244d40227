"""The options of `sprint cb-chaos`. None is the value of one that was not given."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ResultFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"
    HTML = "html"
    CHAOSTOOLKIT = "chaostoolkit"


class MapFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    DOT = "dot"


Experiment = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME|FILE", help="Which; without a name they are listed; may be repeated."),
]
Target = Annotated[str | None, typer.Option(metavar="URL", help="A relay's admin URL; else an embedded one.")]
Stream = Annotated[str | None, typer.Option(metavar="URL", help="A tier of that relay (asked of it).")]
Duration = Annotated[str | None, typer.Option(help="How long the fault lasts, 1s to 1h (20s).")]
Source = Annotated[list[str] | None, typer.Option(metavar="CHAIN:NAME", help="Whom; may be repeated.")]
Figure = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="A figure of the experiment; may be repeated.")
]
Proxy = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE=URL/NAME", help="A fault proxy that is before a source; may be repeated."),
]
Devnet = Annotated[
    list[str] | None, typer.Option(metavar="CHAIN=URL", help="Where a devnet is told its faults.")
]
RelayPid = Annotated[int | None, typer.Option(metavar="PID", help="The relay's process, for process-kill.")]
UpstreamPid = Annotated[list[str] | None, typer.Option(metavar="SOURCE=PID", help="A source's process.")]
DataDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where the relay keeps its log.")]
Packets = Annotated[
    bool | None, typer.Option("--packets", help="Drop packets to its sources by nft; wants root.")
]
Chain = Annotated[
    list[str] | None, typer.Option(metavar="CHAIN", help="Of the embedded relay; may be repeated.")
]
Tier = Annotated[str | None, typer.Option(help="Of the embedded relay, in any case (turbo).")]
Breakers = Annotated[str | None, typer.Option(help="Of the embedded relay: on or shadow (on).")]
Seed = Annotated[int | None, typer.Option(help="Of what is chosen and drawn (0).")]
Validate = Annotated[bool | None, typer.Option("--validate", help="Judge the recovery too.")]
RecoverySla = Annotated[str | None, typer.Option(help="How long recovery may take (5s).")]
BlocksWithin = Annotated[
    str | None,
    typer.Option(help="A steady chain has a block in that time, up to 10m; 0s asks for none (10s)."),
]
MaxBlastRadius = Annotated[
    str | None, typer.Option(metavar="LIMITS", help="As chains=0,sources=1 or 50%; else nothing is done.")
]
Allow = Annotated[list[str] | None, typer.Option(metavar="HOST", help="A target beyond loopback.")]
Beside = Annotated[
    str | None, typer.Option(metavar="URL", help="A second relay's admin URL, left alone, to compare with.")
]
JournalDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where what is on is written down.")]
TlsCert = Annotated[
    str | None, typer.Option("--tls-cert", metavar="FILE", help="Of --serve: its certificate.")
]
TlsKey = Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="And its key.")]
Schedule = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="immediate, periodic, random or cron; by --every or --cron."),
]
Cron = Annotated[str | None, typer.Option(metavar="'0 2 * * *'", help="When, as in a crontab.")]
Every = Annotated[str | None, typer.Option(help="How often; random: on average.")]
Runs = Annotated[int | None, typer.Option(min=1, help="End after so many.")]
Serve = Annotated[bool, typer.Option("--serve", help="Be told over HTTP.")]
Host = Annotated[str | None, typer.Option(help="Of --serve (127.0.0.1).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Of --serve (8091).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done to what.")]
Map = Annotated[MapFormat | None, typer.Option("--map", help="Print what hangs on what: text, json or dot.")]
Rollback = Annotated[bool, typer.Option("--rollback", help="Take off what a killed run left.")]
Halt = Annotated[bool, typer.Option("--halt", help="Stop all runs, and take off what they put on.")]
Export = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the experiment for `chaos run`; do nothing.")
]
Form = Annotated[
    ResultFormat | None, typer.Option("--format", help="console, json, html or chaostoolkit (console).")
]
Output = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result there.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No notes while it runs.")]
