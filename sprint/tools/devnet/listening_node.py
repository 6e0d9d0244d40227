"""One devnet node on sockets: it listens on loopback, mines by a clock, shows faults when told or by plan."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ConfigError, ListenError, SprintError
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.connection import Connection
from sprint.tools.devnet.faults import (
    CLOCK_SKEW_LASTS_S,
    DELAY_LASTS_S,
    DRIP_S,
    FALSE_BLOCK_KEPT_S,
    LIES,
    OF_THE_CLOCK,
    OF_THE_EDGE,
    SCHEDULED,
    Fault,
    FaultInForce,
    FaultsInForce,
    PlannedFault,
    schedule,
)
from sprint.tools.devnet.ledger import RandomBits, RegtestLedger
from sprint.tools.devnet.line import LineConditions
from sprint.tools.devnet.merged_mining import Lie
from sprint.tools.devnet.node import DevnetNode
from sprint.tools.devnet.publishing import PublishingSocket
from sprint.tools.devnet.rpc import NodeRpc
from sprint.tools.devnet.rpc_server import RpcServer
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.devnet.skewed_clock import SkewedClock
from sprint.tools.runtime import log_fields

LOOPBACK = "127.0.0.1"
ACCEPT_BACKLOG = 64
NONCE_BITS = 64

_log = logging.getLogger("sprint.devnet")


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How one node runs.

    `block_interval_s` 0 mines only when told; `transactions` are made up for each block. A `port` of 0 takes
    a free one; a `zmq_port` or `rpc_port` of None opens no such listener. `clock_behind_s`: how
    late its wall clock is, by which blocks may be further ahead of it.
    """

    block_interval_s: float
    transactions: int
    port: int
    zmq_port: int | None
    rpc_port: int | None
    clock_behind_s: int = 0


