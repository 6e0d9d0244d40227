"""The live display stays within a terminal of 80 by 24, whatever there is to show."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.cell import StateChange
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording
from sprint.core.loadtest.series import Point
from sprint.tools import runtime
from sprint.tools.loadtest import display
from sprint.tools.loadtest.display import picture
from sprint.tools.loadtest.load_test import BUCKETS, Live, LoadTest
from tests.tools.loadtest.options_for_tests import options, silent

PLAN = options(rps=100_000, duration="24h").plan


def live(*, kinds: int = 0, breakers: int = 0, answers: int = 1_000, latency_ns: int = 1_000_000) -> Live:
    recorder, recording = Recorder(), Recording(PLAN.segments)
    for number in range(answers):
        recorder.began(number, number)
        recorder.succeeded(number, number, number + latency_ns * (1 + number % 37), 1_000)
    for number in range(kinds):
        recorder.failed(f"kind-{number}", 0, 1)
    for number in range(breakers):
        recorder.changed(StateChange(1, f"breaker-{number}", "open", "why"))
    for cell in recorder.cells(SECOND_NS, last=True):
        recording.add(cell)
    return Live(
        elapsed_s=86_000.0,
        totals=recording.totals(86_000 * SECOND_NS),
        asked_per_s=100_000.0,
        answered_per_s=99_999.0,
        newest=recording.newest(),
        in_flight=10_000,
        connections=10_000,
        states={f"breaker-{number}": "half_open" for number in range(breakers)},
        buckets=recording.buckets(BUCKETS),
        errors=[(row.kind, row.count) for row in recording.errors()],
    )


def drawn(shown: Live, *, columns: int = 80, **console: bool) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=columns, **console).print(picture(shown, PLAN, columns))  # type: ignore[arg-type]
    return out.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize("columns", [80, 120, 200])
@pytest.mark.parametrize(("kinds", "breakers"), [(0, 0), (1, 1), (64, 20)])
def test_it_fits(columns: int, kinds: int, breakers: int) -> None:
    lines = drawn(live(kinds=kinds, breakers=breakers), columns=columns)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= columns


def test_it_shows_what_matters() -> None:
    text = "\n".join(drawn(live(kinds=5, breakers=1)))
    for wanted in (
        "asked 100,000/s",
        "in flight 10,000",
        "p99.9",
        "lateness",
        "kind-0",
        "and 2 kinds more",
        "half_open",
    ):
        assert wanted in text
    assert "24h" in text


def test_before_the_first_answer_it_says_so() -> None:
    assert "no answers yet" in "\n".join(drawn(live(answers=0)))


def test_the_histogram_accounts_for_all() -> None:
    shares = [line for line in drawn(live()) if " ms " in line and "%" in line]
    assert len(shares) == 7
    assert sum(float(line.split("ms")[1].split("%")[0]) for line in shares) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("no_color", [False, True])
def test_without_colour_no_colour_is_asked_for(*, no_color: bool) -> None:
    """This could not fail: where no terminal is, none is in any case. Bold and dim are no colours."""
    text = "\n".join(drawn(live(kinds=1, breakers=1), no_color=no_color, force_terminal=True))
    coloured = re.findall(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8])(?:;[0-9;]*)?m", text)
    assert bool(coloured) != no_color


def test_what_is_answered_now_is_what_came_to_an_end_well_or_not() -> None:
    """Answers 429 and what a breaker rejected were left out."""
    counts = {"successes": 1, "failures": 20, "limited": 300, "rejected": 4_000}
    newest = Point(at_s=0.0, width_s=1.0, asked=0, begun=0, bytes_in=0, in_flight=0, **counts)
    text = "\n".join(drawn(live()._replace(newest=newest)))
    assert "answered 99,999/s (4,321 now)" in text


def test_before_there_is_anything_to_draw_it_says_that_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded relay takes a second or two to come."""
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, legacy_windows=False)
    monkeypatch.setattr(display, "Console", lambda **_: console)

    async def main() -> str:
        test = LoadTest(options(), silent)
        async with display.shown_live(test, PLAN):
            return text.getvalue()

    assert "starting" in runtime.run(main())
