"""Nodes that a chain's `p2p://` sources without a host connect to: known by address, kept in a file.

The file is a cache: one that cannot be read or written costs a look-up at the seeds, never a start.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from sprint.core.errors import UpstreamError
from sprint.core.protocols.bitcoin_p2p.address_book import (
    ADDRESSES_PER_SEED_MAX,
    ADDRESSES_WANTED,
    AddressBook,
    KnownAddress,
    seeds_to_ask,
)
from sprint.core.protocols.bitcoin_p2p.addresses import NodeAddress
from sprint.tools.runtime import clock, jitter, log_fields, wall_clock

SEED_TIMEOUT_S = 10.0
# A source that is needed is tried every few seconds, and the seeds are others' servers.
SEEDS_WAIT_FIRST_S = 0.25
SEEDS_WAIT_MAX_S = 30.0
FILE_BYTES_MAX = 2_000_000
SAVE_AGAIN_AFTER_S = 60.0
log = logging.getLogger(__name__)

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]


async def look_up(host: str, port: int) -> Sequence[str]:
    """Resolve a name to its addresses."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class PeerStore:
    """The address book of one chain and its file. `choose` marks an address as in use until `ended`."""

    def __init__(self, chain_id: str, default_port: int, look_up: LookUp = look_up) -> None:
        self.book = AddressBook()
        self._chain_id = chain_id
        self._default_port = default_port
        self._look_up = look_up
        self._path: Path | None = None
        self._in_use: set[tuple[str, int]] = set()
        self._saved_at = 0.0
        self._seeds_wait_s = SEEDS_WAIT_FIRST_S
        self._ask_seeds_at = 0.0

    def __repr__(self) -> str:
        return f"PeerStore({self._chain_id}, {len(self.book)} addresses)"

    def keep_in(self, folder: Path) -> None:
        """Load what an earlier run kept in a folder, and keep it there from now on."""
        self._path = folder / f"peers-{self._chain_id}.json"
        try:
            with self._path.open("rb") as file:
                raw = file.read(FILE_BYTES_MAX)
            self.book = AddressBook(msgspec.json.decode(raw, type=list[KnownAddress]))
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            self._complain("the file of known nodes is not used", error)

    async def choose(self) -> NodeAddress:
        """Return an address to connect to. UpstreamError where none is known, nor found at the seeds."""
        if self.book.worth_a_try(wall_clock()) >= ADDRESSES_WANTED:
            self._seeds_wait_s = SEEDS_WAIT_FIRST_S
        elif clock() >= self._ask_seeds_at:
            await self._ask_seeds()
            self._ask_seeds_at = clock() + self._seeds_wait_s
            self._seeds_wait_s = min(self._seeds_wait_s * 2, SEEDS_WAIT_MAX_S)
        address = self.book.choose(jitter(), wall_clock(), self._in_use)
        if address is None:
            raise UpstreamError(f"no node of {self._chain_id} is known, and its DNS seeds gave none to try")
        self._in_use.add((address.host, address.port))
        return address

    def learned(self, addresses: Sequence[NodeAddress]) -> None:
        """Take in what a node told of others."""
        self.book.add(addresses)

    async def ended(self, address: NodeAddress, *, served: bool, misbehaved: bool) -> None:
        """Note how a connection to an address went, and keep the book."""
        self._in_use.discard((address.host, address.port))
        if misbehaved:
            self.book.misbehaved(address, wall_clock())
        elif served:
            self.book.succeeded(address, wall_clock())
        else:
            self.book.failed(address, wall_clock())
        if wall_clock() >= self._saved_at + SAVE_AGAIN_AFTER_S:
            self._saved_at = wall_clock()
            await self.save()

    def released(self, address: NodeAddress) -> None:
        """A connection was ended from this side, which says nothing of the node; the book is kept at once."""
        self._in_use.discard((address.host, address.port))
        if self._path is not None:
            self._write(self._path, self._encoded())

    async def save(self) -> None:
        if self._path is not None:
            await asyncio.to_thread(self._write, self._path, self._encoded())

    def _encoded(self) -> bytes:
        return msgspec.json.encode(self.book.entries())

    async def _ask_seeds(self) -> None:
        for seed in seeds_to_ask(self._chain_id, jitter()):
            try:
                async with asyncio.timeout(SEED_TIMEOUT_S):
                    hosts = await self._look_up(seed, self._default_port)
            except (OSError, TimeoutError) as error:
                self._complain(f"the DNS seed {seed} gave no answer", error)
                continue
            found = [NodeAddress(host, self._default_port) for host in hosts[:ADDRESSES_PER_SEED_MAX]]
            log_fields(
                log, logging.INFO, "asked a DNS seed", chain=self._chain_id, seed=seed, nodes=len(found),
                new=self.book.add(found),
            )  # fmt: skip

    def _write(self, path: Path, raw: bytes) -> None:
        """Write beside the file and put it in its place, so that a crash leaves the old one."""
        beside = path.with_suffix(".new")
        try:
            beside.write_bytes(raw)
            beside.replace(path)
        except OSError as error:
            self._complain("known nodes are not kept", error)

    def _complain(self, message: str, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        log_fields(log, logging.WARNING, message, chain=self._chain_id, reason=reason)
