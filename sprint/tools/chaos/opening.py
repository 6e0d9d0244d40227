"""Opens the relay that experiments are made with: the user's as it is named, or one of the tool's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from sprint.core.chaos.faults import TTL_S_MAX
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.wiring import ProxyInTheWay, Wiring, key_of
from sprint.core.errors import ConfigError, FaultError, UndoFailed
from sprint.tools.chaos.admin import RelayAdmin, checked_url
from sprint.tools.chaos.campaign_guard import CampaignGuard
from sprint.tools.chaos.embedded import CHAINS, HOST, EmbeddedOptions, EmbeddedStack
from sprint.tools.chaos.given import ChaosOptions
from sprint.tools.chaos.led_round import AROUND_S, led_round, wanted_detours
from sprint.tools.chaos.named_processes import refuse_strangers
from sprint.tools.chaos.packets import lack_of_nft
from sprint.tools.chaos.proxies import SUFFIX
from sprint.tools.chaos.subject import Subject

# Where the proxies of detours would be told, in a document that is only looked at.
SUPPOSED = "a detour made for it"

Tell = Callable[[str, str], None]


async def opened_subject(
    options: ChaosOptions,
    stack: AsyncExitStack,
    names: Sequence[str] = (),
    tell: Tell | None = None,
    guard: CampaignGuard | None = None,
) -> Callable[[], Subject]:
    """Return what gives the subject as it is at that time: a killed relay has another process after it.

    Sources are led through fault proxies where the experiments of these names want that. What was started
    and changed for it ends with `stack`; `guard` looks at the detours, and without one there are none.
    """
    if options.target:
        subject = await _users_led_round(options, stack, names, tell or (lambda _phase, _text: None), guard)
        return lambda: subject
    embedded = await asyncio.to_thread(EmbeddedStack, embedded_options(options))
    stack.push_async_callback(asyncio.to_thread, embedded.close)
    # Its sources are ports of loopback that nobody else uses, so that packets to them may be dropped.
    packets = not await asyncio.to_thread(lack_of_nft)
    return lambda: _embedded(embedded, options, packets=packets)


async def planned_subject(
    options: ChaosOptions, stack: AsyncExitStack, names: Sequence[str]
) -> Callable[[], Subject]:
    """Return a subject to plan with: no source is led round, but those that would be count as led round."""
    if not options.target:
        return await opened_subject(options, stack)
    relay = await asyncio.to_thread(_map, options)
    subject = _users(options, relay)
    keys, _ = await asyncio.to_thread(wanted_detours, names, relay, subject, options.sources)
    supposed = {key: ProxyInTheWay(SUPPOSED, key.rpartition(":")[2]) for key in keys}
    wiring = msgspec.structs.replace(subject.wiring, proxies={**subject.wiring.proxies, **supposed})
    planned = msgspec.structs.replace(subject, wiring=wiring)
    return lambda: planned


def embedded_options(options: ChaosOptions) -> EmbeddedOptions:
    return EmbeddedOptions(
        chains=options.chains or CHAINS[:1],
        tier=options.tier,
        shadow=options.breakers == "shadow",
        seed=str(options.seed),
    )


def _embedded(stack: EmbeddedStack, options: ChaosOptions, *, packets: bool) -> Subject:
    return Subject(
        admin_url=stack.admin_url,
        api_url=stack.api_url,
        wiring=msgspec.structs.replace(stack.wiring(), packets=packets),
        embedded=True,
        nodes={chain: _rpc_url(stack, chain) for chain in stack.devnets},
        options={"tier": options.tier, "breakers": options.breakers, "seed": str(options.seed)},
    )


def _rpc_url(stack: EmbeddedStack, chain: str) -> str:
    """Return where a chain's first node answers JSON-RPC itself, without a proxy in the way."""
    return f"http://{HOST}:{stack.devnets[chain].first_line['nodes'][0]['rpc_port']}"


