"""Runs a command until it ends or stdin does: what it runs doesn't outlive a parent that was killed.

python -m sprint.tools.loadtest.guard COMMAND…
"""

from __future__ import annotations

import asyncio
import sys

STOP_TIMEOUT_S = 8.0
PIECE_SIZE = 4_096


async def guard(command: list[str]) -> int:
    """Run a command with this process' stdout and stderr; return its exit code."""
    child = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
    ended = asyncio.create_task(child.wait())
    gone = asyncio.create_task(_end_of_stdin())
    await asyncio.wait((ended, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not ended.done():
        child.terminate()
        await asyncio.wait((ended,), timeout=STOP_TIMEOUT_S)
        if not ended.done():
            child.kill()
    return await ended


async def _end_of_stdin() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while await reader.read(PIECE_SIZE):
        pass


if __name__ == "__main__":
    sys.exit(asyncio.run(guard(sys.argv[1:])))
