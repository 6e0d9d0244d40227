"""The monitor's terminal with 1,000 breakers that change 200 times a second: drawings, and time of a key;
and what 20 breakers cost.

    python -m tests.bench.bench_tui [--breakers 1000] [--changes 200] [--seconds 10]

The terminal runs without a screen, 160 columns by 48 lines, and draws all that it would write on one. A key
is answered when the cursor is on the next line and that is drawn. The changes are made in the same process
and are in its CPU time, as those of a relay would be. On a busy machine drawings get fewer: so what one takes
is shown as well.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from sprint.core.monitor.board import Board
from sprint.tools.monitor.tui.app import MonitorApp
from sprint.tools.monitor.tui.breaker_table import BreakerTable
from sprint.tools.monitor.tui.face import MonitorFace
from tests.bench.figures import environment, median, percentile
from tests.bench.rows import tell
from tests.tools.monitor.fakes import FakeMonitor, add_figures, change, many

SIZE = (160, 48)
KEY_INTERVAL_S = 0.25
FIGURES = 10
# As many changes as the service is measured with.
SMALL_BREAKERS = 20
SMALL_CHANGES = 4


class Result(msgspec.Struct, frozen=True):
    """What a run found; `keys_s` are the times until keys were answered."""

    draws_per_s: float
    cpu_share: float
    keys_s: list[float]


class MeasuredApp(MonitorApp):
    """Says when the cursor is drawn where a key has brought it."""

    def __init__(self, monitor: MonitorFace) -> None:
        super().__init__(monitor)
        self.answered = asyncio.Event()

    def on_breaker_table_chosen(self, _: BreakerTable.Chosen) -> None:
        self.table.call_after_refresh(self.answered.set)


def main() -> None:
    parser = argparse.ArgumentParser(description="The monitor's terminal under load")
    parser.add_argument("--breakers", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    print(environment())
    found = asyncio.run(measure(options.breakers, options.changes, options.seconds))
    slowest = percentile(found.keys_s, 0.99)
    print(
        f"{options.breakers:,} breakers, {options.changes} changes/s: {found.draws_per_s:.1f} drawings/s, "
        f"{found.cpu_share:.0%} of a core, "
        f"{1000 * found.cpu_share / max(1.0, found.draws_per_s):.1f} ms CPU a drawing; "
        f"{len(found.keys_s)} keys answered in {1000 * median(found.keys_s):.0f} ms in the middle, "
        f"99 % within {1000 * slowest:.0f} ms"
    )
    shown = f"{options.breakers:,} breakers, {options.changes} changes/s"
    tell("terminal: drawings a second", found.draws_per_s, ours=shown)
    tell("terminal: 99 % of keys answered within", slowest, ours=shown)
    share = asyncio.run(small_share(options.seconds))
    said = f"{share:.2%} of a core with {SMALL_BREAKERS} breakers, {SMALL_CHANGES} changes/s"
    tell("terminal, 20 breakers", share * 100, ours=said)
    print(environment())


async def small_share(seconds: float) -> float:
    """Return the share of a core that a few breakers cost; each change moves a line of the list."""
    board = many(SMALL_BREAKERS)
    add_figures(board, FIGURES)
    app = MeasuredApp(FakeMonitor(board))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        cpu_s, started = time.process_time(), time.perf_counter()
        await changing(board, SMALL_CHANGES, seconds)
        return (time.process_time() - cpu_s) / (time.perf_counter() - started)


async def measure(breakers: int, changes_per_s: int, seconds: float) -> Result:
    """Change breakers at a rate for so long, and press keys meanwhile."""
    board = many(breakers)
    add_figures(board, FIGURES)
    app = MeasuredApp(FakeMonitor(board))
    keys_s: list[float] = []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        async with pressing(app, keys_s):
            draws, cpu_s, started = app.draws, time.process_time(), time.perf_counter()
            await changing(board, changes_per_s, seconds)
            took_s = time.perf_counter() - started
            return Result((app.draws - draws) / took_s, (time.process_time() - cpu_s) / took_s, keys_s)


async def changing(board: Board, per_s: int, seconds: float) -> None:
    """Change one breaker after the other, on schedule."""
    keys = list(board.rows)
    started, made = time.perf_counter(), 0
    while (passed_s := time.perf_counter() - started) < seconds:
        while made < passed_s * per_s:
            made += 1
            failures = made % 9
            change(
                board,
                keys[made * 7_919 % len(keys)],
                state="open" if made % 2 else "closed",
                failures=failures,
                failure_rate=failures / 40,
            )
        await asyncio.sleep(1 / per_s)


@asynccontextmanager
async def pressing(app: MeasuredApp, keys_s: list[float]) -> AsyncIterator[None]:
    """Press a key again and again, and take the time until it is answered."""

    async def press() -> None:
        while True:
            await asyncio.sleep(KEY_INTERVAL_S)
            pressed_at = time.perf_counter()
            app.answered.clear()
            app.simulate_key("j")
            await app.answered.wait()
            keys_s.append(time.perf_counter() - pressed_at)

    task = asyncio.create_task(press())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    main()
