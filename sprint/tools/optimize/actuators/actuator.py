"""What every actuator is: reads a thing, writes it, and says what may be written back."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from sprint.core.optimize.setting import Value


class Actuator(Protocol):
    """One kind of setting. OSError out of `read` and `write` is a refusal.

    `threads` says whose it is: of each thread of a process, of its main one (which runs the loop), or of
    none: of the process as a whole, or of the host where `host` is true. `inside` is true where only the
    process itself can set it. `lasting` is false where a change ends with the process that made it, so that
    no journal is needed; `held` where it is not set but wished, as long as the process holds the wish. `pid`
    is a thread's id where it is a thread's.
    """

    threads: ClassVar[Literal["all", "main", "none"]] = "none"
    host: ClassVar[bool] = False
    inside: ClassVar[bool] = False
    lasting: ClassVar[bool] = True
    held: ClassVar[bool] = False

    def read(self, pid: int) -> Value:
        """Return what is set."""
        ...

    def write(self, pid: int, value: Value) -> None:
        """Set it."""
        ...

    def meets(self, wanted: Value, found: Value) -> bool:
        """Whether what was found is what was wanted."""
        return wanted == found

    def valid(self, value: Value) -> bool:
        """Whether a value may be written back: one out of a journal may be anything."""
        ...
