"""Every algorithm of the breaker and three baselines on the same outages, as one table.

    python -m tests.bench.breaker_comparison [--seeds N] [--write]

`--write` puts the table into docs/explanation/breakers.md. The figures depend on the seeds and on nothing of
the machine that it runs on.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.breaker_contenders import CONTENDERS, EVALUATE_S, Contender
from tests.core.breaker.traces import KINDS, TRACE_S, Trace, trace

SEEDS = 10
PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "breakers.md"
BEGIN, END = "<!-- comparison: begin -->", "<!-- comparison: end -->"
AFTERMATH_S = 2.0  # answers of the outage still come in: an opening so soon after it is no false one


class Score(NamedTuple):
    """What one breaker did on one trace. Times in seconds, None where it did not come to that.

    `hurt` calls met the outage, `missed` of them were let through; `good` ones came outside it.
    """

    hurt: int
    missed: int
    good: int
    good_rejected: int
    false_opens: int
    detect_s: float | None
    recover_s: float | None


class Run:
    """One breaker on one trace: each answer comes at its own time, the background every ten seconds."""

    def __init__(self, run: Trace, breaker: Contender) -> None:
        self._trace, self._breaker = run, breaker
        self._answers: list[tuple[float, int, object, bool, float]] = []
        self._next_look = EVALUATE_S
        self._turns: list[float] = []  # when it opened and closed, in turn

    def play(self) -> Score:
        """Put all calls to the breaker and score what it did."""
        hurt = missed = good = good_rejected = 0
        begins, ends = self._trace.outage
        for number, call in enumerate(self._trace.arrivals):
            self._pass_time(call.at)
            permit = self._breaker.admit(call.at)
            self._look(call.at)
            good += not begins <= call.at < ends
            hurt += call.hurt
            if permit is not None:
                missed += call.hurt
                answer = (call.at + call.latency_s, number, permit, call.fails, call.latency_s)
                heapq.heappush(self._answers, answer)
            elif not begins <= call.at < ends:
                good_rejected += 1
        self._pass_time(TRACE_S)
        return Score(hurt, missed, good, good_rejected, *self._openings())

    def _pass_time(self, until: float) -> None:
        while min(self._next_look, self._answers[0][0] if self._answers else until) < until:
            if self._answers and self._answers[0][0] <= self._next_look:
                now, _, permit, fails, latency_s = heapq.heappop(self._answers)
                self._breaker.settle(permit, fails=fails, latency_s=latency_s, now=now)
            else:
                now, self._next_look = self._next_look, self._next_look + EVALUATE_S
                self._breaker.evaluate(now)
            self._look(now)

    def _look(self, now: float) -> None:
        if self._breaker.is_open() != bool(len(self._turns) % 2):
            self._turns.append(now)

    def _openings(self) -> tuple[int, float | None, float | None]:
        """Return false openings, time to detect, time to recover."""
        begins, ends = self._trace.outage
        opened = self._turns[::2]
        closed = [*self._turns[1::2], TRACE_S][: len(opened)]
        false = sum(not begins <= at < ends + AFTERMATH_S for at in opened)
        spells = [(start, end) for start, end in zip(opened, closed, strict=True) if end > begins]
        found = [max(begins, start) for start, end in spells if start < ends]
        if not found:
            return false, None, None
        still_open = [end for start, end in spells if start < ends <= end]
        return false, found[0] - begins, (still_open[0] - ends) if still_open else 0.0


def scores(kind: str, name: str, seeds: Sequence[int]) -> list[Score]:
    """Return what one contender does on the traces of one kind."""
    runs = [trace(kind, seed) for seed in seeds]
    return [Run(run, CONTENDERS[name](run)).play() for run in runs]


def table(seeds: int) -> str:
    """Return one row for each contender: shares over all traces, medians of the times, by kind at the end."""
    kinds = list(KINDS)
    head = ["", "missed", "false opens", "detected", "to detect", "to recover", "good rejected"]
    lines = [_line([*head, *(f"{kind}: missed, to detect" for kind in kinds)])]
    lines.append(_line(["---"] * (len(head) + len(kinds))))
    for name in CONTENDERS:
        by_kind = {kind: scores(kind, name, range(seeds)) for kind in kinds}
        every = [score for found in by_kind.values() for score in found]
        cells = [
            name,
            _missed(every),
            f"{sum(score.false_opens for score in every) / len(every):.2f}",
            f"{sum(score.detect_s is not None for score in every) / len(every):.0%}",
            _median_s([score.detect_s for score in every]),
            _median_s([score.recover_s for score in every]),
            f"{sum(score.good_rejected for score in every) / sum(score.good for score in every):.1%}",
        ]
        cells += [f"{_missed(found)}, {_median_s([s.detect_s for s in found])}" for found in by_kind.values()]
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _missed(found: Sequence[Score]) -> str:
    return f"{sum(score.missed for score in found) / sum(score.hurt for score in found):.0%}"


def _median_s(times_s: Sequence[float | None]) -> str:
    known = [time_s for time_s in times_s if time_s is not None]
    return f"{median(known):.1f} s" if known else "-"


def written(page: str, text: str) -> str:
    """Return a page with the text between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    arguments = parser.parse_args()
    text = table(arguments.seeds)
    print(text)
    if arguments.write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
