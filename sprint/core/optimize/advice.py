"""Which level a host is good for, and why: out of its facts, and out of what was measured where it was."""

from __future__ import annotations

import msgspec

from sprint.core.optimize.bench_result import BenchResult
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.permitted import refused_beforehand
from sprint.core.optimize.plan import plan

# A real-time loop has a CPU to itself: with fewer the rest of the host waits for it.
REALTIME_CPUS_MIN = 2
TURBO_CPUS_MIN = 4
MEMORY_BYTES_MIN = 2 << 30
REALTIME_LEVELS: tuple[LevelName, ...] = ("enterprise", "turbo")


class Advice(msgspec.Struct, frozen=True):
    """A level, the reasons for it, and for each higher one what is against it; what would permit those."""

    level: LevelName
    reasons: tuple[str, ...]
    against: dict[str, tuple[str, ...]]
    remedies: tuple[str, ...] = ()


def advise(facts: HostFacts, measured: BenchResult | None = None) -> Advice:
    """Return the level to take here. What was measured goes before what the facts lead one to expect."""
    against = {name: _against(name, facts) for name in LEVELS}
    possible: list[LevelName] = [name for name in LEVELS if not against[name]]
    level = possible[-1] if possible else "basic"
    reasons = [f"{facts.cpus} CPUs and {facts.memory_bytes >> 20} MiB may be used", _kind_of_host(facts)]
    if measured is not None and measured.worth is not None:
        level = measured.worth
        reasons = [f"measured here by `sprint optimize bench`: {measured.why}", *reasons]
    else:
        reasons.append(
            "nothing was measured here yet: `sprint optimize bench` says what each level gains on this host"
        )
    names = list(LEVELS)
    higher = names[names.index(level) + 1 :]
    return Advice(
        level,
        tuple(reasons),
        {name: against[name] or ("no gain was measured by it",) for name in higher},
        _remedies(facts, higher),
    )


def _against(name: LevelName, facts: HostFacts) -> tuple[str, ...]:
    """Return what speaks against a level on a host; nothing where it may be taken."""
    said = []
    for setting in plan(LEVELS[name].fields, facts, "self"):
        refused = refused_beforehand(setting, facts)
        if setting.required and (setting.unsupported or refused is not None):
            said.append(
                f"it requires {setting.key}: {setting.unsupported or 'not permitted to this process'}"
            )
    if name in REALTIME_LEVELS and facts.cpus < REALTIME_CPUS_MIN:
        said.append(f"{facts.cpus} CPU: a real-time loop would leave nothing for the rest of the host")
    if name == "turbo" and facts.cpus < TURBO_CPUS_MIN and not facts.cpus_isolated:
        said.append(f"{facts.cpus} CPUs, none isolated: want {TURBO_CPUS_MIN}, so that two stay for the rest")
    if (
        name != "basic"
        and facts.memory_bytes < MEMORY_BYTES_MIN
        and LEVELS[name].fields.memory_lock == "required"
    ):
        said.append(
            f"{facts.memory_bytes >> 20} MiB of memory: too little to lock; want {MEMORY_BYTES_MIN >> 20}"
        )
    return tuple(said)


def _remedies(facts: HostFacts, higher: list[LevelName]) -> tuple[str, ...]:
    """Return what would permit what the higher levels require, each once."""
    found: dict[str, None] = {}
    for name in higher:
        for setting in plan(LEVELS[name].fields, facts, "self"):
            refused = refused_beforehand(setting, facts)
            if setting.required and refused is not None:
                found[f"{setting.key}: {refused.remedy}"] = None
    return tuple(found)


def _kind_of_host(facts: HostFacts) -> str:
    """Say in a few words what the host offers."""
    parts = [f"cgroup v{facts.cgroup_version}" if facts.cgroup_version else "no cgroup"]
    if facts.cpu_quota is not None:
        parts.append(f"a quota of {facts.cpu_quota:g} CPUs")
    parts.append(f"isolated CPUs {facts.cpus_isolated}" if facts.cpus_isolated else "no isolated CPU")
    parts.append(f"{len(facts.numa_nodes)} NUMA nodes" if len(facts.numa_nodes) > 1 else "one NUMA node")
    return ", ".join(parts)
