"""What the terminal needs of a monitor; a test's stand-in has no more than this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from sprint.core.monitor.board import Board, Happened, Key
from sprint.core.monitor.fleet import Replayed


class RecorderFace(Protocol):
    """Records what happens to a file."""

    @property
    def path(self) -> Path | None:
        """The file, None while nothing is recorded."""
        ...

    @property
    def written_size(self) -> int:
        """Its bytes by now."""
        ...

    def start(self, now_unix_s: float) -> Path:
        """Record to a new file; ConfigError where it can't be made."""
        ...

    async def stop(self) -> Path | None:
        """Record no more; return the file."""
        ...


class ReplayFace(Protocol):
    """Shows a recording again."""

    def told(self) -> Replayed:
        """Return how it is shown."""
        ...

    def pause(self) -> None:
        """Stand still, or go on."""
        ...

    def change_speed(self, steps: int) -> None:
        """Go so many steps faster, or slower."""
        ...

    def jump(self, seconds: float) -> None:
        """Go on, or back, by so many seconds."""
        ...


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

    @property
    def recorder(self) -> RecorderFace | None:
        """What records; None where nothing can be recorded."""
        ...

    @property
    def replay(self) -> ReplayFace | None:
        """The recording that is shown; None where it is what happens now."""
        ...

    def now(self) -> float:
        """Return the time in seconds since 1970, of a recording its own."""
        ...

    async def lay_over(self, key: Key, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Lay figures over a breaker's policy, in place of those of last time."""
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