class ListeningNode:
    """One chain's node on the event loop. `rng_of` gives its randomness by what it is for."""

    def __init__(
        self,
        chain: BitcoinFamilyChain,
        parameters: NetworkParameters,
        options: NodeOptions,
        rng_of: Callable[[str], RandomBits],
        wall_clock: Callable[[], float],
    ) -> None:
        chain_id = parameters.chain_id
        self._options = options
        self.block_interval_s = options.block_interval_s
        self._transactions = options.transactions
        self._nonces = rng_of(f"{chain_id}/sessions")  # apart, so that blocks do not depend on who connects
        self._clock = SkewedClock(wall_clock)
        self._server: asyncio.Server | None = None
        self._mining: asyncio.Task[None] | None = None
        self._scheduled: asyncio.Task[None] | None = None
        self.publisher: PublishingSocket | None = None
        self.rpc: RpcServer | None = None
        self.line = LineConditions()
        self._in_force = FaultsInForce()
        self._false_blocks: dict[Fault, bytes] = {}  # the last one of each lie
        self.schedule_seed: str | None = None
        self.connections: set[Connection] = set()
        self._stopping = False
        processor = chain.processor(parameters.name)
        self.core = DevnetNode(RegtestLedger(parameters, processor, rng_of(chain_id)), parameters)
        self.core.ledger.ahead_s_max += options.clock_behind_s

    def __repr__(self) -> str:
        return f"ListeningNode({self.core!r}, {len(self.connections)} connections)"

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self), LOOPBACK, self._options.port, backlog=ACCEPT_BACKLOG
            )
        except OSError as error:
            node = f"{self.core.parameters.chain_id} node"
            raise ListenError(
                f"the devnet's {node} cannot listen on {LOOPBACK}:{self._options.port}: {error.strerror}"
            ) from error
        await self._listen_beside()

    async def _listen_beside(self) -> None:
        """Open the publisher and the RPC where they are asked for."""
        options, ledger = self._options, self.core.ledger
        if options.zmq_port is not None:
            self.publisher = PublishingSocket(LOOPBACK, options.zmq_port)
        if options.rpc_port is not None:
            publishes = self.publisher.address if self.publisher is not None else None
            self.rpc = RpcServer(NodeRpc(ledger, publishes))
            await self.rpc.listen(LOOPBACK, options.rpc_port)
            self.rpc.tip_moved(ledger.height())
        self.core.tip_watchers.append(self._tip_moved)

    def _tip_moved(self, removed: list[bytes], added: list[bytes]) -> None:
        ledger = self.core.ledger
        if self.publisher is not None:
            raw_tip = (ledger.body(added[-1], witness=True) if added else None) or b""
            self.publisher.send(self.publisher.numbered.tip_moved(removed, added, raw_tip))
        if self.rpc is not None:
            self.rpc.tip_moved(ledger.height())

    def address(self) -> tuple[str, int]:
        """Return host and port of its P2P listener; only after `listen`."""
        sockets = self._server.sockets if self._server else ()
        host, port = sockets[0].getsockname()
        return host, port

    def mine_every(self, interval_s: float, phase_s: float = 0.0) -> None:
        """Mine by the clock from now on, `phase_s` late; an interval of 0 mines only when told."""
        self.block_interval_s = interval_s
        if self._mining is not None:
            self._mining.cancel()
        self._mining = (
            asyncio.create_task(self._mine_by_clock(interval_s, phase_s)) if interval_s > 0 else None
        )

    def follow_schedule(self, seed: str | None) -> None:
        """Show the faults that follow from a seed, from now on and beginning with its first; None ends it."""
        self.schedule_seed = seed
        if self._scheduled is not None:
            self._scheduled.cancel()
            self._scheduled = None
        if seed is not None:
            bits = SeededBits(f"{seed}/{self.core.parameters.chain_id}/faults")
            faults = schedule(bits, [fault for fault in SCHEDULED if self._can_show(fault)])
            self._scheduled = asyncio.create_task(self._show_by_schedule(faults))

    def _can_show(self, fault: Fault) -> bool:
        """Tell whether the listener is open that a fault is of."""
        listener = {Fault.LOSE: self.publisher, Fault.LYING_JSON: self.rpc}
        return listener.get(fault, self) is not None

    async def stop(self) -> None:
        self._stopping = True
        tasks = [task for task in (self._mining, self._scheduled) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
        hashes = self.core.mine(
            count, self._timestamp(), self._now(), transactions=self._options.transactions
        )
        self._flush()
        return hashes

    def reorg(self, depth: int) -> list[bytes]:
        hashes = self.core.reorg(
            depth, self._timestamp(), self._now(), transactions=self._options.transactions
        )
        self._flush()
        return hashes

    def show(self, fault: Fault, amount: int) -> list[bytes]:
        chain_id = self.core.parameters.chain_id
        log_fields(_log, logging.INFO, "devnet fault", chain=chain_id, fault=fault, amount=amount)
        if fault in OF_THE_EDGE:
            self._hold_back(fault, amount)
            self._in_force.note(fault, amount, self._now())
            return []
        hashes = self.core.show(fault, amount, self._timestamp(), self._now())
        self._in_force.note(fault, amount, self._now())
        if fault in LIES:
            self._false_blocks[fault] = hashes[0]
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
        elif fault in (Fault.CLOCK_AHEAD, Fault.CLOCK_BEHIND):
            way: Literal["ahead", "behind"] = "ahead" if fault is Fault.CLOCK_AHEAD else "behind"
            self._clock.skew(way, amount, CLOCK_SKEW_LASTS_S, now)
        elif fault is Fault.STALL:
            self.line.stall(amount, now)
        elif fault is Fault.DELAY:
            self.line.delay(amount / 1000, DELAY_LASTS_S, now)
        else:
            self.line.drip(amount, DRIP_S, now)
        self._flush()

    def end_fault(self, fault: Fault) -> None:
        """End a fault before its time; nothing happens where it is over. What was mined for it stays."""
        now = self._now()
        if fault in LIES and fault in self._false_blocks:
            self.core.invalidate(self._false_blocks.pop(fault), now)
        elif fault is Fault.LOSE and self.publisher is not None:
            self.publisher.numbered.send_all()
        elif fault is Fault.LYING_JSON and self.rpc is not None:
            self.rpc.tell_the_truth()
        elif fault in OF_THE_CLOCK:
            self._clock.skew("ahead" if fault is Fault.CLOCK_AHEAD else "behind", 0.0, 0.0, now)
        elif fault is Fault.STALL:
            self.line.stall(0.0, now)
        elif fault is Fault.DELAY:
            self.line.delay(0.0, 0.0, now)
        elif fault is Fault.DRIP:
            self.line.drip(0, 0.0, now)
        self._in_force.end(fault)
        chain_id = self.core.parameters.chain_id
        log_fields(_log, logging.INFO, "devnet fault ended", chain=chain_id, fault=fault)
        self._flush()

    def faults_in_force(self) -> list[FaultInForce]:
        """Return the faults that have not undone themselves yet."""
        lost = self.publisher.numbered.losing if self.publisher is not None else 0
        return self._in_force.now(self._now()) + ([FaultInForce(Fault.LOSE, lost, None)] if lost else [])

    def tell(self, lie: Lie | HeaderLie) -> bytes:
        block_hash = self.core.tell(lie, self._timestamp(), self._now())
        self._flush()
        return block_hash

    def learn(self, other: RegtestLedger, block_hash: bytes) -> None:
        self.core.learn(other, block_hash, self._now())
        self._flush()

    def invalidate(self, block_hash: bytes) -> None:
        self.core.invalidate(block_hash, self._now())
        self._flush()

    def reconsider(self, block_hash: bytes) -> None:
        self.core.reconsider(block_hash, self._now())
        self._flush()

    async def _mine_by_clock(self, interval_s: float, phase_s: float) -> None:
        """Mine one block each interval; a late block does not delay the next ones.

        One whose time would be too far ahead of the clock is left out.
        """
        due = self._now() + phase_s
        try:
            while True:
                due = max(due + interval_s, self._now())
                await asyncio.sleep(due - self._now())
                if self.core.ledger.time_ahead_s(self._timestamp()) <= self.core.ledger.ahead_s_max:
                    self.mine(1)
        except SprintError as error:
            chain_id = self.core.parameters.chain_id
            log_fields(_log, logging.ERROR, "devnet node stops mining", chain=chain_id, reason=str(error))

    async def _show_by_schedule(self, faults: Iterator[PlannedFault]) -> None:
        """Show one fault after another. One that cannot be shown now is passed over."""
        begun = self._now()
        for planned in faults:
            await asyncio.sleep(max(0.0, begun + planned.at_s - self._now()))
            try:
                self.show(planned.fault, planned.amount)
            except SprintError as error:
                passed_over = {"fault": planned.fault, "reason": str(error)}
                chain_id = self.core.parameters.chain_id
                log_fields(_log, logging.WARNING, "devnet fault passed over", chain=chain_id, **passed_over)

    def open_session(self) -> ServingSession | None:
        """Start serving a connection; None if there are too many, or it came while stopping."""
        if self._stopping:
            return None
        now = self._now()
        offset_s = self._clock.time(now) - now
        return self.core.open_session(self._nonces.getrandbits(NONCE_BITS), now, unix_time_offset_s=offset_s)

    def _flush(self) -> None:
        for connection in tuple(self.connections):
            connection.flush()

    def _timestamp(self) -> int:
        return int(self._clock.time(self._now()))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
