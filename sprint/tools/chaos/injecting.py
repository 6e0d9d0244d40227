"""Puts one fault on, as its plan in the journal says; refuses what its undo could not set right."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import httpx

from sprint.core.chaos.faults import (
    BreakerOrder,
    DescriptorLimit,
    DevnetFault,
    Fault,
    Freeze,
    Hog,
    Kill,
    Names,
    PacketLoss,
    SourceDetour,
    SourcePause,
    Toxic,
    urls_of,
)
from sprint.core.chaos.undo import ProcessName
from sprint.core.errors import ConfigError, FaultError
from sprint.core.faultproxy.targets import is_loopback
from sprint.tools.chaos.packets import drop_packets, refuse_packet_loss
from sprint.tools.chaos.processes import (
    STOPPED,
    descriptor_limit,
    end,
    send_signal,
    set_descriptor_limit,
    state_of,
)
from sprint.tools.chaos.undoing import (
    FORCED,
    Answer,
    asked,
    encoded,
    source_path,
    succeeded,
)

# A toxic goes by itself too, a little after the keeper should have taken it off.
TOXIC_GRACE_S = 10.0
STOP_WAIT_S_MAX = 5.0
DETOUR_READY_S_MAX = 15.0
LOOK_S = 0.05
ANSWER_SHOWN_MAX = 300


def refuse(fault: Fault, allowed: Collection[str]) -> None:
    """Raise ConfigError for what may not be done, or what its undo would not leave as it was."""
    for url in urls_of(fault):
        _refuse_host(url, allowed)
    match fault:
        case BreakerOrder():
            order = _breaker_row(fault)
            if order.get("state") in FORCED:
                already = f"is {order['state']} already: {order.get('reason')}"
                raise ConfigError(f"breaker {fault.breaker} {already}; release it first")
        case SourcePause() | SourceDetour():
            row = _source_row(fault.admin_url, fault.chain, fault.source)
            if row is None:
                raise ConfigError(f"source {fault.source}: there is none of that name on {fault.chain}")
            if row.get("state") == "paused":
                raise ConfigError(
                    f"source {fault.source} is paused already: {row.get('reason')}; resume it first"
                )
            if isinstance(fault, SourceDetour):
                _refuse_one_that_is_there(fault)
        case Freeze() | Kill():
            _refuse_process(fault.process, freezes=isinstance(fault, Freeze))
        case DescriptorLimit():
            _refuse_descriptor_limit(fault)
        case PacketLoss():
            refuse_packet_loss(fault)
        case _:
            pass


def _refuse_one_that_is_there(fault: SourceDetour) -> None:
    """Refuse to add a source that somebody else has added: its undo would remove theirs."""
    if _source_row(fault.admin_url, fault.chain, fault.by) is not None:
        raise ConfigError(f"source {fault.by} is there already, not by this run; remove it first")


def inject(fault: Fault, names: Names, ttl_s: float) -> None:
    """Put a fault on; FaultError where it is not, or not for certain. A hog is told to go by its owner."""
    try:
        _inject(fault, names, ttl_s)
    except (httpx.HTTPError, OSError, subprocess.SubprocessError) as error:
        raise FaultError(f"{type(fault).__name__}: {type(error).__name__}: {error}") from error


def _inject(fault: Fault, names: Names, ttl_s: float) -> None:
    match fault:
        case Toxic():
            ttl_ms = int((ttl_s + TOXIC_GRACE_S) * 1_000)
            fields = {"ttl_ms": ttl_ms, **fault.figures, "name": names.toxic}
            _told("POST", fault.control_url, f"/api/proxies/{encoded(fault.proxy)}/toxics", fields)
        case BreakerOrder():
            order = {"action": fault.action, "reason": names.mark}
            _told("POST", fault.admin_url, f"/api/breakers/{encoded(fault.breaker)}/state", order)
        case SourcePause():
            _pause(fault, names)
        case SourceDetour():
            _detour(fault, names)
        case Freeze():
            _freeze(fault.process)
        case Kill():
            if not end(fault.process):
                raise FaultError(f"process {fault.process.pid} had ended before it was killed")
        case Hog():
            pass
        case DescriptorLimit():
            if not set_descriptor_limit(fault.process, fault.limit):
                raise FaultError(f"process {fault.process.pid} had ended before it was limited")
        case DevnetFault():
            amount = {} if fault.amount is None else {"amount": fault.amount}
            path = f"/api/devnet/{encoded(fault.chain)}/fault"
            _told("POST", fault.control_url, path, {"fault": fault.fault, **amount})
        case PacketLoss():
            drop_packets(fault, names.table)


def _told(method: str, url: str, path: str, fields: dict[str, Any]) -> dict[str, Any]:
    answer = asked(method, url, path, fields)
    if not succeeded(answer):
        raise FaultError(f"{method} {url}{path}: {_said(answer)}")
    return answer.body


def _said(answer: Answer) -> str:
    if answer.gone:
        return "nobody listens there"
    return f"answered {answer.status}: {str(answer.body.get('detail', answer.body))[:ANSWER_SHOWN_MAX]}"


def _refuse_host(url: str, allowed: Collection[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not (is_loopback(host) or host in allowed or parts.netloc in allowed):
        raise ConfigError(
            f"{url}: neither on loopback nor among the allowed ({', '.join(allowed) or 'none'})"
        )


def _breaker_row(fault: BreakerOrder) -> dict[str, Any]:
    answer = _answered(fault.admin_url, f"/api/breakers/{encoded(fault.breaker)}")
    row = answer.get("breaker", answer)
    return row if isinstance(row, dict) else {}


def _source_row(admin_url: str, chain: str, source: str) -> dict[str, Any] | None:
    rows = _answered(admin_url, "/api/sources").get("sources", {}).get(chain, [])
    return next((row for row in rows if row.get("name") == source), None)


def _answered(url: str, path: str) -> dict[str, Any]:
    try:
        answer = asked("GET", url, path)
    except httpx.HTTPError as error:
        raise ConfigError(f"{url}{path}: {type(error).__name__}: {error}") from error
    if not succeeded(answer):
        raise ConfigError(f"{url}{path}: {_said(answer)}")
    return answer.body


def _refuse_process(process: ProcessName, *, freezes: bool) -> None:
    if process.pid in {os.getpid(), os.getppid()}:
        raise ConfigError(f"pid {process.pid} is this tool or what started it: not touched")
    state = state_of(process)
    if state is None:
        raise ConfigError(f"process {process.pid} is gone")
    if freezes and state == STOPPED:
        raise ConfigError(f"process {process.pid} is stopped already: continue it first")


def _refuse_descriptor_limit(fault: DescriptorLimit) -> None:
    _refuse_process(fault.process, freezes=False)
    now = descriptor_limit(fault.process)
    if now != fault.before:
        raise ConfigError(
            f"before: {fault.before}; process {fault.process.pid} has a limit of {now} descriptors"
        )
    if not 0 <= fault.limit < fault.before:
        raise ConfigError(f"limit: {fault.limit}; want 0 to {fault.before - 1}, less than it has")


def _pause(fault: SourcePause | SourceDetour, names: Names) -> None:
    order = {"action": "pause", "reason": names.mark}
    _told("POST", fault.admin_url, f"{source_path(fault.chain, fault.source)}/state", order)


def _detour(fault: SourceDetour, names: Names) -> None:
    """Add the way round, wait until it is ready, and only then pause the straight one."""
    name, _, network = fault.chain.partition("-")
    url = fault.url if "=" in fault.url else f"{name}:{network}={fault.url}"
    _told("POST", fault.admin_url, "/api/sources", {"source": f"{fault.by}@{url}", "reason": names.mark})
    deadline = time.monotonic() + DETOUR_READY_S_MAX
    while True:
        row = _source_row(fault.admin_url, fault.chain, fault.by) or {}
        if row.get("state") == "ready":
            break
        if time.monotonic() > deadline:
            raise FaultError(
                f"source {fault.by} is {row.get('state')} after {DETOUR_READY_S_MAX:g} s: {row.get('reason')}"
            )
        time.sleep(LOOK_S)
    _pause(fault, names)


def _freeze(process: ProcessName) -> None:
    """Stop a process, and wait until it is stopped: on a busy machine its threads run on for a while."""
    if not send_signal(process, signal.SIGSTOP):
        raise FaultError(f"process {process.pid} had ended before it was stopped")
    deadline = time.monotonic() + STOP_WAIT_S_MAX
    while (state := state_of(process)) != STOPPED:
        if state is None or time.monotonic() > deadline:
            raise FaultError(f"process {process.pid} is not stopped {STOP_WAIT_S_MAX:g} s after SIGSTOP")
        time.sleep(LOOK_S)
