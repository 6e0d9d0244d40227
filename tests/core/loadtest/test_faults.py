"""Faults as they are asked for: the fault proxy's words, an answer's way, and a share of connections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import toxic_of, toxic_row
from sprint.core.faultproxy.toxics import KINDS, TOXICS_PER_PROXY_MAX, ActiveToxic, Kind, ToxicCounts
from sprint.core.loadtest.faults import (
    FAULT_LENGTH_MAX,
    fault_done,
    fault_text,
    fields_of,
    parse_faults,
    reset_fault,
)


def least_text(kind: Kind) -> str:
    """Write a fault with each of its figures at its least."""
    figures = ",".join(f"{name}={figure.least}" for name, figure in KINDS[kind].figures.items())
    return f"{kind}:{figures}" if figures else str(kind)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_the_fault_proxy_can_be_asked_for(kind: Kind) -> None:
    (fault,) = parse_faults([least_text(kind)], None)
    assert (fault.kind, fault.toxicity) == (kind, 1.0)
    assert fault.figures == {name: figure.least for name, figure in KINDS[kind].figures.items()}
    assert fault.direction == ("downstream" if KINDS[kind].one_way else "both")
    assert toxic_of(fields_of(fault)) == fault


@given(st.text(max_size=60))
def test_any_text_is_a_fault_or_refused_with_what_was_written(text: str) -> None:
    try:
        (fault,) = parse_faults([text], 0.5)
    except ConfigError as error:
        said = str(error)
    else:
        assert toxic_of(fields_of(fault)) == fault
        return
    assert said.startswith(("--fault ", "--failure-rate "))


def test_the_failure_rate_is_the_share_of_connections_unless_the_fault_has_its_own() -> None:
    faults = parse_faults(["stall", "reset:toxicity=0.25", "down"], 0.1)
    assert [fault.toxicity for fault in faults] == [0.1, 0.25, 1.0]


def test_two_faults_of_one_kind_have_names_of_their_own() -> None:
    faults = parse_faults(["stall:ttl_ms=5", "stall:direction=upstream", "stall", "reset:name=r"], None)
    assert [fault.name for fault in faults] == ["stall", "stall-2", "stall-3", "r"]


WRONG = [
    (["lag"], "--fault 'lag': kind: 'lag'; want one of latency, bandwidth"),
    (["latency"], "latency_ms: nothing; want a whole number from 0 to"),
    (["latency:latency_ms"], "'latency_ms' is no figure; write it as KIND:KEY=VALUE,KEY=VALUE"),
    (["latency:latency_ms=soon"], "latency_ms: 'soon'; want a whole number"),
    (["latency:latency_ms=1.5"], "latency_ms: '1.5'; want a whole number"),
    (["latency:ms=3"], "no key 'ms'; there is name, kind, direction"),
    (["latency:latency_ms=1,latency_ms=2"], "latency_ms is said twice"),
    (["reset:kind=stall"], "kind is said twice"),
    (["reset:direction=sideways"], "direction: 'sideways'; want one of upstream, downstream, both"),
    (["reset:toxicity=2"], "toxicity: 2.0; want a number from 0 to 1"),
    (["down:toxicity=0.5"], "down is of the whole proxy"),
    (["stall:name=a", "stall:name=a"], "name: 'a' is taken by another fault"),
    (["x" * (FAULT_LENGTH_MAX + 1)], f"{FAULT_LENGTH_MAX + 1} characters, limit {FAULT_LENGTH_MAX}"),
    (["stall"] * (TOXICS_PER_PROXY_MAX + 1), f"{TOXICS_PER_PROXY_MAX + 1} of them, limit"),
]


@pytest.mark.parametrize(("texts", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_no_fault_is_refused_with_what_would_be_right(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_faults(texts, None)
    assert said in str(refused.value)


def test_as_many_faults_as_a_proxy_takes_are_taken() -> None:
    assert len(parse_faults(["stall"] * TOXICS_PER_PROXY_MAX, None)) == TOXICS_PER_PROXY_MAX


def test_a_share_of_a_target_that_is_down_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--failure-rate 0\.5: the fault `down` is of the whole target"):
        parse_faults(["down"], 0.5)


def test_a_fault_is_told_in_words() -> None:
    slow, down = parse_faults(["latency:latency_ms=200,ttl_ms=900,toxicity=0.5,direction=both", "down"], None)
    assert fault_text(slow) == (
        "latency (latency_ms 200, jitter_ms 0, ttl_ms 900), both ways, on 0.5 of connections"
    )
    assert fault_text(down) == "down"
    assert fault_text(reset_fault(1.0)) == "reset (after_ms 0), downstream, on all connections"


def test_what_a_fault_did_is_what_its_counts_say() -> None:
    active = ActiveToxic(reset_fault(0.3), ToxicCounts(), 0.0)
    active.counts.connections_met = active.counts.connections_reset = 7
    done = fault_done(toxic_row(active, 1.0))
    assert (done.kind, done.share, done.figures) == ("reset", 0.3, {"after_ms": 0})
    assert (done.connections_met, done.connections_reset, done.connections_closed) == (7, 7, 0)
