"""A page of memory that a relay and the test that kills it share: which stage was reached, and when.

The relay's observer writes it, the test polls it, and it outlives the relay. Every field is one aligned
64-bit number, so that no reader ever sees half of one.
"""

from __future__ import annotations

import mmap
from enum import IntEnum
from pathlib import Path
from typing import Self

# What a block goes through here. `announced`: its header came, its body is not here yet.
STAGES = (
    "idle",
    "announced",
    "read",
    "framed",
    "admitted",
    "proved",
    "settled",
    "encoded",
    "logged",
    "handed_over",
)
BOARD_SIZE = mmap.PAGESIZE


class Field(IntEnum):
    """`BODY_AT_NS`, `WAY_NS` and `DELIVERED` are of blocks that go their way alone, not in a catch-up."""

    STAGE = 0
    BODY_AT_NS = 1
    WAY_NS = 2
    DELIVERED = 3
    HOLD_AT = 4
    HELD = 5


class StageBoard:
    """The shared page. Whoever comes first makes the file."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            if file.seek(0, 2) < BOARD_SIZE:
                file.truncate(BOARD_SIZE)
            self._page = mmap.mmap(file.fileno(), BOARD_SIZE)
        self._numbers = memoryview(self._page).cast("Q")

    def __repr__(self) -> str:
        return f"StageBoard(stage={self.stage}, delivered={self[Field.DELIVERED]})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._numbers.release()
        self._page.close()

    def __getitem__(self, field: Field) -> int:
        return self._numbers[field]

    def __setitem__(self, field: Field, value: int) -> None:
        self._numbers[field] = value

    @property
    def stage(self) -> str:
        """The stage last reached."""
        return STAGES[self[Field.STAGE]]

    def clear(self) -> None:
        """Make it ready for a new relay."""
        for field in Field:
            self[field] = 0
