"""Finds chains by the entry-point group `sprint.chains`; built-in ones are registered there as any other.

`ChainCatalog` also resolves names: an id (`litecoin-regtest`), a name or an alias with or without network.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, NamedTuple

from sprint.core.chains import Chain, Processor
from sprint.core.errors import ConfigError
from sprint.core.relay.event_log import CHAIN_ID_LENGTH_MAX

CHAIN_GROUP = "sprint.chains"
MAIN = "main"


class ChainNetwork(NamedTuple):
    """One network of one chain, as it is served under `chain_id`."""

    chain: Chain
    network: str

    @property
    def parameters(self) -> Any:
        return self.chain.networks[self.network]

    @property
    def chain_id(self) -> str:
        return str(self.parameters.chain_id)

    def processor(self) -> Processor:
        return self.chain.processor(self.network)


class ChainCatalog:
    """All chains that are installed."""

    def __init__(self, chains: dict[str, Chain]) -> None:
        self._by_name: dict[str, Chain] = {}
        for chain in chains.values():
            _check_ids(chain)
            for name in (chain.name, *chain.aliases):
                if name in self._by_name:
                    raise ConfigError(f"two chains are called {name!r}; uninstall one of their packages")
                self._by_name[name] = chain

    @classmethod
    def installed(cls) -> ChainCatalog:
        return cls({point.name: point.load() for point in entry_points(group=CHAIN_GROUP)})

    @property
    def names(self) -> list[str]:
        return sorted({chain.name for chain in self._by_name.values()})

    def find(self, name: str, network: str | None = None) -> ChainNetwork:
        """Return a network by chain name or alias, main where none is named, or by its id."""
        label, dash, rest = name.partition("-")
        if dash and label.lower() in self._by_name and name.lower() not in self._by_name:
            if network is not None and network.lower() != rest.lower():
                raise ConfigError(f"chain {name!r} names its network already: leave out {network!r}")
            return self.find(label, rest)
        chain = self._by_name.get(name.lower())
        if chain is None:
            raise ConfigError(f"chain {name!r}: {self._suggestion(name)}")
        wanted = network.lower() if network else MAIN
        if wanted not in chain.networks:
            raise ConfigError(f"network {wanted!r} of {chain.name}: there are {', '.join(chain.networks)}")
        return ChainNetwork(chain, wanted)

    def _suggestion(self, name: str) -> str:
        """Say what would be a name; `litecoin:regtest` is the form of a source's option alone."""
        label, colon, network = name.lower().partition(":")
        if colon and label in self._by_name:
            return f"as an id it is {self._by_name[label].name}-{network}"
        return f"there are {', '.join(self.names)}"

    def find_id(self, chain_id: str) -> ChainNetwork:
        """Return a network by its id, as `litecoin-regtest`; aliases are understood in the name's place."""
        name, _, network = chain_id.partition("-")
        return self.find(name, network or None)

    def id_of(self, name: str) -> str:
        """Return the id that a chain's name, alias or id means; ConfigError where there is none."""
        return self.find_id(name).chain_id

    def of_genesis(self, genesis_hash: bytes) -> str | None:
        """Return the id of the network that begins with a block."""
        networks = (p for chain in self._by_name.values() for p in chain.networks.values())
        return next((str(p.chain_id) for p in networks if p.genesis_hash == genesis_hash), None)

    def resolve(self, name: str, served: list[str]) -> str | None:
        """Return the served chain id that a name, alias or id means.

        A bare name means main if that is served, else the only network of it that is.
        """
        label, _, network = name.lower().partition("-")
        chain = self._by_name.get(label)
        if chain is None:
            return None
        ids = {n: str(p.chain_id) for n, p in chain.networks.items() if p.chain_id in served}
        if network:
            return ids.get(network)
        return ids.get(MAIN) or (next(iter(ids.values())) if len(ids) == 1 else None)


def _check_ids(chain: Chain) -> None:
    """Refuse an id that no cursor can carry; it stands in each of the chain's cursors, in ASCII."""
    for network in chain.networks.values():
        chain_id = str(network.chain_id)
        if not chain_id.isascii() or not 0 < len(chain_id) <= CHAIN_ID_LENGTH_MAX:
            raise ConfigError(
                f"chain id {chain_id[: CHAIN_ID_LENGTH_MAX + 1]!a} of {chain.name}: "
                f"{len(chain_id)} characters, want 1 to {CHAIN_ID_LENGTH_MAX} of ASCII"
            )
