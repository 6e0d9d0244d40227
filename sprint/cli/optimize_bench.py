"""`sprint optimize bench`: options in, levels measured on this host, the result kept and printed."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.cli import exits
from sprint.cli.optimize_output import say
from sprint.core.optimize.asked import find_level
from sprint.core.optimize.bench_result import encode_result
from sprint.core.optimize.levels import LEVELS
from sprint.tools.optimize.bench.kept import keep, result_path_default
from sprint.tools.optimize.bench.options import ROUNDS, SECONDS, BenchOptions
from sprint.tools.optimize.bench.printing import text_of
from sprint.tools.optimize.bench.running import run
from sprint.tools.runtime import clock


def measure(
    levels: Sequence[str] | None,
    settings: str | None,
    seconds: float | None,
    rounds: int | None,
    *,
    relay: bool,
    json_output: bool,
) -> int:
    """Measure; 130 where it was interrupted, with what was measured until then printed and kept."""
    wanted = {find_level(word) for word in levels or LEVELS}
    named = tuple(name for name in LEVELS if name in wanted)
    options = BenchOptions(
        levels=named,
        settings_of=None if settings is None else find_level(settings),
        seconds=SECONDS if seconds is None else seconds,
        rounds=ROUNDS if rounds is None else rounds,
        relay=relay,
    )
    result = run(options, clock=clock, tell=say)
    path = result_path_default()
    keep(path, result)
    if json_output:
        print(encode_result(result).decode())
    else:
        print("\n".join(text_of(result)))
    say(f"kept in {path}")
    return exits.INTERRUPTED if result.interrupted else exits.DONE
