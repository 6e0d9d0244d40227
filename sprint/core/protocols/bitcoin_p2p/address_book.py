"""The nodes of a network that are known by address, and which one to try next.

Bounded; nothing a peer tells is believed but that an address may be worth a try. One place in a network
(/16 of IPv4, /32 of IPv6) has a bounded share, so that one peer's lies don't fill the book.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from sprint.core.protocols.bitcoin_p2p.addresses import NodeAddress
from sprint.core.protocols.bitcoin_p2p.messages import NODE_NETWORK, NODE_NETWORK_LIMITED

ADDRESSES_KEPT_MAX = 2_000
PER_PLACE_MAX = 16
FAILURES_MAX = 5  # in a row; then an address is forgotten
SHUT_OUT_S = 86_400.0  # for a node that misbehaved
RETRY_AFTER_S = 60.0  # doubles with each failure

# Asked for addresses where none are known; of mainnets only. As in chainparams.cpp of Bitcoin Core 31,
# Litecoin Core 0.21 and Dogecoin Core 1.14.
DNS_SEEDS: dict[str, tuple[str, ...]] = {
    "bitcoin": (
        "seed.bitcoin.sipa.be",
        "dnsseed.bluematt.me",
        "seed.bitcoin.jonasschnelli.ch",
        "seed.btc.petertodd.net",
        "seed.bitcoin.sprovoost.nl",
        "dnsseed.emzy.de",
        "seed.bitcoin.wiz.biz",
        "seed.mainnet.achownodes.xyz",
    ),
    "litecoin": (
        "seed-a.litecoin.loshan.co.uk",
        "dnsseed.thrasher.io",
        "dnsseed.litecointools.com",
        "dnsseed.litecoinpool.org",
        "dnsseed.koin-project.com",
    ),
    "dogecoin": ("seed.multidoge.org", "seed2.multidoge.org"),
}
SEEDS_ASKED_MAX = 3  # at a time
ADDRESSES_PER_SEED_MAX = 256  # as Bitcoin Core takes from one seed
ADDRESSES_WANTED = 8  # seeds are asked only where fewer are worth a try


class KnownAddress(msgspec.Struct):
    """One entry, as it is kept on disk too. `not_before` is in Unix seconds."""

    address: NodeAddress
    failures: int = 0
    succeeded: bool = False
    not_before: float = 0.0


class AddressBook:
    """Keeps addresses by host and port. All times are in Unix seconds; `chosen` picks by what it is given."""

    def __init__(self, entries: Iterable[KnownAddress] = ()) -> None:
        self._entries: dict[tuple[str, int], KnownAddress] = {}
        self._places: dict[bytes, int] = {}
        for entry in entries:
            self._keep(entry)

    def __repr__(self) -> str:
        return f"AddressBook({len(self)} addresses)"

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> Sequence[KnownAddress]:
        return list(self._entries.values())

    def add(self, addresses: Iterable[NodeAddress]) -> int:
        """Take in addresses that were told; return how many are new and kept."""
        kept = 0
        for address in addresses:
            serves = not address.services or address.services & (NODE_NETWORK | NODE_NETWORK_LIMITED)
            if serves and (address.host, address.port) not in self._entries:
                kept += self._keep(KnownAddress(address))
        return kept

    def worth_a_try(self, now: float) -> int:
        return sum(entry.not_before <= now for entry in self._entries.values())

    def choose(self, draw: float, now: float, in_use: Iterable[tuple[str, int]] = ()) -> NodeAddress | None:
        """Return an address to try: one that served before where there is one, else any; None if none is.

        `draw` is random, from 0 up to 1.
        """
        used = set(in_use)
        ripe = [e for key, e in self._entries.items() if e.not_before <= now and key not in used]
        candidates = [e for e in ripe if e.succeeded] or ripe
        return candidates[int(draw * len(candidates))].address if candidates else None

    def succeeded(self, address: NodeAddress, now: float) -> None:
        entry = self._entries.get((address.host, address.port))
        if entry is not None:
            entry.succeeded, entry.failures, entry.not_before = True, 0, now

    def failed(self, address: NodeAddress, now: float) -> None:
        """Try it later, and not at all after `FAILURES_MAX` in a row."""
        key = (address.host, address.port)
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.failures += 1
        entry.not_before = now + RETRY_AFTER_S * 2 ** (entry.failures - 1)
        if entry.failures >= FAILURES_MAX:
            self.forget(address)

    def misbehaved(self, address: NodeAddress, now: float) -> None:
        """Shut it out for a time. It stays in the book, as others would tell of it again."""
        entry = self._entries.get((address.host, address.port))
        if entry is not None:
            entry.succeeded, entry.not_before = False, now + SHUT_OUT_S

    def forget(self, address: NodeAddress) -> None:
        entry = self._entries.pop((address.host, address.port), None)
        place = _place(address.host)
        if entry is not None and place is not None:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    def _keep(self, entry: KnownAddress) -> bool:
        address = entry.address
        place = _place(address.host)
        if place is None or not 0 < address.port < 1 << 16 or len(self) >= ADDRESSES_KEPT_MAX:
            return False
        if self._places.get(place, 0) >= PER_PLACE_MAX:
            return False
        self._entries[address.host, address.port] = entry
        self._places[place] = self._places.get(place, 0) + 1
        return True


def seeds_to_ask(chain_id: str, draw: float) -> tuple[str, ...]:
    """Return some of a network's seeds, beginning at a random one; none where it has none."""
    seeds = DNS_SEEDS.get(chain_id, ())
    start = int(draw * len(seeds))
    return (seeds[start:] + seeds[:start])[:SEEDS_ASKED_MAX]


def _place(host: str) -> bytes | None:
    """Return the part of the network that an address is in; None where it cannot be reached from outside."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if not address.is_global or address.is_multicast:
        return None
    return address.packed[:2] if address.version == 4 else address.packed[:4]
