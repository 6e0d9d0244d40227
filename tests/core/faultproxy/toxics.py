"""Toxics, channels and a clock for tests of the pure part: nothing waits, time is what a test says."""

from __future__ import annotations

from typing import Any

from sprint.core.faultproxy.channel import Channel
from sprint.core.faultproxy.codec import toxic_of
from sprint.core.faultproxy.drawing import SeededDraws
from sprint.core.faultproxy.stages import End, Piece, stage_of
from sprint.core.faultproxy.toxics import ActiveToxic, ToxicCounts


def active(kind: str, **fields: Any) -> ActiveToxic:
    return ActiveToxic(toxic_of({"kind": kind, **fields}), ToxicCounts(), 0.0)


class Line:
    """One channel on a simulated clock, and all that came out of it with its time."""

    def __init__(self, *toxics: ActiveToxic, now: float = 0.0, seed: str = "") -> None:
        self.now = now
        self.channel = Channel()
        self.came: list[tuple[float, Piece]] = []
        self._seed = seed
        self.have(*toxics)

    def have(self, *toxics: ActiveToxic) -> None:
        """Have these toxics from now on, in this order."""
        known = self.channel.toxics
        draw = SeededDraws(self._seed).random
        self.channel.adopt(
            {each: None if each in known else stage_of(each, draw) for each in toxics}, self.now
        )
        self._take()

    def feed(self, *pieces: Piece) -> None:
        for piece in pieces:
            self.channel.feed(piece, self.now)
            self._take()

    def until(self, now: float) -> None:
        """Let time pass, stopping wherever something is due."""
        while (due := self.channel.next_due()) is not None and due <= now:
            assert due >= self.now or self.channel.held_size, "what is due lies behind, and nothing is held"
            self.now = max(self.now, due)
            before = len(self.came), self.channel.held_size
            self.channel.advance(self.now)
            self._take()
            assert (len(self.came), self.channel.held_size) != before or self._has_moved(), "due and not done"
        self.now = max(self.now, now)

    def _has_moved(self) -> bool:
        """Whether what was due has gone from one stage to the next."""
        due = self.channel.next_due()
        return due is None or due > self.now

    def _take(self) -> None:
        while (piece := self.channel.take()) is not None:
            self.came.append((self.now, piece))

    @property
    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.came if isinstance(piece, bytes))

    @property
    def ends(self) -> list[End]:
        return [piece for _, piece in self.came if isinstance(piece, End)]

    def times(self) -> list[float]:
        return [round(at, 9) for at, _ in self.came]
