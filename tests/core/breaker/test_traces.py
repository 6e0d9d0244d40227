"""The outages that breakers are held against, and the scoring of the comparison."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest
from msgspec.structs import replace

from tests.bench.breaker_comparison import BEGIN, END, PAGE, SEEDS, Run, Score, scores, table, written
from tests.bench.breaker_contenders import CONTENDERS, TIERS, Clairvoyant, Consecutive, Never
from tests.bench.breaker_partial import partial_outage
from tests.core.breaker.traces import CALLS_PER_S, KINDS, OUTAGE_S, TRACE_S, Arrival, Trace, trace

SEED = 3


def within(run: Trace) -> list[Arrival]:
    return [call for call in run.arrivals if run.outage[0] <= call.at < run.outage[1]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_trace_is_that_of_its_seed(kind: str) -> None:
    assert trace(kind, SEED) == trace(kind, SEED)
    assert trace(kind, SEED) != trace(kind, SEED + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_come_in_order_at_their_rate_and_only_the_outage_hurts(kind: str) -> None:
    run = trace(kind, SEED)
    times = [call.at for call in run.arrivals]
    assert times == sorted(times)
    assert 0.0 <= times[0] <= times[-1] < TRACE_S
    assert len(times) == pytest.approx(CALLS_PER_S * TRACE_S, rel=0.1)
    assert OUTAGE_S[0] <= run.outage[1] - run.outage[0] <= OUTAGE_S[1]
    assert all(run.outage[0] <= call.at < run.outage[1] for call in run.arrivals if call.hurt)


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("hard fail", 1.0),
        ("brown-out", 0.6),
        ("slow", 0.0),
        ("flapping", 0.5),
        ("partial", 0.3),
        ("recovery", 0.75),
        ("creeping", 0.75),
    ],
)
def test_so_many_calls_of_an_outage_fail(kind: str, share: float) -> None:
    assert fmean(call.fails for call in within(trace(kind, SEED))) == pytest.approx(share, abs=0.1)


def test_health_has_its_failures_and_pauses_too() -> None:
    run = trace("slow", SEED)
    before = [call for call in run.arrivals if call.at < run.outage[0]]
    assert any(call.fails for call in before)
    assert any(call.latency_s > 0.2 for call in before)
    assert not any(call.hurt for call in before)


def test_a_slow_outage_is_slow_and_nothing_else() -> None:
    slow = within(trace("slow", SEED))
    assert fmean(call.latency_s for call in slow) == pytest.approx(0.4, rel=0.15)
    assert not any(call.fails for call in slow)


@pytest.mark.parametrize("kind", KINDS)
def test_who_never_opens_misses_all_and_rejects_nothing(kind: str) -> None:
    run = trace(kind, SEED)
    hurt = sum(call.hurt for call in run.arrivals)
    good = len(run.arrivals) - len(within(run))
    assert Run(run, Never()).play() == Score(hurt, hurt, good, 0, 0, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_who_knows_the_outage_misses_nothing_and_rejects_nothing_good(kind: str) -> None:
    run = trace(kind, SEED)
    found = Run(run, Clairvoyant(run)).play()
    assert (found.missed, found.false_opens, found.good_rejected) == (0, 0, 0)
    assert found.detect_s is not None
    assert found.recover_s is not None
    assert max(found.detect_s, found.recover_s) < 1.0


def one_outage(*, at: float = 100.0, until: float = 200.0, blip_at: float = 300.0) -> Trace:
    """A call a second, refused from 100 to 200 s, and six that are refused at 300 s."""
    calls = []
    for second in range(int(TRACE_S)):
        hurt = at <= second < until
        calls.append(Arrival(float(second), hurt or blip_at <= second < blip_at + 6, 0.001, hurt))
    return Trace("by hand", 0, tuple(calls), (at, until))


def test_a_breaker_is_scored_by_what_it_did() -> None:
    """Five in a row: open at 104.001, tried in vain at 135, 166, 197, closed at 228; falsely open at 304."""
    found = Run(one_outage(), Consecutive()).play()
    assert (found.hurt, found.missed, found.good) == (100, 8, 500)
    assert found.detect_s == pytest.approx(4.001)
    assert found.recover_s == pytest.approx(28.001)
    assert found.false_opens == 1
    assert found.good_rejected == 28 + 30


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_plays_and_none_beats_who_knows(name: str) -> None:
    found = scores("hard fail", name, [SEED])[0]
    assert 0 <= found.missed <= found.hurt
    assert 0 <= found.good_rejected <= found.good


def test_what_opens_by_failures_opens_within_three_windows_of_a_hard_fail() -> None:
    for name in ("1 backoff (15 s x 1.5, equal jitter)", "2 window: rates over 30 s", "all together"):
        found = scores("hard fail", name, [SEED])[0]
        assert found.detect_s is not None
        assert found.detect_s < 30.0
        assert found.missed < 0.3 * found.hurt


def test_what_is_slow_without_failing_is_seen_by_latency_alone() -> None:
    assert scores("slow", "2 window: rates over 30 s", [SEED])[0].detect_s is None
    found = scores("slow", "4 latency, baseline learned", [SEED])[0]
    assert found.detect_s is not None
    assert found.detect_s < 5.0


def test_a_partial_outage_is_not_opened_for_as_that_would_refuse_more_good_calls_than_it_spares() -> None:
    packaged = partial_outage(TIERS["business"], SEED)
    assert (packaged.failed, packaged.succeeded) == (packaged.fail, packaged.succeed)
    lower = partial_outage(replace(TIERS["business"], failure_rate_max=0.2), SEED)
    assert lower.fail - lower.failed > 0.5 * lower.fail
    assert lower.succeed - lower.succeeded > 2 * (lower.fail - lower.failed)


def test_turbo_is_back_soon_after_a_hard_fail() -> None:
    """It had waited for 120 s after four failed trials, as its probability never came back to a half."""
    recovered_s = [score.recover_s for score in scores("hard fail", "7 tier turbo", range(4))]
    assert max(each or 0.0 for each in recovered_s) < 60.0


def test_the_pages_table_names_every_contender() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in CONTENDERS if f"\n| {name} |" not in page] == []


@pytest.mark.soak
def test_the_pages_table_is_what_the_command_makes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, table(SEEDS)) == page, "python -m tests.bench.breaker_comparison --write"


def test_a_table_is_written_between_its_marks(tmp_path: Path) -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert written(page, "| new |") == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
