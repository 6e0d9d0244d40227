"""Declarations of Windows and macOS held against those platforms' own headers, by a C compiler.

Zig brings the headers of both along and compiles for either: `pip install ziglang` beside the project, and
`ZIG="…/python -m ziglang"`. What is compiled is never run: sizes, places of fields and constants are static
assertions, and each function is assigned to a pointer of the type that is declared here.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from sprint.core.optimize import macos
from sprint.core.optimize import windows_functions as win
from sprint.core.optimize.abi import Function

ZIG = shlex.split(os.environ.get("ZIG", "")) or [found for found in [shutil.which("zig")] if found]
COMPILER_TIMEOUT_S = 250.0

pytestmark = pytest.mark.skipif(not ZIG, reason='no Zig; pip install ziglang, ZIG="python -m ziglang"')

C_TYPES: dict[type | None, str] = {
    None: "void",
    ctypes.c_int32: "int32_t",
    ctypes.c_uint32: "uint32_t",
    ctypes.c_uint16: "uint16_t",
    ctypes.c_size_t: "size_t",
    ctypes.c_void_p: "void *",
    ctypes.c_wchar_p: "wchar_t *",
}
WINDOWS_STRUCTURES = {
    win.GroupAffinity: ("GROUP_AFFINITY", ("Mask", "Group", "Reserved")),
    win.PowerThrottling: ("PROCESS_POWER_THROTTLING_STATE", ("Version", "ControlMask", "StateMask")),
    win.Luid: ("LUID", ("LowPart", "HighPart")),
    win.Privilege: ("LUID_AND_ATTRIBUTES", ("Luid", "Attributes")),
    win.OnePrivilege: ("TOKEN_PRIVILEGES", ("PrivilegeCount", "Privileges")),
    win.WorkingSetPage: ("PSAPI_WORKING_SET_EX_INFORMATION", ("VirtualAddress", "VirtualAttributes")),
}
MACOS_STRUCTURES = {
    macos.TimebaseInfo: ("struct mach_timebase_info", ("numer", "denom")),
    macos.TimeConstraint: (
        "struct thread_time_constraint_policy",
        ("period", "computation", "constraint", "preemptible"),
    ),
    macos.Affinity: ("struct thread_affinity_policy", ("affinity_tag",)),
}
WINDOWS_CONSTANTS = {
    **{f"{name.upper()}_PRIORITY_CLASS": number for name, number in win.PRIORITY_CLASSES.items()},
    "THREAD_PRIORITY_ERROR_RETURN": win.THREAD_PRIORITY_ERROR_RETURN,
    "(PROCESS_SET_QUOTA | PROCESS_SET_INFORMATION | PROCESS_QUERY_INFORMATION)": win.PROCESS_ACCESS,
    "ProcessPowerThrottling": win.PROCESS_POWER_THROTTLING,
    "PROCESS_POWER_THROTTLING_CURRENT_VERSION": win.POWER_THROTTLING_VERSION,
    "PROCESS_POWER_THROTTLING_EXECUTION_SPEED": win.POWER_THROTTLING_EXECUTION_SPEED,
    "PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION": win.POWER_THROTTLING_IGNORE_TIMER_RESOLUTION,
    "(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY)": win.TOKEN_ACCESS,
    "TokenPrivileges": win.TOKEN_PRIVILEGES_CLASS,
    "SE_PRIVILEGE_ENABLED": win.SE_PRIVILEGE_ENABLED,
    "MEM_COMMIT": win.MEM_COMMIT,
    "MEM_RESERVE": win.MEM_RESERVE,
    "MEM_RELEASE": win.MEM_RELEASE,
    "MEM_LARGE_PAGES": win.MEM_LARGE_PAGES,
    "PAGE_READWRITE": win.PAGE_READWRITE,
    **{name: code for code, (name, _) in win.ERRORS.of.items()},
}
MACOS_CONSTANTS = {
    **{f"QOS_CLASS_{name.upper()}": number for name, number in macos.QUALITIES.items()},
    **{name: getattr(macos, name) for name in vars(macos) if name.startswith("THREAD_")},
    "QOS_MIN_RELATIVE_PRIORITY": macos.RELATIVE_PRIORITY_MIN,
    **{name: code for code, (name, _) in macos.ERRORS.of.items()},
    **{name: code for code, (name, _) in macos.POSIX_ERRORS.of.items()},
}
WINDOWS_INCLUDES = """
#include <windows.h>
#include <psapi.h>
#include <mmsystem.h>
"""
MACOS_INCLUDES = """
#include <errno.h>
#include <mach/mach.h>
#include <mach/mach_time.h>
#include <mach/thread_policy.h>
#include <pthread.h>
#include <pthread/qos.h>
#include <sys/mman.h>
"""
# ntdll.h of the user's headers has no NtQueryTimerResolution, and that of the kernel's is another world.
IN_NO_HEADER = {"NtQueryTimerResolution"}


def test_declarations_are_those_of_the_headers_of_windows(tmp_path: Path) -> None:
    source = program(WINDOWS_INCLUDES, WINDOWS_STRUCTURES, WINDOWS_CONSTANTS, win)
    compile_for("x86_64-windows-gnu", source, tmp_path)


@pytest.mark.parametrize("target", ["aarch64-macos", "x86_64-macos"])
def test_declarations_are_those_of_the_headers_of_macos(target: str, tmp_path: Path) -> None:
    source = program(MACOS_INCLUDES, MACOS_STRUCTURES, MACOS_CONSTANTS, macos)
    compile_for(target, source, tmp_path)


def test_a_wrong_declaration_is_not_compiled(tmp_path: Path) -> None:
    source = program(MACOS_INCLUDES, {}, {"EPERM": 2}, macos)
    with pytest.raises(AssertionError, match="static assertion failed"):
        compile_for("aarch64-macos", source, tmp_path)


def program(
    includes: str,
    structures: dict[type[ctypes.Structure], tuple[str, tuple[str, ...]]],
    constants: dict[str, int],
    module: ModuleType,
) -> str:
    lines = ["#include <stdint.h>", "#include <stddef.h>", includes]
    lines += [f'_Static_assert({name} == {value}, "{name}");' for name, value in constants.items()]
    for structure, (name, fields) in structures.items():
        lines.append(f'_Static_assert(sizeof({name}) == {ctypes.sizeof(structure)}, "{name}");')
        for ours, theirs in zip(structure._fields_, fields, strict=True):
            place = getattr(structure, ours[0]).offset
            lines.append(f'_Static_assert(offsetof({name}, {theirs}) == {place}, "{name}.{theirs}");')
    functions = [value for value in vars(module).values() if isinstance(value, Function)]
    for function in functions:
        if function.name not in IN_NO_HEADER:
            lines += sizes_of(function)
    return "\n".join(lines) + "\n"


def sizes_of(function: Function) -> list[str]:
    """Hold the number of arguments, and the width of the result and of each argument.

    The types themselves have other names in the headers (LPCWSTR for a pointer), so that width and number are
    what can be held; a call with values of ours is compiled for that.
    """
    values = ", ".join(f"*(({c_type(kind)} *)0)" for kind in function.arguments)
    call = f"{function.name}({values})"
    size = ctypes.sizeof(function.result) if function.result else 0
    return [
        f'_Static_assert(sizeof({call}) == {size}, "result of {function.name}");',
        f"void call_{function.name}(void) {{ (void){call}; }}",
    ]


def c_type(kind: type) -> str:
    pointed = getattr(kind, "_type_", None)
    return "void *" if isinstance(pointed, type) else C_TYPES[kind]


def compile_for(target: str, source: str, folder: Path) -> None:
    path = folder / "held.c"
    path.write_text(source, encoding="utf-8")
    warnings = ["-Wall", "-Werror", "-Wno-null-dereference", "-Wno-unknown-pragmas", "-Wshorten-64-to-32"]
    done = subprocess.run(
        [*ZIG, "cc", "-target", target, *warnings, "-c", str(path), "-o", str(folder / "held.o")],
        capture_output=True, text=True, check=False, timeout=COMPILER_TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
