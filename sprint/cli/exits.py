"""Exit codes, the same for every command, and how an error ends one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import typer

from sprint.core.errors import ConfigError, SprintError

DONE = 0
NOT_MET = 1
USAGE = 2
COULD_NOT_RUN = 3
INTERRUPTED = 130


@contextlib.contextmanager
def errors_end_the_command() -> Iterator[None]:
    """Print a SprintError to stderr and exit with its code; Ctrl-C exits with 130."""
    try:
        yield
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(USAGE) from error
    except SprintError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(COULD_NOT_RUN) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error
    except BrokenPipeError as error:
        # The reader of our output has gone, as `head` does; nothing more can be said there.
        sys.stderr.close()
        raise typer.Exit(DONE) from error
