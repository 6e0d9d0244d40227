"""Where the report of `sprint cb-loadtest` goes and in which form: checked before the run, done after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sprint.cli import exits
from sprint.cli.loadtest_options import ReportFormat
from sprint.cli.whole_file import check_writable, write_whole

if TYPE_CHECKING:
    from sprint.core.loadtest.compare import Comparison
    from sprint.core.loadtest.report import Report

_FORM_OF_SUFFIX = {
    ".json": ReportFormat.JSON,
    ".html": ReportFormat.HTML,
    ".htm": ReportFormat.HTML,
    ".csv": ReportFormat.CSV,
}
_SUFFIXES_OF_TEXT = ("", ".txt", ".text", ".log")


class Reporting:
    """Where the report goes and in which form. `said` is what stood on stderr while it ran."""

    def __init__(
        self,
        form: ReportFormat | None,
        output: Path | None,
        compare: Path | None,
        *,
        json_output: bool,
        quiet: bool,
    ) -> None:
        self.output = output
        self.compare = compare
        self.quiet = quiet
        self._suffix = output.suffix.lower() if output is not None else ""
        self._form = form or _FORM_OF_SUFFIX.get(self._suffix, ReportFormat.CONSOLE)
        self._suffix_is_unknown = form is None and self._suffix not in {*_FORM_OF_SUFFIX, *_SUFFIXES_OF_TEXT}
        if json_output and output is None:
            self._form = ReportFormat.JSON
        self._json_too = json_output and output is not None
        self.said: list[str] = []

    def check(self) -> None:
        """Refuse a place where no report can be written: found after the run, it would cost the report."""
        if self.output is None:
            return
        check_writable(self.output, "--output")
        if self._suffix_is_unknown:
            self.say(
                f"--output {self.output}: nothing is known of {self._suffix}, it is written as text; "
                "--format says another form"
            )

    def say(self, line: str) -> None:
        """Tell a person something on stderr, unless they want none of it."""
        if not self.quiet:
            print(line, file=sys.stderr, flush=True)
            self.said.append(line)

    def tell(self, made: Report, comparison: Comparison | None) -> int:
        """Write the report where it goes; return the exit code. What can't be written there is printed."""
        code = made.exit_code
        is_printed = not self.quiet if self.output is not None else self._form is ReportFormat.CONSOLE
        if self.output is not None:
            try:
                write_whole(self.output, _encoded(self._form, made, comparison))
            except OSError as error:
                print(f"error: --output {self.output}: {error}; the report is on stdout", file=sys.stderr)
                code, is_printed = exits.COULD_NOT_RUN, True
        elif self._form is not ReportFormat.CONSOLE:
            sys.stdout.buffer.write(_encoded(self._form, made, comparison))
        if self._json_too:
            sys.stdout.buffer.write(_encoded(ReportFormat.JSON, made, None))
        elif is_printed and not (self.quiet and self.output is None):
            self._print(made, comparison)
        return code

    def _print(self, made: Report, comparison: Comparison | None) -> None:
        from msgspec import structs
        from rich.console import Console

        from sprint.tools.loadtest.reports.console import print_report

        notes = tuple(note for note in made.notes if not self._was_told(note))
        print_report(structs.replace(made, notes=notes), Console(), comparison)

    def _was_told(self, note: str) -> bool:
        """Whether who reads stdout has read a note on stderr: both lead to one terminal, pipe or file."""
        return note in self.said and _is_one_file(sys.stdout, sys.stderr)


def _encoded(form: ReportFormat, made: Report, comparison: Comparison | None) -> bytes:
    from sprint.tools.loadtest.reports import file_of
    from sprint.tools.loadtest.reports.console import text_of

    if form is ReportFormat.CONSOLE:
        return text_of(made, comparison).encode()
    return file_of(form.value, made, comparison)


def _is_one_file(one: IO[str], other: IO[str]) -> bool:
    try:
        return os.path.sameopenfile(one.fileno(), other.fileno())
    except (OSError, ValueError):
        return False  # one of them is no file