async def _users_led_round(
    options: ChaosOptions,
    stack: AsyncExitStack,
    names: Sequence[str],
    tell: Tell,
    guard: CampaignGuard | None,
) -> Subject:
    if options.packets and (lack := await asyncio.to_thread(lack_of_nft)):
        raise ConfigError(f"--packets: {lack}")
    relay = await asyncio.to_thread(_map, options)
    _refuse_led_round(relay)
    subject = _users(options, relay)
    keys, lacks = await asyncio.to_thread(wanted_detours, names, relay, subject, options.sources)
    for lack in lacks:
        tell("note", f"no detour for {lack}")
    if not keys or guard is None:
        return subject
    lasts_s = _detours_s(options.duration_s, options.blocks_within_s, len(names))
    tell("detour", f"leading {', '.join(keys)} through fault proxies, until the end")
    async with AsyncExitStack() as detours:
        try:
            led = await led_round(subject, keys, lasts_s, guard, detours)
        except UndoFailed:
            raise
        except FaultError as error:
            # Those led round so far are taken back; experiments that need none go on.
            tell("note", f"no detours: {error}")
            return subject
        stack.push_async_exit(detours.pop_all())
    return led


def _detours_s(duration_s: float, blocks_within_s: float, experiments: int) -> float:
    """Return how long detours for so many experiments are to last; ConfigError where that is too long."""
    at_least_s = experiments * duration_s
    if at_least_s > TTL_S_MAX:
        raise ConfigError(
            f"--duration {duration_s:g}s: {experiments} experiments take {at_least_s:,.0f} s at least, and "
            f"sources are led round for {TTL_S_MAX:,.0f} s at most; ask for fewer at once, or a shorter one"
        )
    # Before and after each a block is waited for.
    around_s = AROUND_S + 2 * blocks_within_s
    return min(at_least_s + experiments * around_s, TTL_S_MAX)


def _refuse_led_round(relay: DependencyMap) -> None:
    """Refuse a relay whose sources another run leads round: two runs would each judge the other's doing."""
    keys = {key_of(each) for each in relay.sources}
    if led := sorted(key for key in keys if f"{key}{SUFFIX}" in keys):
        by = ", ".join(f"{key}: {key.rpartition(':')[2]}{SUFFIX} stands in for it already" for key in led)
        raise ConfigError(
            f"{by}; another run is at this relay, or was killed: wait, or undo it by --rollback"
        )


def _map(options: ChaosOptions) -> DependencyMap:
    with RelayAdmin(options.target, allowed=options.allowed) as admin:
        return admin.map()


def _users(options: ChaosOptions, relay: DependencyMap) -> Subject:
    api_url = options.stream or next((tier.url for tier in relay.tiers), "")
    if not api_url:
        raise ConfigError(f"--target {options.target}: it tells of no tier; name one by --stream URL")
    return Subject(
        admin_url=options.target,
        api_url=checked_url(api_url, options.allowed),
        wiring=_wiring(options, relay, api_url),
        allowed=options.allowed,
        options={"seed": str(options.seed)},
    )


def _wiring(options: ChaosOptions, relay: DependencyMap, api_url: str) -> Wiring:
    keys = {key_of(each) for each in relay.sources}
    for option, named in (("--proxy", options.proxies), ("--upstream-pid", options.upstream_pids)):
        for key in named:
            if key not in keys:
                raise ConfigError(f"{option} {key}: the relay has {', '.join(sorted(keys)) or 'no source'}")
    refuse_strangers(options, relay)
    return Wiring(
        proxies={key: _proxy(text) for key, text in options.proxies.items()},
        devnets=options.devnets,
        relay_pid=options.relay_pid or None,
        # Who names the relay's process has somebody who starts it again: we can't.
        relay_supervised=bool(options.relay_pid),
        upstream_pids=options.upstream_pids,
        packets=options.packets,
        data_folder=_data_folder(options.data_folder),
        api_url=api_url,
    )


def _data_folder(text: str) -> str:
    """Return the folder's whole path. ConfigError where there is none: it would fill another disk."""
    folder = Path(text).absolute()
    if text and not folder.is_dir():
        raise ConfigError(f"--data-dir {text}: there is no such folder; name the one that the relay has")
    return str(folder) if text else ""


def _proxy(text: str) -> ProxyInTheWay:
    control_url, slash, name = text.rpartition("/")
    if not slash or not control_url.startswith("http"):
        raise ConfigError(f"--proxy {text!r}: write it as SOURCE=http://127.0.0.1:40515/NAME")
    return ProxyInTheWay(control_url, name)
