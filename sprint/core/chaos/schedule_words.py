"""The words that a schedule is asked for with: `--schedule`, `--cron`, `--every`."""

from __future__ import annotations

from sprint.core.chaos.schedule import (
    PERIOD_S_MAX,
    PERIOD_S_MIN,
    Cron,
    Immediate,
    Periodic,
    Random,
    Schedule,
    checked,
)
from sprint.core.duration import SECOND_NS, parse_duration_ns
from sprint.core.errors import ConfigError

DAY_S = 86_400
KINDS = ("immediate", "periodic", "random", "cron")


def schedule_of(kind: str | None, cron: str | None, every: str | None) -> Schedule:
    """Return the schedule; `kind` empty takes the one that `cron` or `every` means.

    ConfigError names the option and what is missing, or too much.
    """
    if cron is not None and every is not None:
        raise ConfigError(f"--cron {cron!r} and --every {every!r}: a schedule has one of them")
    if kind is None and (cron is not None or every is not None):
        kind = ""
    meant = kind or ("cron" if cron is not None else "periodic" if every is not None else "immediate")
    if kind == "" and meant == "immediate":
        raise ConfigError("--schedule: say when, by --cron '0 2 * * *', --every 10m, or --schedule immediate")
    match meant:
        case "immediate" if cron is None and every is None:
            return Immediate()
        case "cron" if cron is not None:
            return checked(Cron(cron))
        case "periodic" if every is not None:
            return checked(Periodic(_seconds(every)))
        case "random" if every is not None:
            return checked(Random(_seconds(every)))
        case "immediate" | "cron" | "periodic" | "random":
            raise ConfigError(f"--schedule {meant}: {_wants(meant)}")
        case _:
            raise ConfigError(f"--schedule {meant!r}: there is {', '.join(KINDS)}")


def _wants(kind: str) -> str:
    return {
        "immediate": "it takes neither --cron nor --every",
        "cron": "say when by --cron '0 2 * * *', and not by --every",
        "periodic": "say how often by --every 10m, and not by --cron",
        "random": "say how often on average by --every 10m, and not by --cron",
    }[kind]


def _seconds(every: str) -> float:
    seconds = parse_duration_ns(every, option="--every") / SECOND_NS
    if not PERIOD_S_MIN <= seconds <= PERIOD_S_MAX:
        raise ConfigError(f"--every {every}: want {PERIOD_S_MIN:g} s to {PERIOD_S_MAX / DAY_S:.0f} days")
    return seconds
