"""The devnet on sockets: one listening node per chain on loopback, a clock that mines, faults on demand.

`Devnet` starts, mines and stops nodes, and makes them misbehave when told or by a schedule out of a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from sprint.core.chains import bitcoin, display_hash, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ConfigError, SprintError
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.faults import Fault, FaultInForce, checked_amount
from sprint.tools.devnet.ledger import RandomBits, RegtestLedger
from sprint.tools.devnet.listening_node import ListeningNode, NodeOptions
from sprint.tools.devnet.merged_mining import Lie

BLOCK_INTERVAL_S_MIN = 0.01
BLOCK_INTERVAL_S_MAX = 3_600.0
SEED_LENGTH_MAX = 64


class DevnetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a devnet runs.

    `block_interval_s`: None is the chain's own pace here, 0 mines only when told; by the
    clock the first block comes `phase_s` late. `transactions` are made up for each block beside its coinbase.
    `ports` by chain id; a missing one or 0 takes a free port.
    `faults` is a seed: every node then shows faults by itself, by a schedule of its own. A chain id in
    `zmq_ports` or `rpc_ports` gives its node a ZMQ publisher or a JSON-RPC listener there. `clock_behind_s`
    says by how much the wall clock that it is given is late.
    """

    block_interval_s: float | None = None
    phase_s: float = 0.0
    blocks_at_start: int = 3
    transactions: int = 0
    ports: dict[str, int] = {}
    faults: str | None = None
    zmq_ports: dict[str, int] = {}
    rpc_ports: dict[str, int] = {}
    clock_behind_s: int = 0


