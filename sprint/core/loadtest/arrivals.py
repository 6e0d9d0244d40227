"""Which delivery is which: when a message that a connection has just had first came over any of them.

Messages are told apart by their bytes alone. The same bytes may be sent again and again, as heartbeats are:
each time is a message of its own, and the n-th time a connection has them is the n-th of these. Each
connection has messages in the order in which they were sent, so how far behind it is can be told also when
what it has now is no longer remembered: then its time is not known, and it is none of the short ones.
"""

from __future__ import annotations

from collections import deque

MESSAGES_REMEMBERED = 4_096


class Listener:
    """One connection. `position` is the number of the newest message that it has had, as far as is known."""

    __slots__ = ("asked_ns", "number", "position")

    def __init__(self, number: int, asked_ns: int, position: int) -> None:
        self.number = number
        self.asked_ns = asked_ns
        self.position = position

    def __repr__(self) -> str:
        return f"Listener({self.number}, at {self.position})"


class _Message:
    """One time that some bytes were sent: when they first came, and over which connections by now."""

    __slots__ = ("digest", "first_ns", "had", "number")

    def __init__(self, number: int, digest: bytes, first_ns: int, had: bytearray) -> None:
        self.number = number
        self.digest = digest
        self.first_ns = first_ns
        self.had = had


class Arrivals:
    """What came over so many connections, the last `MESSAGES_REMEMBERED` messages. One owner, no lock."""

    def __init__(self, connections: int, *, remembered: int = MESSAGES_REMEMBERED) -> None:
        self._had_size = (connections + 7) // 8
        self._connections = connections
        self._remembered = remembered
        self._listeners = 0
        self._newest = -1
        self._messages: deque[_Message] = deque()
        self._by_digest: dict[bytes, deque[_Message]] = {}

    def __repr__(self) -> str:
        return f"Arrivals({len(self._messages)} messages, {self._listeners} of {self._connections})"

    def listener(self, asked_ns: int) -> Listener:
        """Return the listener of a connection that is open now.

        It asked to be opened at `asked_ns`: what came before can't be sent to it.
        """
        if self._listeners >= self._connections:
            raise ValueError(f"a listener beyond the {self._connections} that were said")
        self._listeners += 1
        return Listener(self._listeners - 1, asked_ns, self._newest)

    def came(self, listener: Listener, digest: bytes, at_ns: int) -> int | None:
        """Return when a message first came that a connection has had now; None where nobody knows any more.

        It is now where no other connection has had it.
        """
        message = self._awaited(listener, digest)
        if message is None:
            if self._messages and listener.position + 1 < self._messages[0].number:
                listener.position += 1  # one of those that are forgotten
                return None
            message = self._begin(digest, at_ns)
        place, bit = divmod(listener.number, 8)
        message.had[place] |= 1 << bit
        listener.position = max(listener.position, message.number)
        return message.first_ns

    def _awaited(self, listener: Listener, digest: bytes) -> _Message | None:
        """Return the message that these bytes are: the oldest that comes after all that it has had.

        Where there is none it is the newest of those before, as long as the connection has asked: over others
        it may have come before this one was known to be open, or a server keeps no order.
        """
        found = None
        place, bit = divmod(listener.number, 8)
        for message in reversed(self._by_digest.get(digest, ())):
            if message.first_ns < listener.asked_ns or message.had[place] >> bit & 1:
                break
            if found is not None and message.number <= listener.position:
                break
            found = message
        return found

    def _begin(self, digest: bytes, at_ns: int) -> _Message:
        self._newest += 1
        message = _Message(self._newest, digest, at_ns, bytearray(self._had_size))
        self._messages.append(message)
        self._by_digest.setdefault(digest, deque()).append(message)
        if len(self._messages) > self._remembered:
            oldest = self._messages.popleft().digest
            self._by_digest[oldest].popleft()
            if not self._by_digest[oldest]:
                del self._by_digest[oldest]
        return message
