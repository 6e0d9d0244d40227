"""The files that results go into: one for one result; of several JSON is an array, a page each its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sprint.core.chaos.result import Result
from sprint.tools.chaos.reports import CONSOLE, file_of
from sprint.tools.chaos.reports.console import text_of


def files_of(form: str, results: Sequence[Result], output: Path) -> list[tuple[Path, bytes]]:
    """Return paths and contents; of several pages the experiment's name stands in the file's."""
    if form == CONSOLE:
        return [(output, "\n".join(text_of(result) for result in results).encode())]
    made = [file_of(form, result) for result in results]
    if len(results) == 1:
        return [(output, made[0])]
    if form == "json":
        return [(output, b"[\n" + b",\n".join(each.rstrip(b"\n") for each in made) + b"\n]\n")]
    names = [Path(result.experiment).stem for result in results]
    return [
        (output.with_name(f"{output.stem}-{name}{output.suffix}"), each)
        for name, each in zip(names, made, strict=True)
    ]
