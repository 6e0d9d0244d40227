"""What a load test is asked for: how many requests a second, for how long, in which pattern.

`make_plan` checks everything and lays it out as segments, of which `schedule` makes the moment of each
request. Errors name the option, the value and the limit.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Literal, get_args

import msgspec

from sprint.core.duration import NUMBER_DIGITS_MAX, SECOND_NS, duration_text, parse_duration_ns
from sprint.core.errors import ConfigError

Pattern = Literal["sustained", "ramp", "spike", "step"]
Scenario = Literal["standard", "spike", "gradual-failure", "recovery"]
PATTERNS: tuple[str, ...] = get_args(Pattern)
SCENARIOS: tuple[str, ...] = get_args(Scenario)

RATE_PER_S_MIN = 1
RATE_PER_S_MAX = 200_000
DURATION_NS_MIN = SECOND_NS
DURATION_NS_MAX = 24 * 3_600 * SECOND_NS
RATE_PER_S_DEFAULT = 1_000
DURATION_DEFAULT_NS = 30 * SECOND_NS
WORKERS_MAX = 10_000
PROCESSES_MAX = 64
STAGES_MAX = 100

# Parts of a pattern: share of the duration, and the rate at its beginning and end as a share of the highest.
_PATTERN_PARTS: dict[str, tuple[tuple[Fraction, Fraction, Fraction], ...]] = {
    "sustained": ((Fraction(1), Fraction(1), Fraction(1)),),
    "ramp": ((Fraction(1, 2), Fraction(0), Fraction(1)), (Fraction(1, 2), Fraction(1), Fraction(1))),
    "spike": (
        (Fraction(2, 5), Fraction(1, 5), Fraction(1, 5)),
        (Fraction(1, 5), Fraction(1), Fraction(1)),
        (Fraction(2, 5), Fraction(1, 5), Fraction(1, 5)),
    ),
    "step": tuple((Fraction(1, 5), Fraction(n, 5), Fraction(n, 5)) for n in range(1, 6)),
}


class Stage(msgspec.Struct, frozen=True):
    """So many requests a second for so long; 0 is a pause."""

    duration_ns: int
    rate_per_s: int


class Segment(msgspec.Struct, frozen=True):
    """A rate that changes evenly from one value to another, in requests a second."""

    duration_ns: int
    from_per_s: int
    to_per_s: int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a user asks for, not yet checked.

    Stages stand instead of rate, duration and pattern. Without a pattern the scenario `spike` brings its own.
    """

    target: str = ""
    rate_per_s: int = RATE_PER_S_DEFAULT
    duration_ns: int = DURATION_DEFAULT_NS
    pattern: str | None = None
    scenario: str = "standard"
    stages: tuple[Stage, ...] = ()
    workers: int = WORKERS_MAX
    processes: int = 1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, checked. `target` is empty for the simulated service in process.

    `rate_per_s` is the highest rate of the pattern. `segments` follow from the rest.
    """

    target: str
    rate_per_s: int
    duration_ns: int
    pattern: Pattern
    scenario: Scenario
    stages: tuple[Stage, ...]
    workers: int
    processes: int
    segments: tuple[Segment, ...]

    @property
    def duration_s(self) -> float:
        """The duration in seconds."""
        return self.duration_ns / SECOND_NS


def make_plan(asked: Asked) -> Plan:
    """Check what is asked, and lay it out. ConfigError with option, value and limit."""
    scenario = _scenario(asked.scenario)
    pattern = _pattern(asked.pattern, scenario)
    _check_range("--workers", asked.workers, 1, WORKERS_MAX, "workers")
    _check_range("--processes", asked.processes, 1, PROCESSES_MAX, "generator processes")
    rate_per_s, duration_ns = asked.rate_per_s, asked.duration_ns
    if asked.stages:
        _check_stages(asked)
        pattern = "step"
        rate_per_s = max(stage.rate_per_s for stage in asked.stages)
        duration_ns = sum(stage.duration_ns for stage in asked.stages)
    _check_range("--rps", rate_per_s, RATE_PER_S_MIN, RATE_PER_S_MAX, "requests a second")
    if not DURATION_NS_MIN <= duration_ns <= DURATION_NS_MAX:
        raise ConfigError(f"--duration {duration_text(duration_ns)}: it is from 1s to 24h")
    if asked.stages:
        segments = tuple(Segment(each.duration_ns, each.rate_per_s, each.rate_per_s) for each in asked.stages)
    else:
        segments = _segments_of_pattern(pattern, rate_per_s, duration_ns)
    return Plan(
        target=asked.target,
        rate_per_s=rate_per_s,
        duration_ns=duration_ns,
        pattern=pattern,
        scenario=scenario,
        stages=asked.stages,
        workers=asked.workers,
        processes=asked.processes,
        segments=segments,
    )


def parse_stage(text: str) -> Stage:
    """Return the stage of `30s:100`: duration and requests a second."""
    duration, colon, rate = text.partition(":")
    if not colon or not re.fullmatch(rf"[0-9]{{1,{NUMBER_DIGITS_MAX}}}", rate.strip()):
        raise ConfigError(f"--stage {text!r}: no stage; write it as DURATION:RPS, for example 30s:100")
    return Stage(parse_duration_ns(duration, option="--stage"), int(rate))


def _pattern(pattern: str | None, scenario: Scenario) -> Pattern:
    if pattern is None:
        return "spike" if scenario == "spike" else "sustained"
    for known in get_args(Pattern):
        if pattern == known:
            found: Pattern = known
            return found
    raise ConfigError(f"--pattern {pattern!r}: it is one of {', '.join(PATTERNS)}")


def _scenario(scenario: str) -> Scenario:
    for known in get_args(Scenario):
        if scenario == known:
            found: Scenario = known
            return found
    raise ConfigError(f"--scenario {scenario!r}: it is one of {', '.join(SCENARIOS)}")


def _check_range(option: str, value: int, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{option} {value:,}: from {least:,} to {most:,} {unit}")


def _check_stages(asked: Asked) -> None:
    if asked.pattern is not None:
        raise ConfigError(f"--pattern {asked.pattern} with --stage: stages are a pattern, leave one out")
    if len(asked.stages) > STAGES_MAX:
        raise ConfigError(f"{len(asked.stages)} stages, the limit is {STAGES_MAX}")
    if not any(stage.rate_per_s for stage in asked.stages):
        raise ConfigError("--stage: each is a pause; at least one has to ask for 1 request a second or more")
    for stage in asked.stages:
        if stage.duration_ns <= 0:
            raise ConfigError(f"--stage of {stage.rate_per_s} requests a second: it has no duration")
        _check_range("--stage rate", stage.rate_per_s, 0, RATE_PER_S_MAX, "requests a second")


def _segments_of_pattern(pattern: Pattern, rate_per_s: int, duration_ns: int) -> tuple[Segment, ...]:
    """Cut parts at whole nanoseconds and rates at whole requests a second; only a ramp's may be 0."""
    segments, share_before, before_ns = [], Fraction(0), 0
    for share, start, end in _PATTERN_PARTS[pattern]:
        share_before += share
        upto_ns = int(share_before * duration_ns)
        rates = (max(int(bool(part)), int(part * rate_per_s)) for part in (start, end))
        segments.append(Segment(upto_ns - before_ns, *rates))
        before_ns = upto_ns
    return tuple(segments)
