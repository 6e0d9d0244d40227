"""What stands for a source while an operator has it paused: nothing is connected to, and it says so."""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.sources.view import Source, SourceView


class PausedSource:
    """A source that rests, with the counters of the one whose place it takes."""

    def __init__(self, source: Source, reason: str) -> None:
        self._spec = source.spec
        self._faults = Counter(source.faults())
        self._view = msgspec.structs.replace(
            source.view(), state="paused", reason=reason, user_agent="", retry_in_s=math.inf, awaited_s=0.0
        )

    def __repr__(self) -> str:
        return f"PausedSource({self._spec.name})"

    @property
    def spec(self) -> SourceSpec:
        return self._spec

    async def run(self) -> None:
        """Do nothing: it has no task, and another takes its place when it is resumed."""

    def view(self) -> SourceView:
        return self._view

    def faults(self) -> Counter[str]:
        """Count what was wrong before it was paused."""
        return self._faults
