"""Named experiments on the way to a source: what a bad network does, through a fault proxy.

Each builder gives a document, or raises NotPossible with what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sprint.core.chaos.document_parts import Plan, action, experiment_of, round_trip, ttl_s
from sprint.core.chaos.experiment import Activity, Experiment
from sprint.core.chaos.targets import all_but_one_of_each_chain, one_of_each_chain, proxy_lack
from sprint.core.chaos.topology import MappedSource
from sprint.core.chaos.wiring import Request, key_of
from sprint.core.faultproxy.targets import is_loopback

JITTER_SHARE = 0.2


def network_partition(request: Request) -> Experiment:
    """All sources of a chain but one are cut off: their connections stay, and nothing comes through."""
    sources = all_but_one_of_each_chain(request, proxy_lack(request))
    return _on_proxies(request, sources, {"kind": "stall"}, "Nothing comes through to or from")


def latency(request: Request) -> Experiment:
    """One source of each chain answers late."""
    late_ms = int(request.figures["latency_ms"])
    figures = {"latency_ms": late_ms, "jitter_ms": int(late_ms * JITTER_SHARE)}
    return _on_one_each(
        request, {"kind": "latency", "figures": figures}, f"{late_ms} ms and some jitter, each way, to"
    )


def bandwidth(request: Request) -> Experiment:
    """One source of each chain has a thin line."""
    rate = int(request.figures["bytes_per_s"])
    toxic = {"kind": "bandwidth", "figures": {"bytes_per_s": rate}}
    return _on_one_each(request, toxic, f"{rate} bytes a second to and from")


def reset_peer(request: Request) -> Experiment:
    """The connections to one source of each chain are reset at random times."""
    mean_ms = int(request.figures["mean_ms"])
    toxic = {"kind": "loss_of_connection", "figures": {"mean_ms": mean_ms}}
    return _on_one_each(request, toxic, f"Connections are reset after {mean_ms} ms on average:")


def errors(request: Request) -> Experiment:
    """One source of each chain refuses connections, so that each call to it fails."""
    return _on_one_each(request, {"kind": "down"}, "Connections are refused by")


def packet_loss(request: Request) -> Experiment:
    """Packets to one source of each chain are lost: by nft, or as bursts of silence through a proxy."""
    if request.wiring.packets:
        return _packets_dropped(request)
    sources = one_of_each_chain(request, proxy_lack(request))
    share, period_s = request.figures["share"], request.figures["period_s"]
    made = [
        action(
            f"bursts of silence for {key_of(each)}",
            "lose_in_bursts",
            background=each is not sources[-1],
            control_url=request.wiring.proxies[key_of(each)].control_url,
            proxy=request.wiring.proxies[key_of(each)].proxy,
            share=share,
            period_s=period_s,
            lasts_s=request.wishes.duration_s,
            ttl_s=ttl_s(request),
            target=f"source:{key_of(each)}",
        )
        for each in sources
    ]
    told = (
        f"For {share:.0%} of each {period_s:g} s nothing comes through to or from {_names(sources)}: bursts"
        " of silence in the place of lost packets, as nft or the right to use it is absent."
    )
    return experiment_of(request, Plan(says=told, injections=made, breakers=_breakers(sources), held=False))


def cascade(request: Request) -> Experiment:
    """The sources of a chain fail one after another, until one is left."""
    sources = all_but_one_of_each_chain(request, proxy_lack(request))
    by_chain: dict[str, list[MappedSource]] = {}
    for each in sources:
        by_chain.setdefault(each.chain, []).append(each)
    made = []
    for failing in by_chain.values():
        step_s = request.wishes.duration_s / (len(failing) + 1)
        for number, each in enumerate(failing):
            after_s = round(number * step_s, 3)
            made.append(_toxic(request, each, {"kind": "stall"}, after_s=after_s, background=number > 0))
    # The one that is held must not be one that waits for its turn, or the hold begins with the last failure.
    made.sort(key=lambda each: not each.background)
    told = f"One after another fall silent: {_names(sources)}."
    return experiment_of(request, Plan(says=told, injections=made, breakers=_breakers(sources)))


def _packets_dropped(request: Request) -> Experiment:
    share = request.figures["share"]
    sources = one_of_each_chain(request, _lack_of_a_port)
    made = [
        action(
            f"drop packets to {key_of(each)}",
            "drop_packets",
            port=int(each.address.rpartition(":")[2]),
            share=share,
            ttl_s=ttl_s(request),
            target=f"source:{key_of(each)}",
        )
        for each in sources
    ]
    told = f"{share:.0%} of the packets to {_names(sources)} are dropped by nft on loopback."
    return experiment_of(request, _plan(told, made, sources))


def _lack_of_a_port(source: MappedSource) -> str:
    host, _, port = source.address.rpartition(":")
    here = is_loopback(host.strip("[]")) and port.isdigit()
    return "" if here else f"is at {source.address or 'no fixed address'}, and nft drops on loopback alone"


def _on_one_each(request: Request, toxic: dict[str, Any], told: str) -> Experiment:
    sources = one_of_each_chain(request, proxy_lack(request))
    return _on_proxies(request, sources, toxic, told)


def _on_proxies(
    request: Request, sources: Sequence[MappedSource], toxic: dict[str, Any], told: str
) -> Experiment:
    made = [_toxic(request, each, toxic) for each in sources]
    return experiment_of(request, _plan(f"{told} {_names(sources)}.", made, sources))


def _plan(says: str, made: Sequence[Activity], sources: Sequence[MappedSource]) -> Plan:
    seen = [round_trip(each) for each in sources]
    return Plan(says=says, injections=made, seen=seen, breakers=_breakers(sources))


def _toxic(
    request: Request,
    source: MappedSource,
    toxic: dict[str, Any],
    *,
    after_s: float = 0.0,
    background: bool = False,
) -> Activity:
    proxy = request.wiring.proxies[key_of(source)]
    return action(
        f"{toxic['kind']} for {key_of(source)}",
        "add_toxic",
        after_s=after_s,
        background=background,
        control_url=proxy.control_url,
        proxy=proxy.proxy,
        ttl_s=ttl_s(request),
        target=f"source:{key_of(source)}",
        **toxic,
    )


def _names(sources: Sequence[MappedSource]) -> str:
    return ", ".join(key_of(each) for each in sources)


def _breakers(sources: Sequence[MappedSource]) -> list[str]:
    return [each.breaker for each in sources if each.breaker]
