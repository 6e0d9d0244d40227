"""Does one undo: takes a fault off, or finds that it is off already.

Each may be done twice, by whoever reads it in a journal. What is gone counts as undone, and is said.
"""

from __future__ import annotations

import functools
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

from sprint.core.chaos.undo import (
    FILE_NAME_START,
    TABLE_NAME_START,
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
from sprint.tools.chaos.processes import descriptor_limit, end, send_signal, set_descriptor_limit

HTTP_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 1.0
ANSWER_SHOWN_MAX = 300
NOT_FOUND = 404
FORCED = ("force_open", "force_close")
DONE = ""
START_WAIT_S = 20.0
START_LOOK_S = 0.1

# What was started for somebody runs on; its handle is kept, as one that is dropped complains.
_started: list[subprocess.Popen[bytes]] = []


def undo(one: Undo) -> str:
    """Do one undo, blocking; return what was found where the fault was not on any more, else nothing.

    UndoFailed says what remains.
    """
    act: Callable[[Any], str] = _ACTS[type(one)]
    try:
        return act(one)
    except (httpx.HTTPError, OSError, subprocess.SubprocessError) as error:
        raise UndoFailed(f"{one}: {type(error).__name__}: {error}") from error


def encoded(name: str) -> str:
    """Return a name as it stands in a path."""
    return quote(name, safe="")


class Answer(NamedTuple):
    """What an API said. `gone` where nobody listens there any more."""

    status: int
    body: dict[str, Any]
    gone: bool = False


def asked(method: str, base_url: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    """Ask a local API. A refused connection is `gone`; httpx.HTTPError for what may be there still."""
    url = base_url.rstrip("/") + path
    try:
        answer = httpx.request(
            method, url, json=body, timeout=HTTP_TIMEOUT_S, trust_env=False, verify=_certificates()
        )
    except httpx.ConnectError:
        return Answer(0, {}, gone=True)
    try:
        told = answer.json()
    except ValueError:
        told = {"detail": answer.text[:ANSWER_SHOWN_MAX]}
    return Answer(answer.status_code, told if isinstance(told, dict) else {"answer": told})


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return what servers are known by, read once: reading it for each request takes most of its time."""
    return ssl.create_default_context()


def succeeded(answer: Answer) -> bool:
    """Tell whether it was done."""
    return answer.status // 100 == 2


def _remove_toxic(one: RemoveToxic) -> str:
    path = f"/api/proxies/{encoded(one.proxy)}/toxics/{encoded(one.toxic)}"
    return _settled(asked("DELETE", one.control_url, path), f"toxic {one.toxic}")


def _release_breaker(one: ReleaseBreaker) -> str:
    path = f"/api/breakers/{encoded(one.breaker)}"
    told = asked("GET", one.admin_url, path)
    if not succeeded(told):
        return _settled(told, f"breaker {one.breaker}")
    row = told.body.get("breaker", told.body)
    if row.get("state") not in FORCED:
        return f"breaker {one.breaker} is {row.get('state')}"
    if one.mark not in str(row.get("reason", "")):
        return f"breaker {one.breaker} is under another's order: {row.get('reason')}"
    order = {"action": "release", "reason": f"undoes {one.mark}".strip()}
    return _settled(asked("POST", one.admin_url, f"{path}/state", order), f"breaker {one.breaker}")


def _resume_source(one: ResumeSource) -> str:
    told = asked("GET", one.admin_url, "/api/sources")
    if not succeeded(told):
        return _settled(told, "the relay")
    rows = told.body.get("sources", {}).get(one.chain, [])
    row = next((row for row in rows if row.get("name") == one.source), None)
    if row is None:
        return f"source {one.source} of {one.chain} is gone"
    if row.get("state") != "paused":
        return f"source {one.source} is {row.get('state')}"
    if one.mark not in str(row.get("reason", "")):
        return f"source {one.source} was paused by another: {row.get('reason')}"
    order = {"action": "resume", "reason": f"undoes {one.mark}".strip()}
    path = f"{source_path(one.chain, one.source)}/state"
    return _settled(asked("POST", one.admin_url, path, order), f"source {one.source}")


def source_path(chain: str, source: str) -> str:
    """Return a source's path in the admin API."""
    return f"/api/sources/{encoded(chain)}/{encoded(source)}"


def _remove_source(one: RemoveSource) -> str:
    answer = asked("DELETE", one.admin_url, source_path(one.chain, one.source))
    return _settled(answer, f"source {one.source}")


def _end_devnet_fault(one: EndDevnetFault) -> str:
    """Have the node end it. A devnet that has no such path ends it by itself, after a time of its own."""
    shown = devnet_faults(one)
    if one.fault not in shown:
        return f"the devnet's {one.chain} shows no {one.fault} any more"
    answer = asked("POST", one.control_url, f"{devnet_path(one)}/fault/end", {"fault": one.fault})
    if answer.status == NOT_FOUND:
        raise UndoFailed(
            f"the devnet's {one.chain} can't end {one.fault}: {remaining_text(shown[one.fault])}"
        )
    return _settled(answer, f"the devnet's {one.chain}")


def devnet_path(one: EndDevnetFault) -> str:
    """Return a node's path in the devnet's control."""
    return f"/api/devnet/{encoded(one.chain)}"


def devnet_faults(one: EndDevnetFault) -> dict[str, float | None]:
    """Return what a node shows and for how many seconds more; None where no clock ends it.

    Nothing where nobody listens, or where it has no node of that chain. UndoFailed where it doesn't tell.
    """
    answer = asked("GET", one.control_url, devnet_path(one))
    if answer.gone or answer.status == NOT_FOUND:
        return {}
    if not succeeded(answer):
        raise UndoFailed(f"the devnet's {one.chain}: answered {answer.status}: {answer.body}")
    return {str(row["fault"]): row["left_s"] for row in answer.body.get("faults", [])}


def remaining_text(left_s: float | None) -> str:
    """Return how long a devnet's fault goes on."""
    return "it ends by no clock" if left_s is None else f"it ends by itself in {left_s:.1f} s"


def _settled(answer: Answer, what: str) -> str:
    if answer.gone:
        return f"{what}: nobody listens there any more"
    if answer.status == NOT_FOUND:
        return f"{what} is gone: {answer.body.get('detail', 'not found')}"
    if succeeded(answer):
        return DONE
    raise UndoFailed(f"{what}: answered {answer.status}: {str(answer.body)[:ANSWER_SHOWN_MAX]}")


def _continue_process(one: ContinueProcess) -> str:
    return DONE if send_signal(one.process, signal.SIGCONT) else f"process {one.process.pid} is gone"


def _end_process(one: EndProcess) -> str:
    return DONE if end(one.process) else f"process {one.process.pid} is gone"


def _restore_descriptor_limit(one: RestoreDescriptorLimit) -> str:
    now = descriptor_limit(one.process)
    if now is None:
        return f"process {one.process.pid} is gone"
    if now != one.limit:
        return f"process {one.process.pid} has a limit of {now} descriptors by now"
    set_descriptor_limit(one.process, one.before)
    return DONE


def _remove_file(one: RemoveFile) -> str:
    path = Path(one.path)
    if not path.name.startswith(FILE_NAME_START):
        raise UndoFailed(f"file {path}: not ours, whose names begin with {FILE_NAME_START}; left")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UndoFailed(f"file {path}: no plain file, as ours are; left")
        path.unlink()
    except FileNotFoundError:
        return f"file {path} is gone"
    return DONE


def _remove_table(one: RemoveTable) -> str:
    if not one.table.startswith(TABLE_NAME_START):
        raise UndoFailed(f"table {one.table}: not ours, whose names begin with {TABLE_NAME_START}; left")
    program = shutil.which("nft")
    if program is None:
        raise UndoFailed(f"table {one.table}: there is no nft program here to remove it by")
    command = [program, "delete", "table", "inet", one.table]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode == 0:
        return DONE
    if "No such file or directory" in done.stderr:
        return f"table {one.table} is gone"
    raise UndoFailed(f"table {one.table}: {done.stderr.strip()[:ANSWER_SHOWN_MAX]}")


def _start_process(one: StartProcess) -> str:
    if one.address and listens(one.address):
        return f"a process listens at {one.address} already"
    started = subprocess.Popen(
        one.command,
        cwd=one.folder or None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _started.append(started)
    deadline = time.monotonic() + START_WAIT_S
    while one.address and not listens(one.address):
        if started.poll() is not None:
            raise UndoFailed(f"{one.command[0]}: ended with {started.returncode} before it listened")
        if time.monotonic() > deadline:
            raise UndoFailed(f"{one.command[0]}: not listening at {one.address} after {START_WAIT_S:g} s")
        time.sleep(START_LOOK_S)
    return DONE


def listens(address: str) -> bool:
    """Tell whether a connection to `host:port` is taken."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


_ACTS: dict[type[Any], Callable[[Any], str]] = {
    RemoveToxic: _remove_toxic,
    ReleaseBreaker: _release_breaker,
    ResumeSource: _resume_source,
    RemoveSource: _remove_source,
    EndDevnetFault: _end_devnet_fault,
    ContinueProcess: _continue_process,
    EndProcess: _end_process,
    RestoreDescriptorLimit: _restore_descriptor_limit,
    RemoveFile: _remove_file,
    RemoveTable: _remove_table,
    StartProcess: _start_process,
}
