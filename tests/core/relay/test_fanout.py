"""Who is given an event: by chain and type, the highest rank first."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import RequestError
from sprint.core.relay.fanout import Fanout, Subscription
from tests.tools.relay.serving import policy

CHAINS = ("bitcoin", "litecoin")
TYPES = ("block", "reorg", "gap")

subscriptions = st.builds(
    Subscription,
    st.frozensets(st.sampled_from(CHAINS), min_size=1),
    st.frozensets(st.sampled_from(TYPES), min_size=1),
    st.integers(1, 5).map(policy),
)
changes = st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), subscriptions)), max_size=40)


@given(changes)
def test_targets_are_those_who_asked_highest_rank_first_then_oldest_id(
    steps: list[tuple[int, Subscription | None]],
) -> None:
    fanout = Fanout()
    expected: dict[int, Subscription] = {}
    for subscriber_id, subscription in steps:
        if subscription is None:
            assert fanout.remove(subscriber_id) == (expected.pop(subscriber_id, None) is not None)
        else:
            fanout.add(subscriber_id, subscription)
            expected[subscriber_id] = subscription
        for chain in CHAINS:
            for event_type in TYPES:
                wanted = [i for i, s in expected.items() if chain in s.chains and event_type in s.types]
                ordered = sorted(wanted, key=lambda i: (-expected[i].policy.rank, i))
                assert list(fanout.targets(chain, event_type)) == ordered
    assert len(fanout) == len(expected)


def test_targets_are_the_same_object_until_one_comes_or_goes() -> None:
    fanout = Fanout()
    subscription = Subscription(frozenset({"bitcoin"}), frozenset({"block"}), policy())
    fanout.add(1, subscription)
    before = fanout.targets("bitcoin", "block")
    assert fanout.targets("bitcoin", "block") is before
    fanout.add(2, subscription)
    assert fanout.targets("bitcoin", "block") == (1, 2)


@given(st.lists(st.tuples(subscriptions, st.sampled_from(("free", "turbo"))), max_size=8), st.integers(1, 5))
def test_a_tiers_new_policy_is_its_subscribers_own_and_moves_nobody_else(
    joined: list[tuple[Subscription, str]], rank: int
) -> None:
    fanout, afresh = Fanout(subscribers_max=len(joined)), Fanout()
    changed = msgspec.structs.replace(policy(rank), name="turbo")
    for number, (subscription, tier) in enumerate(joined):
        named = msgspec.structs.replace(subscription.policy, name=tier)
        fanout.add(number, msgspec.structs.replace(subscription, policy=named))
        after = changed if tier == "turbo" else named
        afresh.add(number, msgspec.structs.replace(subscription, policy=after))
    fanout.change_policy(changed)
    for chain in CHAINS:
        for event_type in TYPES:
            assert fanout.targets(chain, event_type) == afresh.targets(chain, event_type)


def test_subscriber_at_the_limit_is_taken_and_one_over_is_refused() -> None:
    fanout = Fanout(subscribers_max=2)
    subscription = Subscription(frozenset({"bitcoin"}), frozenset({"block"}), policy())
    fanout.add(1, subscription)
    fanout.add(2, subscription)
    fanout.add(2, subscription)  # a replacement is not one more
    with pytest.raises(RequestError, match="limit 2") as refused:
        fanout.add(3, subscription)
    assert refused.value.code == "too_many_connections"
    assert fanout.targets("bitcoin", "block") == (1, 2)
