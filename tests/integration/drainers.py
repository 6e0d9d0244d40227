"""Many subscribers in one lean process: bare sockets whose events are counted and not looked at.

    with Watcher("drain", url, chain, 1000, module="tests.integration.drainers") as drainers:
        drainers.ask("take")

`take` tells how many are open, how many of them lack an event or had one twice, by number and count, and the
least and the highest number that any of them was sent last.
"""

from __future__ import annotations

import gc
import select
import sys
from typing import Any

from tests.integration.watchers import READ_SIZE, Subscription, answer_commands


class Counted:
    """One subscription, and which events it was sent."""

    def __init__(self, url: str, chain_id: str) -> None:
        self.subscription = Subscription(url, chain_id)
        self.count = self.first = self.last = 0

    def take(self, data: bytes) -> None:
        texts = self.subscription.feed(data)
        if not texts:
            return
        if not self.first:
            self.first = _seq(texts[0])
        self.last = _seq(texts[-1])
        self.count += len(texts)


def _seq(event: bytes) -> int:
    at = event.index(b'"seq":') + 6
    return int(event[at : event.index(b",", at)])


class Drainers:
    """The subscriptions, by descriptor."""

    def __init__(self, url: str, chain_id: str, count: int) -> None:
        counted = [Counted(url, chain_id) for _ in range(count)]
        self._by_descriptor = {each.subscription.socket.fileno(): each for each in counted}

    def take(self) -> dict[str, Any]:
        found = list(self._by_descriptor.values())
        last = [each.last for each in found]
        return {
            "open": len(found),
            "faults": sum(each.last - each.first + 1 != each.count for each in found),
            "least": min(last, default=0),
            "most": max(last, default=0),
        }

    def read(self) -> None:
        poll = select.epoll()
        for descriptor in self._by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        while self._by_descriptor:
            for descriptor, _ in poll.poll():
                counted = self._by_descriptor[descriptor]
                data = counted.subscription.socket.recv(READ_SIZE)
                if data:
                    counted.take(data)
                else:
                    poll.unregister(descriptor)
                    del self._by_descriptor[descriptor]


def drain(url: str, chain_id: str, count: str) -> None:
    """Subscribe `count` times and read everything."""
    drainers = Drainers(url, chain_id, int(count))
    answer_commands({"take": drainers.take})
    drainers.read()


if __name__ == "__main__":
    gc.disable()
    {"drain": drain}[sys.argv[1]](*sys.argv[2:])
