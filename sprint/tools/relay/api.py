"""The relay's API: which path is answered by what.

`Api` is made once; `site` makes what one listener serves, with its tier's policy. What the service knows
comes through `RelayView`, what was delivered through the store, events through the delivery. The newest
block of a chain is answered from memory; everything else that reads the store does so in its thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from sprint.core.chains import internal_hash
from sprint.core.errors import RequestError
from sprint.core.relay.status import Arrival, BlockStatus
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.feed import Feed, Resolve, wish_of_query
from sprint.tools.relay.sessions import EventSession
from sprint.tools.relay.streams import HEARTBEAT_INTERVAL_S, EventStreams
from sprint.tools.store import StoredBlock
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import connections_limit

BLOCKS_MAX = 1_000
BLOCKS_DEFAULT = 20
HEIGHT_MAX = 2**63 - 1
HEIGHT_DIGITS_MAX = 18
HASH_LENGTH_MAX = 128
BLOCKS_PATH_TYPES = ("block", "reorg", "gap")

_encode = msgspec.json.Encoder().encode


class ChainView(msgspec.Struct, frozen=True):
    """A chain as `/api/v1/chains` lists it. `height` and `hash` are the head's, None before there is one."""

    chain: str
    name: str
    network: str
    aliases: tuple[str, ...]
    status: str
    height: int | None = None
    hash: str | None = None


class RelayView(Protocol):
    """What the service knows. Called on the event loop; answers from memory."""

    def chains(self) -> Sequence[ChainView]:
        """Return the chains served."""

    def chain_status(self, chain: str) -> Mapping[str, Any]:
        """Return head, sources, anchor, log and health of one chain."""

    def latest(self, chain: str) -> StoredBlock | None:
        """Return the head as it was delivered. The same object until the head changes."""

    def block_statuses(self, block_hash: bytes) -> Sequence[BlockStatus]:
        """Return where a block is, for each chain that knows its hash."""

    def health(self) -> Mapping[str, Any]:
        """Return `status` and the parts it comes from."""

    def not_ready(self) -> str | None:
        """Return what is missing before listeners and store are up, or None."""

    def version(self) -> Mapping[str, Any]:
        """Return `version` and what else tells builds apart."""


class BlockReader(Protocol):
    """What the API reads of the store, in its reader thread."""

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]: ...

    def block_at(self, chain: str, height: int) -> StoredBlock | None: ...

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]: ...


