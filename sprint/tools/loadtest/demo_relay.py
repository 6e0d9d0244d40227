"""An embedded relay as a child process, for a load that is to meet a real one.

It is `sprint relay --demo` on free ports in a folder of its own, found by the line that says where it serves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

from sprint.tools.embedded.folder import OwnedFolder
from sprint.tools.embedded.relay import RelayChild
from sprint.tools.loadtest.children import started


@asynccontextmanager
async def demo_relay() -> AsyncIterator[str]:
    """Run a relay while within; gives its URL. ChildFailed says what the relay said."""
    async with started(_relay) as relay:
        yield relay.api_url


def _relay(stack: ExitStack, is_wanted: Callable[[], bool]) -> RelayChild:
    folder = stack.enter_context(OwnedFolder())
    relay = RelayChild(["--demo"], folder=folder.path, is_wanted=is_wanted)
    stack.enter_context(relay.child)
    return relay
