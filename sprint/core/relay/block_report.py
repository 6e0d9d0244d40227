"""What is told of a block that was judged offline: what it is, each check by name, the verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["ok", "refused", "not checked"]
Level = Literal["full", "header"]


class CheckOutcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """One check; `why` it was refused or not made."""

    name: str
    outcome: Outcome
    why: str = ""


class BlockReport(msgspec.Struct, frozen=True):
    """What was found of one block. `height_by` says how the height is known, empty where it is not.

    `doubt` says why a block that passes may be of another network all the same; empty where nothing does.
    """

    file: str
    offset: int
    form: str
    hash: str | None
    height: int | None
    height_by: str
    tx_count: int | None
    size: int | None
    level: Level
    passed: bool
    reason: str
    doubt: str
    checks: tuple[CheckOutcome, ...]
