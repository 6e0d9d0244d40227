"""Functions of Windows that `windows.py` calls: names, types, structures and constants of the Win32 headers.

Types are given by their width (DWORD and ULONG 4 bytes, BOOL a signed 4, WORD 2, SIZE_T, KAFFINITY and HANDLE
a pointer's), as in basetsd.h and windef.h.
"""

from __future__ import annotations

import ctypes
import errno
from ctypes import POINTER, Structure
from ctypes import c_int32 as signed
from ctypes import c_size_t as word_of_pointer
from ctypes import c_uint16 as short
from ctypes import c_uint32 as dword
from ctypes import c_void_p as handle

from sprint.core.optimize.abi import ErrorNames, Function

# processthreadsapi.h, winbase.h
PRIORITY_CLASSES = {
    "idle": 0x40, "below_normal": 0x4000, "normal": 0x20, "above_normal": 0x8000, "high": 0x80,
    "realtime": 0x100,
}  # fmt: skip
THREAD_PRIORITY_ERROR_RETURN = 0x7FFFFFFF
PROCESS_ACCESS = 0x0100 | 0x0200 | 0x0400  # PROCESS_SET_QUOTA, _SET_INFORMATION, _QUERY_INFORMATION
PROCESS_POWER_THROTTLING = 4  # ProcessPowerThrottling of PROCESS_INFORMATION_CLASS
POWER_THROTTLING_VERSION = 1
POWER_THROTTLING_EXECUTION_SPEED = 0x1
POWER_THROTTLING_IGNORE_TIMER_RESOLUTION = 0x4
# winnt.h
TOKEN_ACCESS = 0x0020 | 0x0008  # TOKEN_ADJUST_PRIVILEGES, TOKEN_QUERY
TOKEN_PRIVILEGES_CLASS = 3  # TokenPrivileges of TOKEN_INFORMATION_CLASS
SE_LOCK_MEMORY = "SeLockMemoryPrivilege"
SE_PRIVILEGE_ENABLED = 0x2
PRIVILEGES_MAX = 64  # Windows 11 has 36
MEM_COMMIT, MEM_RESERVE, MEM_RELEASE, MEM_LARGE_PAGES = 0x1000, 0x2000, 0x8000, 0x20000000
PAGE_READWRITE = 0x4
CPUS_PER_GROUP = 64
PAGE_SIZE = 4096
# psapi.h: bits of PSAPI_WORKING_SET_EX_BLOCK
WORKING_SET_VALID = 1 << 0
WORKING_SET_LOCKED = 1 << 22
TIMER_UNITS_PER_MS = 10_000  # NtQueryTimerResolution counts in 100 ns

ERROR_NOT_ALL_ASSIGNED = 1300
ERRORS = ErrorNames(
    {
        5: ("ERROR_ACCESS_DENIED", errno.EACCES),
        6: ("ERROR_INVALID_HANDLE", errno.EBADF),
        8: ("ERROR_NOT_ENOUGH_MEMORY", errno.ENOMEM),
        50: ("ERROR_NOT_SUPPORTED", errno.ENOTSUP),
        87: ("ERROR_INVALID_PARAMETER", errno.EINVAL),
        97: ("TIMERR_NOCANDO", errno.EINVAL),
        120: ("ERROR_CALL_NOT_IMPLEMENTED", errno.ENOSYS),
        158: ("ERROR_NOT_LOCKED", errno.EINVAL),
        ERROR_NOT_ALL_ASSIGNED: ("ERROR_NOT_ALL_ASSIGNED", errno.EPERM),
        1314: ("ERROR_PRIVILEGE_NOT_HELD", errno.EPERM),
        1450: ("ERROR_NO_SYSTEM_RESOURCES", errno.ENOMEM),
        1453: ("ERROR_WORKING_SET_QUOTA", errno.ENOMEM),
        1455: ("ERROR_COMMITMENT_LIMIT", errno.ENOMEM),
    }
)


class GroupAffinity(Structure):
    """GROUP_AFFINITY: CPUs of one processor group."""

    _fields_ = (("mask", word_of_pointer), ("group", short), ("reserved", short * 3))


class PowerThrottling(Structure):
    """PROCESS_POWER_THROTTLING_STATE: which mechanisms are taken over, and which of those are on."""

    _fields_ = (("version", dword), ("control", dword), ("state", dword))


class Luid(Structure):
    """LUID: a privilege's number on this machine since it was started."""

    _fields_ = (("low", dword), ("high", signed))


class Privilege(Structure):
    """LUID_AND_ATTRIBUTES."""

    _fields_ = (("luid", Luid), ("attributes", dword))


class OnePrivilege(Structure):
    """TOKEN_PRIVILEGES with one privilege."""

    _fields_ = (("count", dword), ("privileges", Privilege * 1))


