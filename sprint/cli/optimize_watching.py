"""`sprint optimize watch`: a line each interval, and a line for each step that is taken."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from sprint.cli import exits
from sprint.cli.optimize_asking import admin_url_of
from sprint.cli.optimize_output import print_json, say
from sprint.cli.settings import load_settings
from sprint.core.duration import parse_duration_s
from sprint.core.optimize.asked import find_level
from sprint.core.optimize.auto_tune import AutoTune, Rung
from sprint.core.optimize.levels import LEVELS
from sprint.tools.optimize.status import RelayTuning
from sprint.tools.optimize.watching import Look, Watch
from sprint.tools.runtime import clock

LEAST_S, MOST_S = 1.0, 3_600.0


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
    ladder = [Rung(name, msgspec.structs.asdict(each.fields)) for name, each in LEVELS.items()]
    highest = None if level is None else find_level(level)
    url = admin_url_of(load_settings(config).resolved, admin_url)
    with RelayTuning(url) as relay:
        told = relay.told()
        say(f"watching relay {told.pid} at {url}, at level {told.level}; Ctrl-C ends")
        watch = Watch(relay, AutoTune(ladder, told.level, highest=highest), dry_run=dry_run)
        watch.look(clock())
        pause, looks = threading.Event(), 0
        while rounds is None or looks < rounds:
            pause.wait(interval_s)
            look = watch.look(clock())
            looks += 1
            if look is not None:
                _tell(look, json_output=json_output)
    return exits.DONE


def _tell(look: Look, *, json_output: bool) -> None:
    if json_output:
        print_json(
            {
                "p99_ms": look.sample.p99_ms,
                "cpu_share": look.sample.cpu_share,
                **look.gauges,
                "step": look.step,
            }
        )
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
    if look.step is not None:
        print(f"  {look.step.what}: {look.step.why}", flush=True)
