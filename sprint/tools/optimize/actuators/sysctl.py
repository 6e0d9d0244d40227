"""A number of the kernel's under /proc/sys: host-wide, lasting until somebody sets it anew or a reboot."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from sprint.core.optimize.setting import Value
from sprint.tools.optimize.actuators.actuator import Actuator

DIGITS_MAX = 10


class Sysctl(Actuator):
    """One of the sysctls that a plan may name."""

    host: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        self._path = Path("/proc/sys", *name.split("."))

    def read(self, pid: int) -> str:
        del pid
        return self._path.read_text(encoding="ascii").strip()

    def write(self, pid: int, value: Value) -> None:
        del pid
        self._path.write_text(f"{value}\n", encoding="ascii")

    def valid(self, value: Value) -> bool:
        return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX
