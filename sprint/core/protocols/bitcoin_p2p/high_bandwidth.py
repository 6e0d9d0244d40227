"""Which peers send new blocks in compact form unasked: the last three that were first with one (BIP 152)."""

from __future__ import annotations

HIGH_BANDWIDTH_MAX = 3  # as BIP 152 demands
BLOCKS_REMEMBERED = 16  # by hash, so that only the first peer of each counts


class HighBandwidthChoice:
    """Keeps the chosen peers by name; `delivered` says what changes."""

    def __init__(self) -> None:
        self._chosen: list[str] = []  # the one that was first longest ago stands first
        self._delivered: dict[bytes, None] = {}

    def __repr__(self) -> str:
        return f"HighBandwidthChoice({', '.join(self._chosen)})"

    def __contains__(self, peer: object) -> bool:
        return peer in self._chosen

    def delivered(self, peer: str, block_hash: bytes) -> str | None:
        """Note that a peer gave a block; return the peer that is no longer chosen for it, if one is."""
        if block_hash in self._delivered:
            return None
        self._delivered[block_hash] = None
        if len(self._delivered) > BLOCKS_REMEMBERED:
            del self._delivered[next(iter(self._delivered))]
        if peer in self._chosen:
            self._chosen.remove(peer)
        self._chosen.append(peer)
        return self._chosen.pop(0) if len(self._chosen) > HIGH_BANDWIDTH_MAX else None

    def lost(self, peer: str) -> None:
        """A peer is gone: its place is free."""
        if peer in self._chosen:
            self._chosen.remove(peer)