class Api:
    """Answers for all listeners of one relay."""

    def __init__(self, view: RelayView, store: BlockReader, delivery: Delivery, resolve: Resolve) -> None:
        self._view = view
        self._store = store
        self._delivery = delivery
        self._resolve = resolve
        # The answer for a head is made once; it is one block for each chain.
        self._latest: dict[str, tuple[StoredBlock, Response]] = {}
        # What each tier's listener serves, so that its policy can be changed while it does.
        self._served: dict[str, tuple[Feed, Site]] = {}

    def site(
        self,
        policy: TierPolicy,
        port: int,
        host: str = "127.0.0.1",
        *,
        heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S,
    ) -> Site:
        """Return what the listener on `host` and `port` serves."""
        chains = [chain.chain for chain in self._view.chains()]
        feed = Feed(self._delivery, chains, self._resolve, policy)
        router = Router()
        self._add_routes(router)
        streams = EventStreams(feed, heartbeat_interval_s=heartbeat_interval_s)
        router.add("GET", "/api/v1/events", streams.events)
        router.add_websocket("/ws/v1/events", lambda request: _events_session(feed, request))
        router.add_websocket("/ws/{chain}/blocks", lambda request: _blocks_session(feed, request))
        site = Site(
            router,
            Guard(port, host),
            connections_max=connections_limit(policy.connections_max),
            headers=(("Sprint-Log", self._delivery.log_id),),
        )
        self._served[policy.name] = (feed, site)
        return site

    @property
    def sites(self) -> dict[str, Site]:
        """What is served to each tier."""
        return {tier: site for tier, (_, site) in self._served.items()}

    def change_policy(self, tier: str, fields: Mapping[str, Any]) -> None:
        """Change fields of a tier's policy; who is connected stays, also where the new limit is lower."""
        feed, site = self._served[tier]
        feed.change_policy(msgspec.structs.replace(feed.policy, **fields))
        site.connections_max = connections_limit(feed.policy.connections_max)

    def _add_routes(self, router: Router) -> None:
        for pattern, answer in (
            ("/api/v1/chains", self._chains),
            ("/api/v1/chains/{chain}/status", self._chain_status),
            ("/api/v1/blocks/latest", self._blocks_latest),
            ("/api/v1/{chain}/latest", self._chain_latest),
            ("/api/v1/health", self._health),
            ("/api/v1/ready", self._ready),
            ("/api/v1/version", self._version),
        ):
            router.add_answer(pattern, answer)
        add_problems(router)
        for pattern, handler in (
            ("/api/v1/chains/{chain}/blocks", self._chain_blocks),
            ("/api/v1/blocks/{hash}", self._block_by_hash),
            ("/api/v1/blocks/{hash}/status", self._block_status),
            ("/api/v1/{chain}/block/{block}", self._chain_block),
        ):
            router.add("GET", pattern, handler)

    def _chains(self, _: Request) -> Response:
        return Response(_encode({"chains": self._view.chains()}))

    def _chain_status(self, request: Request) -> Response:
        return Response(_encode(self._view.chain_status(self._chain(request))))

    async def _chain_blocks(self, request: Request) -> Response:
        chain = self._chain(request)
        limit = _number(request.query, "limit", BLOCKS_DEFAULT, 1, BLOCKS_MAX)
        before = _number(request.query, "before", HEIGHT_MAX, 0, HEIGHT_MAX)
        blocks = await self._delivery.read(self._store.blocks_before, chain, before, limit + 1)
        page = blocks[:limit]
        following = page[-1].height if len(blocks) > limit else None
        return Response(_encode({"blocks": [self._answer(block) for block in page], "next": following}))

    def _blocks_latest(self, request: Request) -> Response:
        if "chain" in request.query:
            return self._latest_of(self._named(request.query["chain"]))
        found = {view.chain: self._view.latest(view.chain) for view in self._view.chains()}
        return Response(_encode({chain: self._answer(block) for chain, block in found.items() if block}))

    async def _block_by_hash(self, request: Request) -> Response:
        blocks = await self._delivery.read(self._store.block_by_hash, _hash(request.parameters["hash"]))
        if not blocks:
            raise RequestError("block_not_found", f"no block {request.parameters['hash'][:80]!a} delivered")
        answers = [self._answer(block, arrivals=self._arrivals(block)) for block in blocks]
        if len(answers) == 1:
            return Response(bytes(answers[0]))
        return Response(_encode({"blocks": answers}), status=300)

    def _arrivals(self, block: StoredBlock) -> tuple[Arrival, ...]:
        """Return who announced a block and how long after the first, also those who came after its event."""
        try:
            statuses = self._view.block_statuses(internal_hash(block.hash))
        except ValueError:  # another family's hash
            return ()
        return next((status.sources for status in statuses if status.chain == block.chain), ())

    async def _block_status(self, request: Request) -> Response:
        """Answer from memory, and of a block that has left it from the store: then it was relayed."""
        named = _hash(request.parameters["hash"])
        try:
            found = list(self._view.block_statuses(internal_hash(named)))
        except ValueError as error:
            raise RequestError("bad_query", f"{named[:80]!a} is no block hash: want 64 hex digits") from error
        if not found:
            found = [
                BlockStatus(chain=block.chain, hash=block.hash, state="relayed", height=block.height)
                for block in await self._delivery.read(self._store.block_by_hash, named)
            ]
        if not found:
            raise RequestError("block_not_found", f"nothing is known of block {named[:80]!a}")
        if len(found) == 1:
            return Response(_encode(found[0]))
        return Response(_encode({"blocks": found}), status=300)

    def _chain_latest(self, request: Request) -> Response:
        return self._latest_of(self._chain(request))

    async def _chain_block(self, request: Request) -> Response:
        chain, named = self._chain(request), request.parameters["block"]
        if named.isascii() and named.isdigit() and len(named) <= HEIGHT_DIGITS_MAX:
            block = await self._delivery.read(self._store.block_at, chain, int(named))
        else:
            blocks = await self._delivery.read(self._store.block_by_hash, _hash(named))
            block = next((block for block in blocks if block.chain == chain), None)
        if block is None:
            raise RequestError("block_not_found", f"no block {named[:80]!a} of {chain} delivered")
        return Response(bytes(self._answer(block)))

    def _health(self, _: Request) -> Response:
        return Response(_encode(self._view.health()))

    def _ready(self, _: Request) -> Response:
        missing = self._view.not_ready()
        if missing is not None:
            raise RequestError("not_ready", missing)
        return Response(b'{"status":"ready"}')

    def _version(self, _: Request) -> Response:
        return Response(_encode(self._view.version()))

    def _chain(self, request: Request) -> str:
        return self._named(request.parameters["chain"])

    def _named(self, name: str) -> str:
        chain = self._resolve(name)
        if chain is None:
            served = ", ".join(view.chain for view in self._view.chains())
            raise RequestError("unknown_chain", f"chain {name[:64]!a}: served are {served}")
        return chain

    def _latest_of(self, chain: str) -> Response:
        block = self._view.latest(chain)
        if block is None:
            raise RequestError("block_not_found", f"no block of {chain} delivered yet")
        known = self._latest.get(chain)
        if known is None or known[0] is not block:
            known = self._latest[chain] = (block, Response(bytes(self._answer(block))))
        return known[1]

    def _answer(self, block: StoredBlock, *, arrivals: tuple[Arrival, ...] | None = None) -> msgspec.Raw:
        """Return a block as it is answered: its event's data, its place, and where it stands now."""
        head = self._view.latest(block.chain)
        confirmations = max(0, head.height - block.height + 1) if head and block.canonical else 0
        return block_answer(block, confirmations, arrivals)


