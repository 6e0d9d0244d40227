"""What the eight algorithms see, from a real explanation, and from answers that lack anything."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.monitor.evidence import algorithm_lines, health_parts
from tests.tools.monitor.answers import detail_of
from tests.tools.monitor.fakes import opened, row

ALGORITHMS = ["backoff", "window", "  slow", "adaptive", "latency", "health", "machine", "policy", "recovery"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_all_algorithms_have_a_line_and_what_opened_it_is_marked() -> None:
    lines = algorithm_lines(detail_of(opened("source:bitcoin:a")))
    assert [line.name for line in lines] == [*ALGORITHMS, "prediction"]
    assert [line.name for line in lines if line.reached] == ["adaptive"]
    assert next(line for line in lines if line.name == "adaptive")[1:3] == (
        "3 failures in a row",
        "3 in a row",
    )


def test_nothing_is_reached_by_one_that_is_well() -> None:
    assert not any(line.reached for line in algorithm_lines(detail_of(row("source:bitcoin:a"))))


@given(st.dictionaries(st.sampled_from(["explanation", "config", "laid_over"]), JSON))
def test_an_answer_of_another_version_is_shown_as_not_known(answer: dict[str, Any]) -> None:
    assert len(algorithm_lines(answer)) == len(ALGORITHMS) + 1
    health_parts(answer)


@given(st.dictionaries(st.sampled_from(sorted(detail_of(row("a"))["explanation"])), JSON))
def test_a_figure_that_is_none_is_shown_as_not_known(distorted: dict[str, Any]) -> None:
    answer = detail_of(row("a"))
    answer["explanation"] = {**answer["explanation"], **distorted}
    assert len(algorithm_lines(answer)) == len(ALGORITHMS) + 1
    health_parts(answer)
