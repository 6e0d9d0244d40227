"""Where results of `sprint cb-chaos` go, and in which form: a file, stdout, or both."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sprint.cli.whole_file import check_writable, write_whole
from sprint.core.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from sprint.core.chaos.result import Result

CONSOLE, JSON, HTML = "console", "json", "html"
_BY_SUFFIX = {".json": JSON, ".html": HTML, ".htm": HTML, ".txt": CONSOLE, ".log": CONSOLE, "": CONSOLE}


class Output:
    """Tells results. `several`: more than one experiment was asked for, so JSON is a list in any case."""

    def __init__(self, asked: Mapping[str, Any], *, several: bool, comes_again: bool) -> None:
        form = asked["form"]
        self._file: Path | None = asked["output"]
        self._several = several
        self._comes_again = comes_again
        self._quiet: bool = asked["quiet"]
        suffix = "" if self._file is None else self._file.suffix.lower()
        if form is None and suffix not in _BY_SUFFIX:
            known = ", ".join(filter(None, _BY_SUFFIX))
            raise ConfigError(
                f"--output {self._file}: no form goes by {suffix}, but by {known}; or by --format"
            )
        self._file_form = str(form) if form is not None else _BY_SUFFIX[suffix]
        self._stdout_form = self._of_stdout(asked["json_output"], form)
        if self._file is not None:
            check_writable(self._file, "--output")
        if several and self._stdout_form == HTML:
            raise ConfigError("--format html: each experiment has a page of its own; name a file by --output")

    def __repr__(self) -> str:
        return f"Output({self._file}: {self._file_form}, stdout: {self._stdout_form})"

    def tell(self, results: Sequence[Result], began: datetime) -> None:
        """Write the results of a campaign that began then, and print them."""
        if self._file is not None:
            self._write(results, self._named(self._file, began))
        if self._stdout_form == CONSOLE:
            _print(results)
        elif self._stdout_form:
            for _, content in self._files(self._stdout_form, results, Path("-")):
                sys.stdout.buffer.write(content)
        sys.stdout.flush()

    def _of_stdout(self, json_output: bool, form: Any) -> str:
        if json_output:
            return JSON
        if self._file is None:
            return CONSOLE if form is None else str(form)
        return "" if self._quiet else CONSOLE

    def _write(self, results: Sequence[Result], file: Path) -> None:
        for path, content in self._files(self._file_form, results, file):
            write_whole(path, content)

    def _files(self, form: str, results: Sequence[Result], file: Path) -> list[tuple[Path, bytes]]:
        from sprint.tools.chaos.result_files import files_of

        return files_of(form, results, file, several=self._several)

    def _named(self, file: Path, began: datetime) -> Path:
        """Return the file of one run of a schedule: each has its own, named by when it began."""
        if not self._comes_again:
            return file
        return file.with_name(f"{file.stem}-{began:%Y%m%dT%H%M%S%z}{file.suffix}")


def _print(results: Sequence[Result]) -> None:
    from rich.console import Console

    from sprint.tools.chaos.reports.console import print_result, print_summary

    class Stdout(Console):
        """A console that lets whoever prints decide what follows where nobody reads: it would end with 1."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    console = Stdout()
    for result in results:
        print_result(result, console)
        console.print()
    if len(results) > 1:
        print_summary(results, console)


def stdout_goes_nowhere() -> None:
    """Let what is still to be printed go nowhere: who read it has gone, and the exit code is to stand."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
