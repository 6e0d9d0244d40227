"""Calls of a foreign ABI as data: what is called, with which types, what it answers, and how it says no.

Windows and macOS are tuned through `Function`s that an `Abi` calls. `LoadedAbi` is the true one, ctypes; in
tests a recorded fake has its place, and holds every argument against the declared types. So what can be known
without the platform is held: names, argument types, order, what an answer means, and what undoes what.

Types have the width that the platforms' own headers give them, not that of `ctypes.wintypes`, whose DWORD is
eight bytes long where this is tested.
"""

from __future__ import annotations

import ctypes
import errno
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from sprint.core.optimize.setting import Value

# How a function says that it failed: by 0, by anything but 0, or never.
FailsBy = Literal["zero", "nonzero", "never"]


class Function(NamedTuple):
    """A function of a library. `result` and `arguments` are ctypes types.

    `convention`: "stdcall" is called through WinDLL, which differs from "c" on 32-bit Windows and keeps
    GetLastError. `error` says where the reason of a failure stands: in the thread's error, which is
    GetLastError or errno, or in the result itself, as a kern_return_t or an error number.
    """

    library: str
    name: str
    result: type[Any] | None
    arguments: tuple[type[Any], ...]
    fails_by: FailsBy = "zero"
    error: Literal["of thread", "in result"] = "of thread"
    convention: Literal["stdcall", "c"] = "stdcall"


class Answer(NamedTuple):
    """What a call gave: its result, 0 where there is none, and the thread's error as it was right after."""

    result: int
    error: int = 0


class Region(NamedTuple):
    """Memory of this process: where it begins and how many bytes it has."""

    address: int
    size_bytes: int


class Abi(Protocol):
    """Calls functions. OSError with ENOSYS where a library or function isn't there."""

    def call(self, function: Function, *arguments: Any) -> Answer: ...


class Refused(OSError):
    """A call that failed. `errno` is the nearest of POSIX; `code` and `name` are the platform's own."""

    def __init__(self, number: int, function: str, code: int, name: str) -> None:
        super().__init__(number, f"{function} failed with {name} ({code})")
        self.function = function
        self.code = code
        self.name = name


def always(_: Value) -> bool:
    return True


def same(wanted: Value, found: Value) -> bool:
    return wanted == found


@dataclass(frozen=True)
class Knob:
    """One setting of a platform, as the edge applies any: read, written, read again, written back.

    `get` and `put` raise OSError where the platform refuses, `put` ValueError for what is no such value; what
    `get` gave `put` takes. `allows` tells what a journal may ask to be written back, `reaches` whether what
    was found is as good as what was wanted. Each is of the process or thread it was made for: the edge's
    process id, which other platforms' settings need, says nothing here. All end with the process.
    """

    threads: ClassVar[Literal["all", "main", "none"]] = "none"
    host: ClassVar[bool] = False
    inside: ClassVar[bool] = True
    lasting: ClassVar[bool] = False
    held: ClassVar[bool] = False

    key: str
    get: Callable[[], Value]
    put: Callable[[Value], None]
    allows: Callable[[Value], bool] = always
    reaches: Callable[[Value, Value], bool] = same

    def read(self, pid: int) -> Value:
        del pid
        return self.get()

    def write(self, pid: int, value: Value) -> None:
        del pid
        self.put(value)

    def meets(self, wanted: Value, found: Value) -> bool:
        return self.reaches(wanted, found)

    def valid(self, value: Value) -> bool:
        return self.allows(value)


class ErrorNames(NamedTuple):
    """What a platform's codes are called, and the errno that says the same."""

    of: Mapping[int, tuple[str, int]]

    def refused(self, function: Function, code: int) -> Refused:
        name, number = self.of.get(code, ("an unknown code", errno.EIO))
        return Refused(number, function.name, code, name)


class LoadedAbi:
    """Calls the functions of the libraries of this platform."""

    def __init__(self) -> None:
        self._libraries: dict[str, ctypes.CDLL] = {}
        self._functions: dict[Function, Any] = {}

    def __repr__(self) -> str:
        return f"LoadedAbi({sys.platform}, {len(self._functions)} functions)"

    def call(self, function: Function, *arguments: Any) -> Answer:
        """Call it with these arguments; a structure stands where the function wants a pointer to one."""
        foreign = self._function(function)
        result = foreign(*arguments)
        return Answer(int(result or 0), _thread_error(function))

    def _function(self, function: Function) -> Any:
        found = self._functions.get(function)
        if found is None:
            library = self._library(function)
            try:
                found = getattr(library, function.name)
            except AttributeError as error:
                raise _absent(f"{function.library} has no {function.name}") from error
            found.restype, found.argtypes = function.result, function.arguments
            self._functions[function] = found
        return found

    def _library(self, function: Function) -> ctypes.CDLL:
        if function.library not in self._libraries:
            try:
                self._libraries[function.library] = _load(function)
            except OSError as error:
                raise _absent(f"no library {function.library}: {error}") from error
        return self._libraries[function.library]


def _load(function: Function) -> ctypes.CDLL:
    if function.convention == "stdcall":
        loader = getattr(ctypes, "WinDLL", None)
        if loader is None:
            raise OSError(errno.ENOSYS, f"{function.library} is a library of Windows, this is {sys.platform}")
        library: ctypes.CDLL = loader(function.library, use_last_error=True)
        return library
    return ctypes.CDLL(function.library, use_errno=True)


def _absent(what: str) -> OSError:
    return OSError(errno.ENOSYS, what)


def _thread_error(function: Function) -> int:
    if function.convention != "stdcall":
        return ctypes.get_errno()
    last_error: Callable[[], int] = getattr(ctypes, "get_last_error", lambda: 0)
    return last_error()


def succeeded(abi: Abi, names: ErrorNames, function: Function, *arguments: Any) -> int:
    """Call it and return its result; Refused where it says that it failed."""
    answer = abi.call(function, *arguments)
    failed = {"zero": answer.result == 0, "nonzero": answer.result != 0, "never": False}[function.fails_by]
    if failed:
        raise names.refused(function, answer.result if function.error == "in result" else answer.error)
    return answer.result


def wanted_int(key: str, value: Value) -> int:
    """Return a value that must be a number; ValueError says of which setting."""
    if isinstance(value, int):
        return value
    raise ValueError(f"{key}: want a number, not {value!r}")


def wanted_all_or_none(key: str, value: Value, whole: int) -> int:
    """Return a value that must be the whole of something, or 0."""
    wanted = wanted_int(key, value)
    if wanted not in {0, whole}:
        raise ValueError(f"{key} {wanted}: want {whole}, all of it, or 0")
    return wanted


def wanted_text(key: str, value: Value, choices: Mapping[str, object]) -> str:
    """Return a value that must be one of some words."""
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f"{key}: want one of {', '.join(choices)}, not {value!r}")


def wanted_pair(key: str, value: Value) -> tuple[int, int]:
    """Return a value that must be two numbers."""
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if isinstance(first, int) and isinstance(second, int):
            return first, second
    raise ValueError(f"{key}: want two numbers, not {value!r}")


def allowed_by(put: Callable[[Value], object]) -> Callable[[Value], bool]:
    """Return what tells whether a value is one that `put` takes, where `put` has no effect."""

    def allows(value: Value) -> bool:
        try:
            put(value)
        except ValueError:
            return False
        return True

    return allows
