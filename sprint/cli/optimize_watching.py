"""`sprint optimize watch`: a line each interval, and a line for each step that is taken."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sprint.cli import exits
from sprint.cli.optimize_asking import admin_url_of
from sprint.cli.optimize_output import print_json, say
from sprint.cli.settings import load_settings
from sprint.core.duration import parse_duration_s
from sprint.core.optimize.asked import find_level
from sprint.core.optimize.auto_tune import AutoTune, Ladder, Rung
from sprint.core.optimize.levels import LEVELS, TOGETHER
from sprint.core.optimize.told import Told
from sprint.tools.optimize.status import NoRelay, RelayTuning
from sprint.tools.optimize.watching import ORIGIN, Look, Watch
from sprint.tools.runtime import clock

LEAST_S, MOST_S = 1.0, 3_600.0
# Looks in a row that nobody answered, while a relay is started anew.
UNANSWERED_MAX = 60


def watch_relay(
    interval: str,
    level: str | None,
    rounds: int | None,
    admin_url: str | None,
    config: Path | None,
    *,
    dry_run: bool,
    json_output: bool,
) -> int:
    """Watch until Ctrl-C, or so many looks; return the exit code."""
    interval_s = parse_duration_s(interval, option="--interval", least_s=LEAST_S, most_s=MOST_S)
    highest = None if level is None else find_level(level)
    rungs = [Rung(name, msgspec.structs.asdict(each.fields)) for name, each in LEVELS.items()]

    def tune_of(told: Told) -> AutoTune:
        own = frozenset(name for name, origin in told.origins.items() if origin == ORIGIN)
        return AutoTune(Ladder(rungs, TOGETHER), told.level, told.changes, own=own, highest=highest)

    url = admin_url_of(load_settings(config).resolved, admin_url)
    with RelayTuning(url) as relay:
        told = relay.told()
        say(f"watching relay {told.pid} at {url}, at level {told.level}; Ctrl-C ends")
        watch = Watch(relay, tune_of, dry_run=dry_run)
        watch.look(clock())
        with _trial_undone(watch):
            _look_on(watch, interval_s, rounds, json_output=json_output)
    return exits.DONE


def _look_on(watch: Watch, interval_s: float, rounds: int | None, *, json_output: bool) -> None:
    """Look until the end; NoRelay where nobody has answered for long."""
    pause, looks, unanswered = threading.Event(), 0, 0
    while rounds is None or looks < rounds:
        pause.wait(interval_s)
        looks += 1
        try:
            look = watch.look(clock())
        except NoRelay as error:
            unanswered += 1
            if unanswered >= UNANSWERED_MAX:
                raise
            if unanswered == 1:
                say(f"{error}; looking again, {UNANSWERED_MAX} times at most")
        else:
            unanswered = 0
            _tell(look, json_output=json_output)


@contextlib.contextmanager
def _trial_undone(watch: Watch) -> Iterator[None]:
    """Undo at the end what is still being tried, also where a service manager ends us."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        # A relay that has ended has undone it itself.
        with contextlib.suppress(NoRelay):
            step = watch.end()
            if step is not None:
                say(step.why)


def _tell(look: Look, *, json_output: bool) -> None:
    if look.noticed:
        say(look.noticed)
    if look.sample is None:
        return
    if json_output:
        sample = look.sample._asdict()
        print_json({**sample, **look.gauges, "steps": look.steps})
        return
    p99 = "too few" if look.sample.p99_ms is None else f"{look.sample.p99_ms:.3g} ms"
    gauges = look.gauges
    heap_mib = gauges.get("runtime_heap_alloc_bytes", 0.0) / (1 << 20)
    level = list(LEVELS)[int(gauges.get("runtime_optimization_level", 0))]
    print(
        f"{level:10} p99 {p99:>9}  CPU {look.sample.cpu_share:4.0%}"
        f"  gc {gauges.get('runtime_gc_cpu_fraction', 0):.3f}"
        f"  heap {heap_mib:,.0f} MiB  tasks {gauges.get('runtime_tasks', 0):,.0f}",
        flush=True,
    )
    for step in look.steps:
        print(f"  {step.what}: {step.why}", flush=True)
