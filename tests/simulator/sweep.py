"""Many seeds: run, added up, and what failed told with the command that replays it."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import msgspec

from sprint.core.errors import SprintError
from tests.simulator.networks import network_of
from tests.simulator.run import DEFAULT_CHAIN, Simulation, Verdict

SEEDS_PER_TASK = 25
FAILURES_SHOWN_MAX = 10
# A broken promise, a session's or a store's refusal that nobody expected, or a plain mistake in the core.
FINDINGS = (AssertionError, SprintError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class Failure(msgspec.Struct, frozen=True):
    seed: int
    chain: str
    what: str

    def __str__(self) -> str:
        return f"{self.what}\n  replay: python -m tests.simulator {self.seed} --chain {self.chain}"


class Tally(msgspec.Struct, frozen=True):
    """The figures of all seeds together; `digest` is over those of the seeds, in their order."""

    chain: str
    first_seed: int
    seeds: int
    blocks: int
    delivered: int
    reorgs: int
    gaps: int
    lies: int
    refused: int
    kills: int
    unheard: int
    quorums: int
    forged: dict[str, int]
    digest: str
    elapsed_s: float
    failures: tuple[Failure, ...]

    def __str__(self) -> str:
        figures = ", ".join(
            f"{name} {getattr(self, name)}"
            for name in (
                "blocks",
                "delivered",
                "reorgs",
                "gaps",
                "lies",
                "refused",
                "kills",
                "unheard",
                "quorums",
            )
        )
        lines = [
            f"simulator {self.chain}: {self.seeds} seeds from {self.first_seed} in {self.elapsed_s:.0f} s",
            f"  violations {len(self.failures)}, {figures}",
            f"  forged: {', '.join(f'{lie} {count}' for lie, count in sorted(self.forged.items()))}",
            f"  digest over all {self.digest}",
            *map(str, self.failures[:FAILURES_SHOWN_MAX]),
        ]
        return "\n".join(lines)


def sweep(first_seed: int, count: int, *, chain: str = DEFAULT_CHAIN, processes: int = 1) -> Tally:
    """Run `count` seeds from `first_seed` on."""
    started = time.monotonic()
    results = list(_results(range(first_seed, first_seed + count), chain, processes))
    verdicts = [r for r in results if isinstance(r, Verdict)]
    digest = hashlib.sha256("".join(v.digest for v in verdicts).encode()).hexdigest()
    return Tally(
        chain=chain,
        first_seed=first_seed,
        seeds=len(results),
        blocks=sum(v.blocks for v in verdicts),
        delivered=sum(v.delivered for v in verdicts),
        reorgs=sum(v.reorgs for v in verdicts),
        gaps=sum(v.gaps for v in verdicts),
        lies=sum(v.lies for v in verdicts),
        refused=sum(v.refused for v in verdicts),
        kills=sum(v.kills for v in verdicts),
        unheard=sum(v.unheard for v in verdicts),
        quorums=sum(v.weather.quorum > 1 for v in verdicts),
        forged=dict(sum((Counter(v.forged) for v in verdicts), Counter())),
        digest=digest,
        elapsed_s=time.monotonic() - started,
        failures=tuple(r for r in results if isinstance(r, Failure)),
    )


def run_seed(seed: int, chain: str = DEFAULT_CHAIN) -> Verdict | Failure:
    """Run one seed. Whatever is raised is a finding, in the core or in the simulator."""
    try:
        return Simulation(seed, network_of(chain)).run()
    except FINDINGS as error:
        return Failure(seed, chain, f"seed {seed}: {type(error).__name__}: {error}")


def _results(seeds: Iterable[int], chain: str, processes: int) -> Iterator[Verdict | Failure]:
    if processes == 1:
        yield from (run_seed(seed, chain) for seed in seeds)
        return
    context = multiprocessing.get_context("spawn")
    all_seeds = list(seeds)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(run_seed, all_seeds, [chain] * len(all_seeds), chunksize=SEEDS_PER_TASK)
