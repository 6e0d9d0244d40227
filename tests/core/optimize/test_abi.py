"""The loaded ABI on this machine's own C library, and what the recorded fake holds against."""

from __future__ import annotations

import ctypes
import errno
import sys

import pytest

from sprint.core.optimize import macos, windows_functions
from sprint.core.optimize.abi import ErrorNames, Function, LoadedAbi, Refused, succeeded
from tests.core.optimize.recorded_abi import RecordedAbi, hold

LIBC = "libc.so.6"
ERRORS = ErrorNames({22: ("EINVAL", errno.EINVAL)})
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="calls the C library of Linux")


def of_libc(name: str, *arguments: type) -> Function:
    return Function(LIBC, name, ctypes.c_int32, arguments, "nonzero", convention="c")


@LINUX
def test_a_call_gives_its_result_and_the_reason_of_its_failure() -> None:
    abi = LoadedAbi()
    mlock = of_libc("mlock", ctypes.c_void_p, ctypes.c_size_t)
    buffer = ctypes.create_string_buffer(16)
    assert succeeded(abi, ERRORS, mlock, ctypes.addressof(buffer), 16) == 0
    assert succeeded(abi, ERRORS, mlock._replace(name="munlock"), ctypes.addressof(buffer), 16) == 0
    affinity = of_libc("sched_getaffinity", ctypes.c_int32, ctypes.c_size_t, ctypes.c_void_p)
    with pytest.raises(Refused, match=r"sched_getaffinity failed with EINVAL \(22\)") as refused:
        succeeded(abi, ERRORS, affinity, 0, 1, None)
    assert (refused.value.errno, refused.value.code, refused.value.function) == (22, 22, "sched_getaffinity")


@LINUX
def test_a_structure_stands_where_a_pointer_to_it_is_wanted() -> None:
    class Time(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))

    clock = of_libc("clock_gettime", ctypes.c_int32, ctypes.POINTER(Time))
    now = Time()
    assert LoadedAbi().call(clock, 1, now).result == 0
    assert now.seconds > 0


@LINUX
def test_a_function_or_library_that_is_not_there_is_not_supported() -> None:
    abi = LoadedAbi()
    for function in (of_libc("no_such_function"), windows_functions.GetCurrentProcess, macos.PthreadSelf):
        with pytest.raises(OSError, match="no") as refused:
            abi.call(function)
        assert refused.value.errno == errno.ENOSYS


def test_a_code_that_nobody_knows_is_told_as_it_is() -> None:
    refused = ERRORS.refused(windows_functions.SetPriorityClass, 4711)
    assert str(refused) == f"[Errno {errno.EIO}] SetPriorityClass failed with an unknown code (4711)"


def test_the_fake_refuses_what_c_would_be_given_wrongly() -> None:
    handle, class_ = 1, 0x80
    hold(windows_functions.SetPriorityClass, (handle, class_))
    for wrong in (
        (handle,),
        (handle, class_, 0),
        (handle, -1),
        (handle, 2**32),
        (handle, "high"),
        (2**64, 1),
    ):
        with pytest.raises((TypeError, ctypes.ArgumentError)):
            hold(windows_functions.SetPriorityClass, wrong)
    with pytest.raises((TypeError, ctypes.ArgumentError)):
        hold(windows_functions.GetThreadGroupAffinity, (handle, windows_functions.Luid()))


def test_the_fake_has_an_answer_for_each_function_or_fails() -> None:
    with pytest.raises(AttributeError, match="get_current_process"):
        RecordedAbi(object()).call(windows_functions.GetCurrentProcess)
