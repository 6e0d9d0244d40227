"""One direction of one connection: the stages of its toxics one behind the other, and what has come through.

What is fed goes through all stages in the order of their toxics. Toxics may come, change and go while bytes
are under way: what a removed one holds goes on to those behind it, so nothing overtakes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping

from sprint.core.faultproxy.stages import BlackHoleStage, End, Piece, SlicerStage, Stage
from sprint.core.faultproxy.toxics import ActiveToxic

# Held in one direction of one connection before its sender is not read any further. The last read may go
# over it. It bounds what a latency lets through: so many bytes in each time of that latency.
HELD_SIZE_MAX = 1_048_576
# Pieces may be of one byte, so they are bounded too.
HELD_PIECES_MAX = 16_384
# Of the smaller pieces that a toxic cuts, so many at most wait at each place behind it.
PIECES_PER_PLACE_MAX = 1_024


class Channel:
    """The stages of one direction, and the pieces that are ready to be written."""

    def __init__(self) -> None:
        self._stages: dict[ActiveToxic, Stage] = {}
        self._ready: deque[Piece] = deque()
        self._ready_size = 0

    def __repr__(self) -> str:
        return f"Channel({list(self._stages.values())}, {self._ready_size} bytes ready)"

    @property
    def toxics(self) -> Collection[ActiveToxic]:
        """The toxics that have a stage here."""
        return self._stages.keys()

    @property
    def is_clear(self) -> bool:
        """Whether what comes may be written at once, past the channel."""
        return not self._stages and not self._ready

    @property
    def held_size(self) -> int:
        """Bytes within."""
        return self._ready_size + sum(stage.held_size for stage in self._stages.values())

    @property
    def is_full(self) -> bool:
        """Whether the sender is to wait."""
        return self.held_size >= HELD_SIZE_MAX or self._piece_count >= HELD_PIECES_MAX

    @property
    def has_room(self) -> bool:
        """Whether a sender that waits is to go on: half of what may be held is free."""
        return self.held_size <= HELD_SIZE_MAX // 2 and self._piece_count <= HELD_PIECES_MAX // 2

    @property
    def _piece_count(self) -> int:
        return len(self._ready) + sum(len(stage) for stage in self._stages.values())

    @property
    def writes_apart(self) -> bool:
        """Whether each piece must be a write of its own."""
        return any(isinstance(stage, SlicerStage) for stage in self._stages.values())

    def feed(self, piece: Piece, now: float) -> None:
        """Take what the sender sent."""
        self._push(list(self._stages.values()), piece, now)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Move on what is due."""
        stages = list(self._stages.values())
        for number, stage in enumerate(stages):
            behind = stages[number + 1 :]
            while self._has_place(behind) and (out := stage.pop(now)) is not None:
                self._push(behind, out.piece, out.at)

    def take(self) -> Piece | None:
        """Return the next piece that has come through."""
        if not self._ready:
            return None
        piece = self._ready.popleft()
        if isinstance(piece, bytes):
            self._ready_size -= len(piece)
        return piece

    @property
    def is_reset(self) -> bool:
        """Whether a reset has come through: what is before it need not be written to one who doesn't read."""
        return bool(self._ready) and self._ready[-1] is End.RESET

    def next_due(self) -> float | None:
        """Return when `advance` has something to do; None where nothing that is held is ever due."""
        stages = list(self._stages.values())
        due = [
            stage.next_due() for number, stage in enumerate(stages) if self._has_place(stages[number + 1 :])
        ]
        return min((at for at in due if at is not None), default=None)

    def has_lost(self, active: ActiveToxic) -> bool:
        """Tell whether a toxic has made a hole in what was sent, so that nothing may follow."""
        stage = self._stages.get(active)
        return isinstance(stage, BlackHoleStage) and stage.has_lost

    def adopt(self, wanted: Mapping[ActiveToxic, Stage | None], now: float) -> None:
        """Have the stages of these toxics, in their order; None stands for a stage that is there already."""
        known = list(self._stages.items())
        behind: list[Stage] = []
        for active, stage in reversed(known):
            if active in wanted:
                behind.insert(0, stage)
                continue
            for piece in stage.release():
                self._push(behind, piece, now)
        self._stages = {
            active: stage if stage is not None else self._stages[active] for active, stage in wanted.items()
        }
        self.advance(now)

    def _has_place(self, stages: list[Stage]) -> bool:
        return len(stages[0] if stages else self._ready) < PIECES_PER_PLACE_MAX

    def _push(self, stages: list[Stage], piece: Piece, at: float) -> None:
        if stages:
            stages[0].push(piece, at)
            return
        self._ready.append(piece)
        if isinstance(piece, bytes):
            self._ready_size += len(piece)