class _BlockEvent(msgspec.Struct):
    chain: str
    seq: int
    cursor: str
    data: msgspec.Raw


_decode_event = msgspec.json.Decoder(_BlockEvent).decode


def block_answer(
    block: StoredBlock, confirmations: int, arrivals: tuple[Arrival, ...] | None = None
) -> msgspec.Raw:
    """Add a block's place and standing to the data of its event, whose bytes stay as they are."""
    event = _decode_event(block.event_body)
    standing: dict[str, object] = {
        "chain": event.chain,
        "seq": event.seq,
        "cursor": event.cursor,
        "canonical": block.canonical,
        "confirmations": confirmations,
    }
    if arrivals is not None:
        standing["arrivals"] = arrivals
    return msgspec.Raw(bytes(event.data)[:-1] + b"," + _encode(standing)[1:])


def _events_session(feed: Feed, request: Request) -> EventSession:
    return EventSession(feed, wish_of_query(request.query) if request.query else None)


def _blocks_session(feed: Feed, request: Request) -> EventSession:
    chain = feed.resolve(request.parameters["chain"])
    wish = wish_of_query(request.query, chains=(chain,), types=BLOCKS_PATH_TYPES)
    return EventSession(feed, wish, quiet=True)


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(high))
    if not plain or not low <= int(text) <= high:
        raise RequestError("bad_query", f"{name} {text[:64]!a}: {low} to {high}")
    return int(text)


def _hash(text: str) -> str:
    """Return a block hash as the store knows it; chains differ in length and alphabet."""
    if len(text) > HASH_LENGTH_MAX or not (text.isascii() and text.isalnum()):
        raise RequestError("bad_query", f"{text[:80]!a} is no block hash")
    return text
