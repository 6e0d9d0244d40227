"""The relay's conversation with one node over JSON-RPC, in the manner of a P2P session.

It runs on three lanes, each with one request under way: one hears of new tips, one asks for headers, one for
bodies, so that a body of megabytes holds up no header and a long wait neither. What a node sends that is not
as it should be is counted by kind and costs points, and at the limit `closed` is set; nothing here raises for
it. All calls only read, so one whose connection was lost is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ProtocolError, UpstreamError, WireError
from sprint.core.protocols.announcements import (
    BlockArrived,
    BodiesNotFound,
    HashesAnnounced,
    HeadersAnnounced,
)
from sprint.core.protocols.bitcoin_p2p.framing import payload_sizes_max
from sprint.core.protocols.json_rpc.batching import Batching
from sprint.core.protocols.json_rpc.calls import Refused, malformed_answer
from sprint.core.protocols.json_rpc.initial_download import SyncWatch
from sprint.core.protocols.json_rpc.jobs import (
    BodiesFound,
    Greeting,
    HeadersFound,
    HeadersWalk,
    ask_publishing,
    ask_sync,
    find_bodies,
    greet,
    look_at_tip,
    wait_for_height,
)
from sprint.core.protocols.json_rpc.lane import Lane, LaneState, PublishingTold, Ready, RpcEvent, RpcRequest
from sprint.core.protocols.json_rpc.refusals import CONCERNS_PROVIDER, http_refusal
from sprint.core.protocols.json_rpc.results import Publishing, Tip
from sprint.core.protocols.json_rpc.settings import RpcSettings

BODY_SIZE_DECAY = 2  # the largest body of late counts half as much with each request


class RpcSession:
    """One node. `source` names it in announcements; `owner_of` names the chain of a foreign genesis block."""

    def __init__(
        self,
        parameters: NetworkParameters,
        settings: RpcSettings,
        *,
        source: str,
        now: float,
        owner_of: Callable[[bytes], str | None] = lambda _: None,
    ) -> None:
        self.parameters = parameters
        self.settings = settings
        self.source = source
        self.closed: str | None = None
        self.ready = False
        self.concerns_provider = False  # whether it was closed for what its provider's others meet too
        self.user_agent, self.height = "", 0
        self.waits = True  # for a new tip; false where the node has shown that it cannot
        self._waits_again_at: float | None = None
        self._starved_again_s = settings.starved_again_s_first
        self.score = 0
        self.counts: dict[str, int] = {}
        self.batching = Batching()
        self.sync = SyncWatch()
        self._owner_of = owner_of
        self._lanes = {name: LaneState(name) for name in Lane}
        self._next_id = 1
        self._publishing_wanted = False
        self._tip: bytes | None = None
        self._tip_changed_at = self._tip_asked_at = now
        self._block_interval_s = parameters.block_interval_s
        self._locator: tuple[bytes, ...] = ()  # to ask by next; empty: there is nothing to ask
        self._hint: Tip | None = None
        self._wanted: dict[bytes, float] = {}  # hash → when it was last asked for
        self._under_way: tuple[bytes, ...] = ()
        self._body_size = settings.bodies_size_wanted  # as if the last was large: the first is asked alone

    def __repr__(self) -> str:
        state = self.closed or ("ready" if self.ready else "greeting")
        return f"RpcSession({self.parameters.chain_id}, {state}, score={self.score})"

    # What the relay asks for.

    def request_headers(self, locator: Sequence[bytes]) -> None:
        """Ask for the headers after the first hash of `locator` that the node has on its best branch.

        Does nothing before `Ready` and after closing. While a request is under way only the last one made
        meanwhile is kept: it knows all that those before it did.
        """
        if self.ready and self.closed is None:
            self._locator = tuple(locator)

    def request_blocks(self, hashes: Sequence[bytes], now: float) -> None:
        """Ask for whole blocks. Does nothing before `Ready` and after closing.

        Beyond `bodies_waiting_max` the oldest requests are forgotten.
        """
        if not self.ready or self.closed is not None:
            return
        for block_hash in hashes:
            self._wanted.pop(block_hash, None)  # so that the oldest request stays first
            self._wanted[block_hash] = now
        while len(self._wanted) > self.settings.bodies_waiting_max:
            del self._wanted[next(iter(self._wanted))]

    def request_publishing(self) -> None:
        """Ask what the node publishes, when its wait for a tip is over; `PublishingTold` says."""
        self._publishing_wanted = True

    @property
    def oldest_request_at(self) -> float | None:
        """When the block was asked for that is waited for longest; None if none is."""
        return next(iter(self._wanted.values()), None)

    def owed(self) -> dict[str, float]:
        """Return the calls that the node owes an answer to, each with since when; a wait has its time."""
        timeout_s = self.settings.answer_timeout_s
        sent = (lane for lane in self._lanes.values() if lane.sent)
        return {lane.under_way[0].method: lane.deadline - timeout_s for lane in sent}

    def lane(self, name: Lane) -> LaneState:
        """Return how a lane stands."""
        return self._lanes[name]

    # What the edge sends, and hands back.

    def data_to_send(self, name: Lane, now: float) -> RpcRequest | None:
        """Return the next request of a lane; None while one is under way or there is nothing to ask."""
        lane = self._lanes[name]
        if self.closed is not None or lane.sent or now < lane.not_before:
            return None
        if lane.idle:
            self._begin(lane, now)
        if lane.idle:
            return None
        first_id, self._next_id = self._next_id, self._next_id + len(lane.calls)
        timeout_s = self.settings.answer_timeout_s
        if name is Lane.TIP and self.ready and self.waits:
            timeout_s += self.settings.wait_s
        return lane.request(self.batching, first_id, now, timeout_s, self._answer_size_max())

    def receive_answer(self, name: Lane, status: int, body: bytes, now: float) -> list[RpcEvent]:
        """Take in the answer to a lane's request; return what it told."""
        lane = self._lanes[name]
        if self.closed is not None or not lane.sent:
            return []
        lane.sent = False
        calls = lane.under_way
        try:
            answers = self.batching.decode(status, body, lane.first_id, calls)
        except WireError as error:
            self._fault(error)  # unless that closed it, the same is asked again
            return []
        if isinstance(answers, Refused):
            if not self.batching.ask_fewer(answers, len(calls)):
                return self._on_refusal(lane, status, now)
            self._count("batch_refused")
            return []
        try:
            return lane.answered(answers, now)
        except UpstreamError as error:
            self.close(str(error))
        except ProtocolError as error:
            self._fault(error)
            return self._on_false_answer(lane, now)
        return []

    def answer_too_large(self, name: Lane, size: int, now: float) -> list[RpcEvent]:
        """Take note that an answer was given up at `size` bytes, over the limit of its request."""
        lane = self._lanes[name]
        if self.closed is not None or not lane.sent:
            return []
        alone = len(lane.under_way) == 1
        self._body_size = self.settings.bodies_size_wanted
        if name is Lane.BODIES and not alone:
            lane.drop()  # they were expected to be smaller; each is asked for alone now
            return []
        self._fault(
            malformed_answer(f"answer of {size} bytes or more, limit {self._answer_size_max()}", "oversized")
        )
        lane.drop()
        return self._on_false_answer(lane, now)

    def connection_lost(self, name: Lane, reason: str, *, malformed: bool = False) -> None:
        """Ask again what was under way on a lane; a node may close a connection that was idle at any time.

        `malformed`: what came was no HTTP.
        """
        lane = self._lanes[name]
        if malformed and self.closed is None:
            self._fault(malformed_answer(reason, "http"))
        if self.closed is not None or not lane.sent:
            return
        lane.sent = False
        lane.lost += 1
        if lane.lost > self.settings.lost_max:
            hint = "" if self.ready else ": is the port the RPC one?"
            self.close(f"{reason} ({lane.lost} times over {lane.under_way[0].method}){hint}")

    def next_timer(self) -> float | None:
        """Return when `handle_timer`, and `data_to_send` after it, have something to do; None if never."""
        if self.closed is not None:
            return None
        waiting = {Lane.TIP: True, Lane.HEADERS: bool(self._locator), Lane.BODIES: bool(self._wanted)}
        lanes = [lane for lane in self._lanes.values() if not lane.idle or waiting[lane.name]]
        due = [lane.deadline if lane.sent else lane.not_before for lane in lanes]
        starves_at = self._starves_at()
        return min(due if starves_at is None else [*due, starves_at], default=None)

    def handle_timer(self, now: float) -> None:
        """Act on the deadlines that have come."""
        starves_at = self._starves_at()
        if starves_at is not None and starves_at <= now:
            # A line that was cut for a while looks the same, so it is tried again.
            self._count("starved")
            self.waits = False
            self._waits_again_at = now + self._starved_again_s
            self._starved_again_s = min(2 * self._starved_again_s, self.settings.starved_again_s_max)
        for lane in self._lanes.values():
            if lane.sent and lane.deadline <= now:
                method = lane.under_way[0].method
                self.close(f"no answer to {method} within {self.settings.answer_timeout_s:g} s")

    def stood_still(self, seconds: float) -> None:
        """Move the deadlines by a time in which nothing was read from the node."""
        for lane in self._lanes.values():
            lane.deadline += seconds
            lane.sent_at += seconds

    def penalise(self, points: int, reason: str) -> None:
        """Take points from the node's score; at the limit the session is closed."""
        self.score += points
        if self.score >= self.settings.score_max:
            self.close(f"{reason} (score {self.score}, limit {self.settings.score_max})")

    def close(self, reason: str) -> None:
        """Set `closed`, the first reason staying. The edge closes the connections."""
        if self.closed is None:
            self.closed = reason
            self._wanted.clear()
            for lane in self._lanes.values():
                lane.drop()

    def _starves_at(self) -> float | None:
        """Return when a wait of ours has kept the node from answering another request for too long."""
        tip, headers = self._lanes[Lane.TIP], self._lanes[Lane.HEADERS]
        if not (self.ready and self.waits and tip.sent and headers.sent):
            return None
        return max(tip.sent_at, headers.sent_at) + self.settings.starved_s

    # The lanes' jobs, and what comes of them.

    def _begin(self, lane: LaneState, now: float) -> None:
        if lane.name is Lane.TIP:
            self._begin_tip(lane, now)
        elif lane.name is Lane.HEADERS:
            self._begin_headers(lane)
        elif self._wanted:
            self._under_way = self._next_bodies()
            lane.start(find_bodies(self._under_way), self._on_bodies)

    def _begin_tip(self, lane: LaneState, now: float) -> None:
        self._tip_asked_at = now
        if self._waits_again_at is not None and now >= self._waits_again_at:
            self.waits, self._waits_again_at = True, None
        if not self.ready:
            lane.start(greet(), self._on_greeting)
        elif self._publishing_wanted:
            self._publishing_wanted = False
            lane.start(ask_publishing(), self._on_publishing)
        elif self.sync.is_due(now):
            lane.start(ask_sync(), self.sync.told)
        elif self.waits:
            lane.start(wait_for_height(self.height + 1, self.settings.wait_s), self._on_waited)
        else:
            lane.start(look_at_tip(), self._on_looked)

    def _on_greeting(self, greeting: Greeting, now: float) -> list[RpcEvent]:
        if greeting.genesis_hash != self.parameters.genesis_hash:
            owner = self._owner_of(greeting.genesis_hash)
            theirs = display_hash(greeting.genesis_hash) + (f" ({owner})" if owner else "")
            self.close(f"its chain begins at {theirs}, not at the genesis of {self.parameters.chain_id}")
            return []
        self.ready, self.user_agent = True, greeting.user_agent
        self._tip, self.height = greeting.tip.hash, greeting.tip.height
        self._tip_changed_at = now
        self.sync.told(greeting.sync, now)
        return [Ready(greeting.user_agent, greeting.tip.height)]

    def _on_publishing(self, publishing: Publishing | None, now: float) -> list[RpcEvent]:
        del now  # the next wait begins at once
        return [PublishingTold(publishing)]

    def _on_waited(self, tip: Tip | None, now: float) -> list[RpcEvent]:
        if tip is None:
            self.waits = False
            return []
        self.height = tip.height
        if tip.hash != self._tip:
            return self._on_tip(tip.hash, now)
        if now - self._tip_asked_at < self.settings.wait_s / 2:
            # It answers at once although nothing has come: a wait that is none is a poll.
            self._lanes[Lane.TIP].not_before = now + self._poll_interval_s()
        return []

    def _on_looked(self, block_hash: bytes, now: float) -> list[RpcEvent]:
        events = self._on_tip(block_hash, now) if block_hash != self._tip else []
        self._lanes[Lane.TIP].not_before = now + self._poll_interval_s()
        return events

    def _on_tip(self, block_hash: bytes, now: float) -> list[RpcEvent]:
        self._block_interval_s += (now - self._tip_changed_at - self._block_interval_s) / 8
        self._tip, self._tip_changed_at = block_hash, now
        self._lanes[Lane.TIP].not_before = self._tip_asked_at + self.settings.tip_interval_s_min
        return [HashesAnnounced(self.source, (block_hash,), now)]

    def _poll_interval_s(self) -> float:
        settings = self.settings
        wanted = self._block_interval_s * settings.poll_interval_share
        return min(max(wanted, settings.poll_interval_s_min), settings.poll_interval_s_max)

    def _on_headers(self, found: HeadersFound, now: float) -> list[RpcEvent]:
        self._hint = found.top
        return [HeadersAnnounced(self.source, found.headers, now, full=found.full)]

    def _on_bodies(self, found: BodiesFound, now: float) -> list[RpcEvent]:
        under_way, self._under_way = self._under_way, ()
        for block_hash in under_way:
            self._wanted.pop(block_hash, None)
        largest = max(map(len, found.blocks), default=0)
        self._body_size = max(largest, self._body_size // BODY_SIZE_DECAY)
        events: list[RpcEvent] = [BlockArrived(self.source, raw, now) for raw in found.blocks]
        if found.missing:
            events.append(BodiesNotFound(self.source, found.missing, now))
        return events

    def _begin_headers(self, lane: LaneState) -> None:
        if not self._locator:
            return
        self._locator_asked, self._locator = self._locator, ()
        walk = HeadersWalk(
            self.parameters,
            self._locator_asked,
            tip=self._tip,
            hint=self._hint,
            headers_max=self.settings.headers_max
            if self.parameters.auxpow is None
            else self.settings.headers_max_with_auxpow,
        )
        lane.start(walk.steps(), self._on_headers)

    def _next_bodies(self) -> tuple[bytes, ...]:
        settings = self.settings
        count = min(max(settings.bodies_size_wanted // max(self._body_size, 1), 1), settings.bodies_max)
        return tuple(islice(self._wanted, min(count, self.batching.calls_max)))

    # What goes wrong.

    def _on_refusal(self, lane: LaneState, status: int, now: float) -> list[RpcEvent]:
        settings, refusal = self.settings, http_refusal(status)
        if refusal.busy and lane.busy < settings.busy_max:
            self._count("busy")
            wait_s = settings.busy_wait_s_first * 2**lane.busy
            lane.busy += 1
            lane.not_before = now + min(wait_s, settings.busy_wait_s_max)
        else:
            self.concerns_provider = status in CONCERNS_PROVIDER
            self.close(refusal.words)
        return []

    def _on_false_answer(self, lane: LaneState, now: float) -> list[RpcEvent]:
        """Do without an answer that ended its job: ask again, or say that the bodies cannot be had here."""
        if self.closed is not None:
            return []
        if lane.name is Lane.BODIES:
            return self._on_bodies(BodiesFound((), self._under_way), now)
        lane.not_before = now + self.settings.poll_interval_s_min
        if lane.name is Lane.HEADERS:
            self._tip = self._hint = None
            self._locator = self._locator or self._locator_asked
        return []

    def _fault(self, error: ProtocolError) -> None:
        self._count(error.kind if isinstance(error, WireError) else error.code)
        self.penalise(error.penalty, str(error))

    def _count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1

    def _answer_size_max(self) -> int:
        block_size_max = payload_sizes_max(self.parameters)["block"]
        return 2 * block_size_max + self.settings.answer_overhead_size
