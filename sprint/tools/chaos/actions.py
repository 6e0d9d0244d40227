"""Actions of experiments: faults put on, by plain functions that `chaos run` can call as well as we.

    {"type": "action", "name": "late", "provider": {"type": "python", "module": "sprint.tools.chaos.actions",
     "func": "add_toxic", "arguments": {"control_url": "http://127.0.0.1:40515", "proxy": "alice",
     "kind": "latency", "figures": {"latency_ms": 300}}}}

All go through a keeper of faults: what is put on is journalled before, and comes off after `ttl_s` seconds,
with `undo_all`, or with the process, whichever is first. Each returns `{"fault": number, "says": …}`.
`target` is what the fault is meant to hit, such as `source:litecoin-regtest:alice`, for journal and report.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from sprint.core.chaos.faults import (
    BreakerOrder,
    DescriptorLimit,
    DevnetFault,
    Fault,
    Freeze,
    Hog,
    Kill,
    PacketLoss,
    SourcePause,
    Toxic,
)
from sprint.core.chaos.undo import StartProcess
from sprint.core.errors import ConfigError
from sprint.tools.chaos.faults import FaultKeeper, keeper_of_this_process
from sprint.tools.chaos.hogs import free_mib
from sprint.tools.chaos.processes import descriptor_limit, descriptor_limit_leaving, name_of

TTL_S = 60.0
BURSTS_MAX = 60
BURST_TTL_LEAST_S = 0.05

Told = dict[str, Any]


class _Acting:
    """Whose keeper the actions use, and the faults that are on by their numbers."""

    def __init__(self) -> None:
        self.keeper: FaultKeeper | None = None
        self.on: dict[int, Fault] = {}
        self.stopping = threading.Event()
        # Set by `undo_all` for what lasts and began before it.
        self.undone = threading.Event()
        self.lock = threading.Lock()


_acting = _Acting()


@contextmanager
def use_keeper(keeper: FaultKeeper, stopping: threading.Event | None = None) -> Iterator[None]:
    """Have the actions use this keeper while within; `stopping` ends those that last."""
    before = (_acting.keeper, _acting.on, _acting.stopping)
    _acting.keeper, _acting.on, _acting.stopping = keeper, {}, stopping or threading.Event()
    try:
        yield
    finally:
        _acting.keeper, _acting.on, _acting.stopping = before


def add_toxic(
    control_url: str,
    proxy: str,
    kind: str,
    figures: Mapping[str, float] | None = None,
    direction: str = "both",
    toxicity: float = 1.0,
    ttl_s: float = TTL_S,
    target: str = "",
) -> Told:
    """Put a toxic on a fault proxy; `figures` as its kind takes them (docs/reference/fault-proxy.md)."""
    fields: dict[str, str | float] = {"kind": kind, **(figures or {})}
    # A proxy that is down is so as a whole: it takes neither of the two.
    if kind != "down":
        fields |= {"direction": direction, "toxicity": toxicity}
    fault = Toxic(control_url, proxy, fields)
    return _put_on(fault, kind, target or f"proxy:{proxy}", f"{kind} on proxy {proxy}", ttl_s)


def remove_toxics(control_url: str, proxy: str) -> Told:
    """Take off the toxics that were put on a proxy here. Those of others stay."""
    return _take_off(
        lambda each: isinstance(each, Toxic) and (each.control_url, each.proxy) == (control_url, proxy)
    )


def lose_in_bursts(
    control_url: str,
    proxy: str,
    share: float = 0.2,
    period_s: float = 1.0,
    lasts_s: float = 10.0,
    ttl_s: float = TTL_S,
    target: str = "",
) -> Told:
    """Let nothing through a proxy for a `share` of each period, while `lasts_s`: lost packets look so to TCP.

    Returns when it is over. BURSTS_MAX bursts at most; a longer time has longer periods.
    """
    if not 0.0 < share < 1.0 or period_s <= 0 or lasts_s <= 0:
        raise ConfigError(f"share {share:g} of {period_s:g} s while {lasts_s:g} s; want a share in (0, 1)")
    bursts = max(1, min(round(lasts_s / period_s), BURSTS_MAX))
    period_s = lasts_s / bursts
    silent_s = max(share * period_s, BURST_TTL_LEAST_S)
    where = target or f"proxy:{proxy}"
    fields: dict[str, str | float] = {"kind": "stall", "direction": "both"}
    stopping, undone, made = _acting.stopping, _acting.undone, 0
    while made < bursts and not stopping.is_set() and not undone.is_set():
        says = f"burst {made + 1} of {bursts} on proxy {proxy}"
        told = _put_on(Toxic(control_url, proxy, fields), "packet_loss", where, says, ttl_s)
        made += 1
        stopping.wait(silent_s)
        _undo(told["fault"])
        stopping.wait(max(period_s - silent_s, 0.0))
    return {"fault": None, "says": f"{made} of {bursts} bursts of {silent_s:.3g} s on proxy {proxy}"}


def order_breaker(
    admin_url: str,
    breaker: str,
    action: Literal["force_open", "force_close"],
    ttl_s: float = TTL_S,
    target: str = "",
) -> Told:
    """Hold a breaker of a relay open or closed."""
    if action not in ("force_open", "force_close"):
        raise ConfigError(f"action {action!r}; want force_open or force_close")
    fault = BreakerOrder(admin_url, breaker, action)
    return _put_on(fault, action, target or f"breaker:{breaker}", f"{action} of {breaker}", ttl_s)


def release_breaker(admin_url: str, breaker: str) -> Told:
    """Take back the order that was given to a breaker here."""
    return _take_off(
        lambda each: isinstance(each, BreakerOrder) and (each.admin_url, each.breaker) == (admin_url, breaker)
    )


def pause_source(admin_url: str, chain: str, source: str, ttl_s: float = TTL_S) -> Told:
    """Pause a source of a relay."""
    fault = SourcePause(admin_url, chain, source)
    return _put_on(fault, "pause_source", f"source:{chain}:{source}", f"{source} is paused", ttl_s)


def resume_source(admin_url: str, chain: str, source: str) -> Told:
    """Resume a source that was paused here."""
    wanted = SourcePause(admin_url, chain, source)
    return _take_off(lambda each: each == wanted)


def freeze_process(pid: int, ttl_s: float = TTL_S, target: str = "") -> Told:
    """Stop a process by SIGSTOP."""
    says = f"process {pid} is stopped"
    return _put_on(Freeze(name_of(pid)), "freeze", target or f"process:{pid}", says, ttl_s)


def continue_process(pid: int) -> Told:
    """Let a process go on that was stopped here."""
    return _take_off(lambda each: isinstance(each, Freeze) and each.process.pid == pid)


def kill_process(
    pid: int, again: Mapping[str, Any] | None = None, ttl_s: float = TTL_S, target: str = ""
) -> Told:
    """Kill a process by SIGKILL; `again` (`command`, `folder`, `address`) is how it is started anew.

    Undoing the fault starts it, at once here: what is to be seen is how the relay comes back.
    """
    start = None if again is None else _start_of(again)
    fault = Kill(name_of(pid), start)
    told = _put_on(fault, "kill", target or f"process:{pid}", f"process {pid} is killed", ttl_s)
    if start is not None:
        _undo(told["fault"])
    return told


def hog(
    resource: Literal["cpu", "memory", "descriptors", "disk"],
    amount: float,
    folder: str = "",
    left_mib: float = 0.0,
    ttl_s: float = TTL_S,
    target: str = "machine",
) -> Told:
    """Take `amount` of a resource (cores, MiB, descriptors); of a disk all but `left_mib` where above 0."""
    if resource not in ("cpu", "memory", "descriptors", "disk"):
        raise ConfigError(f"resource {resource!r}; want cpu, memory, descriptors or disk")
    if resource == "disk" and left_mib > 0:
        amount = free_mib(folder) - left_mib
    fault = Hog(resource, amount, folder)
    return _put_on(fault, f"hog_{resource}", target, f"{amount:g} of {resource} taken", ttl_s)


def limit_descriptors(pid: int, spare: int = 0, ttl_s: float = TTL_S, target: str = "") -> Told:
    """Lower a process's limit of descriptors to what it has open and `spare` more."""
    process = name_of(pid)
    before, limit = descriptor_limit(process), descriptor_limit_leaving(process, spare)
    if before is None or limit is None:
        raise ConfigError(f"process {pid} is gone")
    if limit >= before:
        raise ConfigError(f"spare: {spare}; process {pid} has a limit of {before}, which leaves it no more")
    fault = DescriptorLimit(process, limit, before)
    says = f"process {pid} opens {spare} descriptors more at most"
    return _put_on(fault, "limit_descriptors", target or f"process:{pid}", says, ttl_s)


