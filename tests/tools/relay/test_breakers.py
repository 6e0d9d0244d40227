"""The breakers of a relay: made by name, under the policy of the highest tier, gone with what they guard."""

from __future__ import annotations

import logging

import pytest

from sprint.core.config import BreakerSettings
from sprint.core.relay.source_url import SourceSpec, source_of
from sprint.core.relay.tiers import highest_tier
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.service import packaged_tiers

CHAIN = "litecoin-regtest"


def spec_of(name: str) -> SourceSpec:
    return source_of("litecoin", "regtest", "p2p://127.0.0.1:19444", name=name)


@pytest.mark.parametrize("tier", list(packaged_tiers({})))
def test_what_is_called_has_figures_of_its_own_over_those_of_the_tier(tier: str) -> None:
    settings = BreakerSettings(overrides={tier: {"trial_lease_s": 7}, "store": {"failures_to_open": 9}})
    breakers = RelayBreakers(tier, settings)
    alice, store = breakers.source(CHAIN, spec_of("alice")), breakers.store()
    assert (alice.name, store.name) == ("source:litecoin-regtest:alice", "store")
    assert (alice.policy.failures_to_open, alice.policy.half_open_calls) == (3, 1)
    assert (alice.policy.backoff.base_s, alice.policy.backoff.longest_s) == (1.0, 30.0)
    assert (store.policy.failures_to_open, store.policy.backoff.longest_s) == (9, 2.0)
    of_tier = breakers.registry.get("other", tier).policy
    assert of_tier.trial_lease_s == 7.0
    assert alice.policy.window.span_s == of_tier.window.span_s


def test_the_policy_is_that_of_the_highest_tier_served() -> None:
    tiers = packaged_tiers({})
    assert highest_tier(tiers.values()).name == "turbo"
    assert highest_tier([tiers["free"], tiers["business"]]).name == "business"


def test_the_last_source_of_a_chain_is_not_cut_off() -> None:
    breakers = RelayBreakers("turbo")
    alice, bob = (breakers.source(CHAIN, spec_of(name)) for name in ("alice", "bob"))
    for breaker in (alice, bob):
        for _ in range(3):
            breaker.admit().failure()
    assert (alice.state, bob.state) == ("open", "closed")
    assert bob.explain().withheld is not None


def test_a_removed_source_leaves_its_breaker_and_its_group() -> None:
    breakers = RelayBreakers("turbo")
    breakers.source(CHAIN, spec_of("alice"))
    bob = breakers.source(CHAIN, spec_of("bob"))
    breakers.remove_source(CHAIN, "alice")
    assert [each.name for each in breakers.registry] == ["source:litecoin-regtest:bob"]
    for _ in range(3):
        bob.admit().failure()
    assert bob.state == "closed", "it is the last of its chain"


def test_trials_in_vain_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    breakers = RelayBreakers("turbo", clock=lambda: now[0])
    store = breakers.store()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            store.admit().failure(OSError("disk full"))
        for _ in range(20):
            now[0] += 10.0
            store.admit().failure(OSError("disk full"))
        now[0] += 10.0
        store.admit().success()
    assert [record.getMessage() for record in caplog.records] == ["breaker open", "breaker closed"]
    assert "disk full" in caplog.records[0].fields["evidence"]  # type: ignore[attr-defined]  # by log_fields
