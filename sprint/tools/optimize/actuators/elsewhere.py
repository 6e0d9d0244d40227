"""What sets things on Windows and macOS: the same face as on Linux, over those platforms' own calls.

Nothing of it was run on hardware. See docs/reference/optimize-windows-macos.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from sprint.core.optimize.abi import Abi, Knob
from sprint.core.optimize.macos import MacOS
from sprint.core.optimize.plan_elsewhere import MACOS, WINDOWS
from sprint.core.optimize.windows import Windows
from sprint.tools.optimize.actuators.actuator import Actuator


def actuators_elsewhere(platform: str, abi: Abi) -> Mapping[str, Actuator]:
    """Return what sets things on a platform as `sys.platform` names it; nothing on one that is not known."""
    knobs: tuple[Knob, ...] = ()
    if platform == WINDOWS:
        knobs = Windows(abi).knobs()
    elif platform == MACOS:
        knobs = MacOS(abi).knobs()
    return {knob.key: knob for knob in knobs}
