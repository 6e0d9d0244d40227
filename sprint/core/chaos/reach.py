"""Which sources, breakers and processes a document acts on: what the blast radius is worked out from.

Read out of the actions' arguments and the wiring, before anything is done. An action of another's making says
nothing of whom it reaches; it is named, so that a limit on the radius is not taken for kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sprint.core.chaos.blast_radius import Target
from sprint.core.chaos.document_parts import ACTIONS
from sprint.core.chaos.experiment import Activity, Experiment, PythonProvider
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import Wiring, key_of

SOURCE_PREFIX = "source:"
# They take off what others put on.
_UNDOING = frozenset(
    {"remove_toxics", "release_breaker", "resume_source", "continue_process", "undo_all"}
)  # fmt: skip


class Reach(msgspec.Struct, frozen=True):
    """What a document acts on, and the names of those actions of which that can't be said."""

    targets: tuple[Target, ...] = ()
    unknown: tuple[str, ...] = ()


def reach_of(document: Experiment, relay: DependencyMap, wiring: Wiring) -> Reach:
    """Return what the actions of a document's method act on."""
    targets: dict[Target, None] = {}
    unknown = []
    for activity in document.method:
        if activity.type != "action":
            continue
        found = _targets(activity, relay, wiring)
        if found is None:
            unknown.append(activity.name)
        else:
            targets |= dict.fromkeys(found)
    return Reach(tuple(targets), tuple(unknown))


def _targets(activity: Activity, relay: DependencyMap, wiring: Wiring) -> list[Target] | None:
    """Return what one action acts on; None where that can't be said."""
    provider = activity.provider
    if not isinstance(provider, PythonProvider) or provider.module != ACTIONS:
        return None
    if provider.func in _UNDOING:
        return []
    told = str(provider.arguments.get("target", ""))
    known = {f"{SOURCE_PREFIX}{key_of(source)}" for source in relay.sources}
    if told in known:
        return [Target("source", told.removeprefix(SOURCE_PREFIX))]
    reading = _READINGS.get(provider.func)
    return None if reading is None else reading(provider.arguments, relay, wiring) or None


Arguments = Mapping[str, Any]


def _by_proxy(told: Arguments, _: DependencyMap, wiring: Wiring) -> list[Target]:
    where = (told.get("control_url"), told.get("proxy"))
    return [
        Target("source", key)
        for key, proxy in sorted(wiring.proxies.items())
        if (proxy.control_url, proxy.proxy) == where
    ]


def _by_breaker(told: Arguments, relay: DependencyMap, _: Wiring) -> list[Target]:
    name = str(told.get("breaker"))
    return [Target("breaker", name)] if name in relay.breakers else []


def _by_source(told: Arguments, relay: DependencyMap, _: Wiring) -> list[Target]:
    key = f"{told.get('chain')}:{told.get('source')}"
    return [Target("source", key)] if key in {key_of(source) for source in relay.sources} else []


def _by_process(told: Arguments, _: DependencyMap, wiring: Wiring) -> list[Target]:
    pid = told.get("pid")
    if pid is not None and pid == wiring.relay_pid:
        return [Target("relay")]
    return [Target("source", key) for key, each in sorted(wiring.upstream_pids.items()) if each == pid]


def _by_devnet(told: Arguments, relay: DependencyMap, wiring: Wiring) -> list[Target]:
    url, chain = told.get("control_url"), told.get("chain")
    behind = [source for source in relay.sources if source.chain == chain and wiring.devnet_of(source) == url]
    return [Target("source", key_of(source)) for source in behind]


def _by_port(told: Arguments, relay: DependencyMap, _: Wiring) -> list[Target]:
    port = str(told.get("port"))
    addresses = {source.address for source in relay.sources if source.address.rpartition(":")[2] == port}
    return [Target("address", address) for address in sorted(addresses)]


def _machine(*_: object) -> list[Target]:
    return [Target("machine")]


_READINGS: dict[str, Callable[[Arguments, DependencyMap, Wiring], list[Target]]] = {
    "add_toxic": _by_proxy,
    "lose_in_bursts": _by_proxy,
    "order_breaker": _by_breaker,
    "pause_source": _by_source,
    "freeze_process": _by_process,
    "kill_process": _by_process,
    "hog": _machine,
    "show_devnet_fault": _by_devnet,
    "drop_packets": _by_port,
}
