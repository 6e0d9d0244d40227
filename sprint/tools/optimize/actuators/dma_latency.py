"""How late an idle CPU may wake: /dev/cpu_dma_latency, a wish that holds as long as the file is open.

The kernel takes the least of all wishes, so that what is read back may be less than was asked for; a wish
ends with who holds it, by whatever end. Source: Documentation/power/pm_qos_interface.rst.
"""

from __future__ import annotations

import os
import struct
from typing import ClassVar

from sprint.core.optimize.levels import DMA_LATENCY_US_MAX
from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.actuators.scheduling import number_of

PATH = "/dev/cpu_dma_latency"
# What is read where nobody wishes anything: PM_QOS_CPU_LATENCY_DEFAULT_VALUE.
NO_WISH_US = 2_000_000_000
_WISH = struct.Struct("=i")


class DmaLatency(Actuator):
    """The wish of this process; there is one at a time."""

    host: ClassVar[bool] = True
    lasting: ClassVar[bool] = False
    held: ClassVar[bool] = True

    def __init__(self) -> None:
        self._held: int | None = None

    def read(self, pid: int) -> int:
        """Return the least of all wishes in us; 2,000,000,000 where there is none."""
        del pid
        descriptor = os.open(PATH, os.O_RDONLY | os.O_CLOEXEC)
        try:
            (wish,) = _WISH.unpack(os.read(descriptor, _WISH.size))
        finally:
            os.close(descriptor)
        return int(wish)

    def write(self, pid: int, value: Value) -> None:
        """Hold a wish. What was there before is nobody's wish of ours: to write it back is to let go."""
        del pid
        wish = number_of(value)
        self.release()
        if wish > DMA_LATENCY_US_MAX:
            return
        descriptor = os.open(PATH, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.write(descriptor, _WISH.pack(wish))
        except OSError:
            os.close(descriptor)
            raise
        self._held = descriptor

    def release(self) -> None:
        """Let go of the wish, if there is one."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def meets(self, wanted: Value, found: Value) -> bool:
        return isinstance(wanted, int) and isinstance(found, int) and found <= wanted

    def valid(self, value: Value) -> bool:
        return isinstance(value, int) and 0 <= value <= NO_WISH_US
