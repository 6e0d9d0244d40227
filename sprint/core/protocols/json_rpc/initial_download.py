"""Whether a node is still in its initial block download, as it says over JSON-RPC.

It answers all calls meanwhile, with the blocks that it has; an operator wants to know why these are old.
"""

from __future__ import annotations

from sprint.core.protocols.json_rpc.lane import RpcEvent
from sprint.core.protocols.json_rpc.results import SyncState

ASK_AGAIN_S = 30.0  # a node that syncs is asked whether it still does


class SyncWatch:
    """What one node has said of it last, and when it is asked again."""

    def __init__(self) -> None:
        self._state: SyncState | None = None
        self._told_at = 0.0

    def __repr__(self) -> str:
        return f"SyncWatch({self._state!r})"

    def told(self, state: SyncState, now: float) -> list[RpcEvent]:
        """Take in what the node says; there is nothing to tell of it."""
        self._state, self._told_at = state, now
        return []

    def is_due(self, now: float) -> bool:
        """Tell whether the node is to be asked again; one that has synced never is."""
        return self._state is not None and self._state.initial and now >= self._told_at + ASK_AGAIN_S

    @property
    def note(self) -> str:
        """What to know of a node that syncs; empty of one that has."""
        state = self._state
        if state is None or not state.initial:
            return ""
        at = "has only its genesis block" if state.height == 0 else f"is at height {state.height}"
        known = f" of {state.header_height}" if state.header_height > state.height > 0 else ""
        return f"still syncing: it {at}{known} (initialblockdownload), and gives its blocks as it gets them"
