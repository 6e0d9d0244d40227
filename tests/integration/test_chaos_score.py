"""The score tells relays apart by what their breakers do, and what it recommends for the worst raises it.

As soak every policy is tried on four experiments with three seeds, and the table printed: beside what is
served, the bare figures of two tiers, without those that sources have of their own (ADR 16).
"""

from __future__ import annotations

from statistics import mean

import msgspec
import pytest

from sprint.core.chaos.result import Result
from tests.integration.chaos_scores import ScoredRelay, policies

CHAIN = "litecoin-regtest"
# Long enough for what is due, and for what is back again to be back in time.
EXPERIMENTS = {"errors": 8.0, "upstream-stall": 25.0, "network-partition": 25.0, "reset-peer": 10.0}
SEEDS = (1, 2, 3)
REFUSED_S = 5.5


def points(result: Result) -> float:
    """Return the points of a run that came to a score; its parts are printed."""
    assert result.score is not None, result.reason
    assert result.score.points is not None, result.score.left_out
    parts = ", ".join(f"{one.name} {one.value:.2f}" for one in result.score.parts if one.value is not None)
    print(f"{result.experiment}: {result.verdict}, {result.score.points:.1f}: {parts}")
    return result.score.points


def test_breakers_that_only_say_what_they_would_do_score_less_and_the_advice_applied_raises_it() -> None:
    with ScoredRelay(policies()["off"]) as relay:
        off = relay.run("errors", REFUSED_S, source=f"{CHAIN}:alice")
        assert [each.setting for each in off.advice] == ["breakers.source.shadow"]
        assert relay.apply(off.advice) == {"shadow": False}
        on = relay.run("errors", REFUSED_S, source=f"{CHAIN}:carol")
    # The whole of one part is missing, and it is not won by another.
    least = points(off)
    assert least == pytest.approx(80.0, abs=1.0)
    assert points(on) > least + 10.0
    # How long a breaker takes to close follows from when its last trial failed; all else is well.
    assert {each.setting for each in on.advice} <= {"breakers.source.backoff.longest_s"}


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("policy", "setting"),
    [
        ("enterprise, bare", "breakers.source.failures_to_open"),
        ("free, bare", "breakers.source.backoff.base_s"),
    ],
)
def test_what_is_recommended_for_bare_figures_raises_their_score(policy: str, setting: str) -> None:
    with ScoredRelay(policies()[policy]) as relay:
        before = relay.run("errors", REFUSED_S, source=f"{CHAIN}:alice")
        least = points(before)
        assert setting in {each.setting for each in before.advice}, before.facts
        print(f"{policy}: {relay.apply(before.advice)}")
        after = relay.run("errors", REFUSED_S, source=f"{CHAIN}:carol")
    assert points(after) > least


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_the_score_ranks_policies_by_what_their_breakers_do() -> None:
    table = {name: {each: _over_seeds(name, each) for each in EXPERIMENTS} for name in policies()}
    for name, row in table.items():
        shown = ", ".join(f"{each} {' '.join(f'{one:.1f}' for one in of)}" for each, of in row.items())
        print(f"{name}: mean {mean(mean(of) for of in row.values()):.1f}; {shown}")
    for each in ("errors", "upstream-stall", "network-partition"):
        served = min(*table["free"][each], *table["enterprise"][each])
        assert served > max(table["off"][each])
        assert served > max(table["enterprise, bare"][each])
        assert min(table["free, bare"][each]) > max(table["off"][each])
    # Connections that are reset at random need no breaker: nothing is due, and nothing tells them apart.
    assert min(points for row in table.values() for points in row["reset-peer"]) > 90.0


def _over_seeds(policy: str, experiment: str) -> list[float]:
    found = []
    for seed in SEEDS:
        with ScoredRelay(msgspec.structs.replace(policies()[policy], seed=str(seed))) as relay:
            found.append(points(relay.run(experiment, EXPERIMENTS[experiment], seed=seed)))
    return found
