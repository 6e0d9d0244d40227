"""The options of `sprint optimize`. None is the value of one that was not given."""

from __future__ import annotations

from typing import Annotated

import typer

Level = Annotated[
    str | None,
    typer.Option(metavar="LEVEL", help="basic, standard, aggressive, enterprise or turbo."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A field of the level; may be repeated."),
]
RealtimePriority = Annotated[
    int | None,
    typer.Option(
        "--rt-priority", min=1, max=50, help="Real-time priority, and have it (10 at such a level)."
    ),
]
Pid = Annotated[int | None, typer.Option(metavar="N", min=1, help="A process that runs, from outside.")]
AdminUrl = Annotated[
    str | None, typer.Option("--admin-url", metavar="URL", help="The relay's admin listener (port 8081).")
]
Fallback = Annotated[
    bool, typer.Option("--fallback", help="Where what it requires is refused, take the next lower level.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Fail where anything is refused, and undo all.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be set; change nothing.")]
Save = Annotated[bool, typer.Option("--save", help="Write level and fields into the config file.")]
Irq = Annotated[
    bool, typer.Option("--irq", help="Print how to move the network cards' interrupts off the CPUs used.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Interval = Annotated[str, typer.Option(help="How often it looks, 1s to 1h.")]
Command = Annotated[
    list[str] | None, typer.Argument(metavar="[-- COMMAND …]", help="Start this under the level.")
]

RelayLevel = Annotated[
    str | None,
    typer.Option(
        "--optimize", metavar="LEVEL", help="Tune this process, basic to turbo (the tier's, or standard)."
    ),
]
