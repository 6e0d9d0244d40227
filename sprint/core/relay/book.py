"""What is known about a hash before it is in the chain tree: who announced it, whether it is being proved.

While a hash is `proving`, other sources' announcements of it confirm it and none proves it again; what
builds on it waits, bounded, and is admitted again when the proof has ended. Hashes that can never be valid
are remembered, bounded, so that they are refused at the price of a look-up.
"""

from __future__ import annotations

from collections import OrderedDict

from sprint.core.protocols.announcements import Announcement, HeadersAnnounced
from sprint.core.relay.settings import (
    HASHES_ANNOUNCED_MAX,
    PENDING_ANNOUNCEMENTS_MAX,
    PENDING_BYTES_MAX,
    REJECTED_HASHES_MAX,
    UNCONNECTING_EVERY_S,
)


class Proving:
    """The hashes whose proofs run, and how many bytes those hold."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, int] = {}
        self.size_bytes = 0

    def __repr__(self) -> str:
        return f"Proving({len(self._sizes)} hashes, {self.size_bytes} bytes)"

    def __len__(self) -> int:
        return len(self._sizes)

    def __contains__(self, block_hash: bytes) -> bool:
        return block_hash in self._sizes

    def has_room(self, size_bytes: int, size_bytes_max: int) -> bool:
        """Tell whether so many bytes more are within a limit; a single proof always is."""
        return not self._sizes or self.size_bytes + size_bytes <= size_bytes_max

    def add(self, block_hash: bytes, raw: bytes) -> None:
        self.discard(block_hash)
        self._sizes[block_hash] = len(raw)
        self.size_bytes += len(raw)

    def discard(self, block_hash: bytes) -> None:
        self.size_bytes -= self._sizes.pop(block_hash, 0)


class AnnouncementBook:
    """Memory of announcements that are not in the tree yet."""

    def __init__(self) -> None:
        self._announced: OrderedDict[bytes, dict[str, float]] = OrderedDict()
        self._rejected: OrderedDict[bytes, str] = OrderedDict()
        self._pending: list[Announcement] = []
        self._pending_bytes = 0
        self._unconnecting: dict[str, int] = {}
        self._unconnecting_at: dict[str, float] = {}  # when the last one was counted
        self._of_this_chain: set[str] = set()
        self.proving_headers = Proving()
        self.proving_bodies = Proving()

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

    def wait(self, announcement: HeadersAnnounced) -> str:
        """Keep an announcement until the proofs under way have ended; drop it at the bounds. Says which."""
        if len(self._pending) >= PENDING_ANNOUNCEMENTS_MAX:
            return f"{PENDING_ANNOUNCEMENTS_MAX} announcements wait already; dropped"
        size_bytes = self._pending_bytes + sum(map(len, announcement.headers))
        if size_bytes > PENDING_BYTES_MAX:
            return f"with it {size_bytes} bytes would wait, limit {PENDING_BYTES_MAX}; dropped"
        self._pending.append(announcement)
        self._pending_bytes = size_bytes
        return "what it builds on, or repeats, is being proved"

    def release(self) -> list[Announcement]:
        """Hand back all that waited; what still has to wait will wait again."""
        released, self._pending, self._pending_bytes = self._pending, [], 0
        return released

    def is_burst(self, source: str, now: float) -> bool:
        """Tell whether an announcement without a known parent was counted just now."""
        counted_at = self._unconnecting_at.get(source)
        return counted_at is not None and now < counted_at + UNCONNECTING_EVERY_S

    def unconnecting(self, source: str, now: float) -> int:
        """Count an announcement without a known parent; return how many came in a row."""
        self._unconnecting_at[source] = now
        self._unconnecting[source] = self._unconnecting.get(source, 0) + 1
        return self._unconnecting[source]

    def connected(self, source: str) -> None:
        """Note that what a source announced is known, or has a known parent."""
        self._unconnecting[source] = 0
        self._unconnecting_at.pop(source, None)
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
        self._unconnecting_at.pop(source, None)
        self._of_this_chain.discard(source)

    def reject(self, block_hash: bytes, reason: str) -> None:
        self._announced.pop(block_hash, None)
        self._rejected[block_hash] = reason
        if len(self._rejected) > REJECTED_HASHES_MAX:
            self._rejected.popitem(last=False)

    def rejected(self, block_hash: bytes) -> str | None:
        """Why a hash can never be valid, if that is known."""
        return self._rejected.get(block_hash)
