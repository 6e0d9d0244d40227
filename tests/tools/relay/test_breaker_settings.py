"""Other figures for a relay's breakers while it runs: from the next call on, and nothing counted is lost."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sprint.core.breaker.rounds import Intervals
from sprint.core.config import BreakerSettings
from sprint.core.errors import CircuitOpenError, ConfigError
from sprint.core.relay.source_url import source_of
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.relay.breakers import RelayBreakers

CHAIN = "litecoin-regtest"
ALICE = f"source:{CHAIN}:alice"


class Relay:
    """Breakers of three sources on a clock that is set by hand."""

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self.now = 0.0
        self.breakers = RelayBreakers("turbo", settings, clock=lambda: self.now, rng=lambda: 0.5)
        self.alice, self.bob, self.carol = (self.source(name) for name in ("alice", "bob", "carol"))

    def source(self, name: str) -> CircuitBreaker:
        spec = source_of("litecoin", "regtest", "p2p://127.0.0.1:19444", name=name)
        return self.breakers.source(CHAIN, spec)


def fail(breaker: CircuitBreaker, times: int = 1) -> None:
    for _ in range(times):
        breaker.admit().failure()


def test_another_figure_counts_from_the_next_call_with_what_was_counted() -> None:
    relay = Relay()
    fail(relay.alice, 2)
    assert relay.breakers.adopt(BreakerSettings(overrides={"source": {"failures_to_open": 5}})) == 3
    fail(relay.alice, 2)
    assert (relay.alice.state, relay.alice.statistics().failures) == ("closed", 4)
    fail(relay.alice)
    assert relay.alice.state == "open"


def test_figures_of_one_source_are_its_alone_and_go_with_the_config() -> None:
    relay = Relay(BreakerSettings(overrides={ALICE: {"failures_to_open": 1}}))
    assert (relay.alice.policy.name, relay.bob.policy.name) == (ALICE, "source")
    fail(relay.alice)
    fail(relay.bob)
    assert (relay.alice.state, relay.bob.state) == ("open", "closed")
    assert relay.breakers.adopt(BreakerSettings()) == 1
    assert relay.alice.policy == relay.bob.policy
    assert relay.alice.state == "open", "a reload is no reset"
    assert relay.source("dave").policy == relay.bob.policy


def test_a_source_that_comes_later_has_the_figures_that_were_there_for_it() -> None:
    relay = Relay()
    relay.breakers.adopt(BreakerSettings(overrides={f"source:{CHAIN}:dave": {"shadow": True}}))
    assert relay.source("dave").policy.shadow
    assert not relay.alice.policy.shadow


def test_figures_of_a_source_that_there_is_none_of_are_said(caplog: pytest.LogCaptureFixture) -> None:
    relay = Relay(BreakerSettings(overrides={ALICE: {"shadow": True}}))
    overrides: dict[str, dict[str, Any]] = {f"source:{CHAIN}:alcie": {"shadow": True}, ALICE: {}, "store": {}}
    relay.breakers.adopt(BreakerSettings(overrides=overrides))
    said = [record for record in caplog.records if record.message == "figures of no breaker"]
    assert [record.fields["breaker"] for record in said] == [f"source:{CHAIN}:alcie"]  # type: ignore[attr-defined]  # of log_fields


def test_a_shorter_longest_delay_lets_the_trial_come_sooner() -> None:
    relay = Relay(BreakerSettings(overrides={"source": {"backoff": {"base_s": 20.0, "jitter": "none"}}}))
    fail(relay.alice, 3)
    relay.now = 5.0
    with pytest.raises(CircuitOpenError):
        relay.alice.admit()
    relay.breakers.adopt(BreakerSettings(overrides={"source": {"backoff": {"longest_s": 5.0}}}))
    assert relay.alice.admit().trial


def test_what_cannot_be_changes_nothing() -> None:
    relay = Relay()
    wrong: dict[str, dict[str, Any]] = {
        "store": {"failures_to_open": 9},
        "source": {"backoff": {"base_s": 99.0}},
    }
    with pytest.raises(ConfigError, match=r"backoff\.longest_s = 30 is below backoff\.base_s = 99"):
        relay.breakers.adopt(
            BreakerSettings(overrides=wrong, group_ejected_percent_max=0.0, intervals=Intervals(state_s=1.0))
        )
    assert relay.breakers.store().policy.failures_to_open == 3
    fail(relay.alice, 3)
    assert relay.alice.state == "open"


def test_a_reload_takes_an_operators_figures_away_only_where_it_has_others_for_that_breaker() -> None:
    relay = Relay()
    operators = replace(relay.alice.policy, failures_to_open=50)
    relay.alice.adopt(operators)
    relay.breakers.adopt(BreakerSettings(overrides={"store": {"failures_to_open": 9}}))
    assert relay.alice.policy == operators
    relay.breakers.adopt(BreakerSettings(overrides={ALICE: {"failures_to_open": 7}}))
    assert relay.alice.policy.failures_to_open == 7


def test_the_share_of_a_chain_that_may_be_shut_out_holds_also_for_groups_there_are() -> None:
    relay = Relay()
    fail(relay.alice, 3)
    relay.breakers.adopt(BreakerSettings(group_ejected_percent_max=34.0))
    fail(relay.bob, 3)
    assert (relay.alice.state, relay.bob.state) == ("open", "closed")
    assert relay.bob.explain().withheld is not None
    relay.breakers.adopt(BreakerSettings(group_ejected_percent_max=67.0))
    fail(relay.bob)
    assert relay.bob.state == "open"


def test_a_group_that_was_left_by_all_is_made_anew_with_its_share() -> None:
    relay = Relay(BreakerSettings(group_ejected_percent_max=0.0))
    for name in ("alice", "bob", "carol"):
        relay.breakers.remove_source(CHAIN, name)
    one, _ = relay.source("erin"), relay.source("frank")
    fail(one, 9)
    assert one.state == "closed"
