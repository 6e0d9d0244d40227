"""A bench's result as lines of text: which level is worth it, then what each level and setting did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from sprint.core.optimize.bench_result import BenchResult, Figure, Subject
from sprint.core.optimize.verdict import in_words


def text_of(result: BenchResult) -> list[str]:
    """Return the lines that a person reads."""
    method = (
        f"{result.rounds} rounds of {result.seconds:g} s on each side, A B B A; {result.load} as the load"
    )
    lines = [
        result.host,
        f"{method}; intervals of {result.confidence:.0%} for all figures of a row together",
        "",
        *([f"worth it here: {result.worth}; {result.why}"] if result.worth else [result.why]),
    ]
    for title, subjects in (("level", result.levels), ("setting", result.settings)):
        if subjects:
            lines += ["", *_table(title, subjects)]
    return [*lines, *(f"note: {note}" for note in result.notes)]


def _table(title: str, subjects: Sequence[Subject]) -> Iterator[str]:
    for subject in subjects:
        yield f"{title} {subject.name}: {subject.verdict} ({subject.says})"
        for figure in subject.figures:
            yield f"    {_figure_text(figure)}"
        for state in subject.states:
            if state.state != "applied":
                yield f"    {state.key} {state.state}: {state.says}"


def _figure_text(figure: Figure) -> str:
    before, after = median(figure.before or (0.0,)), median(figure.after or (0.0,))
    unit = {"us": "us", "ms": "ms", "per_s": "/s"}[figure.unit]
    said = "too few rounds" if figure.change is None else in_words(figure.change)
    return f"{figure.name:34} {before:10.1f} {after:10.1f} {unit:3} {said}"
