"""What sets things, by the key of the setting: a file per kind, one `read` and one `write` for each thing.

Set, verify and restore are the same two calls.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from sprint.core.optimize.abi import LoadedAbi
from sprint.core.optimize.plan import SYSCTLS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.actuators.dma_latency import DmaLatency
from sprint.tools.optimize.actuators.elsewhere import actuators_elsewhere
from sprint.tools.optimize.actuators.memory import HugePages, MallocArenas, MemoryLock, MemoryPolicy
from sprint.tools.optimize.actuators.scheduling import (
    Affinity,
    IoPriority,
    Nice,
    RealtimeGuard,
    Scheduler,
    TimerSlack,
)
from sprint.tools.optimize.actuators.sysctl import Sysctl

_LINUX: Mapping[str, Actuator] = {
    "cpu_affinity": Affinity(),
    "numa_policy": MemoryPolicy(),
    "huge_pages": HugePages(),
    "nice": Nice(),
    "io_priority": IoPriority(),
    "timer_slack": TimerSlack(),
    "malloc_arenas": MallocArenas(),
    "cpu_dma_latency": DmaLatency(),
    "memory_lock": MemoryLock(),
    "realtime_guard": RealtimeGuard(),
    "scheduler": Scheduler(),
    **{f"sysctl:{name}": Sysctl(name) for name in SYSCTLS},
}
SYSTEM_ACTUATORS: Mapping[str, Actuator] = actuators_elsewhere(sys.platform, LoadedAbi()) or _LINUX
