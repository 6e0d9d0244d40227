"""What Windows would have remembered of the calls, as the pages of its functions say."""

from __future__ import annotations

import ctypes
from typing import Any

from sprint.core.optimize import windows_functions as win
from sprint.core.optimize.abi import Answer

THIS_PROCESS = 2**64 - 1
THIS_THREAD = 2**64 - 2
OTHER_PROCESS = 0x1C4
TOKEN = 0x2A8
LOCK_MEMORY_LUID = (4, 0)
PAGE = win.PAGE_SIZE
NO_SYSTEM_RESOURCES = 1450
ACCESS_DENIED = 5


class WindowsModel:
    """One machine and one process. `state` is all that a restore must bring back."""

    def __init__(self, *, groups: int = 1, holds_privilege: bool = True) -> None:
        self.groups = groups
        self.holds_privilege = holds_privilege
        self.may_be_realtime = False
        self.priority_class = 0x20
        self.thread_priority = 0
        self.process_mask = 0b1111
        self.thread_group = (0b1111, groups - 1)
        self.working_set = (200 * PAGE, 345 * PAGE)
        self.throttling = (0, 0)
        self.privilege_attributes = 0
        self.periods: list[int] = []
        self.locked: set[int] = set()
        self.open_handles: list[int] = []
        self.allocated: dict[int, tuple[int, int, int]] = {}
        self.large_page_size = 2 << 20

    def state(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name != "allocated"}
        return {name: value.copy() if hasattr(value, "copy") else value for name, value in told.items()}

    def get_current_process(self) -> int:
        return THIS_PROCESS

    def get_current_thread(self) -> int:
        return THIS_THREAD

    def open_process(self, access: int, inherit: int, pid: int) -> int:
        assert (access, inherit) == (0x0700, 0)
        assert pid
        self.open_handles.append(OTHER_PROCESS)
        return OTHER_PROCESS

    def close_handle(self, handle: int) -> int:
        self.open_handles.remove(handle)
        return 1

    def get_priority_class(self, process: int) -> int:
        return self.priority_class

    def set_priority_class(self, process: int, priority: int) -> int:
        self.priority_class = 0x80 if priority == 0x100 and not self.may_be_realtime else priority
        return 1

    def get_thread_priority(self, thread: int) -> int:
        assert thread == THIS_THREAD
        return self.thread_priority

    def set_thread_priority(self, thread: int, priority: int) -> int:
        self.thread_priority = priority
        return 1

    def get_active_processor_group_count(self) -> int:
        return self.groups

    def get_process_affinity_mask(self, process: int, of_process: Any, of_system: Any) -> int:
        of_process.value, of_system.value = self.process_mask, 0b1111
        return 1

    def set_process_affinity_mask(self, process: int, mask: int) -> int | Answer:
        if not mask or mask & ~0b1111:
            return Answer(0, 87)
        self.process_mask = mask
        return 1

    def get_thread_group_affinity(self, thread: int, affinity: Any) -> int:
        affinity.mask, affinity.group = self.thread_group
        return 1

    def set_thread_group_affinity(self, thread: int, affinity: Any, previous: Any) -> int:
        assert list(affinity.reserved) == [0, 0, 0]
        previous.mask, previous.group = self.thread_group
        self.thread_group = affinity.mask, affinity.group
        return 1

    def get_process_working_set_size(self, process: int, least: Any, most: Any) -> int:
        least.value, most.value = self.working_set
        return 1

    def set_process_working_set_size(self, process: int, least: int, most: int) -> int:
        self.working_set = least, most
        return 1

    def query_working_set_ex(self, process: int, pages: Any, size: int) -> int:
        assert size == ctypes.sizeof(pages)
        for page in pages:
            page.attributes = win.WORKING_SET_VALID
            page.attributes |= win.WORKING_SET_LOCKED if page.address in self.locked else 0
        return 1

    def virtual_lock(self, address: int, size: int) -> int | Answer:
        pages = set(range(address - address % PAGE, address + size, PAGE))
        # VirtualLock: no more pages than the least working set, less a small overhead.
        if len(self.locked | pages) * PAGE >= self.working_set[0]:
            return Answer(0, 1453)
        self.locked |= pages
        return 1

    def virtual_unlock(self, address: int, size: int) -> int:
        self.locked -= set(range(address - address % PAGE, address + size, PAGE))
        return 1

    def get_process_information(self, process: int, kind: int, state: Any, size: int) -> int:
        assert (kind, state.version, size) == (4, 1, 12)
        state.control, state.state = self.throttling
        return 1

    def set_process_information(self, process: int, kind: int, state: Any, size: int) -> int:
        assert (kind, state.version, size) == (4, 1, 12)
        self.throttling = state.control, state.state
        return 1

    def open_process_token(self, process: int, access: int, token: Any) -> int:
        assert access == 0x28
        token.value = TOKEN
        self.open_handles.append(TOKEN)
        return 1

    def lookup_privilege_value_w(self, system: None, name: str, luid: Any) -> int:
        assert (system, name) == (None, "SeLockMemoryPrivilege")
        luid.low, luid.high = LOCK_MEMORY_LUID
        return 1

    def get_token_information(self, token: int, kind: int, privileges: Any, size: int, needed: Any) -> int:
        assert (kind, size) == (3, 4 + 64 * 12)
        held = [((23, 0), 3)] + (
            [(LOCK_MEMORY_LUID, self.privilege_attributes)] if self.holds_privilege else []
        )
        privileges.count = len(held)
        for place, (luid, attributes) in enumerate(held):
            privileges.privileges[place] = win.Privilege(win.Luid(*luid), attributes)
        needed.value = 4 + 12 * len(held)
        return 1

    def adjust_token_privileges(
        self, token: int, disable_all: int, new: Any, size: int, old: Any, needed: Any
    ) -> Answer:
        assert (disable_all, new.count, size) == (0, 1, 16)
        luid = new.privileges[0].luid
        assert (luid.low, luid.high) == LOCK_MEMORY_LUID
        if not self.holds_privilege:
            return Answer(1, win.ERROR_NOT_ALL_ASSIGNED)
        old.count, old.privileges[0].attributes = 1, self.privilege_attributes
        self.privilege_attributes = new.privileges[0].attributes
        return Answer(1, 0)

    def nt_query_timer_resolution(self, coarsest: Any, finest: Any, now: Any) -> int:
        coarsest.value, finest.value = 156_250, 5_000
        now.value = min([156_250, *(10_000 * period for period in self.periods)])
        return 0

    def time_begin_period(self, period_ms: int) -> int:
        self.periods.append(period_ms)
        return 0

    def time_end_period(self, period_ms: int) -> int:
        self.periods.remove(period_ms)
        return 0

    def get_large_page_minimum(self) -> int:
        return self.large_page_size

    def get_numa_highest_node_number(self, highest: Any) -> int:
        highest.value = 1
        return 1

    def get_numa_node_processor_mask_ex(self, node: int, affinity: Any) -> int:
        affinity.mask, affinity.group = (0b0011, 0b1100)[node], 0
        return 1

    def virtual_alloc_ex_numa(
        self, process: int, address: None, size: int, kind: int, protection: int, node: int
    ) -> int | Answer:
        large = bool(kind & win.MEM_LARGE_PAGES)
        if large and not self.privilege_attributes & win.SE_PRIVILEGE_ENABLED:
            return Answer(0, 1314)
        if large and size % self.large_page_size:
            return Answer(0, 87)
        place = 0x7F0000000000 + 0x100000000 * len(self.allocated)
        self.allocated[place] = (size, kind, node)
        return place

    def virtual_free(self, address: int, size: int, kind: int) -> int | Answer:
        if size or kind != win.MEM_RELEASE:
            return Answer(0, 87)
        del self.allocated[address]
        return 1
