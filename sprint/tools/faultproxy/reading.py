"""The memory that a proxy's sockets are read into: one piece for all of them, as one is read at a time.

What is small is copied out of it. What is large is written to the other end from where it lies, so that bulk
is copied by the kernel alone; as long as a transport keeps some of that, the next read has memory of its own.
"""

from __future__ import annotations

# Of a connection that a toxic works on: a latency draws its jitter for each read, and a channel holds it.
READ_SIZE_MAX = 262_144
# Of one that passes what comes at once: fewer and larger reads cost less. Beyond this they gain little more.
BULK_READ_SIZE_MAX = 524_288


class ReadBuffer:
    """Memory for one read. The loop asks for it, fills it and tells of it before it reads another socket."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(BULK_READ_SIZE_MAX))

    def __repr__(self) -> str:
        return f"ReadBuffer({len(self._memory)} bytes)"

    def room(self, size: int) -> memoryview:
        """Return where up to so many bytes are to be read to."""
        return self._memory[:size]

    def copied(self, size: int) -> bytes:
        """Return the bytes that were read, for whoever keeps them."""
        return bytes(self._memory[:size])

    def lent(self, size: int) -> memoryview:
        """Return the bytes that were read where they lie: they last until the next read, unless `leave`."""
        return self._memory[:size]

    def leave(self) -> None:
        """Leave the memory to whoever still has some of it, and read into another."""
        self._memory = memoryview(bytearray(BULK_READ_SIZE_MAX))