class DevnetAddress(NamedTuple):
    """Where the node of a chain listens."""

    chain_id: str
    host: str
    port: int


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """How one node is. `tip` as it is displayed; listeners by scheme, None where there is none.

    `block_interval_ms` 0 mines only when told; `schedule_seed` is None where no schedule is followed.
    """

    chain: str
    height: int
    tip: str
    connections: int
    listeners: dict[str, str | None]
    block_interval_ms: float
    schedule_seed: str | None
    faults: list[FaultInForce]


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
        self._nodes = {
            chain_id: ListeningNode(
                row.chain, row.parameters, _node_options(chain_id, row, options), rng_of, wall_clock
            )
            for chain_id, row in ((each, _row_of(each)) for each in chain_ids)
        }

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
            node.mine_every(node.block_interval_s, self._options.phase_s)
            node.follow_schedule(self._options.faults)
        return [DevnetAddress(chain_id, *node.address()) for chain_id, node in self._nodes.items()]

    async def stop(self) -> None:
        """Stop mining, stop listening, close all connections. May be called again."""
        for node in self._nodes.values():
            await node.stop()

    def ledger(self, chain_id: str) -> RegtestLedger:
        """The ledger of a chain, to look at; change it through the methods here, which announce."""
        return self._node(chain_id).core.ledger

    def p2p_port(self, chain_id: str) -> int:
        """Where the node of a chain listens for P2P; only after `start`."""
        _, port = self._node(chain_id).address()
        return port

    def zmq_port(self, chain_id: str) -> int | None:
        """Where the node of a chain publishes; None where it does not."""
        publisher = self._node(chain_id).publisher
        return publisher.port if publisher is not None else None

    def rpc_port(self, chain_id: str) -> int | None:
        """Where the node of a chain answers JSON-RPC; None where it does not."""
        server = self._node(chain_id).rpc
        return server.port if server is not None else None

    @property
    def chain_ids(self) -> tuple[str, ...]:
        """The chains that a node runs of."""
        return tuple(self._nodes)

    def state(self, chain_id: str) -> NodeState:
        """Say how the node of a chain is; only after `start`."""
        node = self._node(chain_id)
        host, port = node.address()
        rpc = f"rpc://{host}:{node.rpc.port}" if node.rpc is not None else None
        zmq = f"zmq://{host}:{node.publisher.port}" if node.publisher is not None else None
        ledger = node.core.ledger
        return NodeState(
            chain=chain_id,
            height=ledger.height(),
            tip=display_hash(ledger.tip),
            connections=len(node.connections),
            listeners={"p2p": f"p2p://{host}:{port}", "rpc": rpc, "zmq": zmq},
            block_interval_ms=node.block_interval_s * 1000,
            schedule_seed=node.schedule_seed,
            faults=node.faults_in_force(),
        )

    def mine_every(self, chain_id: str, interval_s: float) -> None:
        """Mine by the clock from now on; 0 mines only when told. ConfigError beyond the limits."""
        self._node(chain_id).mine_every(checked_interval_s(interval_s))

    def follow_schedule(self, chain_id: str, seed: str | None) -> None:
        """Show the faults that follow from a seed, beginning with its first one; None ends it."""
        if seed is not None and not 1 <= len(seed) <= SEED_LENGTH_MAX:
            raise ConfigError(f"a seed of {len(seed)} characters; want 1 to {SEED_LENGTH_MAX}")
        self._node(chain_id).follow_schedule(seed)

    def mine(self, chain_id: str, count: int = 1) -> list[bytes]:
        """Mine `count` blocks now and announce them."""
        return self._node(chain_id).mine(count)

    def reorg(self, chain_id: str, depth: int) -> list[bytes]:
        """Replace the newest `depth` blocks by a longer branch now and announce it."""
        return self._node(chain_id).reorg(depth)

    def show(self, chain_id: str, fault: Fault, amount: int | None = None) -> list[bytes]:
        """Show a fault now; returns the hashes of the blocks mined for it. ConfigError beyond its limit."""
        return self._node(chain_id).show(fault, checked_amount(fault, amount))

    def end_fault(self, chain_id: str, fault: Fault) -> None:
        """End a fault before its time; nothing happens where it is over."""
        self._node(chain_id).end_fault(fault)

    def tell(self, chain_id: str, lie: Lie | HeaderLie) -> list[bytes]:
        """Mine one false block now and announce it as any other. ConfigError where there is no such lie."""
        return [self._node(chain_id).tell(lie)]

    def learn(self, chain_id: str, other: RegtestLedger, block_hash: bytes) -> None:
        """Take in a block of another devnet's node now, as nodes that are connected would."""
        self._node(chain_id).learn(other, block_hash)

    def watch_tip(self, chain_id: str, watch: Callable[[list[bytes], list[bytes]], None]) -> None:
        """Be told of what leaves the best branch, newest first, and what joins it, oldest first."""
        self._node(chain_id).core.tip_watchers.append(watch)

    def invalidate(self, chain_id: str, block_hash: bytes) -> None:
        """Drop a block and its descendants now."""
        self._node(chain_id).invalidate(block_hash)

    def reconsider(self, chain_id: str, block_hash: bytes) -> None:
        """Undo `invalidate` now."""
        self._node(chain_id).reconsider(block_hash)

    def _node(self, chain_id: str) -> ListeningNode:
        if chain_id not in self._nodes:
            raise ConfigError(f"no devnet node of {chain_id!r}; running: {', '.join(self._nodes)}")
        return self._nodes[chain_id]


def checked_interval_s(interval_s: float) -> float:
    """Return a time between blocks as it is given; ConfigError beyond its limits. 0 mines only when told."""
    if interval_s and not BLOCK_INTERVAL_S_MIN <= interval_s <= BLOCK_INTERVAL_S_MAX:
        raise ConfigError(
            f"a block every {interval_s:g} s; want 0, which mines only when told, or"
            f" {BLOCK_INTERVAL_S_MIN:g} to {BLOCK_INTERVAL_S_MAX:g} s"
        )
    return interval_s


def _row_of(chain_id: str) -> _Chain:
    if chain_id not in _CHAINS:
        raise ConfigError(f"no devnet for chain {chain_id!r}; there is {', '.join(_CHAINS)}")
    return _CHAINS[chain_id]


def _node_options(chain_id: str, row: _Chain, options: DevnetOptions) -> NodeOptions:
    interval_s = options.block_interval_s
    return NodeOptions(
        block_interval_s=row.block_interval_s if interval_s is None else interval_s,
        transactions=options.transactions,
        port=options.ports.get(chain_id, 0),
        zmq_port=options.zmq_ports.get(chain_id),
        rpc_port=options.rpc_ports.get(chain_id),
        clock_behind_s=options.clock_behind_s,
    )
