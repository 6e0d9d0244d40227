"""Facts are read out of what was seen, each with the moment it rests on."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chaos.expectation import EXPECTED
from sprint.core.chaos.facts import facts_of
from sprint.core.chaos.fault_spans import fault_spans
from sprint.core.chaos.journal import Injected, Journal, Planned, Undone
from sprint.core.chaos.score import score_of
from sprint.core.chaos.undo import ContinueProcess, ProcessName
from sprint.core.chaos.verdict import Judged, verdict_of
from sprint.core.faultproxy.toxics import Kind
from tests.core.chaos.run_stories import (
    CHAIN,
    INJECTED_S,
    PREDICTED,
    Story,
    breaker,
    events,
    facts,
    fault,
    observed,
    stream_of,
)


def test_a_fault_is_seen_when_its_target_first_shows_it_and_by_what() -> None:
    (one,) = facts(Story(shows_s=13.0)).faults
    assert one.seen_after_s == pytest.approx(3.0)
    assert one.seen_by == f"source {CHAIN}:alice: waiting"


def test_what_nothing_shows_is_not_seen() -> None:
    (one,) = facts(Story(shows_s=None, opens_s=None)).faults
    assert (one.seen_after_s, one.seen_by) == (None, "")


def test_a_breaker_opened_and_closed_so_long_after_begin_and_end() -> None:
    (one,) = facts(Story()).breakers
    assert one.opened_after_s == pytest.approx(14.0)
    assert one.opened_by == "consecutive_failures"
    assert one.closed_after_s == pytest.approx(2.0)
    assert (one.due_within_s, one.shadow) == (20.0, False)


def test_what_a_breaker_in_shadow_says_has_opened_nothing() -> None:
    (one,) = facts(Story(shadow=True)).breakers
    assert one.opened_after_s is None
    assert one.shadow


def test_a_breaker_that_closes_and_opens_again_is_not_closed() -> None:
    seen = observed(Story(closes_s=42.0))
    last = seen.samples[-1]
    reopened = msgspec.structs.replace(
        last,
        breakers=tuple(
            msgspec.structs.replace(each, state="open") if each.name == breaker("alice") else each
            for each in last.breakers
        ),
    )
    seen = msgspec.structs.replace(seen, samples=(*seen.samples[:-1], reopened))
    found = facts_of(seen, [fault(Story())], PREDICTED, stream_of(events(Story())), sla_s=5.0)
    assert found.recovery.not_closed == (breaker("alice"),)
    assert found.recovery.breakers_closed_after_s is None


def test_nothing_is_due_of_a_fault_that_is_over_too_soon() -> None:
    (one,) = facts(Story(removed_s=15.0)).breakers
    assert one.due_within_s is None
    assert "lasted 5.0 s, and 20 s are allowed" in one.why


def test_no_breaker_is_due_for_a_source_that_is_only_slow() -> None:
    (one,) = facts(Story(kind="latency")).breakers
    assert one.due_within_s is None


def test_no_breaker_is_due_on_a_chain_that_is_cut_altogether() -> None:
    cut = msgspec.structs.replace(PREDICTED, chains_cut=(CHAIN,))
    found = facts_of(observed(Story()), [fault(Story())], cut, stream_of(events(Story())), sla_s=5.0)
    assert found.breakers[0].due_within_s is None


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_bystanders_that_were_hit_are_named(lost: int) -> None:
    beside = facts(Story(bystanders_lost=lost)).contained
    assert beside.sources == 2
    assert [each.name for each in beside.sources_hit] == [f"{CHAIN}:{n}" for n in ("bob", "carol")[:lost]]


def test_a_chain_that_gives_no_block_while_a_fault_is_on_is_stopped() -> None:
    (hit,) = facts(Story(chain_stops=True)).contained.chains_stopped
    assert hit.name == CHAIN
    assert "no block in 30.0 s, 27 were due" in hit.text
    assert facts(Story()).contained.chains_stopped == ()


def test_an_opening_without_a_fault_is_false_and_one_upon_a_target_is_not() -> None:
    found = facts(Story(false_opens=2)).false_opens
    assert [each.breaker for each in found] == [breaker("bob")] * 2
    assert facts(Story()).false_opens == ()


def test_what_a_breaker_in_shadow_says_is_no_false_opening() -> None:
    seen = observed(Story(false_opens=2))
    said = tuple(msgspec.structs.replace(each, shadow=True) for each in seen.transitions)
    quiet = msgspec.structs.replace(seen, transitions=said)
    assert facts_of(quiet, [], PREDICTED, stream_of([]), sla_s=5.0).false_opens == ()


def test_the_relay_that_gave_no_answer_is_counted() -> None:
    beside = facts(Story(unanswered=6)).contained
    assert beside.answered_share == pytest.approx(0.8, abs=0.01)


def test_recovery_counts_from_the_end_of_the_fault() -> None:
    back = facts(Story(steady_s=43.5)).recovery
    assert back.steady_after_s == pytest.approx(3.5)
    assert facts(Story(steady_s=None)).recovery.steady_after_s is None


def test_a_journal_says_when_faults_were_on_and_one_that_never_was_is_left_out() -> None:
    """From when it was planned: an order had opened its breaker before the journal said that it was on."""
    go_on = (ContinueProcess(ProcessName(7, 1)),)
    planned = [
        Planned(
            n, "freeze", breaker("alice") if n == 1 else "process:7", "it is frozen", 100.5 + n, 30.0, go_on
        )
        for n in (1, 2, 3)
    ]
    journal = Journal([*planned, Injected(1, 101.9), Injected(2, 102.9), Undone(1, 111.0, "keeper")])
    one, two = fault_spans(journal, 100.0, PREDICTED)
    assert (one.injected_s, one.removed_s, one.removed_by) == (1.5, 11.0, "keeper")
    assert (one.sources, one.breakers) == ((f"{CHAIN}:alice",), (breaker("alice"),))
    assert (two.injected_s, two.removed_s, two.sources) == (2.5, None, PREDICTED.sources)


def test_what_opens_before_the_fault_is_not_of_it() -> None:
    (one,) = facts(Story(opens_s=INJECTED_S - 1, shows_s=INJECTED_S - 1, closes_s=INJECTED_S - 0.5)).breakers
    assert one.opened_after_s is None


KINDS_OF_ACTIONS = (
    *("packet_loss", "force_open", "force_close", "pause_source", "freeze", "kill"),
    *("hog_cpu", "hog_memory", "hog_descriptors", "hog_disk"),
)


@pytest.mark.parametrize("kind", [*map(str, Kind), *KINDS_OF_ACTIONS])
def test_of_every_kind_of_fault_it_is_known_what_it_should_bring_about(kind: str) -> None:
    assert kind in EXPECTED


@pytest.mark.parametrize("kind", EXPECTED)
def test_a_breaker_is_due_only_where_the_fault_is_to_be_seen(kind: str) -> None:
    expected = EXPECTED[kind]
    assert expected.why
    assert expected.opens_within_s is None or expected.seen_within_s == expected.opens_within_s


def test_a_relay_that_is_the_target_itself_owes_no_answer_and_no_breaker() -> None:
    story = Story(kind="kill", unanswered=9, subscriber_losses=1)
    aimed = msgspec.structs.replace(fault(story), target="relay")
    found = facts_of(observed(story), [aimed], PREDICTED, stream_of(events(story)), sla_s=5.0)
    beside = found.contained
    assert (beside.relay_aimed_at, len(beside.subscriber_losses), beside.answered_share < 1) == (
        True,
        1,
        True,
    )
    contained = next(part for part in score_of(found).parts if part.name == "contained")
    assert contained.value == 1.0
    assert "neither of these two counts" in "; ".join(contained.rests_on)
    assert found.faults[0].seen_due_within_s is None
    assert all(each.due_within_s is None for each in found.breakers)


def test_a_silent_relay_shows_nothing_of_its_sources() -> None:
    (one,) = facts(Story(unanswered=3, shows_s=20.0)).faults
    assert one.seen_after_s == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("target", "aimed"),
    [
        ("breaker:store", ((), ("store",))),
        (f"breaker:{breaker('bob')}", ((f"{CHAIN}:bob",), (breaker("bob"),))),
        ("machine", (PREDICTED.sources, PREDICTED.breakers)),
    ],
)
def test_a_fault_at_a_breaker_is_aimed_at_that_alone(target: str, aimed: object) -> None:
    journal = Journal([Planned(1, "force_open", target, "", 0.0, 1.0, ()), Injected(1, 0.0)])
    (one,) = fault_spans(journal, 0.0, PREDICTED)
    assert (one.sources, one.breakers) == aimed


def test_health_that_fell_for_another_fault_is_no_sign_of_this_one() -> None:
    story = Story(shows_s=None, opens_s=None, closes_s=None)
    seen = observed(story)
    fallen = tuple(
        msgspec.structs.replace(each, health="degraded" if each.at_s > 12 else "ok") for each in seen.samples
    )
    seen = msgspec.structs.replace(seen, samples=fallen)
    at_machine = msgspec.structs.replace(fault(story), target="machine", sources=(), breakers=())
    found = facts_of(seen, [fault(story), at_machine], PREDICTED, stream_of([]), sla_s=5.0)
    assert [each.seen_by for each in found.faults] == ["", "health: degraded"]


def test_a_killed_relay_is_back_when_it_answers_again_and_not_when_the_method_is_over() -> None:
    story = Story(kind="kill", unanswered=7)
    aimed = msgspec.structs.replace(fault(story), target="relay")
    found = facts_of(observed(story), [aimed], PREDICTED, stream_of(events(story)), sla_s=5.0)
    assert found.recovery.relay_back_after_s == pytest.approx(7.0)
    verdict, reason = verdict_of(Judged(facts=found, sla_judged=True))
    assert (verdict, reason) == ("not_met", "the killed relay was back after 7.00 s, 5 s are allowed")
    verdict, reason = verdict_of(Judged(facts=found, sla_judged=False))
    assert (verdict, reason[:42]) == ("met", "the killed relay was back after 7.00 s; th")
    assert facts(story).recovery.relay_back_after_s is None
    stays_away = Story(kind="kill", unanswered=100)
    gone = facts_of(observed(stays_away), [aimed], PREDICTED, stream_of([]), sla_s=5.0)
    assert gone.recovery.relay_back_after_s is None


def test_a_relay_that_was_killed_and_never_seen_away_is_not_met() -> None:
    """The process of the given pid was another: the relay had answered all the time."""
    story = Story(kind="kill", unanswered=0)
    aimed = msgspec.structs.replace(fault(story), target="relay")
    found = facts_of(observed(story), [aimed], PREDICTED, stream_of(events(story)), sla_s=5.0)
    assert (found.recovery.relay_killed, found.recovery.relay_back_after_s) == (True, None)
    for sla_judged in (True, False):
        verdict, reason = verdict_of(Judged(facts=found, sla_judged=sla_judged))
        assert (verdict, "not seen to be away and back" in reason) == ("not_met", True)
    frozen = facts_of(observed(Story()), [fault(Story())], PREDICTED, stream_of(events(Story())), sla_s=5.0)
    assert verdict_of(Judged(facts=frozen))[0] == "met"
