"""What takes a fault off and what looks whether it is off know the same undos."""

from __future__ import annotations

import typing

from sprint.core.chaos.undo import Undo
from sprint.tools.chaos import gone, undoing


def test_each_undo_can_be_done_and_looked_at() -> None:
    kinds = set(typing.get_args(Undo))
    assert set(undoing._ACTS) == kinds
    assert set(gone._LOOKS) == kinds
