"""Nodes that lie, on real sockets: views of one world, served by the devnet's own sessions.

    with LyingNodes(network, ("liar",)) as nodes, DevnetProcess(network.chain_id) as honest:
        nodes.learn_from(honest.port)
        false = nodes.tell("liar", "no work")

Each has a port of its own. They live on an event loop in a thread of the test's process; what they tell is
forged by `tests.simulator.forgery`, on the chain that they have learnt.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Self, TypeVar

from sprint.core.chains import display_hash
from sprint.core.protocols.bitcoin_p2p.events import BlockReceived, HeadersReceived
from sprint.core.protocols.bitcoin_p2p.framing import encode_frame
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.tools.plugins import ChainNetwork
from tests.integration.real_servers import HOST
from tests.simulator.world import FIRST_TIMESTAMP, NodeView, World

TIMEOUT_S = 10.0
READ_SIZE = 1 << 16
TIMERS_LOOKED_AT_S = 1.0
NONCES = itertools.count(1)
Result = TypeVar("Result")


def world_time() -> float:
    """The time of a world that keeps real time."""
    return time.time() - FIRST_TIMESTAMP


class LyingView(NodeView):
    """A node that serves a false body where one is set; `asked_for` are the bodies that were wanted of it."""

    def __init__(self, world: World) -> None:
        super().__init__(world, Random(0), lie_probability=0.0, withhold=0.0)
        self.false_bodies: dict[bytes, bytes] = {}
        self.asked_for: list[str] = []
        self.answers: list[int] = []  # how many headers each answer held
        self.lowest_told = 1 << 32  # of the headers that were asked for and given, their least height

    def take_for_best(self, tip: bytes) -> None:
        """Know the branch of a block, false ones included, and take it for the best."""
        self.known.update(self.world.branch(tip))
        self.tip = tip

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        self.asked_for.append(display_hash(digest))
        return self.false_bodies.get(digest) or super().body(digest, witness=witness)

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        found = super().headers_after(locator, stop, limit)
        self.answers.append(len(found))
        if found:
            first = self.world.height[self.world.hash_of(found[0])]
            self.lowest_told = min(self.lowest_told, first)
        return found


class LyingNodes:
    """Nodes by name, over one world. All of their state is touched on their own loop alone."""

    def __init__(
        self, network: ChainNetwork, names: Sequence[str], *, seed: int = 0, world: World | None = None
    ) -> None:
        self.network = network
        self.world = world or World(network, Random(seed))
        self.views = {name: LyingView(self.world) for name in names}
        self.ports: dict[str, int] = {}
        self._sessions: dict[str, list[_Connection]] = {name: [] for name in names}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="LyingNodes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for name in self.views:
            self.ports[name] = asyncio.run_coroutine_threadsafe(self._listen(name), self._loop).result(
                TIMEOUT_S
            )
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    def source_url(self, name: str) -> str:
        """What `sprint relay --source` takes."""
        return f"{name}@{self.source_chain}=p2p://{HOST}:{self.ports[name]}"

    @property
    def source_chain(self) -> str:
        return f"{self.network.chain.name}:{self.network.network}"

    def learn_from(self, port: int) -> None:
        """Let every node learn the blocks of an honest one that none of them has, without a word."""
        for raw in self._on_loop(lambda: fetch_above(self.network, port, self.world.tip)):
            self._on_loop(partial(self._adopt, raw))

    def mine(self, name: str, *, ahead_s: int = 0, to: Sequence[str] = ()) -> str:
        """Let a node mine a true block on its tip and announce it. Nodes in `to` learn it without a word."""
        return self._on_loop(lambda: self._mine(name, self.views[name].tip, ahead_s, to))

    def mine_below(self, name: str, depth: int) -> str:
        """Let a node leave its tip for a block on the one `depth` below it, and announce that."""
        return self._on_loop(lambda: self._mine(name, self.world.below(self.views[name].tip, depth), 0, ()))

    def announce_again(self, name: str) -> None:
        """Let a node announce its tip once more."""
        view = self.views[name]
        self._on_loop(lambda: self._announce(name, self.world.parent[view.tip]))

    def mine_falsely(self, name: str, mutation: str) -> str:
        """Let a node mine a true block and serve a false body for it. The others have the true one."""
        return self._on_loop(lambda: self._mine_falsely(name, mutation))

    def tell(self, name: str, lie: str) -> str:
        """Let a node announce a false block on its tip; return its hash."""
        return self._on_loop(lambda: self._tell(name, lie))

    def tell_frame(self, name: str, command: str, payload: bytes) -> None:
        """Let a node send any frame to all its peers."""
        self._on_loop(lambda: self._send(name, encode_frame(self._magic, command, payload)))

    def repent(self, name: str) -> None:
        """Let a node forget all that is refused."""
        self.on_view(name, lambda view: view.drop(set(self.world.refused)))

    def on_view(self, name: str, action: Callable[[LyingView], Result]) -> Result:
        """Do or read something of a node, on the nodes' own loop."""
        return self._on_loop(lambda: action(self.views[name]))

    @property
    def _magic(self) -> bytes:
        return bytes(self.world.parameters.magic)

    def _on_loop(self, action: Callable[[], Result]) -> Result:
        async def act() -> Result:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(TIMEOUT_S)

    def _adopt(self, raw: bytes) -> None:
        block_hash = self.world.adopt(raw)
        for view in self.views.values():
            view.learn(block_hash)

    def _mine(self, name: str, parent: bytes, ahead_s: int, to: Sequence[str]) -> str:
        block_hash = self.world.mine(parent, world_time(), 0, ahead_s=ahead_s)
        for each in {name, *to}:
            self.views[each].learn(block_hash)
        self.views[name].tip = block_hash
        self._announce(name, parent)
        return display_hash(block_hash)

    def _mine_falsely(self, name: str, mutation: str) -> str:
        view = self.views[name]
        old_tip = view.tip
        block_hash = self.world.mine(view.tip, world_time(), 2)
        false = {found.mutation: found for found in self.world.mutations(block_hash, Random(0))}
        view.false_bodies[block_hash] = false[mutation].body
        for each in self.views.values():
            each.learn(block_hash)
        self._announce(name, old_tip)
        return display_hash(block_hash)

    def _tell(self, name: str, lie: str) -> str:
        view = self.views[name]
        old_tip = view.tip
        block_hash = self.world.forge(lie, view.tip, world_time())
        view.learn(block_hash)
        view.tip = block_hash
        self._announce(name, old_tip)
        return display_hash(block_hash)

    def _announce(self, name: str, old_tip: bytes) -> None:
        headers = self.views[name].connected_since(old_tip)
        for connection in self._sessions[name]:
            connection.session.announce(headers, self._loop.time())
            connection.flush()

    def _send(self, name: str, data: bytes) -> None:
        for connection in self._sessions[name]:
            connection.write(data)

    async def _listen(self, name: str) -> int:
        server = await self._loop.create_server(
            lambda: _Connection(self.world, self.views[name], self._sessions[name]), HOST, 0
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for connection in itertools.chain(*self._sessions.values()):
            connection.close()


class _Connection(asyncio.Protocol):
    """One socket and its serving session."""

    def __init__(self, world: World, view: LyingView, open_ones: list[_Connection]) -> None:
        self._loop = asyncio.get_running_loop()
        settings = SessionSettings(user_agent="/lying/", unix_time_offset_s=time.time() - self._loop.time())
        self.session = ServingSession(
            world.parameters, view, settings, nonce=next(NONCES), now=self._loop.time()
        )
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open_ones.append(self)
        self._look_at_timers()

    def data_received(self, data: bytes) -> None:
        self.session.receive_data(data, self._loop.time())
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._open_ones.remove(self)
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def flush(self) -> None:
        while data := self.session.data_to_send():
            self.write(data)
        if self.session.closed is not None:
            self.close()

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _look_at_timers(self) -> None:
        self.session.handle_timer(self._loop.time())
        self.flush()
        self._timer = self._loop.call_later(TIMERS_LOOKED_AT_S, self._look_at_timers)


def fetch_above(network: ChainNetwork, port: int, tip: bytes) -> list[bytes]:
    """Fetch the whole blocks of a node's best branch above one that it has, oldest first."""
    settings = SessionSettings(unix_time_offset_s=time.time() - time.monotonic())
    session = PeerSession(network.parameters, settings, nonce=next(NONCES), now=time.monotonic())
    bodies: dict[bytes, bytes] = {}
    wanted: list[bytes] | None = None
    with contextlib.closing(socket.create_connection((HOST, port), TIMEOUT_S)) as connected:
        while wanted is None or len(bodies) < len(wanted):
            while data := session.data_to_send():
                connected.sendall(data)
            received = connected.recv(READ_SIZE)
            assert received, session
            ready = session.ready
            for event in session.receive_data(received, time.monotonic()):
                if isinstance(event, HeadersReceived):
                    wanted = [network.processor().header_of(raw)[0] for raw in event.headers]
                    session.request_blocks(wanted, time.monotonic())
                elif isinstance(event, BlockReceived):
                    bodies[network.processor().header_of(event.raw)[0]] = event.raw
            if session.ready and not ready:
                session.request_headers([tip], time.monotonic())
    return [bodies[block_hash] for block_hash in wanted]
