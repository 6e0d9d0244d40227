"""Figures that are asked for are those of the experiments that are run, each within its bounds."""

from __future__ import annotations

import pytest

from sprint.core.chaos.asked_figures import asked_figures, figures_of
from sprint.core.chaos.named import NAMED
from sprint.core.errors import ConfigError


def test_of_several_experiments_each_takes_the_figures_that_it_has() -> None:
    figures = asked_figures({"latency_ms": "300", "share": "0.5"}, tuple(NAMED))
    assert figures == {"latency_ms": 300.0, "share": 0.5}
    assert figures_of("latency", figures) == {"latency_ms": 300.0}
    assert figures_of("packet-loss", figures) == {"share": 0.5}
    assert figures_of("errors", figures) == {}


@pytest.mark.parametrize(
    ("figure", "names", "says"),
    [
        (
            {"latency": "3"},
            ("latency", "errors"),
            "these experiments have no such figure, but latency_ms; did you",
        ),
        ({"latency_ms": "3"}, ("mine.yaml",), "mine.yaml has no figures"),
        ({"latency_ms": "3"}, (), "have no figures"),
        ({"latency_ms": "inf"}, ("latency",), "'inf' is no number"),
        ({"latency_ms": "1e9"}, ("latency",), "latency: latency_ms 1000000000; want 1 to 600000"),
        ({"memory_mib": "1e7"}, ("resource-exhaustion-memory",), "10000000; want 1 to 1048576"),
        ({"skew_s": "0.5"}, ("clock-skew",), "and not 0"),
        # One of those that have it has other bounds than the others.
        ({"cores": "0"}, ("latency", "resource-exhaustion-cpu"), "resource-exhaustion-cpu: cores 0"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(
    figure: dict[str, str], names: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        asked_figures(figure, names)
    assert says in str(refused.value)


def test_every_default_is_within_its_own_bounds() -> None:
    for name, named in NAMED.items():
        for key, figure in named.figures.items():
            assert asked_figures({key: str(figure.default)}, (name,)) == {key: figure.default}
