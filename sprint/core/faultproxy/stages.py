"""What a toxic does with one direction of one connection: pieces in, pieces out, each at its time.

A stage takes pieces with the time they come in, and gives them out again, in order, no earlier than they are
due. A piece is some bytes or the end of the stream. What a stage holds when its toxic is removed it releases
at once. Times are monotonic seconds; `draw` gives an even number from 0 to below 1.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from sprint.core.faultproxy.toxics import ActiveToxic, Kind, ToxicCounts

# A throttled connection has its bytes in pieces of so much time, so that it trickles and does not pulse.
BANDWIDTH_PIECE_S = 0.02
PIECE_SIZE_MAX = 65_536

Draw = Callable[[], float]


class End(Enum):
    """How a stream ends: by the sender's FIN, by a reset, or closed on both ends by a toxic."""

    EOF = "eof"
    RESET = "reset"
    CLOSE = "close"


Piece = bytes | End


class Out(NamedTuple):
    """A piece that has come through a stage, and when it was due."""

    piece: Piece
    at: float


class Stage:
    """Holds nothing back. The kinds below say when a piece is due, or how it is cut."""

    def __init__(self, counts: ToxicCounts) -> None:
        self._counts = counts
        self._waiting: deque[tuple[float, Piece]] = deque()
        self.held_size = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.held_size} bytes held)"

    def __len__(self) -> int:
        """Return how many pieces are held."""
        return len(self._waiting)

    def push(self, piece: Piece, at: float) -> None:
        """Take a piece that comes in at a time."""
        due = self._due(piece, at)
        if isinstance(piece, bytes):
            self.held_size += len(piece)
            if due > at:
                self._counts.bytes_delayed += len(piece)
        self._waiting.append((due, piece))

    def pop(self, now: float) -> Out | None:
        """Return the next piece, if it is due."""
        if not self._waiting or self._waiting[0][0] > now:
            return None
        due, piece = self._waiting.popleft()
        if isinstance(piece, bytes):
            self.held_size -= len(piece)
        return Out(piece, due)

    def next_due(self) -> float | None:
        """Return when the next piece is due; None where none is, or where only a removal lets it out."""
        if not self._waiting or self._waiting[0][0] == math.inf:
            return None
        return self._waiting[0][0]

    def release(self) -> list[Piece]:
        """Give out all that is held, in order."""
        released = [piece for _, piece in self._waiting]
        self._waiting.clear()
        self.held_size = 0
        return released

    def _due(self, piece: Piece, at: float) -> float:
        del piece
        return at


class LatencyStage(Stage):
    """Everything later by the latency and a drawn part of the jitter, never past what came before it."""

    def __init__(self, counts: ToxicCounts, latency_s: float, jitter_s: float, draw: Draw) -> None:
        super().__init__(counts)
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self._draw = draw
        self._last_due = -math.inf

    def _due(self, piece: Piece, at: float) -> float:
        del piece
        drawn_s = self._jitter_s * self._draw() if self._jitter_s else 0.0
        self._last_due = max(self._last_due, at + self._latency_s + drawn_s)
        return self._last_due


class SlowCloseStage(Stage):
    """The sender's FIN later; bytes as they come."""

    def __init__(self, counts: ToxicCounts, delay_s: float) -> None:
        super().__init__(counts)
        self._delay_s = delay_s

    def _due(self, piece: Piece, at: float) -> float:
        return at + self._delay_s if piece is End.EOF else at


class StallStage(Stage):
    """Nothing, until it is removed."""

    def _due(self, piece: Piece, at: float) -> float:
        del piece, at
        return math.inf


