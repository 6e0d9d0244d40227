"""The blast radius: who is said to be reached is what the map says, and what was seen is held against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sprint.core.chaos.blast_radius import (
    TARGETS_MAX,
    UNANSWERED_IN_A_ROW,
    Target,
    observed,
    observed_radius,
    predicted,
    whole,
)
from sprint.core.chaos.observation import BreakerSeen, Observed, Phases, Sample, SourceSeen
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.chaos.wiring import key_of
from sprint.core.errors import ConfigError
from tests.core.chaos.a_relay import CHAINS, a_relay

RELAY = a_relay()
KEYS = [key_of(source) for source in RELAY.sources]
LITECOIN, BITCOIN, DOGECOIN = CHAINS


def sample_of(relay: DependencyMap, down: set[str], *, at_s: float = 0.0) -> Sample:
    """What a relay shows of which these sources are waiting, and their breakers open."""
    rows = [(source, key_of(source) in down) for source in relay.sources]
    return Sample(
        at_s,
        answered=True,
        sources=tuple(SourceSeen(s.chain, s.name, "waiting" if hit else "ready", "") for s, hit in rows),
        breakers=tuple(BreakerSeen(s.breaker, "open" if hit else "closed", "") for s, hit in rows),
    )


@given(st.sets(st.sampled_from(KEYS)))
def test_what_is_seen_of_sources_that_fail_is_what_was_said_of_them(down: set[str]) -> None:
    said = predicted(RELAY, [Target("source", key) for key in sorted(down)])
    assert observed(RELAY, [sample_of(RELAY, set()), sample_of(RELAY, down)]) == said


@given(st.sets(st.sampled_from(KEYS)))
def test_a_chain_is_cut_where_no_usable_source_is_left_and_only_then_a_subscriber_is_reached(
    down: set[str],
) -> None:
    said = predicted(RELAY, [Target("source", key) for key in down])
    for name in CHAINS:
        sources = {key for key in KEYS if key.startswith(name)}
        assert (name in said.chains_cut) == (sources <= down)
        assert (name in said.chains_weakened) == (0 < len(sources & down) < len(sources))
    assert said.subscribers == (2 if said.chains_cut else 0)
    assert said.tiers == (("turbo",) if said.chains_cut else ())


@given(st.lists(st.sampled_from(KEYS), max_size=4), st.lists(st.sampled_from(KEYS), max_size=4))
def test_more_faults_reach_no_less(one: list[str], more: list[str]) -> None:
    few = predicted(RELAY, [Target("source", key) for key in one])
    many = predicted(RELAY, [Target("source", key) for key in one + more])
    assert set(few.sources) <= set(many.sources)
    assert set(few.breakers) <= set(many.breakers)
    assert set(few.chains_cut) <= set(many.chains_cut)
    assert set(few.chains_weakened) <= {*many.chains_weakened, *many.chains_cut}
    assert set(few.tiers) <= set(many.tiers)


def test_an_address_and_a_provider_reach_all_that_stand_behind_them() -> None:
    first, second, *rest = RELAY.sources
    shared = replace(RELAY, sources=(first, replace(second, address=first.address), *rest))
    said = predicted(shared, [Target("address", first.address)])
    assert said.sources == (key_of(first), key_of(second))
    said = predicted(RELAY, [Target("provider", "n0")])
    assert said.sources == tuple(sorted(f"{name}:n0" for name in CHAINS))
    assert said.chains_cut == (DOGECOIN,)
    assert set(said.chains_weakened) == {LITECOIN, BITCOIN}


def test_the_relay_and_its_store_reach_all_and_a_machine_slows_all_and_cuts_nothing() -> None:
    everything = whole(RELAY)
    assert len(everything.sources) == len(KEYS)
    assert set(everything.chains_cut) == set(CHAINS)
    for target in (Target("relay"), Target("breaker", "store")):
        assert predicted(RELAY, [target]) == everything
    slowed = predicted(RELAY, [Target("machine")])
    assert (slowed.sources, slowed.chains_cut, slowed.subscribers) == ((), (), 0)
    assert (slowed.chains_weakened, slowed.tiers) == (tuple(sorted(CHAINS)), ("turbo",))


def test_a_source_that_was_not_usable_before_makes_no_chain_weaker() -> None:
    first, *rest = RELAY.sources
    relay = replace(RELAY, sources=(replace(first, usable=False), *rest))
    said = predicted(relay, [Target("source", key_of(first))])
    assert (said.sources, said.chains_weakened, said.chains_cut) == ((key_of(first),), (), ())
    others = [Target("source", key_of(each)) for each in rest if each.chain == first.chain]
    assert predicted(relay, others).chains_cut == (first.chain,), "it can't stand in either"


@pytest.mark.parametrize("kind", ["source", "address", "provider", "breaker", "chain"])
def test_a_target_that_the_relay_has_not_is_refused_with_those_that_it_has(kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"{kind} 'x': the relay has .+"):
        predicted(RELAY, [Target(kind, "x")])  # type: ignore[arg-type]


def test_targets_have_a_limit() -> None:
    targets = [Target("source", KEYS[0])] * TARGETS_MAX
    assert predicted(RELAY, targets).sources == (KEYS[0],)
    with pytest.raises(ConfigError, match=f"{TARGETS_MAX + 1} targets of faults, limit {TARGETS_MAX}"):
        predicted(RELAY, [*targets, Target("machine")])


def test_a_relay_that_gives_no_answer_is_reached_as_a_whole_and_one_late_answer_is_nothing() -> None:
    silent, well = Sample(0.0, answered=False), sample_of(RELAY, set())
    some = [silent] * (UNANSWERED_IN_A_ROW - 1)
    assert observed(RELAY, [well, *some, well, *some]) == BlastRadius()
    assert observed(RELAY, [well, *some, silent]) == whole(RELAY)


def test_a_chain_is_not_seen_as_cut_where_its_sources_fail_one_after_another() -> None:
    keys = [key for key in KEYS if key.startswith(BITCOIN)]
    seen = observed(RELAY, [sample_of(RELAY, {key}) for key in keys])
    assert (seen.sources, seen.chains_weakened, seen.chains_cut) == (tuple(sorted(keys)), (BITCOIN,), ())


def test_a_breaker_that_was_open_before_is_not_reached_by_what_came_after() -> None:
    down = {KEYS[0]}
    before = sample_of(RELAY, down)
    assert observed(RELAY, [sample_of(RELAY, down)], before).breakers == ()
    assert len(observed(RELAY, [sample_of(RELAY, down)], sample_of(RELAY, set())).breakers) == 1


def test_only_what_was_seen_while_faults_were_on_counts() -> None:
    samples = (
        sample_of(RELAY, {KEYS[0]}, at_s=1.0),
        sample_of(RELAY, set(), at_s=2.0),
        sample_of(RELAY, {KEYS[1]}, at_s=3.0),
        sample_of(RELAY, {KEYS[2]}, at_s=5.0),
    )
    seen = Observed(Phases(0.0, 2.5, 4.0, None, None), samples, (), ())
    assert observed_radius(RELAY, seen).sources == (KEYS[1],)
    assert observed_radius(RELAY, replace(seen, phases=Phases(0.0))) == BlastRadius()
