"""A user's relay whose sources are led through fault proxies while experiments want them in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack

import msgspec

from sprint.core.chaos.named import NAMED, PROXY
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import key_of
from sprint.core.errors import UndoFailed
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.campaign_guard import CampaignGuard
from sprint.tools.chaos.faults import FaultKeeper, remains_text
from sprint.tools.chaos.proxies import SUFFIX, Detours, lack_now
from sprint.tools.chaos.subject import Subject

# What an experiment takes beside its duration: asking before and after, breakers that close.
AROUND_S = 180.0
OF_DEVNET = (
    "the relay's own devnet runs its chain and takes no further source; "
    "without --target there is a devnet with fault proxies"
)


async def led_round(
    subject: Subject,
    keys: Sequence[str],
    duration_s: float,
    guard: CampaignGuard,
    stack: AsyncExitStack,
) -> Subject:
    """Lead sources of a user's relay through proxies until `stack` ends; return the subject with them.

    It is a fault in a journal of its own: where this process dies the keeper takes the detours back.
    `guard` sees when that keeper dies, and when the detours' time is over.
    """
    with RelayAdmin(subject.admin_url, allowed=subject.allowed) as admin:
        relay = await asyncio.to_thread(admin.map)
    detours = Detours(relay, allowed=subject.allowed)
    stack.push_async_callback(asyncio.to_thread, detours.close)
    keeper = await asyncio.to_thread(FaultKeeper, guard.folder, allowed=subject.allowed)
    stack.push_async_callback(_taken_back, keeper)
    await asyncio.to_thread(detours.open, keeper, keys, duration_s)
    guard.watch(keeper)
    wiring = msgspec.structs.replace(subject.wiring, proxies={**subject.wiring.proxies, **detours.proxies})
    return msgspec.structs.replace(subject, wiring=wiring)


def wanted_detours(
    names: Collection[str], relay: DependencyMap, subject: Subject, sources: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sources to lead round for experiments that want a proxy in the way, and why others can't be.

    `sources` are those that the user chose, else all that can be led are. Blocking: nodes are asked.
    """
    if not any(_needs_a_proxy(name, subject) for name in names):
        return (), ()
    there = [each for each in relay.sources if key_of(each) not in subject.wiring.proxies]
    meant = [each for each in there if not sources or key_of(each) in sources]
    with RelayAdmin(subject.admin_url, allowed=subject.allowed) as admin:
        own = admin.devnet_chains()
    lacks = {
        key_of(each): OF_DEVNET if each.chain in own else lack_now(each, relay, subject.allowed)
        for each in meant
    }
    able = tuple(key for key, lack in lacks.items() if not lack)
    return able, tuple(f"{key}: {lack}" for key, lack in lacks.items() if lack)


def _needs_a_proxy(name: str, subject: Subject) -> bool:
    if name == "packet-loss" and subject.wiring.packets:
        return False
    return name in NAMED and PROXY in NAMED[name].needs


def detoured(key: str, subject: Subject) -> str:
    """Return the source that stands for another one while that is led round."""
    by = f"{key}{SUFFIX}"
    return by if by in subject.wiring.proxies else key


async def _taken_back(keeper: FaultKeeper) -> None:
    left = await asyncio.to_thread(keeper.close)
    if left:
        raise UndoFailed(remains_text(left))
