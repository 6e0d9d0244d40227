"""How a fault is taken off again, as data that is written down before the fault is put on.

Each can be done twice without harm, and by another process than the one that put the fault on: all that it
needs stands in it. Processes are named by pid and start time, so that a pid which was given out again is
never touched.
"""

from __future__ import annotations

import msgspec


class ProcessName(msgspec.Struct, frozen=True):
    """A process: `started_ticks` is field 22 of /proc/PID/stat, clock ticks since boot (proc(5))."""

    pid: int
    started_ticks: int


class RemoveToxic(msgspec.Struct, frozen=True, tag="remove_toxic"):
    """Take a toxic off a fault proxy, told at the proxy's control URL."""

    control_url: str
    proxy: str
    toxic: str


class ReleaseBreaker(msgspec.Struct, frozen=True, tag="release_breaker"):
    """Take back an order to a breaker, told at a relay's admin URL.

    `mark` stands in the reason of our own order; one of somebody else is left as it is. Empty: any.
    """

    admin_url: str
    breaker: str
    mark: str = ""


class ResumeSource(msgspec.Struct, frozen=True, tag="resume_source"):
    """Let a source run again that was paused, by us where there is a `mark`, as with a breaker's order."""

    admin_url: str
    chain: str
    source: str
    mark: str = ""


class RemoveSource(msgspec.Struct, frozen=True, tag="remove_source"):
    """Remove a source that was added for the fault."""

    admin_url: str
    chain: str
    source: str


class EndDevnetFault(msgspec.Struct, frozen=True, tag="end_devnet_fault"):
    """Have a devnet node end a fault before its time, told at its control URL."""

    control_url: str
    chain: str
    fault: str


class ContinueProcess(msgspec.Struct, frozen=True, tag="continue_process"):
    """Let a stopped process go on (SIGCONT)."""

    process: ProcessName


FILE_NAME_START = "sprint-chaos-"
TABLE_NAME_START = "sprint_chaos_"


class EndProcess(msgspec.Struct, frozen=True, tag="end_process"):
    """End a process that was started for the fault, by SIGKILL."""

    process: ProcessName


class RestoreDescriptorLimit(msgspec.Struct, frozen=True, tag="restore_descriptor_limit"):
    """Give a process back its soft limit of open descriptors, unless it has another one than ours by now."""

    process: ProcessName
    limit: int
    before: int


class RemoveFile(msgspec.Struct, frozen=True, tag="remove_file"):
    """Remove a file that was made for the fault; its name begins with FILE_NAME_START."""

    path: str


class RemoveTable(msgspec.Struct, frozen=True, tag="remove_table"):
    """Remove an nft table that was made for the fault; its name begins with TABLE_NAME_START."""

    table: str


class StartProcess(msgspec.Struct, frozen=True, tag="start_process"):
    """Start again what was killed, unless a process listens at `address` (`host:port`) already."""

    command: tuple[str, ...]
    folder: str
    address: str


Undo = (
    RemoveToxic
    | ReleaseBreaker
    | ResumeSource
    | RemoveSource
    | EndDevnetFault
    | ContinueProcess
    | EndProcess
    | RestoreDescriptorLimit
    | RemoveFile
    | RemoveTable
    | StartProcess
)
