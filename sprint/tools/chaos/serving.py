"""The server mode, wired: campaigns made of what requests ask for, until the process is told to end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from sprint.core.errors import ConfigError
from sprint.tools.chaos.campaign import Campaign, is_file
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.journal_file import default_folder
from sprint.tools.chaos.listing import listed
from sprint.tools.chaos.rollback import RolledBack, rollback
from sprint.tools.chaos.server import ChaosServer, serve_chaos
from sprint.tools.runtime import StopSignal
from sprint.tools.web.access import Access
from sprint.tools.web.access import access_of as web_access_of

PORT_DEFAULT = 8091
KEY_VARIABLE = "SPRINT_CHAOS_KEY"
# What a request may say; what decides whom the server may touch is the business of who started it.
ASKED = ("experiment", "duration", "source", "figure", "seed", "validate", "recovery_sla", "max_blast_radius")


def access_of(host: str, key: str, certificate: str, certificate_key: str) -> Access:
    """Check them; ConfigError says what is missing. Off loopback a key and a certificate are needed."""
    return web_access_of(host, key, certificate, certificate_key, variable=KEY_VARIABLE)


async def serve_until_stopped(
    given: Given, bound: socket.socket, access: Access, say: Callable[[str], None]
) -> int:
    """Serve until SIGTERM or SIGINT; what a run has put on has come off then. Returns the exit code."""
    stop = StopSignal()
    stop.install()
    folder = Path(given.journal_dir) if given.journal_dir else default_folder()

    def halt() -> list[RolledBack]:
        return rollback(folder, halt=True)

    def make(asked: dict[str, Any], tell: Callable[[str, str], None]) -> Campaign:
        return Campaign(options_of(laid_over(given, asked)), tell)

    server = ChaosServer(make, listed, halt, access.key)
    async with contextlib.AsyncExitStack() as stack:
        listener = await serve_chaos(server, bound, access.host, access.tls)
        stack.push_async_callback(listener.stop)
        stack.push_async_callback(server.stop)
        target = given.target or "an embedded relay for each run"
        say(f"cb-chaos serves at {listener.url}; it tries {target}")
        await stop.wait()
    return stop.exit_code


def laid_over(given: Given, asked: dict[str, Any]) -> Given:
    """Lay what a request asks for over what the server was started with."""
    unknown = [key for key in asked if key not in ASKED]
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: not for a request; it takes {', '.join(ASKED)}")
    fields = dict(asked)
    for name in ("experiment", "source", "figure"):
        if isinstance(fields.get(name), str):
            fields[name] = [fields[name]]
    if fields.get("experiment") == []:
        raise ConfigError("experiment []: name one, or leave it out for what the server was started with")
    _refuse_files(fields.get("experiment", ()), given)
    try:
        return msgspec.convert({**msgspec.to_builtins(given), **fields}, Given)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from error


def _refuse_files(names: Any, given: Given) -> None:
    """Refuse files but those that the server was started with: a file may name any program to be run."""
    for name in names if isinstance(names, list) else ():
        if isinstance(name, str) and is_file(name) and name not in given.experiment:
            raise ConfigError(
                f"experiment {name[:64]!a}: a file is only run where the server was started with it"
            )
