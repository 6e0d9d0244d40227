"""How the network cards' interrupts would be moved off the CPUs that a relay is pinned to, as commands.

It stays a plan: interrupts are the whole host's, and irqbalance would move them back while it runs. Sources:
/proc/interrupts and /proc/irq/N/smp_affinity_list, proc(5); Documentation/core-api/irq/irq-affinity.rst.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sprint.core.optimize.cpu_list import format_cpu_list

LINES_MAX = 4_096
_NETWORK = re.compile(
    r"eth|ens|enp|eno|wl|virtio\d*-(input|output)|mlx|ixgbe|i40e|ice-|bnx|ena", re.IGNORECASE
)
_LINE = re.compile(r"^\s*(\d+):\s")


def network_interrupts(text: str) -> dict[int, str]:
    """Return the numbers of the network cards' interrupts with their names, out of /proc/interrupts."""
    found = {}
    for line in text.splitlines()[1:LINES_MAX]:
        number = _LINE.match(line)
        name = line.split()[-1] if line.split() else ""
        if number is not None and _NETWORK.search(name):
            found[int(number[1])] = name
    return found


def irq_lines(text: str, pinned: Sequence[int], allowed: Sequence[int]) -> list[str]:
    """Return what to run, as root, so that the other CPUs take the network's interrupts."""
    interrupts = network_interrupts(text)
    others = tuple(cpu for cpu in allowed if cpu not in pinned)
    if not pinned:
        return ["interrupts: the level pins no CPUs, so there is nothing to keep them off"]
    if not others:
        return ["interrupts: all CPUs are pinned to, so that there is none to move them to"]
    if not interrupts:
        return ["interrupts: /proc/interrupts names none of a network card"]
    target = format_cpu_list(others)
    head = f"# interrupts of the network to CPUs {target}, off {format_cpu_list(tuple(pinned))}"
    lines = [
        f"echo {target} > /proc/irq/{number}/smp_affinity_list  # {name}"
        for number, name in interrupts.items()
    ]
    return [head, "systemctl stop irqbalance  # it would move them back", *lines]
