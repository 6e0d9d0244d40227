"""An embedded relay as a child process, for a load that is to meet a real one.

It is `sprint relay --demo` on free ports in a folder of its own, found by the line that says where it serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from sprint.core.errors import SprintError

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
LINE_SIZE_MAX = 64 * 1024
SAID_LENGTH_MAX = 500

_GUARD = (sys.executable, "-m", "sprint.tools.loadtest.guard")
_COMMAND = (sys.executable, "-m", "sprint.cli.main", "relay", "--demo", "--port", "0", "--tier", "turbo")
_OPTIONS = ("--admin-port", "0", "--metrics-port", "0", "--log-format", "json", "--quiet")


class DemoFailed(SprintError):
    """The embedded relay did not come to serve."""

    code = "demo"


class _Listener(msgspec.Struct, frozen=True):
    url: str


class _Serving(msgspec.Struct, frozen=True):
    listeners: tuple[_Listener, ...]


@asynccontextmanager
async def demo_relay() -> AsyncIterator[str]:
    """Run a relay while within; gives its URL. DemoFailed says what the relay said."""
    with tempfile.TemporaryDirectory(prefix="sprint-demo-") as folder, tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *_GUARD,
            *_COMMAND,
            *_OPTIONS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=said,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
            limit=LINE_SIZE_MAX,
        )
        try:
            url = await _url_of(process)
            if url is None:
                said.seek(0)
                told = said.read(SAID_LENGTH_MAX).decode(errors="replace").strip()
                raise DemoFailed(f"the embedded relay does not serve: {told or 'it said nothing'}")
            yield url
        finally:
            await _end(process)


def _environment() -> dict[str, str]:
    """Return the environment without settings for a relay of the user's own."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SPRINT_")}
    # The child stands in a folder of its own, and finds the package where this process has it.
    return ours | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


async def _url_of(process: asyncio.subprocess.Process) -> str | None:
    if process.stdout is None:
        return None
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            line = await process.stdout.readline()
        return msgspec.json.decode(line, type=_Serving).listeners[0].url
    except (TimeoutError, ValueError, msgspec.DecodeError, IndexError):
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()  # the guard then ends the relay
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
