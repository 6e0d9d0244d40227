"""What every sink is, and the two ways in which it fails. No message of a failure has a secret in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sprint.core.errors import UpstreamError
from sprint.core.monitor.alerts.standing import Alert

# So many alerts go out in one message: a storm is one mail, not a thousand.
BATCH_MAX = 100


class SinkFailed(UpstreamError):
    """A sink that could not be reached or did not confirm; the same is tried again."""

    code = "sink_failed"


class SinkRefused(UpstreamError):
    """A sink that will not have these messages, and would not the next time."""

    code = "sink_refused"


class Sink(Protocol):
    """`name` is the same over restarts, `kind` is what routes name, `where` may be shown to anybody.

    It is handed `batch_max` alerts at most.
    """

    name: str
    kind: str
    where: str
    batch_max: int

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Send alerts in one message, and return when it is confirmed. SinkFailed, SinkRefused."""

    async def close(self) -> None:
        """Close its connections. May be called again."""
