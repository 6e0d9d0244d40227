"""Which provider each source of a chain is of: ways to one node agree as one.

A node that is reached over P2P, JSON-RPC and ZMQ would otherwise be three witnesses of its own lie. Without a
`provider` in its config a source is its own.
"""

from __future__ import annotations

from collections.abc import Iterable


class Providers:
    """The providers of one chain's sources, by the sources' names."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Providers({len(set(self._of.values()))} of {len(self._of)} sources)"

    def name(self, source: str, provider: str) -> None:
        self._of[source] = provider

    def forget(self, source: str) -> None:
        """Drop a source that is removed for good."""
        self._of.pop(source, None)

    def count(self, sources: Iterable[str]) -> int:
        """Return how many providers these sources are of."""
        return len({self._of.get(source, source) for source in sources})
