"""Whether somebody answers at a target, and at which of its addresses, found out once before the run."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from sprint.core.errors import SprintError
from sprint.tools.loadtest.target_url import TargetUrl

REACH_TIMEOUT_S = 5.0
ADDRESSES_MAX = 8


class TargetUnreachable(SprintError):
    """Nobody answers at the target, or its name is unknown."""

    code = "unreachable"


async def reach(url: TargetUrl) -> str:
    """Return the first address of a target that takes a connection; TargetUnreachable where none does."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(REACH_TIMEOUT_S):
            found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise TargetUnreachable(f"{url.text}: no address of {url.host!r} is known: {error}") from error
    reasons = []
    for _, _, _, _, address in found[:ADDRESSES_MAX]:
        host = str(address[0])
        try:
            async with asyncio.timeout(REACH_TIMEOUT_S):
                _, writer = await asyncio.open_connection(host, url.port)
        except TimeoutError:
            reasons.append(f"{host} does not answer within {REACH_TIMEOUT_S:g} s")
        except OSError as error:
            reasons.append(f"{host}: {error.strerror or error}")
        else:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return host
    raise TargetUnreachable(
        f"{url.text} cannot be reached: {'; '.join(reasons)}. Start it, or name another --target; "
        "`--target demo` loads an embedded relay"
    )
