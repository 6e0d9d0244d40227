"""Who is given an event, and in which order: subscribers indexed by chain and type, highest rank first.

The delivery edge keeps the connections; here they are numbers. `targets` is asked once per event and is a
look-up: the order is kept when a subscriber comes or goes, not found when an event is due.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

from sprint.core.errors import RequestError
from sprint.core.relay.tiers import TierPolicy

SUBSCRIBERS_MAX = 20_000


class Subscription(msgspec.Struct, frozen=True):
    """What a subscriber asked for. Both sets are explicit: the edge has replaced "all" by the names."""

    chains: frozenset[str]
    types: frozenset[str]
    policy: TierPolicy

    def wants(self, chain: str, event_type: str) -> bool:
        return chain in self.chains and event_type in self.types


class Fanout:
    """The index. One owner; a subscriber id is any number that its owner never uses twice at a time."""

    def __init__(self, subscribers_max: int = SUBSCRIBERS_MAX) -> None:
        self.subscribers_max = subscribers_max
        self._subscriptions: dict[int, Subscription] = {}
        # Each list is sorted by (-rank, id), so that equal ranks are served in the order they came.
        self._ordered: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._targets: dict[tuple[str, str], tuple[int, ...]] = {}

    def __len__(self) -> int:
        return len(self._subscriptions)

    def __repr__(self) -> str:
        return f"Fanout({len(self)} subscribers)"

    def add(self, subscriber_id: int, subscription: Subscription) -> None:
        """Give a subscriber its subscription, in place of the one it had."""
        self.remove(subscriber_id)
        if len(self) >= self.subscribers_max:
            raise RequestError(
                "too_many_connections",
                f"{len(self)} subscribers, limit {self.subscribers_max}; try again later",
            )
        self._subscriptions[subscriber_id] = subscription
        entry = (-subscription.policy.rank, subscriber_id)
        for key in _keys(subscription):
            insort(self._ordered.setdefault(key, []), entry)
            self._targets.pop(key, None)

    def remove(self, subscriber_id: int) -> bool:
        """Forget a subscriber; False if it was not there."""
        subscription = self._subscriptions.pop(subscriber_id, None)
        if subscription is None:
            return False
        entry = (-subscription.policy.rank, subscriber_id)
        for key in _keys(subscription):
            ordered = self._ordered[key]
            del ordered[bisect_left(ordered, entry)]
            if not ordered:
                del self._ordered[key]
            self._targets.pop(key, None)
        return True

    def change_policy(self, policy: TierPolicy) -> None:
        """Give all subscribers of a tier its new policy, and with it their new place in the order."""
        for subscriber_id, subscription in list(self._subscriptions.items()):
            if subscription.policy.name == policy.name:
                self.add(subscriber_id, msgspec.structs.replace(subscription, policy=policy))

    def targets(self, chain: str, event_type: str) -> tuple[int, ...]:
        """Return who is given such an event, highest rank first. The same object until one comes or goes."""
        key = (chain, event_type)
        found = self._targets.get(key)
        if found is None:
            found = tuple(subscriber_id for _, subscriber_id in self._ordered.get(key, ()))
            if found:
                self._targets[key] = found
        return found


def _keys(subscription: Subscription) -> list[tuple[str, str]]:
    return [(chain, event_type) for chain in subscription.chains for event_type in subscription.types]
