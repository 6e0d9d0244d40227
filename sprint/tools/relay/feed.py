"""What a request for events says, checked: names to a subscription, and the place to start from.

The same on WebSocket and in a query. A `Feed` is what one listener offers to those who ask.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import msgspec

from sprint.core.errors import RequestError
from sprint.core.model import EVENT_TYPES
from sprint.core.relay.fanout import Subscription
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.hand_over import Encode
from sprint.tools.relay.place import CURSORS_MAX, Start, StartAsked
from sprint.tools.web.outgoing import FlushWindow, Outgoing

NAMES_MAX = 64
QUERY_FIELDS = ("chains", "types", "from", "on_expired", "wait")

Resolve = Callable[[str], str | None]


class Feed:
    """The events of one listener: the delivery behind it, the names it knows, its tier's policy."""

    def __init__(
        self, delivery: Delivery, chains: Sequence[str], resolve: Resolve, policy: TierPolicy
    ) -> None:
        self.delivery = delivery
        self.policy = policy
        window_ms = policy.coalescing_window_ms
        self.window = FlushWindow(window_ms / 1_000) if window_ms > 0 else None
        self._chains = frozenset(chains)
        self._resolve = resolve

    def change_policy(self, policy: TierPolicy) -> None:
        """Serve under another policy of the same tier from now on, those too who are there already.

        A connection without a window gets none: what it is sent next must not overtake what waits.
        """
        self.policy = policy
        window_s = policy.coalescing_window_ms / 1_000
        if self.window is not None:
            self.window.window_s = window_s
        if (self.window is None) != (window_s == 0):
            self.window = FlushWindow(window_s) if window_s > 0 else None
        self.delivery.change_policy(policy)

    def resolve(self, name: str) -> str:
        """Return the id of a chain by id, name or alias; RequestError unknown_chain."""
        chain = self._resolve(name)
        if chain is None:
            served = ", ".join(sorted(self._chains))
            raise RequestError("unknown_chain", f"chain {name[:64]!a}: served are {served}")
        return chain

    def subscription(self, wish: Wish) -> Subscription:
        """Check the names of a wish. RequestError unknown_chain, unknown_type, too_many."""
        for field, names in (("chains", wish.chains or ()), ("types", wish.types or ())):
            if len(names) > NAMES_MAX:
                raise RequestError("too_many", f"{len(names)} {field}, limit {NAMES_MAX}")
        for event_type in wish.types or ():
            if event_type not in EVENT_TYPES:
                raise RequestError(
                    "unknown_type", f"type {event_type[:64]!a}: there are {', '.join(EVENT_TYPES)}"
                )
        chains = frozenset(map(self.resolve, wish.chains or self._chains))
        return Subscription(chains, frozenset(wish.types or EVENT_TYPES), self.policy)

    def start(self, wish: Wish, subscription: Subscription) -> StartAsked:
        """Check the start of a wish; what its cursors mean is found out by `Delivery.locate`."""
        if isinstance(wish.start, tuple) and not 0 < len(wish.start) <= CURSORS_MAX:
            raise RequestError("too_many", f"{len(wish.start)} cursors, 1 to {CURSORS_MAX} make a list")
        return StartAsked(subscription.chains, wish.start, wish.on_expired == "skip")


class Wish(msgspec.Struct, frozen=True):
    """What a client asks for. None or an empty list in `chains` or `types` means all."""

    chains: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    start: Start = "latest"
    on_expired: str | None = None


def wish_of_query(query: dict[str, str], **fixed: tuple[str, ...]) -> Wish:
    """Read a wish from a query; `fixed` says what the path has decided already.

    RequestError bad_query for a field that there is not, or one without a value: either would otherwise
    stand for all chains, or for starting at the newest event, without a word.
    """
    for key, value in query.items():
        if key not in QUERY_FIELDS:
            near = difflib.get_close_matches(key, QUERY_FIELDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(QUERY_FIELDS)}"
            raise RequestError("bad_query", f"no query field {key[:64]!a}; {hint}")
        if not value:
            raise RequestError("bad_query", f"query field {key!a} is empty; leave it out for its default")
    start = _names(query.get("from")) or ("latest",)
    on_expired = query.get("on_expired")
    if on_expired not in (None, "skip"):
        raise RequestError("bad_query", f'on_expired {on_expired[:64]!a}: there is "skip"')
    return Wish(
        chains=fixed.get("chains") or _names(query.get("chains")),
        types=fixed.get("types") or _names(query.get("types")),
        start=start[0] if len(start) == 1 else start,
        on_expired=on_expired,
    )


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(text.split(",")) if text else None


class OutgoingSubscriber:
    """A subscription of one connection: its way out, and how events are encoded for it."""

    def __init__(self, outgoing: Outgoing, encode: Encode) -> None:
        self.encode = encode
        self.window = outgoing.window
        # Bound once: the fan-out calls them for every event.
        self.offer = outgoing.offer
        self.offer_run = outgoing.offer_run
        self._outgoing = outgoing

    async def drained(self) -> bool:
        return await self._outgoing.drained()

    def close_slow(self) -> None:
        self._outgoing.overflow()
