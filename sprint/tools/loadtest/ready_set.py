"""The sockets of one generator that wait for answers, watched apart from the loop's own.

The loop's timers know milliseconds, and what it watches by is its own affair. A set of our own can be waited
for with a limit in microseconds, and serves many answers without a turn of the loop between them. Where
nobody waits for it, the loop does: the descriptor of the whole set is one that it watches.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable

from sprint.tools.loadtest.moments import NS_PER_S

EVENTS_MAX = 8  # at a time: what is due meanwhile is not to wait for more answers than that
SELECT_DESCRIPTOR_LIMIT = 1_024  # select(2) knows no others
BLIND_WAIT_S = 0.00005  # where the set can't be waited for by select(2)

WRITABLE = select.EPOLLOUT

# Is told what a descriptor is ready for: bits of epoll(7).
OnReady = Callable[[int], None]
# Is given descriptors that are ready, and for what, some at a time.
OnEvents = Callable[[list[tuple[int, int]]], None]


class ReadySet:
    """Calls for each descriptor that is ready what it was given. It has one owner and no lock.

    `served` is given all that are ready together instead; it calls `call` for those that it doesn't serve.
    """

    def __init__(self, served: OnEvents | None = None) -> None:
        self._served = served or self._call_each
        self._epoll = select.epoll()
        self._poll = self._epoll.poll
        self._descriptor = self._epoll.fileno()
        self._called: dict[int, OnReady] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"ReadySet({len(self._called)} sockets)"

    def __len__(self) -> int:
        return len(self._called)

    def add(self, descriptor: int, called: OnReady) -> None:
        """Watch a descriptor until it is removed, for something to read."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._called[descriptor] = called

    def watch_writing(self, descriptor: int, *, also: bool) -> None:
        """Watch for room to write too, or no more."""
        self._epoll.modify(descriptor, select.EPOLLIN | WRITABLE if also else select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Watch it no more: to be called before it is closed."""
        if self._called.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def serve(self) -> int:
        """Call what is ready now, at most `EVENTS_MAX` of them; return how many were."""
        events = self._poll(0, EVENTS_MAX)
        if events:
            self._served(events)
        return len(events)

    def call(self, descriptor: int, ready_for: int) -> None:
        """Call what a descriptor was given, unless it has been removed meanwhile."""
        called = self._called.get(descriptor)
        if called is not None:
            called(ready_for)

    def _call_each(self, events: list[tuple[int, int]]) -> None:
        for descriptor, ready_for in events:
            self.call(descriptor, ready_for)

    def wait(self, wait_ns: int) -> bool:
        """Wait until something is ready, at most so long; return whether there may be something."""
        if self._descriptor < SELECT_DESCRIPTOR_LIMIT:
            return bool(select.select((self._descriptor,), (), (), wait_ns / NS_PER_S)[0])
        time.sleep(min(wait_ns / NS_PER_S, BLIND_WAIT_S))
        return True

    def join(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a loop serve it too, from now on."""
        self._loop = loop
        loop.add_reader(self._descriptor, self.serve)

    def close(self) -> None:
        """Watch nothing any more. What was watched stays open."""
        if self._loop is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop = None
        self._called.clear()
        self._epoll.close()
