"""The options of `sprint migrate`'s verbs. None is the value of one that was not given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[
    str | None,
    typer.Option(metavar="URL", help="postgresql://…, sqlite:///… or a path (the embedded store)."),
]
DataDir = Annotated[Path | None, typer.Option(metavar="DIR", help="The embedded store in this folder.")]
Folder = Annotated[
    Path | None,
    typer.Option("--dir", metavar="DIR", help="SQL files in DIR/sqlite, DIR/postgres (Sprint's own)."),
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UpTo = Annotated[int | None, typer.Option("--to", metavar="VERSION", min=0, help="Up to this one (newest).")]
DownTo = Annotated[
    int | None,
    typer.Option("--to", metavar="VERSION", min=0, help="Down to this one; 0 is empty (one less)."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be run; change nothing.")]
Wait = Annotated[
    str | None, typer.Option("--wait", metavar="TIME", help="How long to wait for another migrator (30s).")
]
LockTimeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long a statement waits for a table, PostgreSQL (5s).")
]
ShadowUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="An empty PostgreSQL database to replay into (a new one).")
]
Sql = Annotated[bool, typer.Option("--sql", help="Print the statements too.")]
AcceptEdited = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Take this edited file as it is now; may be repeated."),
]
NewLog = Annotated[
    bool, typer.Option("--new-log", help="End the log: after any restore, before a relay starts.")
]
