"""A platform that isn't here, as the tests of all of its settings see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from sprint.core.optimize.abi import Knob
from sprint.core.optimize.setting import Value
from tests.core.optimize.recorded_abi import RecordedAbi


class Model(Protocol):
    """What the platform would have remembered of the calls."""

    def state(self) -> dict[str, Any]:
        """Return all that a restore must bring back."""


class Case(NamedTuple):
    """What a setting is set to, and the calls that a read and a write of it are."""

    wanted: Value
    reading: list[str]
    writing: list[str]


class Platform(NamedTuple):
    """Its settings by key. `code` is what a failing call gives, `never_fail` are calls that can't.

    `wrong` are values that a journal may hold and that are no values of the setting.
    """

    cases: Mapping[str, Case]
    wrong: Mapping[str, tuple[Value, ...]]
    never_fail: frozenset[str]
    code: int
    model: Callable[[], Any]
    opened: Callable[[Any], tuple[RecordedAbi, dict[str, Knob]]]
