"""Says which option to turn where no block came while the steady state was asked for."""

from __future__ import annotations

import msgspec

from sprint.core.chaos.experiment import Experiment, PythonProvider
from sprint.core.chaos.result import Result

_WAIT_FOR_A_BLOCK = frozenset({"chain_advances", "events_delivered"})


def with_hint_of_blocks(result: Result, document: Experiment) -> Result:
    """Name the option in the reason of a run that did not begin: blocks may be minutes apart."""
    waited_s = {
        each.name: each.provider.arguments["within_s"]
        for each in document.hypothesis.probes
        if isinstance(each.provider, PythonProvider) and each.provider.func in _WAIT_FOR_A_BLOCK
    }
    stood = [
        each.name
        for each in result.activities
        if each.phase == "before" and each.tolerated is False and each.name in waited_s
    ]
    if result.verdict != "could_not_run" or not stood:
        return result
    asked = f"--blocks-within asks for a block within {waited_s[stood[0]]:g} s"
    return msgspec.structs.replace(
        result, reason=f"{result.reason}; {asked}: give a longer time, or 0s where blocks are rare"
    )
