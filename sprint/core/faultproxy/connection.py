"""What the toxics of a proxy do to one connection: a channel each way, and whether it is ended and when.

Which toxics a connection has is drawn once for each, from randomness that follows from the proxy's seed, the
number of the connection and the name of the toxic: the same seed gives the same connections the same faults,
however many there are and in whatever order things happen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sprint.core.faultproxy.channel import Channel
from sprint.core.faultproxy.stages import Draw, Stage, stage_of
from sprint.core.faultproxy.toxics import ActiveToxic, Direction, Kind

WAYS = (Direction.UPSTREAM, Direction.DOWNSTREAM)


class Rng(Protocol):
    """The part of `random.Random` that is used."""

    def random(self) -> float:
        """Return an even number from 0 to below 1."""


RngOf = Callable[[str], Rng]


class Ending(NamedTuple):
    """How a toxic ends a connection: which end sees a reset; the other is closed."""

    resets_client: bool
    resets_target: bool


class _Deadline(NamedTuple):
    at: float
    ending: Ending


class ConnectionFaults:
    """The faults of connection `number`. `rng_of` gives the randomness of a label, the same for the same."""

    def __init__(self, number: int, rng_of: RngOf) -> None:
        self.channels = {way: Channel() for way in WAYS}
        self._number = number
        self._rng_of = rng_of
        self._met: dict[ActiveToxic, bool] = {}
        self._deadlines: dict[ActiveToxic, _Deadline] = {}

    def __repr__(self) -> str:
        met = [active.toxic.name for active, has in self._met.items() if has]
        return f"ConnectionFaults({self._number}, {met})"

    def adopt(self, active: Sequence[ActiveToxic], now: float) -> None:
        """Have these toxics from now on. One that was there already goes on as it is."""
        known = self._met
        self._met = {each: known[each] if each in known else self._meets(each) for each in active}
        self._deadlines = {each: found for each, found in self._deadlines.items() if each in self._met}
        for each in known:
            if each not in self._met and any(channel.has_lost(each) for channel in self.channels.values()):
                each.counts.connections_reset += 1
        begun = [each for each, has in self._met.items() if has and each not in known]
        for each in begun:
            # One that was changed is not met anew.
            each.counts.connections_met += not any(
                has and before.counts is each.counts for before, has in known.items()
            )
            deadline = self._deadline_of(each, now)
            if deadline is not None:
                self._deadlines[each] = deadline
        for way, channel in self.channels.items():
            channel.adopt(self._wanted(way, set(begun)), now)

    def due_ending(self, now: float) -> Ending | None:
        """Return how the connection is to be ended now; None while it is not."""
        for active, deadline in self._deadlines.items():
            if deadline.at <= now:
                if any(deadline.ending):
                    active.counts.connections_reset += 1
                else:
                    active.counts.connections_closed += 1
                return deadline.ending
        return None

    def next_due(self) -> float | None:
        """Return when something is to be done, in either direction or to the connection."""
        due = [channel.next_due() for channel in self.channels.values()]
        due += [deadline.at for deadline in self._deadlines.values()]
        return min((at for at in due if at is not None), default=None)

    def _wanted(self, way: Direction, begun: set[ActiveToxic]) -> dict[ActiveToxic, Stage | None]:
        wanted: dict[ActiveToxic, Stage | None] = {}
        known = self.channels[way].toxics
        for each, has in self._met.items():
            if not has or not each.toxic.direction.covers(way):
                continue
            if each in begun:
                stage = stage_of(each, self._draw_of(f"{each.toxic.name}/{way}"))
                if stage is not None:
                    wanted[each] = stage
            elif each in known:
                wanted[each] = None
        return wanted

    def _meets(self, active: ActiveToxic) -> bool:
        toxicity = active.toxic.toxicity
        return toxicity >= 1 or self._draw_of(active.toxic.name)() < toxicity

    def _draw_of(self, label: str) -> Draw:
        """Return draws of their own for a label. Nothing is seeded before the first, as most need none."""
        rng: Rng | None = None

        def draw() -> float:
            nonlocal rng
            if rng is None:
                rng = self._rng_of(f"{self._number}/{label}")
            return rng.random()

        return draw

    def _deadline_of(self, active: ActiveToxic, now: float) -> _Deadline | None:
        toxic = active.toxic
        resets = Ending(
            resets_client=toxic.direction.covers(Direction.DOWNSTREAM),
            resets_target=toxic.direction.covers(Direction.UPSTREAM),
        )
        match toxic.kind:
            case Kind.DOWN:
                return _Deadline(now, resets)
            case Kind.RESET:
                return _Deadline(now + toxic.seconds("after_ms"), resets)
            case Kind.TIMEOUT:
                closed = Ending(resets_client=False, resets_target=False)
                return _Deadline(now + toxic.seconds("after_ms"), closed)
            case Kind.LOSS_OF_CONNECTION:
                lives_s = -math.log(1 - self._draw_of(f"{toxic.name}/end")()) * toxic.seconds("mean_ms")
                return _Deadline(now + toxic.seconds("after_ms") + lives_s, resets)
            case _:
                return None
