"""The files that results go into: JSON of several is an array, a page each its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sprint.core.chaos.result import Result
from sprint.tools.chaos.reports import CONSOLE, file_of
from sprint.tools.chaos.reports.console import text_of


def files_of(
    form: str, results: Sequence[Result], output: Path, *, several: bool = False
) -> list[tuple[Path, bytes]]:
    """Return paths and contents.

    `several`: more than one was asked for, so that JSON is an array even where but one came out, and pages
    have the number and the name of their experiment in their file's name.
    """
    if form == CONSOLE:
        return [(output, "\n".join(text_of(result) for result in results).encode())]
    made = [file_of(form, result) for result in results]
    if len(results) == 1 and not several:
        return [(output, made[0])]
    if form == "html":
        return [
            (output.with_name(f"{output.stem}-{number:02}-{_name(result)}{output.suffix}"), each)
            for number, (result, each) in enumerate(zip(results, made, strict=True), 1)
        ]
    return [(output, b"[\n" + b",\n".join(each.rstrip(b"\n") for each in made) + b"\n]\n")]


def _name(result: Result) -> str:
    return Path(result.experiment).stem
