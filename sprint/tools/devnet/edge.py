"""The devnet on sockets: one listening node per chain on loopback, a clock that mines, faults on demand.

`Devnet` starts, mines and stops nodes, and makes them misbehave when told or by a schedule out of a seed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from sprint.core.chains import bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ConfigError, ListenError, SprintError
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.connection import Connection
from sprint.tools.devnet.faults import (
    DELAY_LASTS_S,
    DRIP_S,
    FALSE_BLOCK_KEPT_S,
    LIES,
    OF_THE_EDGE,
    Fault,
    PlannedFault,
    checked_amount,
    schedule,
)
from sprint.tools.devnet.ledger import AHEAD_S_MAX, RandomBits, RegtestLedger
from sprint.tools.devnet.line import LineConditions
from sprint.tools.devnet.merged_mining import Lie
from sprint.tools.devnet.node import DevnetNode
from sprint.tools.devnet.publishing import PublishingSocket
from sprint.tools.devnet.rpc import NodeRpc
from sprint.tools.devnet.rpc_server import RpcServer

LOOPBACK = "127.0.0.1"
ACCEPT_BACKLOG = 64
NONCE_BITS = 64

_log = logging.getLogger("sprint.devnet")


class DevnetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a devnet runs.

    `block_interval_s`: None is the chain's own pace here, 0 mines only when told. `transactions` are made
    up for each block beside its coinbase. `ports` by chain id; a missing one or 0 takes a free port.
    `faults`: every node shows faults by itself, by a schedule of its own. A chain id in `zmq_ports` or
    `rpc_ports` gives its node a ZMQ publisher or a JSON-RPC listener there.
    """

    block_interval_s: float | None = None
    blocks_at_start: int = 3
    transactions: int = 0
    ports: dict[str, int] = {}
    faults: bool = False
    zmq_ports: dict[str, int] = {}
    rpc_ports: dict[str, int] = {}


class DevnetAddress(NamedTuple):
    """Where the node of a chain listens."""

    chain_id: str
    host: str
    port: int


class _Chain(NamedTuple):
    chain: BitcoinFamilyChain
    parameters: NetworkParameters
    block_interval_s: float


_CHAINS = {
    row.parameters.chain_id: row
    for row in (
        _Chain(bitcoin.CHAIN, bitcoin.REGTEST, 2.0),
        _Chain(litecoin.CHAIN, litecoin.REGTEST, 1.5),
        _Chain(dogecoin.CHAIN, dogecoin.REGTEST, 1.0),
    )
}
CHAIN_IDS = tuple(_CHAINS)


class Devnet:
    """Nodes of several chains on one event loop.

    `rng_of` gives each chain id its own randomness, so that a chain's blocks do not depend on which others
    run beside it; `wall_clock` gives Unix seconds.
    """

    def __init__(
        self,
        chain_ids: Sequence[str],
        options: DevnetOptions,
        *,
        rng_of: Callable[[str], RandomBits],
        wall_clock: Callable[[], float],
    ) -> None:
        self._options = options
        self._nodes = {chain_id: _Node(chain_id, options, rng_of, wall_clock) for chain_id in chain_ids}

    async def start(self) -> list[DevnetAddress]:
        """Mine the first blocks, listen, and start the clock. ListenError if a port is taken."""
        try:
            for chain_id, node in self._nodes.items():
                if self._options.blocks_at_start:
                    self.mine(chain_id, self._options.blocks_at_start)
                await node.listen()
        except SprintError:
            await self.stop()
            raise
        for node in self._nodes.values():
            node.start_clock()
        return [node.address() for node in self._nodes.values()]

    async def stop(self) -> None:
        """Stop mining, stop listening, close all connections. May be called again."""
        for node in self._nodes.values():
            await node.stop()

    def ledger(self, chain_id: str) -> RegtestLedger:
        """The ledger of a chain, to look at; change it through the methods here, which announce."""
        return self._node(chain_id).core.ledger

    def zmq_port(self, chain_id: str) -> int | None:
        """Where the node of a chain publishes; None where it does not."""
        publisher = self._node(chain_id).publisher
        return publisher.port if publisher is not None else None

    def rpc_port(self, chain_id: str) -> int | None:
        """Where the node of a chain answers JSON-RPC; None where it does not."""
        server = self._node(chain_id).rpc
        return server.port if server is not None else None

    def mine(self, chain_id: str, count: int = 1) -> list[bytes]:
        """Mine `count` blocks now and announce them."""
        return self._node(chain_id).mine(count)

    def reorg(self, chain_id: str, depth: int) -> list[bytes]:
        """Replace the newest `depth` blocks by a longer branch now and announce it."""
        return self._node(chain_id).reorg(depth)

    def show(self, chain_id: str, fault: Fault, amount: int | None = None) -> list[bytes]:
        """Show a fault now; returns the hashes of the blocks mined for it. ConfigError beyond its limit."""
        return self._node(chain_id).show(fault, checked_amount(fault, amount))

    def tell(self, chain_id: str, lie: Lie | HeaderLie) -> list[bytes]:
        """Mine one false block now and announce it as any other. ConfigError where there is no such lie."""
        return [self._node(chain_id).tell(lie)]

    def invalidate(self, chain_id: str, block_hash: bytes) -> None:
        """Drop a block and its descendants now."""
        self._node(chain_id).invalidate(block_hash)

    def reconsider(self, chain_id: str, block_hash: bytes) -> None:
        """Undo `invalidate` now."""
        self._node(chain_id).reconsider(block_hash)

    def _node(self, chain_id: str) -> _Node:
        if chain_id not in self._nodes:
            raise ConfigError(f"no devnet node of {chain_id!r}; running: {', '.join(self._nodes)}")
        return self._nodes[chain_id]


