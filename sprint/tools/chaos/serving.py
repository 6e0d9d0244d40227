"""The server mode, wired: campaigns made of what requests ask for, until the process is told to end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sprint.core.errors import ConfigError
from sprint.tools.chaos.campaign import Campaign
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.journal_file import default_folder
from sprint.tools.chaos.listing import listed
from sprint.tools.chaos.rollback import rollback
from sprint.tools.chaos.server import ChaosServer, serve_chaos
from sprint.tools.runtime import StopSignal

PORT_DEFAULT = 8091
# What a request may say; what decides whom the server may touch is the business of who started it.
ASKED = ("experiment", "duration", "source", "figure", "seed", "validate", "recovery_sla", "max_blast_radius")


async def serve_until_stopped(
    given: Given, bound: socket.socket, key: str, say: Callable[[str], None]
) -> int:
    """Serve until SIGTERM or SIGINT; what a run has put on has come off then. Returns the exit code."""
    stop = StopSignal()
    stop.install()
    folder = Path(given.journal_dir) if given.journal_dir else default_folder()

    def halt() -> list[str]:
        return [each.run for each in rollback(folder, halt=True)]

    def make(asked: dict[str, Any], tell: Callable[[str, str], None]) -> Campaign:
        return Campaign(options_of(_laid_over(given, asked)), tell)

    server = ChaosServer(make, listed, halt, key)
    async with contextlib.AsyncExitStack() as stack:
        listener = await serve_chaos(server, bound, bound.getsockname()[0])
        stack.push_async_callback(listener.stop)
        stack.push_async_callback(server.stop)
        target = given.target or "an embedded relay for each run"
        say(f"cb-chaos serves at {listener.url}; it tries {target}")
        await stop.wait()
    return stop.exit_code


def _laid_over(given: Given, asked: dict[str, Any]) -> Given:
    """Lay what a request asks for over what the server was started with."""
    unknown = [key for key in asked if key not in ASKED]
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: not for a request; it takes {', '.join(ASKED)}")
    fields = dict(asked)
    for name in ("experiment", "source", "figure"):
        if isinstance(fields.get(name), str):
            fields[name] = [fields[name]]
    try:
        return msgspec.convert({**msgspec.to_builtins(given), **fields}, Given)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from error
