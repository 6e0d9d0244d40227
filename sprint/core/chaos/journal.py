"""The journal of a run: what was put on and how it comes off, a line of JSON each, written before it is done.

    {"type":"run","run":"20261122T010203-7f3a","at":1795309242.1,"tool":{"pid":4711,"started_ticks":882211}}
    {"type":"planned","fault":1,"kind":"latency","target":"source:litecoin-regtest:alice","says":"…","at":…,
     "ttl_s":30.0,"undo":[{"type":"remove_toxic",…}]}
    {"type":"injected","fault":1,"at":…}
    {"type":"undone","fault":1,"at":…,"by":"tool"}
    {"type":"ended","at":…}

A fault that is planned and not undone may be on. A last line that a crash cut short says nothing: what it
would have said had not been done yet. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sprint.core.chaos.undo import ProcessName, Undo
from sprint.core.errors import ConfigError

FAULTS_PER_RUN_MAX = 256
LINE_LENGTH_MAX = 64 * 1024


class Run(msgspec.Struct, frozen=True, tag="run"):
    """The first line: whose journal this is."""

    run: str
    at: float
    tool: ProcessName


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """A fault that is about to be put on. `undo` is done in its order; `ttl_s` after `at` it comes off."""

    fault: int
    kind: str
    target: str
    says: str
    at: float
    ttl_s: float
    undo: tuple[Undo, ...]


class Injected(msgspec.Struct, frozen=True, tag="injected"):
    """The fault is on."""

    fault: int
    at: float


class Undone(msgspec.Struct, frozen=True, tag="undone"):
    """The fault is off, and who took it off: `tool`, `keeper` or `rollback`.

    `says` what was found where that was not the fault as it was put on: that its target is gone.
    """

    fault: int
    at: float
    by: str
    says: str = ""


class Stuck(msgspec.Struct, frozen=True, tag="stuck"):
    """Nobody tries to take the fault off any more: what remains of it. `--rollback` tries again."""

    fault: int
    at: float
    by: str
    says: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last line of a run that took off all that it had put on."""

    at: float


Line = Run | Planned | Injected | Undone | Stuck | Ended

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """What a journal says so far: lines are added in their order."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.run: Run | None = None
        self.planned: dict[int, Planned] = {}
        self.undone: dict[int, Undone] = {}
        self.injected: dict[int, Injected] = {}
        self.stuck: dict[int, Stuck] = {}
        self.ended = False
        for line in lines:
            self.add(line)

    def __repr__(self) -> str:
        return f"Journal({len(self.planned)} faults, {len(self.open())} on)"

    def add(self, line: Line) -> None:
        """Take in a line. ConfigError for one fault too many."""
        match line:
            case Run():
                self.run = line
            case Planned():
                if len(self.planned) >= FAULTS_PER_RUN_MAX:
                    raise ConfigError(f"{len(self.planned)} faults in a run, limit {FAULTS_PER_RUN_MAX}")
                self.planned[line.fault] = line
            case Injected():
                self.injected[line.fault] = line
            case Undone():
                self.undone[line.fault] = line
            case Stuck():
                self.stuck[line.fault] = line
            case Ended():
                self.ended = True

    def open(self) -> list[Planned]:
        """Return the faults that may be on, the newest first: they come off in that order."""
        return [
            each for number, each in sorted(self.planned.items(), reverse=True) if number not in self.undone
        ]

    def next_number(self) -> int:
        """Return the number of the fault that is planned next, from 1 on."""
        return max(self.planned, default=0) + 1


def left_s(planned: Planned, now: float) -> float:
    """Return how long a fault may stay from `now` on, in seconds: never longer than its whole time.

    A clock that was set back while it was on does not lengthen it.
    """
    return min(max(planned.at + planned.ttl_s - now, 0.0), planned.ttl_s)


def encode_line(line: Line) -> bytes:
    """Return a line with its end. ConfigError where it is too long to be read again."""
    encoded = _encoder.encode(line) + b"\n"
    if len(encoded) > LINE_LENGTH_MAX:
        raise ConfigError(f"a journal line of {len(encoded):,} bytes, limit {LINE_LENGTH_MAX:,}: shorten it")
    return encoded


def whole_length(content: bytes) -> int:
    """Return how many bytes of a journal are whole lines; what follows was cut short and says nothing."""
    return content.rfind(b"\n") + 1


def read_journal(content: bytes) -> Journal:
    """Read a whole journal. ConfigError names a line that is none; a last one without its end is left out."""
    journal = Journal()
    for number, text in enumerate(content[: whole_length(content)].split(b"\n"), start=1):
        if not text:
            continue
        try:
            journal.add(_decoder.decode(text))
        except msgspec.DecodeError as error:
            raise ConfigError(f"line {number}: {error}") from error
    return journal
