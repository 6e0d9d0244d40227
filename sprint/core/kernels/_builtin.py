"""Compiled code called at the price of Python's own builtins; the one place that uses ctypes for it.

A numba function costs 260 ns and more to call, as each argument is unpacked by a general rule; a builtin
function gets the addresses of its arguments and reads them where CPython keeps them. So that address has to
be right: such a builtin is made only on the CPython versions it was tested on, with the layout of objects
looked at first, and it looks at type and length of each argument before it reads one. Whatever else it is
given, it hands on to a Python function, which answers or raises.

`METH_FASTCALL` is used rather than `METH_O`, so that the time can be an argument: with the loop around it,
a call with two arguments takes 12 to 13 ns, one with a single argument by METH_O 10 to 11, on each version.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, Final

TESTED_VERSIONS: Final = frozenset({(3, 11), (3, 12), (3, 13)})
# Where CPython keeps what is read, from the start of the object (Include/cpython/*.h of those versions).
TYPE_AT: Final = 8
SIZE_AT: Final = 16
BYTES_AT: Final = 32
FLOAT_AT: Final = 16
TUPLE_AT: Final = 24

_METH_FASTCALL = 0x80
_IMMORTAL_SINCE = (3, 12)  # PEP 683: True and False are not counted any more
_PROBE = bytes(range(32))


class _MethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_definitions: dict[tuple[int, str], _MethodDef] = {}  # CPython keeps their addresses, so they stay for good


def layout_is_known() -> bool:
    """Tell whether objects lie in memory as the builtins take them to."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in TESTED_VERSIONS:
        return False
    # Builds without a GIL, or with traced references, have larger heads.
    sizes = (object.__basicsize__, bytes.__basicsize__, float.__basicsize__, tuple.__basicsize__)
    if sizes != (16, 33, 24, 24) or ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        return False
    pair = (_PROBE, 0.5)
    return (
        ctypes.string_at(id(_PROBE) + BYTES_AT, len(_PROBE)) == _PROBE
        and _word(id(_PROBE) + TYPE_AT) == id(bytes)
        and _word(id(_PROBE) + SIZE_AT) == len(_PROBE)
        and ctypes.c_double.from_address(id(pair[1]) + FLOAT_AT).value == pair[1]
        and _word(id(pair) + TUPLE_AT) == id(_PROBE)
    )


def shared_words() -> tuple[int, ...]:
    """What builtins have to know, in this order.

    Addresses of True and False, what to count for one more use of either, addresses of the types bytes,
    float and int, of None, of the functions PyObject_Vectorcall and PyLong_AsLongLongAndOverflow.
    """
    counted = 0 if sys.version_info >= _IMMORTAL_SINCE else 1
    functions = (ctypes.pythonapi.PyObject_Vectorcall, ctypes.pythonapi.PyLong_AsLongLongAndOverflow)
    addresses = [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions]
    objects = (True, False)
    return (*map(id, objects), counted, id(bytes), id(float), id(int), id(None), *addresses)


def bytes_maker() -> int:
    """Return the address of PyBytes_FromStringAndSize."""
    return ctypes.cast(ctypes.pythonapi.PyBytes_FromStringAndSize, ctypes.c_void_p).value or 0


def make_builtin(address: int, name: str, owner: tuple[object, ...]) -> Callable[..., Any]:
    """Return a builtin function around a compiled (self, arguments, count) → object.

    `owner` is what the function gets as self; it is kept as long as the builtin is, and everything whose
    address the function uses has to be in it.
    """
    definition = _definitions.setdefault((address, name), _MethodDef(name.encode(), address, _METH_FASTCALL))
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    made: Callable[..., Any] = make(ctypes.addressof(definition), owner, None)
    return made


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value
