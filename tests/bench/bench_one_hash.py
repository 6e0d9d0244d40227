"""One double SHA-256 of 64 bytes, called from Python: what a checksum or a lone id costs.

    python -m tests.bench.bench_one_hash [--rounds N]

The peer is the line that one writes by hand, with the name looked up once. `sha256d` is what callers import,
which looks up the form in use each time; the builtin is what it then calls. A batch of one shows what the
vector kernels cost where there is nothing to fill their lanes, and what the builtin's own instructions cost
when numba's dispatcher calls them. The last row is the loop and a builtin's call.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable

from sprint.core import kernels
from sprint.core.kernels import reference
from tests.bench.figures import environment
from tests.bench.side_by_side import Run, lines, measure, tell_ratio, timed
from tests.core.kernels.forms import compiled

ITEMS = 4_096
SIZE = 64
PEER, OURS = "hashlib, written out", "sha256d"


def over(items: list[bytes], call: Callable[[bytes], object]) -> Run:
    def work() -> None:
        for item in items:
            call(item)

    return lambda _: timed(work, len(items))


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of one double SHA-256")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    data, sha256 = hashlib.shake_256(b"bench").digest(SIZE * ITEMS), hashlib.sha256
    items = [data[at : at + SIZE] for at in range(0, len(data), SIZE)]
    form = compiled(kernels.AUTO)
    if form is None:
        raise SystemExit("no compiled form here")
    kernels.use(form)
    runs = {
        PEER: over(items, lambda item: sha256(sha256(item).digest()).digest()),
        OURS: over(items, kernels.sha256d),
        "its builtin": over(items, form.sha256d),
        "sha256d of the reference": over(items, reference.sha256d),
        **{
            f"hash_pairs of one, {each.tier}": over(items, each.hash_pairs)
            for each in (form, compiled("sha"))
            if each is not None
        },
        "len (the loop and a builtin's call)": over(items, len),
    }
    print(environment())
    taken = measure(runs, options.rounds)
    print(*lines(taken), sep="\n")
    tell_ratio("one double hash of 64 B from Python / hashlib", taken, OURS, PEER)


if __name__ == "__main__":
    main()
