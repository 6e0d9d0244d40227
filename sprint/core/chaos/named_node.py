"""Named experiments on nodes, breakers, processes and the machine.

Each builder gives a document, or raises NotPossible with what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sprint.core.chaos.document_parts import Plan, action, experiment_of, round_trip, ttl_s
from sprint.core.chaos.experiment import Activity, Experiment
from sprint.core.chaos.targets import one_of_each_chain
from sprint.core.chaos.topology import MappedSource
from sprint.core.chaos.wiring import NotPossible, Request, StartAgain, key_of

DEVNET_STALL_S_MAX = 600
# What a hog takes, its resource in the fault, the figure that says how much, and the unit as told.
HOGS = {
    "cpu": ("cpu", "cores", "cores busy"),
    "memory": ("memory", "memory_mib", "MiB of memory"),
    "fds": ("descriptors", "descriptors", "open descriptors"),
    "disk": ("disk", "disk_mib", "MiB of the disk"),
}


def force_open(request: Request) -> Experiment:
    """The breaker of one source of each chain is held open."""
    return _ordered(request, "force_open", "held open, so that nothing is asked of")


def force_close(request: Request) -> Experiment:
    """The breaker of one source of each chain is held closed."""
    return _ordered(request, "force_close", "held closed, whatever comes of")


def upstream_stall(request: Request) -> Experiment:
    """One node of each chain keeps its connections and sends nothing: itself, behind a proxy, or frozen."""

    def lack(source: MappedSource) -> str:
        wiring = request.wiring
        if wiring.devnet_of(source) or key_of(source) in {*wiring.proxies, *wiring.upstream_pids}:
            return ""
        return "has no devnet node, no fault proxy and no known process (--devnet, --proxy, --upstream-pid)"

    sources = one_of_each_chain(request, lack)
    made = [_stalled(request, each) for each in sources]
    told = f"Connections stay, and nothing is sent any more by {_names(sources)}."
    seen = [round_trip(each) for each in sources]
    return experiment_of(request, Plan(says=told, injections=made, seen=seen, breakers=_breakers(sources)))


def upstream_lies(request: Request) -> Experiment:
    """A devnet node of each chain serves a block whose transactions are not those of its header."""
    return _devnet(request, "bad_merkle", None, "A block that is not what its header says is served by")


def clock_skew(request: Request) -> Experiment:
    """A devnet node of each chain has a wrong clock, and so have the blocks that it makes."""
    skew_s = int(request.figures["skew_s"])
    fault = "clock_ahead" if skew_s > 0 else "clock_behind"
    way = "ahead" if skew_s > 0 else "behind"
    return _devnet(request, fault, abs(skew_s), f"By {abs(skew_s)} s {way} is the clock of")


def process_kill(request: Request) -> Experiment:
    """The relay is killed by SIGKILL and started again; with sources named, their nodes are."""
    wiring = request.wiring
    if request.wishes.sources:
        return _nodes_killed(request)
    if wiring.relay_pid is None:
        raise NotPossible(f"{request.name}: the relay's process is not known; name it with --relay-pid")
    again = wiring.relay_again
    if again is None and not wiring.relay_supervised:
        missing = "nobody is known to start the relay again; the embedded relay can be killed"
        raise NotPossible(f"{request.name}: {missing}")
    made = action(
        "kill the relay",
        "kill_process",
        pid=wiring.relay_pid,
        again=None if again is None else _document_of(again),
        ttl_s=ttl_s(request),
        target="relay",
    )
    told = "The relay is killed by SIGKILL; subscribers must come back and miss no block."
    return experiment_of(request, Plan(says=told, injections=[made]))


def resource_exhaustion(request: Request) -> Experiment:
    """The machine runs out of processor, memory and descriptors at once; of disk by its own variant."""
    return _hogs(request, ("cpu", "memory", "fds"))


def resource_exhaustion_cpu(request: Request) -> Experiment:
    """Other processes keep the processor busy."""
    return _hogs(request, ("cpu",))


def resource_exhaustion_memory(request: Request) -> Experiment:
    """Another process takes memory."""
    return _hogs(request, ("memory",))


def resource_exhaustion_fds(request: Request) -> Experiment:
    """Another process takes descriptors, and the relay's own limit is lowered where its process is known."""
    return _hogs(request, ("fds",))


def resource_exhaustion_disk(request: Request) -> Experiment:
    """The disk that the relay's log is on is filled."""
    return _hogs(request, ("disk",))


def _ordered(request: Request, order: str, told: str) -> Experiment:
    sources = one_of_each_chain(request, lambda each: "" if each.breaker else "has no breaker yet")
    made = [
        action(
            f"{order} {each.breaker}",
            "order_breaker",
            admin_url=request.relay.admin_url,
            breaker=each.breaker,
            action=order,
            ttl_s=ttl_s(request),
            target=f"source:{key_of(each)}",
        )
        for each in sources
    ]
    says = f"The breaker is {told} {_names(sources)}."
    return experiment_of(request, Plan(says=says, injections=made, breakers=_breakers(sources)))


