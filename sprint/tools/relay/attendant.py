"""Whoever attends a relay for as long as it runs, in its process: told when it begins, serves, is warm, ends.

    class Attendant: …
    RelayService(options, attendants=(attendant,))

The relay knows nothing of what an attendant does. Of itself it shows each the same `Place`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from prometheus_client import CollectorRegistry

from sprint.tools.relay.gc_pauses import GcPauses
from sprint.tools.web.router import Router


class OnTime(NamedTuple):
    """Deliveries of a tier: those within its goal, of all."""

    within: int
    all: int


class Place(NamedTuple):
    """What an attendant sees of a relay: metrics, the admin listener's paths, pauses, deliveries by tier."""

    registry: CollectorRegistry
    router: Router
    gc_pauses: GcPauses
    on_time: Callable[[], Mapping[str, OnTime]]


class Attendant(Protocol):
    """Called on the event loop's thread. What it raises ends the relay, so it raises nothing it can bear."""

    @property
    def name(self) -> str:
        """Its part in the relay's health."""

    def attend(self, place: Place) -> None:
        """Add paths and metrics. The listeners do not serve yet."""

    def serving(self) -> None:
        """Act: all is up, and its `serving` line comes next."""

    def warm(self) -> None:
        """Take note that the kernels are warm: what was made so far stays until the end."""

    def health(self) -> Mapping[str, Any]:
        """Return its part of the relay's health."""

    def stopped(self) -> None:
        """Take back what was done: the relay is about to stop."""


async def told_when_warm(warm_up: Awaitable[None], attendants: Iterable[Attendant]) -> None:
    """Wait until the kernels are warm, and tell all attendants."""
    await warm_up
    for attendant in attendants:
        attendant.warm()
