"""The named experiments: what each says, needs and may be told, and how it becomes a document.

    build("latency", dependency_map, wiring, Wishes(duration_s=20, figures={"latency_ms": 300}))

`NAMED` is the one table of them; commands, server and documentation are made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

import msgspec

from sprint.core.chaos import named_network as network
from sprint.core.chaos import named_node as node
from sprint.core.chaos.experiment import Experiment
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import NotPossible, ProxyInTheWay, Request, StartAgain, Wiring, Wishes
from sprint.core.errors import ConfigError

__all__ = (
    "NAMED", "Figure", "Named", "NotPossible", "ProxyInTheWay", "StartAgain", "Wiring", "Wishes",
    "build", "checked_figure", "near",
)  # fmt: skip

PROXY = "a fault proxy in front of the source (a detour is one)"
DEVNET = "a devnet node, told over its control port"


class Figure(msgspec.Struct, frozen=True):
    """A figure of an experiment, which --figure NAME=VALUE changes."""

    says: str
    default: float
    least: float
    most: float


class Named(msgspec.Struct, frozen=True):
    """An experiment by its short name."""

    says: str
    needs: str
    build: Callable[[Request], Experiment]
    figures: dict[str, Figure] = {}


_CORES = {"cores": Figure("processes that do nothing but compute", 1, 0.1, 256)}
_MEMORY = {"memory_mib": Figure("MiB that a process takes and touches", 256, 1, 1_048_576)}
_DESCRIPTORS = {
    "descriptors": Figure("descriptors that a process holds", 512, 1, 1_048_576),
    "spare": Figure(
        "descriptors that the relay may open beyond those it has, where its pid is known", 8, 0, 1e6
    ),
}
_DISK = {
    "disk_mib": Figure("MiB of a file on the disk of the relay's data", 64, 1, 1_048_576),
    "disk_left_mib": Figure(
        "above 0: so many MiB are left free there, whatever disk_mib says", 0, 0, 1_048_576
    ),
}

NAMED: dict[str, Named] = {
    "network-partition": Named(
        "all sources of a chain but one are cut off", PROXY, network.network_partition
    ),
    "latency": Named(
        "one source of each chain answers late",
        PROXY,
        network.latency,
        {"latency_ms": Figure("how much later, each way; a fifth of it is jitter", 500, 1, 600_000)},
    ),
    "packet-loss": Named(
        "packets to one source of each chain are lost",
        f"root and nft; else {PROXY}, with bursts of silence in place of lost packets",
        network.packet_loss,
        {
            "share": Figure("of the packets, or of the time", 0.2, 0.01, 0.9),
            "period_s": Figure("of the bursts", 1.0, 0.2, 60.0),
        },
    ),
    "bandwidth": Named(
        "one source of each chain has a thin line",
        PROXY,
        network.bandwidth,
        {"bytes_per_s": Figure("of each connection", 2_000, 1, 1e12)},
    ),
    "reset-peer": Named(
        "connections to one source of each chain are reset at random",
        PROXY,
        network.reset_peer,
        {"mean_ms": Figure("from connecting to the reset, on average", 1_000, 1, 3_600_000)},
    ),
    "errors": Named(
        "one source of each chain refuses connections, so that each call to it fails", PROXY, network.errors
    ),
    "force-open": Named(
        "the breaker of one source of each chain is held open", "the admin API", node.force_open
    ),
    "force-close": Named(
        "the breaker of one source of each chain is held closed", "the admin API", node.force_close
    ),
    "resource-exhaustion": Named(
        "the machine is short of processor, memory and descriptors at once",
        "a relay on this machine",
        node.resource_exhaustion,
        {**_CORES, **_MEMORY, **_DESCRIPTORS},
    ),
    "resource-exhaustion-cpu": Named(
        "the processor is busy", "a relay on this machine", node.resource_exhaustion_cpu, _CORES
    ),
    "resource-exhaustion-memory": Named(
        "memory is short", "a relay on this machine", node.resource_exhaustion_memory, _MEMORY
    ),
    "resource-exhaustion-fds": Named(
        "descriptors are short", "a relay on this machine", node.resource_exhaustion_fds, _DESCRIPTORS
    ),
    "resource-exhaustion-disk": Named(
        "the disk of the relay's log is filled",
        "a relay on this machine, and the folder of its data",
        node.resource_exhaustion_disk,
        _DISK,
    ),
    "upstream-stall": Named(
        "one node of each chain stays connected and sends nothing",
        f"{PROXY}, {DEVNET}, or the node's pid",
        node.upstream_stall,
    ),
    "upstream-lies": Named("one node of each chain serves a false block", DEVNET, node.upstream_lies),
    "clock-skew": Named(
        "the clock of one node of each chain is wrong",
        DEVNET,
        node.clock_skew,
        {"skew_s": Figure("ahead; below 0 behind", 600, -20_000, 20_000)},
    ),
    "process-kill": Named(
        "the relay is killed and started again",
        "the relay's pid, and who starts it again; or pids of nodes that are named as sources",
        node.process_kill,
    ),
    "cascade": Named(
        "the sources of a chain fail one after another, until one is left", PROXY, network.cascade
    ),
}


def build(name: str, relay: DependencyMap, wiring: Wiring, wishes: Wishes) -> Experiment:
    """Return a named experiment for a relay, the same for the same values.

    ConfigError for a name, figure or source that there isn't; NotPossible says what is missing.
    """
    named = NAMED.get(name)
    if named is None:
        raise ConfigError(f"experiment {name!r}: no such name; near it: {near(name, NAMED)}")
    figures = {key: each.default for key, each in named.figures.items()}
    for key, value in wishes.figures.items():
        figures[key] = checked_figure(name, key, value)
    return named.build(Request(name, named.says, relay, wiring, wishes, figures))


def near(name: str, known: dict[str, Named]) -> str:
    """Return names like this one for an error, else all."""
    return ", ".join(get_close_matches(name, known, n=3) or known)


def checked_figure(name: str, key: str, value: float) -> float:
    """Return a figure of a named experiment; ConfigError where it has none such, or it can't be that."""
    figures = NAMED[name].figures
    figure = figures.get(key)
    if figure is None:
        raise ConfigError(f"{name}: no figure {key!r}; it has {', '.join(figures) or 'none'}")
    # A clock that is not wrong is no fault.
    is_none = key == "skew_s" and int(value) == 0
    if is_none or not figure.least <= value <= figure.most:
        wanted = f"{number_text(figure.least)} to {number_text(figure.most)}"
        but = ", and not 0" if figure.least < 0 else ""
        raise ConfigError(f"{name}: {key} {number_text(value)}; want {wanted}{but}")
    return value


def number_text(value: float) -> str:
    """Return a figure as it is written on a command line: 10000000 and not 1e+07."""
    return f"{value:.15g}"
