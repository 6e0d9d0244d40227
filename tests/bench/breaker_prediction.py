"""Whether failure can be foretold: the breaker's online model on outages that it has not been made with.

    python -m tests.bench.breaker_prediction [--seeds N]

Each look of a standard breaker, every ten seconds, foretells whether at the next one its window is failing or
the breaker open. Weights are taught on the first seeds and held against others; a Brier skill above 0
means better than to say the share of failing intervals each time, known afterwards at that.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from statistics import fmean

from sprint.core.breaker.failure_prediction import FEATURES, PRIOR_WEIGHTS, FailurePrediction
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.policy import LatencyPolicy, Policy, PredictionPolicy
from tests.bench.breaker_comparison import Run
from tests.bench.breaker_contenders import Ours
from tests.core.breaker.traces import KINDS, trace

SEEDS = 10
HELD_OUT_FROM = 1_000
TAUGHT_RATE = 0.3
POLICY = Policy(latency=LatencyPolicy(enabled=True), prediction=PredictionPolicy(enabled=True))


class Recorded(FailurePrediction):
    """The model, with all that it has said and what came."""

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__(POLICY.prediction)
        self._weights = list(weights)
        self.said: list[tuple[float, bool]] = []

    def _score(self, foretold: tuple[float, tuple[float, ...]], *, failing: bool) -> None:
        self.said.append((foretold[0], failing))
        super()._score(foretold, failing=failing)


def watched(kind: str, seed: int, model: Recorded) -> None:
    """Put a trace to a breaker that the model looks at."""
    run = trace(kind, seed)
    breaker = Ours(POLICY, seed)
    breaker.machine = Machine("callee", POLICY, now=0.0, rng=random.Random(seed).random)
    breaker.machine.figures.prediction = model
    Run(run, breaker).play()


def taught(seeds: Sequence[int]) -> list[float]:
    """Return the weights after all training traces, in an order by chance."""
    runs = [(kind, seed) for kind in KINDS for seed in seeds]
    random.Random(0).shuffle(runs)
    model = Recorded([0.0] * len(FEATURES))
    model.adopt(PredictionPolicy(enabled=True, learning_rate=TAUGHT_RATE))
    for kind, seed in runs:
        model._foretold = model._before = None
        model._foretold_at = float("-inf")
        watched(kind, seed, model)
    return [model.weights()[name] for name in FEATURES]


def held_out(weights: Sequence[float], seeds: Sequence[int]) -> dict[str, list[tuple[float, bool]]]:
    """Return what was said and what came, by kind; a model of its own for each trace."""
    found: dict[str, list[tuple[float, bool]]] = {}
    for kind in KINDS:
        for seed in seeds:
            model = Recorded(weights)
            watched(kind, seed, model)
            found.setdefault(kind, []).extend(model.said)
    return found


def brier_skill(said: Sequence[tuple[float, bool]]) -> tuple[float, float, float]:
    """Return the Brier score, that of the share of failing intervals, and the skill of the first."""
    share = fmean(came for _, came in said)
    brier = fmean((probability - came) ** 2 for probability, came in said)
    plain = share * (1.0 - share)
    return brier, plain, 1.0 - brier / plain if plain else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = parser.parse_args().seeds
    weights = taught(range(seeds))
    print("taught:", {name: round(weight, 3) for name, weight in zip(FEATURES, weights, strict=True)})
    others = range(HELD_OUT_FROM, HELD_OUT_FROM + seeds)
    for name, begun in (
        ("from nothing", [0.0] * len(FEATURES)),
        ("taught", weights),
        ("packaged", PRIOR_WEIGHTS),
    ):
        by_kind = held_out(begun, others)
        print(f"{name:14} {'intervals':>9} {'failing':>8} {'Brier':>8} {'of share':>8} {'skill':>7}")
        by_kind["all"] = [each for said in by_kind.values() for each in said]
        for kind, said in by_kind.items():
            brier, plain, skill = brier_skill(said)
            failing = sum(came for _, came in said)
            print(f"  {kind:12} {len(said):9} {failing:8} {brier:8.4f} {plain:8.4f} {skill:7.3f}")


if __name__ == "__main__":
    main()
