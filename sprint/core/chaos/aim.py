"""At whom a document's faults are aimed: read out of the arguments of its actions, before any is put on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sprint.core.chaos.blast_radius import STORE, Target
from sprint.core.chaos.document_parts import ACTIONS
from sprint.core.chaos.experiment import Activity, Experiment, PythonProvider
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import Wiring, key_of

# Actions that put nothing on.
_TAKING_OFF = frozenset({"remove_toxics", "release_breaker", "resume_source", "continue_process", "undo_all"})

# Faults of a devnet node itself, which all see that are connected to it, over whatever protocol.
_OF_THE_NODE = frozenset({"bad_merkle", "bad_proof", "clock_ahead", "clock_behind"})


def aim_of(
    document: Experiment, relay: DependencyMap, wiring: Wiring
) -> tuple[tuple[Target, ...], tuple[str, ...]]:
    """Return the targets of a document's actions, and the names of actions of which none is known.

    An action of another module may do anything: it is named, and is in no radius.
    """
    targets: dict[Target, None] = {}
    unknown: list[str] = []
    for activity in document.method:
        if activity.type != "action":
            continue
        found = list(_targets(activity, relay, wiring))
        if not found and not _takes_off(activity):
            unknown.append(activity.name)
        targets |= dict.fromkeys(found)
    return tuple(targets), tuple(unknown)


def _takes_off(activity: Activity) -> bool:
    provider = activity.provider
    return (
        isinstance(provider, PythonProvider) and provider.module == ACTIONS and provider.func in _TAKING_OFF
    )


def _targets(activity: Activity, relay: DependencyMap, wiring: Wiring) -> Iterator[Target]:
    provider = activity.provider
    if not isinstance(provider, PythonProvider) or provider.module != ACTIONS:
        return
    arguments = provider.arguments
    keys = {key_of(each) for each in relay.sources}
    named = str(arguments.get("target", ""))
    if named.removeprefix("source:") in keys:
        yield Target("source", named.removeprefix("source:"))
        if arguments.get("fault") in _OF_THE_NODE:
            yield from _by_arguments(arguments, relay, wiring)
    elif named == "relay":
        yield Target("relay")
    elif named == "machine" or provider.func == "hog":
        yield Target("machine")
        if arguments.get("resource") == "disk":
            # A relay hands nothing on that it can't log: with the store all of it stands still.
            yield Target("breaker", STORE)
    else:
        yield from _by_arguments(arguments, relay, wiring)


def _by_arguments(arguments: dict[str, Any], relay: DependencyMap, wiring: Wiring) -> Iterator[Target]:
    """Yield what an action without a target says by whom it is told, or what it stops."""
    at = (str(arguments.get("control_url", "")).rstrip("/"), str(arguments.get("proxy", "")))
    for key, proxy in wiring.proxies.items():
        if at == (proxy.control_url.rstrip("/"), proxy.proxy):
            yield Target("source", key)
    if arguments.get("breaker") in relay.breakers:
        yield Target("breaker", str(arguments["breaker"]))
    if f"{arguments.get('chain')}:{arguments.get('source')}" in {key_of(each) for each in relay.sources}:
        yield Target("source", f"{arguments['chain']}:{arguments['source']}")
    if "pid" in arguments:
        yield from (
            Target("source", key) for key, pid in wiring.upstream_pids.items() if pid == arguments["pid"]
        )
        if arguments["pid"] == wiring.relay_pid:
            yield Target("relay")
    for each in relay.sources:
        if "port" in arguments and each.address.rpartition(":")[2] == str(arguments["port"]):
            yield Target("address", each.address)
        shown = "fault" in arguments and arguments.get("chain") == each.chain
        if shown and wiring.devnet_of(each) == arguments.get("control_url"):
            yield Target("source", key_of(each))