def show_devnet_fault(
    control_url: str,
    chain: str,
    fault: str,
    amount: int | None = None,
    ttl_s: float = TTL_S,
    target: str = "",
) -> Told:
    """Have a devnet node show a fault until it is undone, or its own time is over.

    How long each lasts at most stands in docs/howto/devnet-faults.md.
    """
    made = DevnetFault(control_url, chain, fault, amount)
    return _put_on(made, fault, target or f"devnet:{chain}", f"{fault} of the devnet's {chain}", ttl_s)


def drop_packets(port: int, share: float, ttl_s: float = TTL_S, target: str = "") -> Told:
    """Drop a share of the packets to a port of this machine, by nft; wants root."""
    says = f"{share:.0%} of the packets to port {port}"
    return _put_on(PacketLoss(port, share), "packet_loss", target or f"port:{port}", says, ttl_s)


def undo_all() -> Told:
    """Take off all faults. Raises where one remains, so that nobody takes it for done."""
    _acting.undone.set()
    _acting.undone = threading.Event()
    remaining = _keeper().undo_all()
    with _acting.lock:
        count = len(_acting.on)
        _acting.on.clear()
    if remaining:
        raise ConfigError(f"on still: {remaining}; run cb-chaos --rollback")
    return {"fault": None, "says": f"faults put on: {count}; on still: none"}


def _start_of(again: Mapping[str, Any]) -> StartProcess:
    if set(again) != {"command", "folder", "address"}:
        raise ConfigError(f"again: keys {', '.join(sorted(again))}; want command, folder, address")
    command = tuple(str(each) for each in again["command"])
    return StartProcess(command, str(again["folder"]), str(again["address"]))


def _keeper() -> FaultKeeper:
    return _acting.keeper or keeper_of_this_process()


def _put_on(fault: Fault, kind: str, target: str, says: str, ttl_s: float) -> Told:
    number = _keeper().inject(fault, kind, target, says, ttl_s)
    with _acting.lock:
        _acting.on[number] = fault
    return {"fault": number, "says": says}


def _undo(number: int) -> None:
    _keeper().undo(number)
    with _acting.lock:
        _acting.on.pop(number, None)


def _take_off(meant: Callable[[Fault], bool]) -> Told:
    with _acting.lock:
        numbers = [number for number, fault in _acting.on.items() if meant(fault)]
    for number in reversed(numbers):
        _undo(number)
    return {"fault": None, "says": f"faults taken off: {len(numbers)}"}
