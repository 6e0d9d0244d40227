"""Reaches every source once and says what it found: reachable, the right chain, how high, how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from sprint.core import kernels
from sprint.core.config import StoreSection
from sprint.core.errors import KernelError, StoreError, UpstreamError
from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.relay.publishers import missing_topics, why_silent
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.relay.sources import probe_source
from sprint.tools.relay.sources.zmq import NONE_HINT
from sprint.tools.store.opening import look_at, store_settings
from sprint.tools.store.settings import Durability

CHECK_TIMEOUT_S = 10.0
_SILENT_HINTS = {
    "p2p": "does the node hang, or is the port not its P2P one?",
    "rpc": "does the node hang, or is the port not its RPC one?",
    "rpcs": "does the node hang, or is the port not that of RPC over TLS?",
    "zmq": NONE_HINT,
}


class SourceCheck(msgspec.Struct, frozen=True):
    """What was found of one source. `reason` says why it is not usable, or what to know of it."""

    name: str
    chain: str
    url: str
    usable: bool
    reason: str
    user_agent: str = ""
    height: int | None = None
    latency_ms: float | None = None


class KernelCheck(msgspec.Struct, frozen=True):
    """Which form of the hash kernels a relay would work with here; `text` says what it is, or why so.

    `usable` is false where it is not the form that the config names.
    """

    usable: bool
    tier: str
    text: str


def check_kernels(wanted: str) -> KernelCheck:
    """Tell which form the config's `relay.kernels` gives on this processor, without compiling it."""
    try:
        tier, text = kernels.chosen(wanted)
    except (ImportError, KernelError) as error:
        return KernelCheck(usable=wanted == kernels.AUTO, tier=kernels.REFERENCE, text=str(error))
    return KernelCheck(usable=True, tier=tier, text=text)


class StoreCheck(msgspec.Struct, frozen=True):
    """What was found of the database that the config names; empty where that is the embedded one."""

    usable: bool
    text: str


def check_store(section: StoreSection, durability: Durability) -> StoreCheck:
    """Reach the database and say whether a relay could use it as it is. It is left as it was found."""
    try:
        found = look_at(section.url, store_settings(section, durability, 0.0))
    except StoreError as error:
        return StoreCheck(usable=False, text=str(error))
    return StoreCheck(usable=True, text=found)


async def check_sources(specs: Sequence[SourceSpec]) -> list[SourceCheck]:
    """Reach all at once. ConfigError for a chain that there is not."""
    catalog = ChainCatalog.installed()
    networks = [catalog.find(spec.chain, spec.network) for spec in specs]
    found = await asyncio.gather(*map(_check_one, specs, networks))
    return [_beside(spec, row, specs, found) for spec, (row, _) in zip(specs, found, strict=True)]


def _beside(
    spec: SourceSpec,
    row: SourceCheck,
    specs: Sequence[SourceSpec],
    found: Sequence[tuple[SourceCheck, Publishing | None]],
) -> SourceCheck:
    """Add to what was found of a publisher what the nodes on its host say of it."""
    if spec.scheme != "zmq":
        return row
    nodes = {
        each.name: publishing
        for each, (other, publishing) in zip(specs, found, strict=True)
        if publishing is not None and each.host == spec.host and other.chain == row.chain
    }
    said = missing_topics(spec, nodes) if row.usable else why_silent(spec, nodes)
    return msgspec.structs.replace(row, reason=f"{row.reason}; {said}") if said else row


async def _check_one(spec: SourceSpec, network: ChainNetwork) -> tuple[SourceCheck, Publishing | None]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            found = await probe_source(spec, network)
    except (OSError, UnicodeError, TimeoutError, UpstreamError) as error:
        reason = str(error) or f"no answer within {CHECK_TIMEOUT_S:.0f} s: {_SILENT_HINTS[spec.scheme]}"
        return SourceCheck(spec.name, network.chain_id, spec.url, usable=False, reason=reason), None
    row = SourceCheck(
        name=spec.name,
        chain=network.chain_id,
        url=spec.url,
        usable=True,
        reason=found.note,
        user_agent=found.user_agent,
        height=found.height,
        latency_ms=found.latency_ms,
    )
    return row, found.publishing
