"""`python -m tests.integration.ten_nodes_process SEED [COUNT]`: run seeds of the ten nodes, a JSON line each.

A process of its own, since it sets the clock of all that runs in it. A seed that is given alone repeats the
schedule of that seed. With `--sole LIE` it tells instead what comes of a sole source that lies, with
`--breakers` what comes of the breakers of two.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import msgspec

from tests.integration.quick_clock import QuickClock


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds; 1 if a promise was broken in one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.integration.ten_nodes_process")
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("count", type=int, nargs="?", default=1, help="run so many seeds from SEED on")
    parser.add_argument("--breakers", action="store_true", help="two nodes with faults, instead of ten")
    parser.add_argument("--sole", metavar="LIE", help="a sole source that lies, instead of ten nodes")
    options = parser.parse_args(arguments)
    clock = QuickClock()
    clock.install()
    # Only now: what of it takes the clock by name shall take this one.
    if options.sole is not None:
        story = importlib.import_module("tests.integration.sole_liar").tell(options.sole, clock)
        print(msgspec.json.encode(story).decode())
        return 0
    if options.breakers:
        told = importlib.import_module("tests.integration.breaker_story").tell(clock)
        print(msgspec.json.encode(told).decode())
        return 0
    ten_nodes = importlib.import_module("tests.integration.ten_nodes")
    failed = 0
    for seed in range(options.seed, options.seed + options.count):
        verdict = ten_nodes.run_seed(seed, clock)
        failed += bool(verdict.failure)
        print(msgspec.json.encode(verdict).decode(), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
