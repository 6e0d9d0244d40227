"""What is known about a hash before it is in the chain tree: who announced it, whether it is being proved.

While a hash is `proving`, other sources' announcements of it confirm it and none proves it again; what
builds on it waits, bounded, and is admitted again when the proof has ended. Hashes that can never be valid
are remembered, bounded, so that they are refused at the price of a look-up.
"""

from __future__ import annotations

from collections import OrderedDict

from sprint.core.protocols.announcements import Announcement
from sprint.core.relay.settings import (
    HASHES_ANNOUNCED_MAX,
    PENDING_ANNOUNCEMENTS_MAX,
    REJECTED_HASHES_MAX,
)


class AnnouncementBook:
    """Memory of announcements that are not in the tree yet."""

    def __init__(self) -> None:
        self._announced: OrderedDict[bytes, dict[str, float]] = OrderedDict()
        self._rejected: OrderedDict[bytes, str] = OrderedDict()
        self._pending: list[Announcement] = []
        self._unconnecting: dict[str, int] = {}
        self._of_this_chain: set[str] = set()
        self.proving_headers: set[bytes] = set()
        self.proving_bodies: set[bytes] = set()

    def __repr__(self) -> str:
        return f"AnnouncementBook({len(self._announced)} announced, {len(self.proving_bodies)} proving)"

    def note(self, block_hash: bytes, source: str, read_at: float) -> None:
        """Note who announced a hash, first time wins; the oldest hash is forgotten at the bound."""
        self._announced.setdefault(block_hash, {}).setdefault(source, read_at)
        if len(self._announced) > HASHES_ANNOUNCED_MAX:
            self._announced.popitem(last=False)

    def take_announcers(self, block_hash: bytes) -> dict[str, float]:
        """Hand over who announced a hash that now enters the tree."""
        return self._announced.pop(block_hash, {})

    def arrivals(self, block_hash: bytes) -> dict[str, float]:
        """Return who announced a hash that is not in the tree, and when; to read only."""
        return self._announced.get(block_hash, {})

    def wait(self, announcement: Announcement) -> str:
        """Keep an announcement until the proofs under way have ended; drop it at the bound. Says which."""
        if len(self._pending) >= PENDING_ANNOUNCEMENTS_MAX:
            return f"{PENDING_ANNOUNCEMENTS_MAX} announcements wait already; dropped"
        self._pending.append(announcement)
        return "its parent is being proved"

    def release(self) -> list[Announcement]:
        """Hand back all that waited; what still has to wait will wait again."""
        released, self._pending = self._pending, []
        return released

    def unconnecting(self, source: str) -> int:
        """Count an announcement without a known parent; return how many came in a row."""
        self._unconnecting[source] = self._unconnecting.get(source, 0) + 1
        return self._unconnecting[source]

    def connected(self, source: str) -> None:
        """Note that what a source announced is known, or has a known parent."""
        self._unconnecting[source] = 0
        self._of_this_chain.add(source)

    def is_of_this_chain(self, source: str) -> bool:
        """Tell whether anything a source announced since it is ready has connected."""
        return source in self._of_this_chain

    def forgive(self, source: str) -> None:
        """Count anew after a penalty."""
        self._unconnecting[source] = 0

    def forget(self, source: str) -> None:
        """Judge a source afresh when it returns."""
        self._unconnecting.pop(source, None)
        self._of_this_chain.discard(source)

    def reject(self, block_hash: bytes, reason: str) -> None:
        self._announced.pop(block_hash, None)
        self._rejected[block_hash] = reason
        if len(self._rejected) > REJECTED_HASHES_MAX:
            self._rejected.popitem(last=False)

    def rejected(self, block_hash: bytes) -> str | None:
        """Why a hash can never be valid, if that is known."""
        return self._rejected.get(block_hash)