class Privileges(Structure):
    """TOKEN_PRIVILEGES with room for all there are."""

    _fields_ = (("count", dword), ("privileges", Privilege * PRIVILEGES_MAX))


class WorkingSetPage(Structure):
    """PSAPI_WORKING_SET_EX_INFORMATION: a page's address, and the bits that say how it is held."""

    _fields_ = (("address", handle), ("attributes", word_of_pointer))


def _kernel32(name: str, result: type | None, *arguments: type, never_fails: bool = False) -> Function:
    return Function("kernel32", name, result, arguments, "never" if never_fails else "zero")


def _advapi32(name: str, *arguments: type) -> Function:
    return Function("advapi32", name, signed, arguments)


GetCurrentProcess = _kernel32("GetCurrentProcess", handle, never_fails=True)
GetCurrentThread = _kernel32("GetCurrentThread", handle, never_fails=True)
OpenProcess = _kernel32("OpenProcess", handle, dword, signed, dword)
CloseHandle = _kernel32("CloseHandle", signed, handle)

GetPriorityClass = _kernel32("GetPriorityClass", dword, handle)
SetPriorityClass = _kernel32("SetPriorityClass", signed, handle, dword)
GetThreadPriority = _kernel32("GetThreadPriority", signed, handle, never_fails=True)
SetThreadPriority = _kernel32("SetThreadPriority", signed, handle, signed)

GetActiveProcessorGroupCount = _kernel32("GetActiveProcessorGroupCount", short)
GetProcessAffinityMask = _kernel32(
    "GetProcessAffinityMask", signed, handle, POINTER(word_of_pointer), POINTER(word_of_pointer)
)
SetProcessAffinityMask = _kernel32("SetProcessAffinityMask", signed, handle, word_of_pointer)
GetThreadGroupAffinity = _kernel32("GetThreadGroupAffinity", signed, handle, POINTER(GroupAffinity))
SetThreadGroupAffinity = _kernel32(
    "SetThreadGroupAffinity", signed, handle, POINTER(GroupAffinity), POINTER(GroupAffinity)
)

GetProcessWorkingSetSize = _kernel32(
    "GetProcessWorkingSetSize", signed, handle, POINTER(word_of_pointer), POINTER(word_of_pointer)
)
SetProcessWorkingSetSize = _kernel32(
    "SetProcessWorkingSetSize", signed, handle, word_of_pointer, word_of_pointer
)
QueryWorkingSetEx = _kernel32("K32QueryWorkingSetEx", signed, handle, POINTER(WorkingSetPage), dword)
VirtualLock = _kernel32("VirtualLock", signed, handle, word_of_pointer)
VirtualUnlock = _kernel32("VirtualUnlock", signed, handle, word_of_pointer)

GetLargePageMinimum = _kernel32("GetLargePageMinimum", word_of_pointer, never_fails=True)
GetNumaHighestNodeNumber = _kernel32("GetNumaHighestNodeNumber", signed, POINTER(dword))
GetNumaNodeProcessorMaskEx = _kernel32("GetNumaNodeProcessorMaskEx", signed, short, POINTER(GroupAffinity))
VirtualAllocExNuma = _kernel32(
    "VirtualAllocExNuma", handle, handle, handle, word_of_pointer, dword, dword, dword
)
VirtualFree = _kernel32("VirtualFree", signed, handle, word_of_pointer, dword)

GetProcessInformation = _kernel32(
    "GetProcessInformation", signed, handle, signed, POINTER(PowerThrottling), dword
)
SetProcessInformation = _kernel32(
    "SetProcessInformation", signed, handle, signed, POINTER(PowerThrottling), dword
)

OpenProcessToken = _advapi32("OpenProcessToken", handle, dword, POINTER(handle))
LookupPrivilegeValue = _advapi32("LookupPrivilegeValueW", ctypes.c_wchar_p, ctypes.c_wchar_p, POINTER(Luid))
GetTokenInformation = _advapi32(
    "GetTokenInformation", handle, signed, POINTER(Privileges), dword, POINTER(dword)
)
AdjustTokenPrivileges = _advapi32(
    "AdjustTokenPrivileges", handle, signed, POINTER(OnePrivilege), dword, POINTER(OnePrivilege),
    POINTER(dword),
)  # fmt: skip

# These two give their MMRESULT, NtQueryTimerResolution its NTSTATUS; 0 is success for all three.
TimeBeginPeriod = Function("winmm", "timeBeginPeriod", dword, (dword,), "nonzero", "in result")
TimeEndPeriod = Function("winmm", "timeEndPeriod", dword, (dword,), "nonzero", "in result")
NtQueryTimerResolution = Function(
    "ntdll", "NtQueryTimerResolution", signed, (POINTER(dword), POINTER(dword), POINTER(dword)),
    "nonzero", "in result",
)  # fmt: skip
