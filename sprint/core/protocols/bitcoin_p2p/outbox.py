"""What waits to be written to a peer, in order: frames, and replies that are built when their turn comes.

A peer may ask for many blocks in one message. Their bodies are fetched only as fast as it reads, so that
what it asks for does not lie in memory all at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Outbox:
    """A queue of frames. The owner holds `size_bytes` and `deferred` against its limits."""

    def __init__(self) -> None:
        self._parts: deque[bytes | Callable[[], bytes]] = deque()
        self.size_bytes = 0
        self.deferred = 0

    def __repr__(self) -> str:
        return f"Outbox({self.size_bytes} bytes, {self.deferred} deferred)"

    def add(self, frame: bytes) -> None:
        self._parts.append(frame)
        self.size_bytes += len(frame)

    def defer(self, build: Callable[[], bytes]) -> None:
        """Queue a reply that `build` makes when its turn has come."""
        self._parts.append(build)
        self.deferred += 1

    def take(self, size_bytes_wanted: int) -> bytes:
        """Take whole frames from the front until there are `size_bytes_wanted`; b"" if there is nothing."""
        taken: list[bytes] = []
        size = 0
        while self._parts and size < size_bytes_wanted:
            part = self._parts.popleft()
            if isinstance(part, bytes):
                self.size_bytes -= len(part)
            else:
                self.deferred -= 1
                part = part()
            taken.append(part)
            size += len(part)
        return b"".join(taken)

    def clear(self) -> None:
        self._parts.clear()
        self.size_bytes = 0
        self.deferred = 0
