"""Drives one parser with spoilt inputs for a time, and holds it to its contract.

Whatever the bytes: only documented errors come out, no input costs more time or memory than its bound. Time
is the thread's own and the least of several when it is out of the ordinary, so that a busy machine fails
nothing. Memory is traced on every `TRACED_EVERY`-th input, as tracing slows. What was run is printed: runs,
distinct outcomes, slowest input, most memory.
"""

from __future__ import annotations

import gc
import os
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sprint.core.errors import RuleError, WireError
from tests.fuzz.mutators import Mutator, mutate

SOAK = os.environ.get("SPRINT_SOAK") == "1"
FUZZ_S = float(os.environ.get("SPRINT_FUZZ_PARSER_S", "300" if SOAK else "5"))
CORPUS = Path(__file__).parent / "corpus"
TRACED_EVERY = 16
RUNS_MIN = 200
REPEATS = 4  # of an input that seems to be the slowest: a stalled machine is not slow again and again
INPUT_SIZE_MAX = 64 << 10
SHOWN_BYTES = 160


class Parser(NamedTuple):
    """A parser under test. `run` returns its outcome in a word or two; documented errors are outcomes too.

    `time_ms_max` bounds one input, `memory_bytes_max` what it takes beyond what was there before.
    `share` is of the time that a run has for each parser.
    """

    name: str
    run: Callable[[bytes], str]
    mutators: Sequence[Mutator]
    time_ms_max: float
    memory_bytes_max: int
    share: float = 1.0


class Slowest(NamedTuple):
    cost_ms: float
    data: bytes


def corpus_of(name: str) -> list[bytes]:
    """Return the corpus of a parser: files of bytes in hex, or of JSON."""
    files = sorted((CORPUS / name).iterdir())
    return [bytes.fromhex(file.read_text()) if file.suffix == ".hex" else file.read_bytes() for file in files]


def outcome_of(parser: Parser, data: bytes) -> str:
    """Run a parser on one input; any exception but the documented ones comes out."""
    try:
        return parser.run(data)
    except WireError as error:
        return f"WireError {error.kind}"
    except RuleError as error:
        return f"RuleError {error.check}"


def fuzz(parser: Parser, seed: int) -> Counter[str]:
    """Run a parser for its time. An input that breaks its contract is named with how to make it again."""
    rng = random.Random(f"{seed}/{parser.name}")
    corpus = corpus_of(parser.name)
    outcomes: Counter[str] = Counter()
    slowest, peak, number = Slowest(0.0, b""), 0, 0
    for data in corpus:
        outcomes[outcome_of(parser, data)] += 1
    deadline = time.monotonic() + FUZZ_S * parser.share
    while number < RUNS_MIN or time.monotonic() < deadline:
        number += 1
        data = mutate(corpus, parser.mutators, rng, INPUT_SIZE_MAX)
        try:
            if number % TRACED_EVERY:
                slowest = _slower(parser, data, outcomes, slowest)
            else:
                peak = max(peak, _traced(parser, data, outcomes))
        except BaseException as error:
            error.add_note(f"{parser.name}, run {number}, seed {seed}, {len(data)} bytes: {data.hex()}")
            raise
    print(f"{parser.name}: {number} runs, {len(outcomes)} outcomes, peak {peak} bytes above the start")
    print(
        f"  slowest {slowest.cost_ms:.2f} ms, {len(slowest.data)} bytes: {slowest.data[:SHOWN_BYTES].hex()}"
    )
    for outcome, count in outcomes.most_common():
        print(f"  {count:9} {outcome}")
    return outcomes


def _slower(parser: Parser, data: bytes, outcomes: Counter[str], slowest: Slowest) -> Slowest:
    """Run one input and return it if it is slower than the slowest; AssertionError if it is too slow."""
    cost_ms, outcome = _timed(parser, data)
    outcomes[outcome] += 1
    if cost_ms <= slowest.cost_ms:
        return slowest
    cost_ms = min(cost_ms, *(_timed(parser, data)[0] for _ in range(REPEATS)))
    assert cost_ms <= parser.time_ms_max, f"{cost_ms:.1f} ms, limit {parser.time_ms_max}"
    return max(slowest, Slowest(cost_ms, data), key=lambda each: each.cost_ms)


def _timed(parser: Parser, data: bytes) -> tuple[float, str]:
    gc.disable()  # a collection of the whole test run's heap is no cost of this input
    try:
        started = time.thread_time()
        outcome = outcome_of(parser, data)
        return (time.thread_time() - started) * 1_000, outcome
    finally:
        gc.enable()


def _traced(parser: Parser, data: bytes, outcomes: Counter[str]) -> int:
    tracemalloc.start()
    try:
        outcomes[outcome_of(parser, data)] += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= parser.memory_bytes_max, f"{peak} bytes of memory, limit {parser.memory_bytes_max}"
    return peak
