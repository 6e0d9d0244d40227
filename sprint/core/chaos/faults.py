"""The faults that `cb-chaos` puts on, as data: what is done to what, and how each is undone.

An action of an experiment becomes one of these; `undo_of` says how it comes off before it is on. A fault
lasts `ttl_s` at most, whatever becomes of the tool.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.chaos.undo import (
    FILE_NAME_START,
    TABLE_NAME_START,
    ContinueProcess,
    EndDevnetFault,
    EndProcess,
    ProcessName,
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
from sprint.core.errors import ConfigError

TTL_S_MAX = 3_600.0


class Toxic(msgspec.Struct, frozen=True, tag="toxic"):
    """A toxic on a fault proxy. `figures` as the proxy's API takes them, `kind` among them."""

    control_url: str
    proxy: str
    figures: dict[str, str | float]


class BreakerOrder(msgspec.Struct, frozen=True, tag="breaker_order"):
    """A breaker held open or closed through the admin API."""

    admin_url: str
    breaker: str
    action: Literal["force_open", "force_close"]


class SourcePause(msgspec.Struct, frozen=True, tag="source_pause"):
    """A source that is not asked through the admin API."""

    admin_url: str
    chain: str
    source: str


class SourceDetour(msgspec.Struct, frozen=True, tag="source_detour"):
    """A source led through a fault proxy: `by` is added in its place, with `url`, and `source` paused."""

    admin_url: str
    chain: str
    source: str
    by: str
    url: str


class Freeze(msgspec.Struct, frozen=True, tag="freeze"):
    """A process stopped by SIGSTOP."""

    process: ProcessName


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """A process killed by SIGKILL; `again` starts it anew, and is None where its supervisor does."""

    process: ProcessName
    again: StartProcess | None = None


class Hog(msgspec.Struct, frozen=True, tag="hog"):
    """A process that takes some of a resource. `amount`: cores, descriptors or MiB; of a disk in `folder`."""

    resource: Literal["cpu", "memory", "descriptors", "disk"]
    amount: float
    folder: str = ""


class DescriptorLimit(msgspec.Struct, frozen=True, tag="descriptor_limit"):
    """A process's soft limit of open descriptors, lowered to `limit`; it keeps what it has open.

    `before` is the limit that it had. Source: prlimit(2), RLIMIT_NOFILE.
    """

    process: ProcessName
    limit: int
    before: int


class DevnetFault(msgspec.Struct, frozen=True, tag="devnet_fault"):
    """A fault that a devnet node shows; it ends it by itself too, after a time of its own."""

    control_url: str
    chain: str
    fault: str
    amount: int | None = None


class PacketLoss(msgspec.Struct, frozen=True, tag="packet_loss"):
    """A share of the packets to a local port, dropped by nft; wants root."""

    port: int
    share: float


Fault = (
    Toxic
    | BreakerOrder
    | SourcePause
    | SourceDetour
    | Freeze
    | Kill
    | Hog
    | DescriptorLimit
    | DevnetFault
    | PacketLoss
)


class Names(msgspec.Struct, frozen=True):
    """What a fault makes, named before it is there. `mark` stands in the reasons that a relay is given.

    `hog`: the process that waits to become one.
    """

    toxic: str
    table: str
    file: str
    mark: str = ""
    hog: ProcessName | None = None


def names_of(run: str, number: int, fault: Fault, hog: ProcessName | None = None) -> Names:
    """Return what fault `number` of a run makes: no two faults of any run have one name."""
    own = f"{run}-{number}"
    folder = fault.folder.rstrip("/") if isinstance(fault, Hog) else ""
    return Names(
        toxic=f"chaos-{own}",
        table=TABLE_NAME_START + own.replace("-", "_"),
        file=f"{folder}/{FILE_NAME_START}{own}",
        mark=f"cb-chaos {own}.",
        hog=hog,
    )


def ttl_checked(ttl_s: float) -> float:
    """Return a fault's time in seconds. ConfigError where it would stay too long, or not at all."""
    if not 0.0 < ttl_s <= TTL_S_MAX:
        raise ConfigError(f"ttl_s: {ttl_s:g}; want more than 0 and at most {TTL_S_MAX:g} s: no fault stays")
    return ttl_s


def urls_of(fault: Fault) -> tuple[str, ...]:
    """Return the URLs that putting a fault on talks to; empty where it acts on this machine."""
    match fault:
        case Toxic() | DevnetFault():
            return (fault.control_url,)
        case BreakerOrder() | SourcePause() | SourceDetour():
            return (fault.admin_url,)
        case Freeze() | Kill() | Hog() | DescriptorLimit() | PacketLoss():
            return ()


def undo_of(fault: Fault, names: Names) -> tuple[Undo, ...]:
    """Return how a fault comes off, in the order to do it in; empty where another ends it."""
    match fault:
        case Toxic():
            return (RemoveToxic(fault.control_url, fault.proxy, names.toxic),)
        case BreakerOrder():
            return (ReleaseBreaker(fault.admin_url, fault.breaker, names.mark),)
        case SourcePause():
            return (ResumeSource(fault.admin_url, fault.chain, fault.source, names.mark),)
        case SourceDetour():
            back = ResumeSource(fault.admin_url, fault.chain, fault.source, names.mark)
            return (back, RemoveSource(fault.admin_url, fault.chain, fault.by))
        case Freeze():
            return (ContinueProcess(fault.process),)
        case Kill():
            return () if fault.again is None else (fault.again,)
        case Hog():
            ends = () if names.hog is None else (EndProcess(names.hog),)
            return (*ends, RemoveFile(names.file)) if fault.resource == "disk" else ends
        case DescriptorLimit():
            return (RestoreDescriptorLimit(fault.process, fault.limit, fault.before),)
        case DevnetFault():
            return (EndDevnetFault(fault.control_url, fault.chain, fault.fault),)
        case PacketLoss():
            return (RemoveTable(names.table),)
