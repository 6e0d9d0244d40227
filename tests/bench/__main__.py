"""The suite: runs benchmarks one after the other, keeps their results as text, and ends with one table.

    scripts/bench [--list] [--quick] [NAME…]

Each benchmark is a process of its own, so that none measures what another left in memory. A result is kept in
tests/bench/results/NAME.txt only when its benchmark came to its end, with what it ran on above it. The table
of this run is printed; that of all kept results is in results/summary.txt. `--quick` keeps nothing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.machine import describe, load, processor_features
from tests.bench.rows import Row, rows_in, table
from tests.bench.targets import BENCHES, Bench, Target

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "bench" / "results"
SUMMARY = "summary.txt"
BENCH_TIMEOUT_S = 3_600.0


def main() -> int:
    options = arguments()
    if options.list:
        print(*listing(), sep="\n")
        return 0
    benches = chosen(options.names)
    texts = run_all(benches, f"{options.described.rstrip()}\n{describe()}".lstrip(), quick=options.quick)
    rows = [row for text in texts.values() for row in rows_in(text)]
    print("\n".join(["", *table(targets_of(benches), rows, processor_features())]))
    if not options.quick:
        keep_summary()
    failed = [bench.name for bench in benches if bench.name not in texts]
    if failed:
        print(f"bench failed: {' '.join(failed)}; earlier results stand", file=sys.stderr)
    if unknown := strays(benches, rows):
        print(f"rows that are in no target: {', '.join(unknown)}", file=sys.stderr)
    return 1 if failed or unknown else 0


def run_all(benches: Sequence[Bench], described: str, *, quick: bool) -> dict[str, str]:
    """Run them, and keep what each found as soon as it is through."""
    texts: dict[str, str] = {}
    for bench in benches:
        print(f"== {bench.name}", flush=True)
        text = run(bench, described, quick=quick)
        if text is not None:
            print(text, flush=True)
            texts[bench.name] = text
            if not quick:
                (RESULTS / f"{bench.name}.txt").write_text(text, encoding="utf-8")
    return texts


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Benchmarks beside their peers")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all of them without a name")
    parser.add_argument("--list", action="store_true", help="name them with their targets and run none")
    parser.add_argument("--quick", action="store_true", help="a glance in a few minutes; nothing is kept")
    parser.add_argument("--described", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.names) - {bench.name for bench in chosen(())}
    if unknown:
        parser.error(f"no such benchmark: {' '.join(sorted(unknown))}; --list names them")
    return options


def chosen(names: Sequence[str]) -> list[Bench]:
    """Return the benchmarks of these names, or all: those with targets first, then the others there are."""
    files = sorted(Path(__file__).parent.glob("bench_*.py"))
    known = {bench.name for bench in BENCHES}
    others = [Bench(name, ()) for path in files if (name := path.stem.removeprefix("bench_")) not in known]
    return [bench for bench in (*BENCHES, *others) if not names or bench.name in names]


def listing() -> list[str]:
    """Name the benchmarks, what each measures and its targets."""
    features = processor_features()
    lines = []
    for bench in chosen(()):
        source = (Path(__file__).parent / f"bench_{bench.name}.py").read_text(encoding="utf-8")
        lines.append(f"{bench.name:16}{source.partition(chr(10))[0].strip(chr(34))}")
        lines += [f"{'':16}- {target.name}: {target.text(features)}" for target in bench.targets]
    return lines


def run(bench: Bench, described: str, *, quick: bool) -> str | None:
    """Run one; return its result with what it ran on, or None where it failed."""
    command = [sys.executable, "-m", f"tests.bench.bench_{bench.name}", *(bench.quick if quick else ())]
    before = load()
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            check=False, timeout=BENCH_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        print(f"{bench.name} took longer than {BENCH_TIMEOUT_S:.0f} s", file=sys.stderr)
        return None
    if done.returncode:
        print(done.stdout, end="", flush=True)
        return None
    return f"{described}\nload     {before} at the start, {load()} at the end\n\n{done.stdout.lstrip()}"


def targets_of(benches: Sequence[Bench]) -> list[Target]:
    return [target for bench in benches for target in bench.targets]


def strays(benches: Sequence[Bench], rows: Sequence[Row]) -> list[str]:
    """Name the rows that were told of no target; they would be missing in the table."""
    known = {target.name for target in targets_of(benches)}
    return [row.name for row in rows if row.name not in known]


def keep_summary() -> None:
    """Write the table of all kept results, and for each the commit and the load it was measured at."""
    kept = {path.stem: path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("*.txt"))}
    kept.pop(Path(SUMMARY).stem, None)
    rows = [row for text in kept.values() for row in rows_in(text)]
    lines = [*table(targets_of(BENCHES), rows, processor_features()), ""]
    for name, text in kept.items():
        facts = dict(line.split(maxsplit=1) for line in text.partition("\n\n")[0].splitlines())
        lines.append(f"{name:16} {facts.get('commit', '-')}, {facts.get('date', '-')}")
        lines.append(f"{'':16} load {facts.get('load', 'is in its text')}")
    new = RESULTS / f"{SUMMARY}.new"
    new.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new.replace(RESULTS / SUMMARY)


if __name__ == "__main__":
    sys.exit(main())
