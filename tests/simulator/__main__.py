"""`python -m tests.simulator SEED [COUNT]`: replay a seed and print its events, or add up many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec

from tests.simulator.networks import network_of
from tests.simulator.run import DEFAULT_CHAIN, Simulation
from tests.simulator.sweep import sweep


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int, nargs="?", help="run so many seeds from SEED on")
    parser.add_argument("--chain", default=DEFAULT_CHAIN)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.count is None:
        return _replay(options.seed, options.chain)
    tally = sweep(options.seed, options.count, chain=options.chain, processes=options.processes)
    print(tally)
    return 1 if tally.failures else 0


def _replay(seed: int, chain: str) -> int:
    """Print the events as the log has them, one a line, then the verdict; 1 if a promise was broken."""
    simulation = Simulation(seed, network_of(chain))
    verdict, broken = None, None
    try:
        verdict = simulation.run()
    except AssertionError as error:
        broken = error
    for event in simulation.disk.events:
        print(event.body.decode())
    if verdict is None:
        print(f"seed {seed}: {type(broken).__name__}: {broken}; {simulation.weather}", file=sys.stderr)
        return 1
    print(msgspec.json.encode(verdict).decode(), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
