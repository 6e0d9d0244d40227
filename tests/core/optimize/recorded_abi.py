"""A platform that isn't here: calls are held against their declared types, recorded, and answered by a model.

A model has a method for each function, `set_priority_class` for SetPriorityClass, that takes what C would be
given and changes the model as the platform's page of that function says.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from typing import Any

from sprint.core.optimize.abi import Answer, Function

INTEGERS = {
    ctypes.c_int32: (-(2**31), 2**31 - 1),
    ctypes.c_uint32: (0, 2**32 - 1),
    ctypes.c_uint16: (0, 2**16 - 1),
    ctypes.c_size_t: (0, 2**64 - 1),
    ctypes.c_void_p: (0, 2**64 - 1),
}


class RecordedAbi:
    """Answers from a model. `called` has the names in order; the call numbered `failing` fails."""

    def __init__(self, model: object, *, failing: int = -1, code: int = 5) -> None:
        self._model = model
        self.failing = failing
        self.code = code
        self.calls: list[tuple[Function, tuple[Any, ...]]] = []

    @property
    def called(self) -> list[str]:
        return [function.name for function, _ in self.calls]

    def call(self, function: Function, *arguments: Any) -> Answer:
        hold(function, arguments)
        self.calls.append((function, arguments))
        if self.failing == len(self.calls) - 1:
            return failure(function, self.code)
        method: Callable[..., Answer | int] = getattr(self._model, method_of(function))
        answer = method(*arguments)
        return answer if isinstance(answer, Answer) else Answer(answer)


def method_of(function: Function) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", function.name.removeprefix("K32")).lower()


def failure(function: Function, code: int) -> Answer:
    """Return what the platform would where it refuses."""
    if function.error == "in result":
        return Answer(code)
    return Answer(0 if function.fails_by == "zero" else -1, code)


def hold(function: Function, arguments: tuple[Any, ...]) -> None:
    """Raise TypeError where C would be given something else than it was declared to take."""
    if len(arguments) != len(function.arguments):
        raise TypeError(f"{function.name}: {len(arguments)} arguments, wants {len(function.arguments)}")
    for kind, argument in zip(function.arguments, arguments, strict=True):
        if kind in INTEGERS and isinstance(argument, int):
            least, most = INTEGERS[kind]
            if not least <= argument <= most:
                raise TypeError(f"{function.name}: {argument} doesn't fit into {kind.__name__}")
        # Private to ctypes' types, and what foreign functions themselves ask.
        kind.from_param(argument)


def bytes_of(pointed: Any) -> Any:
    """Return the structure behind a byref."""
    return getattr(pointed, "_obj", pointed)
