"""A relay's map and what stands around it, as values: chains of three nodes, of two and of one."""

from __future__ import annotations

from sprint.core.chaos.topology import DependencyMap, MappedSource, MappedTier
from sprint.core.chaos.wiring import ProxyInTheWay, StartAgain, Wiring, key_of

CHAINS = {"litecoin-regtest": 3, "bitcoin-regtest": 2, "dogecoin-regtest": 1}


def a_relay(chains: dict[str, int] | None = None, *, usable: bool = True) -> DependencyMap:
    """A map with so many sources a chain, each at a port of its own."""
    sources = [
        (chain, f"n{number}") for chain, count in (chains or CHAINS).items() for number in range(count)
    ]
    return DependencyMap(
        admin_url="http://127.0.0.1:8081",
        sources=tuple(
            MappedSource(
                chain=chain,
                name=name,
                url=f"p2p://127.0.0.1:{4000 + index}",
                address=f"127.0.0.1:{4000 + index}",
                provider=name,
                breaker=f"source:{chain}:{name}",
                usable=usable,
            )
            for index, (chain, name) in enumerate(sources)
        ),
        tiers=(MappedTier("turbo", "http://127.0.0.1:8080", 2),),
        breakers=tuple(f"source:{chain}:{name}" for chain, name in sources),
    )


def all_wired(relay: DependencyMap) -> Wiring:
    """Everything that any experiment needs."""
    keys = [key_of(each) for each in relay.sources]
    return Wiring(
        proxies={key: ProxyInTheWay("http://127.0.0.1:5000", key.replace(":", "-")) for key in keys},
        devnets={each.chain: "http://127.0.0.1:6000" for each in relay.sources},
        relay_pid=4711,
        relay_again=StartAgain(("sprint", "relay"), "/srv", "127.0.0.1:8080"),
        upstream_pids={key: 5000 + number for number, key in enumerate(keys)},
        data_folder="/srv/data",
    )
