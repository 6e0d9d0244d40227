"""What a bench's parent and its measured process say to each other: a line of JSON each."""

from __future__ import annotations

import msgspec

from sprint.core.optimize.bench_result import SettingState
from sprint.core.optimize.setting import Setting
from sprint.tools.optimize.bench.scenes import SceneName


class Apply(msgspec.Struct, frozen=True, tag="apply"):
    settings: tuple[Setting, ...]


class Restore(msgspec.Struct, frozen=True, tag="restore"):
    pass


class Measure(msgspec.Struct, frozen=True, tag="measure"):
    scene: SceneName
    seconds: float


Order = Apply | Restore | Measure


class Reply(msgspec.Struct, frozen=True):
    """`states` of what was applied or restored, `values` of what was measured."""

    states: tuple[SettingState, ...] = ()
    values: tuple[float, ...] = ()
