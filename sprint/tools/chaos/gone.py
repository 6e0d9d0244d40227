"""Asks from outside whether faults are off: the proxy, the relay, the kernel, not who took them off."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from sprint.core.chaos.journal import Planned
from sprint.core.chaos.result import GoneCheck
from sprint.core.chaos.undo import (
    ContinueProcess,
    EndDevnetFault,
    EndProcess,
    ReleaseBreaker,
    RemoveFile,
    RemoveSource,
    RemoveTable,
    RemoveToxic,
    RestoreDescriptorLimit,
    ResumeSource,
    StartProcess,
    Undo,
)
from sprint.core.errors import UndoFailed
from sprint.tools.chaos.processes import STOPPED, descriptor_limit, lives, state_of
from sprint.tools.chaos.undoing import (
    COMMAND_TIMEOUT_S,
    FORCED,
    NOT_FOUND,
    asked,
    devnet_faults,
    encoded,
    listens,
    remaining_text,
)

# What was found: whether the fault is off, and in words.
Found = tuple[bool, str]


def check_gone(planned: Planned) -> GoneCheck:
    """Look at all that a fault was on. Blocking."""
    found = [_look(each) for each in planned.undo]
    says = "; ".join(text for _, text in found) or "nothing of it is to be taken off"
    return GoneCheck(fault=planned.fault, gone=all(off for off, _ in found), says=says)


def _look(undo: Undo) -> Found:
    look: Callable[[Any], Found] = _LOOKS[type(undo)]
    try:
        return look(undo)
    except (httpx.HTTPError, OSError, subprocess.SubprocessError, UndoFailed) as error:
        return False, f"could not be asked: {type(error).__name__}: {error}"


def _toxic(one: RemoveToxic) -> Found:
    answer = asked("GET", one.control_url, f"/api/proxies/{encoded(one.proxy)}/toxics")
    if answer.gone or answer.status == NOT_FOUND:
        return True, f"proxy {one.proxy} is gone"
    names = [str(each.get("name")) for each in answer.body.get("toxics", [])]
    off = answer.status == httpx.codes.OK and one.toxic not in names
    return off, f"proxy {one.proxy} has {len(names)} toxics{'' if off else f', {one.toxic} among them'}"


def _breaker(one: ReleaseBreaker) -> Found:
    answer = asked("GET", one.admin_url, f"/api/breakers/{encoded(one.breaker)}")
    if answer.gone or answer.status == NOT_FOUND:
        return True, f"breaker {one.breaker} is gone"
    row = answer.body.get("breaker", answer.body)
    state = str(row.get("state"))
    ours = state in FORCED and one.mark in str(row.get("reason", ""))
    return not ours, f"breaker {one.breaker} is {state}"


def _source(one: ResumeSource) -> Found:
    row = _row(one.admin_url, one.chain, one.source)
    if row is None:
        return True, f"source {one.source} is gone"
    ours = row.get("state") == "paused" and one.mark in str(row.get("reason", ""))
    return not ours, f"source {one.source} is {row.get('state')}"


def _added_source(one: RemoveSource) -> Found:
    there = _row(one.admin_url, one.chain, one.source) is not None
    return not there, f"source {one.source} is {'there still' if there else 'gone'}"


def _devnet_fault(one: EndDevnetFault) -> Found:
    shown = devnet_faults(one)
    if one.fault in shown:
        return False, f"the devnet's {one.chain} shows {one.fault}: {remaining_text(shown[one.fault])}"
    return True, f"the devnet's {one.chain} shows no {one.fault}"


def _row(admin_url: str, chain: str, source: str) -> dict[str, Any] | None:
    answer = asked("GET", admin_url, "/api/sources")
    rows = answer.body.get("sources", {}).get(chain, [])
    return next((dict(row) for row in rows if row.get("name") == source), None)


def _stopped(one: ContinueProcess) -> Found:
    state = state_of(one.process)
    return state not in {STOPPED, "t"}, f"process {one.process.pid} is {state or 'gone'}"


def _ended(one: EndProcess) -> Found:
    there = lives(one.process)
    return not there, f"process {one.process.pid} {'runs still' if there else 'is gone'}"


def _limit(one: RestoreDescriptorLimit) -> Found:
    now = descriptor_limit(one.process)
    return now != one.limit, f"process {one.process.pid} {'is gone' if now is None else f'may open {now}'}"


def _file(one: RemoveFile) -> Found:
    there = Path(one.path).exists()
    return not there, f"file {one.path} is {'there still' if there else 'gone'}"


def _table(one: RemoveTable) -> Found:
    program = shutil.which("nft")
    if program is None:
        return True, "there is no nft here"
    command = [program, "list", "table", "inet", one.table]
    done = subprocess.run(command, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    return done.returncode != 0, f"table {one.table} is {'there still' if done.returncode == 0 else 'gone'}"


def _started(one: StartProcess) -> Found:
    if not one.address:
        return True, "nothing is known of where it listens"
    there = listens(one.address)
    return there, f"{'a process' if there else 'nobody'} listens at {one.address}"


_LOOKS: dict[type[Any], Callable[[Any], Found]] = {
    RemoveToxic: _toxic,
    ReleaseBreaker: _breaker,
    ResumeSource: _source,
    RemoveSource: _added_source,
    EndDevnetFault: _devnet_fault,
    ContinueProcess: _stopped,
    EndProcess: _ended,
    RestoreDescriptorLimit: _limit,
    RemoveFile: _file,
    RemoveTable: _table,
    StartProcess: _started,
}
