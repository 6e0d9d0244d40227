"""The forms of a run's result, all made of the one record of `core.chaos.result`."""

from __future__ import annotations

from collections.abc import Callable

from sprint.core.chaos.chaos_toolkit_journal import encode_journal
from sprint.core.chaos.result import Result, encode_result
from sprint.core.errors import ConfigError
from sprint.tools.chaos.reports.html_page import html_of

CONSOLE = "console"


def _html_of(result: Result) -> bytes:
    return html_of(result).encode()


_FILES: dict[str, Callable[[Result], bytes]] = {
    "json": encode_result,
    "html": _html_of,
    "chaostoolkit": encode_journal,
}
FORMATS = (CONSOLE, *_FILES)


def file_of(form: str, result: Result) -> bytes:
    """Return a result as the bytes of a file. The console's is `console.print_result`."""
    if form not in _FILES:
        raise ConfigError(f"--format {form!r}: it is one of {', '.join(FORMATS)}")
    return _FILES[form](result)
