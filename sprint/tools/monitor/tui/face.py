"""What the terminal needs of a monitor; a test's stand-in has no more than this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sprint.core.monitor.board import Board, Happened, Key


class MonitorFace(Protocol):
    """What is known, and the way to tell a relay something. Orders raise SprintError in its words."""

    @property
    def board(self) -> Board:
        """What is known of all relays; `version` rises with each change."""
        ...

    @property
    def demo(self) -> bool:
        """Whether what is shown is simulated."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether nothing is told to a relay."""
        ...

    @property
    def alerts(self) -> Any:
        """The desk that alerts lie on; None where none are raised."""
        ...

    async def order(self, key: Key, action: str, reason: str) -> bool:
        """Tell a breaker to be so; False where it was so already."""
        ...

    async def detail(self, key: Key) -> dict[str, Any]:
        """Ask a breaker's relay for its explanation, policy and what is laid over it."""
        ...

    def listen(self, callback: Callable[[Happened], None]) -> object:
        """Have each transition told at once."""
        ...
