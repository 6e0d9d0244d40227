"""Exit codes, the same for every command, and how an error ends one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import typer

from sprint.cli.early_interrupt import give_back
from sprint.core.errors import ConfigError, SprintError

DONE = 0
NOT_MET = 1
USAGE = 2
COULD_NOT_RUN = 3
INTERRUPTED = 130
# By their descriptors, with how each is opened.
_STREAMS = {"stdin": "r", "stdout": "w", "stderr": "w"}


@contextlib.contextmanager
def errors_end_the_command() -> Iterator[None]:
    """Print a SprintError to stderr and exit with its code; Ctrl-C exits with 130."""
    give_back()
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
        _give_up_stdout()
        raise typer.Exit(DONE) from error
    except OSError as error:
        _give_up_stdout()
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(COULD_NOT_RUN) from error


def _give_up_stdout() -> None:
    """Let what is still buffered for stdout go nowhere, so that the exit code is not changed at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_standard_streams() -> None:
    """Open what was closed of descriptors 0 to 2, so that no socket and no database takes their place.

    Python has no stream for one that was closed, where all that prints or asks for a terminal wants one.
    """
    for descriptor in range(len(_STREAMS)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for descriptor, (name, mode) in enumerate(_STREAMS.items()):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