def _stalled(request: Request, source: MappedSource) -> Activity:
    """A proxy stands for one source alone, a devnet node may for several, a process for all it serves."""
    wiring, key = request.wiring, key_of(source)
    limits: dict[str, Any] = {"ttl_s": ttl_s(request), "target": f"source:{key}"}
    if key in wiring.proxies:
        proxy = wiring.proxies[key]
        at: dict[str, Any] = {"control_url": proxy.control_url, "proxy": proxy.proxy}
        return action(f"stall {key}", "add_toxic", kind="stall", direction="downstream", **at, **limits)
    devnet = wiring.devnet_of(source)
    if devnet is not None:
        lasts_s = min(max(int(request.wishes.duration_s), 1), DEVNET_STALL_S_MAX)
        at = {"control_url": devnet, "chain": source.chain}
        return action(f"stall {key}", "show_devnet_fault", fault="stall", amount=lasts_s, **at, **limits)
    return action(f"freeze the node of {key}", "freeze_process", pid=wiring.upstream_pids[key], **limits)


def _devnet(request: Request, fault: str, amount: int | None, told: str) -> Experiment:
    def lack(source: MappedSource) -> str:
        if request.wiring.devnet_of(source):
            return ""
        return "is no devnet node that is known here (--devnet); real nodes are not made to lie"

    sources = one_of_each_chain(request, lack)
    made = [
        action(
            f"{fault} of {key_of(each)}",
            "show_devnet_fault",
            control_url=request.wiring.devnet_of(each),
            chain=each.chain,
            fault=fault,
            amount=amount,
            ttl_s=ttl_s(request),
            target=f"source:{key_of(each)}",
        )
        for each in sources
    ]
    says = f"{told} {_names(sources)}."
    return experiment_of(request, Plan(says=says, injections=made, breakers=_breakers(sources)))


def _nodes_killed(request: Request) -> Experiment:
    def lack(source: MappedSource) -> str:
        known = key_of(source) in request.wiring.upstream_pids
        return "" if known else "has no known process; name it with --upstream-pid"

    sources = one_of_each_chain(request, lack)
    pids = {request.wiring.upstream_pids[key_of(each)]: each for each in sources}
    made = [
        action(
            f"kill the node of {key_of(each)}",
            "kill_process",
            pid=pid,
            ttl_s=ttl_s(request),
            target=f"source:{key_of(each)}",
        )
        for pid, each in pids.items()
    ]
    told = f"Killed by SIGKILL, and not started again by this tool: the node of {_names(sources)}."
    return experiment_of(request, Plan(says=told, injections=made, breakers=_breakers(sources)))


def _hogs(request: Request, which: Sequence[str]) -> Experiment:
    folder = request.wiring.data_folder
    if "disk" in which and not folder:
        raise NotPossible(f"{request.name}: the folder of the relay's data is not known, so neither its disk")
    made = [_hog(request, name) for name in which]
    told = [each.name.removeprefix("take ") for each in made]
    says = f"Taken from the machine that the relay shares: {', '.join(told)}."
    if "fds" in which and request.wiring.relay_pid is not None:
        # Another process's descriptors take none of the relay's: the machine has many more than both.
        made.append(_limited(request, request.wiring.relay_pid))
        says += f" The relay opens {int(request.figures['spare'])} descriptors more at most."
    return experiment_of(request, Plan(says=says, injections=made))


def _hog(request: Request, name: str) -> Activity:
    resource, figure, unit = HOGS[name]
    amount = request.figures[figure]
    where: dict[str, Any] = {}
    what = f"{amount:.15g} {unit}"
    if name == "disk":
        left_mib = request.figures["disk_left_mib"]
        where = {"folder": request.wiring.data_folder, "left_mib": left_mib}
        what = f"all but {left_mib:.15g} {unit}" if left_mib else what
    return action(
        f"take {what}",
        "hog",
        resource=resource,
        amount=amount,
        **where,
        ttl_s=ttl_s(request),
        target="machine",
    )


def _limited(request: Request, pid: int) -> Activity:
    spare = int(request.figures["spare"])
    return action(
        f"leave the relay {spare} descriptors",
        "limit_descriptors",
        pid=pid,
        spare=spare,
        ttl_s=ttl_s(request),
        target="machine",
    )


def _names(sources: Sequence[MappedSource]) -> str:
    return ", ".join(key_of(each) for each in sources)


def _document_of(again: StartAgain) -> dict[str, Any]:
    return {"command": list(again.command), "folder": again.folder, "address": again.address}


def _breakers(sources: Sequence[MappedSource]) -> list[str]:
    return [each.breaker for each in sources]
