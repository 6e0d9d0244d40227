"""The steady state, asked: all probes of a hypothesis at once, and again until they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sprint.core.chaos.experiment import Activity, Hypothesis
from sprint.tools.chaos.activity import ActivityRun, Running, run_activity

AGAIN_S = 0.1

Runs = tuple[ActivityRun, ...]


async def ask(hypothesis: Hypothesis, running: Running) -> Runs:
    """Ask all probes, each in a thread of its own: the slowest decides how long it takes."""
    probes: Sequence[Activity] = hypothesis.probes
    return tuple(await asyncio.gather(*(asyncio.to_thread(run_activity, each, running) for each in probes)))


def holds(runs: Runs) -> bool:
    """Tell whether the steady state holds by what the probes gave."""
    return all(run.status == "succeeded" and run.tolerance_met is not False for run in runs)


async def ask_until_it_holds(
    hypothesis: Hypothesis, running: Running, *, within_s: float, now_s: Callable[[], float]
) -> tuple[Runs, float | None]:
    """Ask again and again; return the last answers, and when they first all held, None where never."""
    deadline_s = now_s() + within_s
    while True:
        runs = await ask(hypothesis, running)
        if holds(runs):
            return runs, now_s()
        if now_s() >= deadline_s:
            return runs, None
        await asyncio.sleep(AGAIN_S)
