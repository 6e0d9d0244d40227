"""The result of a run: one record of everything, its JSON, and the schema of that.

All forms of the report are made of this record alone. It stands also where a run was stopped, or never began.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from sprint.core.chaos.advice import Advice
from sprint.core.chaos.beside import Beside
from sprint.core.chaos.facts import Facts, FaultSpan
from sprint.core.chaos.observation import Phases, TransitionSeen
from sprint.core.chaos.score import Score
from sprint.core.chaos.timeline import Timeline
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.published import decode_record, encode_record, schema_of

RESULT_VERSION = 1
RESULT_SIZE_MAX = 256 * 1024 * 1024
SCHEMA_ID = "chaos-result.schema.json"

Verdict = Literal["met", "not_met", "aborted", "could_not_run"]
EXIT_CODES: dict[Verdict, int] = {"met": 0, "not_met": 1, "aborted": 1, "could_not_run": 3}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the faults were put on. `embedded`: a relay of the tool's own. `options` are those that matter."""

    admin_url: str
    api_url: str
    embedded: bool
    options: dict[str, str] = {}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when; `started_at` is RFC 3339."""

    started_at: str
    sprint_version: str
    python_version: str
    platform: str


class ActivityDone(msgspec.Struct, frozen=True, kw_only=True):
    """A probe or an action that was run: what it gave, or the error; times on the run's clock.

    `tolerated` is None of what has no tolerance.
    """

    phase: Literal["before", "method", "rollback", "after"]
    type: Literal["probe", "action"]
    name: str
    begun_s: float
    ended_s: float
    output: Any = None
    tolerance: Any = None
    tolerated: bool | None = None
    error: str = ""


class GoneCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a fault is off, asked of what it was on and not of who took it off."""

    fault: int
    gone: bool
    says: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a run. What it did not come to is None or empty.

    `document` is the experiment in the Chaos Toolkit's form, as it was written: patterns stand for values.
    `reason` says in a sentence what the verdict rests on; `left_behind` what could not be taken off;
    `left_out` counts what was seen beyond a limit.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=RESULT_VERSION)] = RESULT_VERSION
    run: str
    experiment: str
    title: str
    description: str = ""
    document: dict[str, Any] = {}
    verdict: Verdict
    reason: str
    target: Target
    environment: Environment
    dependencies: DependencyMap | None = None
    predicted: BlastRadius | None = None
    observed: BlastRadius | None = None
    radius_allowed: str = ""
    phases: Phases
    faults: tuple[FaultSpan, ...] = ()
    activities: tuple[ActivityDone, ...] = ()
    transitions: tuple[TransitionSeen, ...] = ()
    facts: Facts | None = None
    score: Score | None = None
    advice: tuple[Advice, ...] = ()
    beside: Beside | None = None
    gone: tuple[GoneCheck, ...] = ()
    left_behind: tuple[str, ...] = ()
    timeline: Timeline = Timeline()
    left_out: dict[str, int] = {}
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 met, 1 not met or aborted, 3 could not run."""
        return EXIT_CODES[self.verdict]


def encode_result(result: Result) -> bytes:
    """Return a result as JSON, indented, with a line end."""
    return encode_record(result)


def decode_result(data: bytes, name: str = "result") -> Result:
    """Read a result; ConfigError, with the name of the file, where it is none or of a later version."""
    wanted = "result of cb-chaos; write one with --json"
    return decode_record(Result, data, name=name, size_max=RESULT_SIZE_MAX, wanted=wanted)


def result_schema() -> dict[str, Any]:
    """Return the JSON schema of a result, as plain JSON data."""
    return schema_of(Result, SCHEMA_ID, f"Result of sprint cb-chaos, version {RESULT_VERSION}")