class CuttingStage(Stage):
    """Gives bytes out in smaller pieces, cut as they leave, so that what waits is not many small ones."""

    def __init__(self, counts: ToxicCounts) -> None:
        super().__init__(counts)
        self._free_at = -math.inf
        self._cut = 0  # bytes of the first that have left
        self._size = 0  # of the piece to leave next, 0 where that is not settled

    def push(self, piece: Piece, at: float) -> None:
        self._waiting.append((at, piece))
        if isinstance(piece, bytes):
            self.held_size += len(piece)
            self._counts.bytes_delayed += len(piece)

    def pop(self, now: float) -> Out | None:
        due = self.next_due()
        if due is None or due > now:
            return None
        piece = self._waiting[0][1]
        if isinstance(piece, End):
            self._waiting.popleft()
            return Out(piece, due)
        end = self._cut + self._size
        part = piece[self._cut : end]
        self._cut, self._size, self._free_at = end, 0, self._free_after(len(part), due)
        self.held_size -= len(part)
        if end >= len(piece):
            self._waiting.popleft()
            self._cut = 0
        return Out(part, due)

    def next_due(self) -> float | None:
        if not self._waiting:
            return None
        at, piece = self._waiting[0]
        begin = max(at, self._free_at)
        if isinstance(piece, End):
            return begin
        if not self._size:
            self._size = min(self._next_size(), len(piece) - self._cut)
        return begin + self._takes_s(self._size)

    def release(self) -> list[Piece]:
        released = super().release()
        if self._cut and isinstance(released[0], bytes):
            released[0] = released[0][self._cut :]
        self._cut = self._size = 0
        return released

    def _next_size(self) -> int:
        """Return how long the next piece is to be."""
        return PIECE_SIZE_MAX

    def _takes_s(self, size: int) -> float:
        """Return how long a piece is under way before it is out."""
        del size
        return 0.0

    def _free_after(self, size: int, due: float) -> float:
        """Return when the next piece may begin, after one that was due."""
        del size
        return due


class BandwidthStage(CuttingStage):
    """No more than a rate; a piece is out when its last byte is. Idle time is not saved up."""

    def __init__(self, counts: ToxicCounts, bytes_per_s: int) -> None:
        super().__init__(counts)
        self._bytes_per_s = bytes_per_s

    def _next_size(self) -> int:
        return max(1, min(PIECE_SIZE_MAX, int(self._bytes_per_s * BANDWIDTH_PIECE_S)))

    def _takes_s(self, size: int) -> float:
        return size / self._bytes_per_s


class SlicerStage(CuttingStage):
    """Pieces of about a size, with a pause between two."""

    def __init__(
        self, counts: ToxicCounts, piece_size: int, variation_size: int, pause_s: float, draw: Draw
    ) -> None:
        super().__init__(counts)
        self._piece_size = piece_size
        self._variation_size = variation_size
        self._pause_s = pause_s
        self._draw = draw

    def _next_size(self) -> int:
        if not self._variation_size:
            return self._piece_size
        return max(1, self._piece_size + round((2 * self._draw() - 1) * self._variation_size))

    def _free_after(self, size: int, due: float) -> float:
        del size
        return due + self._pause_s


class BlackHoleStage(Stage):
    """Loses everything. Once something was lost the stream has a hole: what is released is a reset."""

    def __init__(self, counts: ToxicCounts) -> None:
        super().__init__(counts)
        self.has_lost = False

    def push(self, piece: Piece, at: float) -> None:
        del at
        self.has_lost = True
        if isinstance(piece, bytes):
            self._counts.bytes_dropped += len(piece)

    def release(self) -> list[Piece]:
        return [End.RESET] if self.has_lost else []


class LimitDataStage(Stage):
    """So many bytes, then the end of the connection; what is sent beyond them is lost."""

    def __init__(self, counts: ToxicCounts, limit_size: int) -> None:
        super().__init__(counts)
        self._left = limit_size

    def push(self, piece: Piece, at: float) -> None:
        if isinstance(piece, End):
            super().push(piece, at)
            return
        part = piece[: self._left]
        self._counts.bytes_dropped += len(piece) - len(part)
        if not part:
            return
        super().push(part, at)
        self._left -= len(part)
        if not self._left:
            self._counts.connections_closed += 1
            super().push(End.CLOSE, at)


def stage_of(active: ActiveToxic, draw: Draw) -> Stage | None:
    """Return the stage of a toxic for one direction; None where it does nothing to what passes."""
    toxic, counts = active.toxic, active.counts
    match toxic.kind:
        case Kind.LATENCY:
            return LatencyStage(counts, toxic.seconds("latency_ms"), toxic.seconds("jitter_ms"), draw)
        case Kind.BANDWIDTH:
            return BandwidthStage(counts, toxic.figures["bytes_per_s"])
        case Kind.SLICER:
            figures = toxic.figures
            return SlicerStage(
                counts, figures["piece_bytes"], figures["variation_bytes"], toxic.seconds("pause_ms"), draw
            )
        case Kind.STALL:
            return StallStage(counts)
        case Kind.BLACK_HOLE | Kind.TIMEOUT:
            return BlackHoleStage(counts)
        case Kind.LIMIT_DATA:
            return LimitDataStage(counts, toxic.figures["bytes"])
        case Kind.SLOW_CLOSE:
            return SlowCloseStage(counts, toxic.seconds("delay_ms"))
        case _:
            return None