class _Node:
    """One chain's node on the event loop."""

    def __init__(
        self,
        chain_id: str,
        options: DevnetOptions,
        rng_of: Callable[[str], RandomBits],
        wall_clock: Callable[[], float],
    ) -> None:
        if chain_id not in _CHAINS:
            raise ConfigError(f"no devnet for chain {chain_id!r}; there is {', '.join(_CHAINS)}")
        row = _CHAINS[chain_id]
        interval_s = options.block_interval_s
        self._interval_s = row.block_interval_s if interval_s is None else interval_s
        self._transactions = options.transactions
        self._port = options.ports.get(chain_id, 0)
        self._nonces = rng_of(f"{chain_id}/sessions")  # apart, so that blocks do not depend on who connects
        self._wall_clock = wall_clock
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        needed = {Fault.LOSE: options.zmq_ports, Fault.LYING_JSON: options.rpc_ports}
        kinds = [fault for fault in Fault if chain_id in needed.get(fault, {chain_id: 0})]
        self._faults = schedule(rng_of(f"{chain_id}/faults"), kinds) if options.faults else None
        self._options = options
        self.publisher: PublishingSocket | None = None
        self.rpc: RpcServer | None = None
        self.line = LineConditions()
        self.connections: set[Connection] = set()
        self._stopping = False
        processor = row.chain.processor(row.parameters.name)
        self.core = DevnetNode(RegtestLedger(row.parameters, processor, rng_of(chain_id)), row.parameters)

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), LOOPBACK, self._port, backlog=ACCEPT_BACKLOG
            )
        except OSError as error:
            chain_id = self.core.parameters.chain_id
            raise ListenError(
                f"the devnet's {chain_id} node cannot listen on {LOOPBACK}:{self._port}: {error.strerror}"
            ) from error

        await self._listen_beside()

    async def _listen_beside(self) -> None:
        """Open the publisher and the RPC where they are asked for."""
        chain_id, options, ledger = self.core.parameters.chain_id, self._options, self.core.ledger
        if chain_id in options.zmq_ports:
            self.publisher = PublishingSocket(LOOPBACK, options.zmq_ports[chain_id])
        if chain_id in options.rpc_ports:
            publishes = self.publisher.address if self.publisher is not None else None
            self.rpc = RpcServer(NodeRpc(ledger, publishes))
            await self.rpc.listen(LOOPBACK, options.rpc_ports[chain_id])
            self.rpc.tip_moved(ledger.height())
        self.core.tip_watchers.append(self._tip_moved)

    def _tip_moved(self, removed: list[bytes], added: list[bytes]) -> None:
        ledger = self.core.ledger
        if self.publisher is not None:
            raw_tip = (ledger.body(added[-1], witness=True) if added else None) or b""
            self.publisher.send(self.publisher.numbered.tip_moved(removed, added, raw_tip))
        if self.rpc is not None:
            self.rpc.tip_moved(ledger.height())

    def address(self) -> DevnetAddress:
        """Where it listens; only after `listen`."""
        sockets = self._server.sockets if self._server else ()
        host, port = sockets[0].getsockname()
        return DevnetAddress(self.core.parameters.chain_id, host, port)

    def start_clock(self) -> None:
        if self._interval_s > 0:
            self._tasks.append(asyncio.create_task(self._mine_by_clock()))
        if self._faults is not None:
            self._tasks.append(asyncio.create_task(self._show_by_schedule(self._faults)))

    async def stop(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        if self.rpc is not None:
            await self.rpc.stop()
        if self.publisher is not None:
            self.publisher.close()
        self.core.tip_watchers.clear()
        closing = [connection.close() for connection in tuple(self.connections)]
        await asyncio.gather(*closing)
        if self._server is not None:
            await self._server.wait_closed()

    def mine(self, count: int) -> list[bytes]:
        hashes = self.core.mine(count, self._timestamp(), self._now(), transactions=self._transactions)
        self._flush()
        return hashes

    def reorg(self, depth: int) -> list[bytes]:
        hashes = self.core.reorg(depth, self._timestamp(), self._now(), transactions=self._transactions)
        self._flush()
        return hashes

    def show(self, fault: Fault, amount: int) -> list[bytes]:
        _log.info("the devnet's %s node shows %s %d", self.core.parameters.chain_id, fault, amount)
        if fault in OF_THE_EDGE:
            self._hold_back(fault, amount)
            return []
        hashes = self.core.show(fault, amount, self._timestamp(), self._now())
        if fault in LIES:
            asyncio.get_running_loop().call_later(FALSE_BLOCK_KEPT_S, self.invalidate, hashes[0])
        self._flush()
        return hashes

    def _hold_back(self, fault: Fault, amount: int) -> None:
        """Act on a fault of a listener; `amount` is in the unit that the fault's rules name."""
        now = self._now()
        if fault is Fault.DISCONNECT:
            for connection in tuple(self.connections):
                connection.cut()
        elif fault is Fault.LOSE:
            if self.publisher is None:
                raise ConfigError(f"{fault}: this node publishes nothing over ZMQ")
            self.publisher.numbered.lose(amount)
        elif fault is Fault.LYING_JSON:
            if self.rpc is None:
                raise ConfigError(f"{fault}: this node answers no JSON-RPC")
            self.rpc.lie(amount)
        elif fault is Fault.STALL:
            self.line.stall(amount, now)
        elif fault is Fault.DELAY:
            self.line.delay(amount / 1000, DELAY_LASTS_S, now)
        else:
            self.line.drip(amount, DRIP_S, now)
        self._flush()

    def tell(self, lie: Lie | HeaderLie) -> bytes:
        block_hash = self.core.tell(lie, self._timestamp(), self._now())
        self._flush()
        return block_hash

    def invalidate(self, block_hash: bytes) -> None:
        self.core.invalidate(block_hash, self._now())
        self._flush()

    def reconsider(self, block_hash: bytes) -> None:
        self.core.reconsider(block_hash, self._now())
        self._flush()

    async def _mine_by_clock(self) -> None:
        """Mine one block each interval; a late block does not delay the next ones.

        One whose time would be too far ahead of the clock is left out.
        """
        due = self._now()
        try:
            while True:
                due = max(due + self._interval_s, self._now())
                await asyncio.sleep(due - self._now())
                if self.core.ledger.time_ahead_s(self._timestamp()) <= AHEAD_S_MAX:
                    self.mine(1)
        except SprintError as error:
            _log.error("the devnet's %s node stops mining: %s", self.core.parameters.chain_id, error)

    async def _show_by_schedule(self, faults: Iterator[PlannedFault]) -> None:
        """Show one fault after another. One that cannot be shown now is passed over."""
        begun = self._now()
        for planned in faults:
            await asyncio.sleep(max(0.0, begun + planned.at_s - self._now()))
            try:
                self.show(planned.fault, planned.amount)
            except SprintError as error:
                _log.warning("the devnet's %s node: %s", self.core.parameters.chain_id, error)

    def open_session(self) -> ServingSession | None:
        """Start serving a connection; None if there are too many, or it came while stopping."""
        if self._stopping:
            return None
        now = self._now()
        offset_s = self._wall_clock() - now
        return self.core.open_session(self._nonces.getrandbits(NONCE_BITS), now, unix_time_offset_s=offset_s)

    def _flush(self) -> None:
        for connection in tuple(self.connections):
            connection.flush()

    def _timestamp(self) -> int:
        return int(self._wall_clock())

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
