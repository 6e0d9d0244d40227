"""The sources whose node is still in its initial block download: connected, well, and of no use yet.

Such a node gives no headers and has no new block, so it is asked for no body, counts as none that serves and
is compared with nobody. It is asked for headers again as often as a silent head is, and is back with the
first that it gives or the first block that it names.
"""

from __future__ import annotations

from collections.abc import Iterator

from sprint.core.model import SourceStatusData

OVER = "it has synced: it gives headers, or names a block"


class Syncing:
    """Those of one chain, by name, and what is to be told of them."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._untold: list[SourceStatusData] = []
        self._untold_since: float | None = None

    def __repr__(self) -> str:
        return f"Syncing({', '.join(self._reasons)})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._reasons)

    def __contains__(self, source: str) -> bool:
        return source in self._reasons

    def begin(self, source: str, reason: str, now: float) -> bool:
        """Take a source in; False where it is in already."""
        if source in self._reasons:
            return False
        self._reasons[source] = reason
        self._tell(SourceStatusData(source, "demoted", reason), now)
        return True

    def over(self, source: str, now: float) -> bool:
        """Note that a source has something to say; False where it was none of these."""
        if self._reasons.pop(source, None) is None:
            return False
        self._tell(SourceStatusData(source, "re-admitted", OVER), now)
        return True

    def lost(self, source: str) -> None:
        self._reasons.pop(source, None)

    def next_timer(self) -> float | None:
        """Return since when something is to be told; None where nothing is."""
        return self._untold_since

    def take_untold(self) -> list[SourceStatusData]:
        """Return what is to be told, in its order."""
        untold, self._untold, self._untold_since = self._untold, [], None
        return untold

    def _tell(self, status: SourceStatusData, now: float) -> None:
        self._untold.append(status)
        if self._untold_since is None:
            self._untold_since = now
