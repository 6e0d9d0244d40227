"""Which CPUs to run on: isolated ones if there are any, one thread of each core first, on one NUMA node."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.optimize.cpu_list import format_cpu_list
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LevelFields


def choose_cpus(fields: LevelFields, facts: HostFacts) -> tuple[tuple[int, ...], str]:
    """Return the CPUs to pin to, in rising order, and why these."""
    allowed = facts.cpus_allowed
    if fields.isolated_cpus and facts.cpus_isolated:
        chosen = _best(facts.cpus_isolated, facts, fields.cpus_pinned_max)
        return chosen, f"CPUs {format_cpu_list(chosen)} are isolated: nothing else is scheduled on them"
    most = fields.cpus_pinned_max or len(allowed)
    if most >= len(allowed):
        return tuple(sorted(allowed)), f"all CPUs that are allowed: {format_cpu_list(allowed)}"
    chosen = _best(allowed, facts, most)
    return (
        chosen,
        f"{len(chosen)} of the CPUs {format_cpu_list(allowed)}, each on a core of its own if it can be",
    )


def preferred_node(facts: HostFacts) -> int:
    """Return the NUMA node to be on: a network card's, else the one with most of the allowed CPUs."""
    ours = set(facts.cpus_allowed)
    near = [node for node in facts.network_nodes if ours & set(facts.numa_nodes.get(node, ()))]
    if near:
        return near[0]
    counts = {node: len(ours & set(cpus)) for node, cpus in facts.numa_nodes.items()}
    return min(counts, key=lambda node: (-counts[node], node), default=0)


def _best(cpus: Sequence[int], facts: HostFacts, most: int) -> tuple[int, ...]:
    """Return at most so many of some CPUs.

    First those on the preferred node; there first one thread of each core; those of CPU 0's core last, as
    interrupts and the kernel's own work are on it unless somebody moved them.
    """
    node = set(facts.numa_nodes.get(preferred_node(facts), cpus))
    # Of each core the thread with the lowest number that is among them counts as its first.
    rank_in_core = {
        cpu: place
        for core in facts.cpu_siblings
        for place, cpu in enumerate(each for each in core if each in cpus)
    }
    first_core = next((core for core in facts.cpu_siblings if 0 in core), (0,))

    def cost(cpu: int) -> tuple[bool, int, bool, int]:
        return (cpu not in node, rank_in_core.get(cpu, 0), cpu in first_core, cpu)

    return tuple(sorted(sorted(cpus, key=cost)[: most or len(cpus)]))
