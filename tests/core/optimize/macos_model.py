"""What macOS would have remembered of the calls, as its headers and XNU's policies say."""

from __future__ import annotations

from typing import Any

from sprint.core.optimize import macos
from sprint.core.optimize.abi import Answer
from tests.core.optimize.recorded_abi import bytes_of

PTHREAD = 0x16F000000
PORT = 0x103
NOT_SUPPORTED = 46
INVALID_ARGUMENT = 4
EPERM, EAGAIN = 1, 35
LOCKABLE_BYTES = 1 << 20


class MacOSModel:
    """One machine and one thread. Apple silicon's ticks are 125/3 ns, Intel's 1 ns."""

    def __init__(self, *, is_apple_silicon: bool = True) -> None:
        self.is_apple_silicon = is_apple_silicon
        self.quality = (0x15, 0)
        self.has_left_quality = False
        self.constraint: tuple[int, int, int, int] | None = None
        self.tag = 0
        self.locked: dict[int, int] = {}

    def state(self) -> dict[str, Any]:
        """Return what a restore brings back: not the classes of quality, which a policy leaves for good."""
        told = {name: value for name, value in vars(self).items() if name != "has_left_quality"}
        return told | {"locked": dict(self.locked)}

    def pthread_self(self) -> int:
        return PTHREAD

    def pthread_mach_thread_np(self, thread: int) -> int:
        assert thread == PTHREAD
        return PORT

    def mach_timebase_info(self, info: Any) -> int:
        info.numerator, info.denominator = (125, 3) if self.is_apple_silicon else (1, 1)
        return 0

    def thread_policy_set(self, thread: int, flavor: int, policy: Any, count: int) -> int:
        assert thread == PORT
        given = bytes_of(policy)
        if flavor == 1 and count == 0:
            self.constraint = None
        elif flavor == 2 and count == 4:
            if not given.computation <= given.constraint:
                return INVALID_ARGUMENT
            self.constraint = (given.period, given.computation, given.constraint, given.preemptible)
            self.has_left_quality = True
        elif flavor == 4 and count == 1:
            if self.is_apple_silicon:
                return NOT_SUPPORTED
            self.tag = given.tag
        else:
            return INVALID_ARGUMENT
        return 0

    def thread_policy_get(self, thread: int, flavor: int, policy: Any, count: Any, is_default: Any) -> int:
        assert thread == PORT
        given = bytes_of(policy)
        if flavor == 2 and count.value == 4:
            is_default.value = self.constraint is None
            if self.constraint:
                given.period, given.computation, given.constraint, given.preemptible = self.constraint
        elif flavor == 4 and count.value == 1:
            if self.is_apple_silicon:
                return NOT_SUPPORTED
            given.tag = self.tag
        else:
            return INVALID_ARGUMENT
        return 0

    def pthread_set_qos_class_self_np(self, quality: int, priority: int) -> int:
        if self.has_left_quality:
            return EPERM
        assert quality in set(macos.QUALITIES.values()) - {0}
        self.quality = quality, priority
        return 0

    def pthread_get_qos_class_np(self, thread: int, quality: Any, priority: Any) -> int:
        quality.value, priority.value = self.quality
        return 0

    def mlock(self, address: int, size: int) -> int | Answer:
        if sum(self.locked.values()) + size > LOCKABLE_BYTES:
            return Answer(-1, EAGAIN)
        self.locked[address] = size
        return 0

    def munlock(self, address: int, size: int) -> int:
        assert self.locked.pop(address) == size
        return 0
