"""The experiments that there are, as text and as values."""

from __future__ import annotations

import textwrap
from typing import Any

from sprint.core.chaos.library import LIBRARY
from sprint.core.chaos.named import NAMED, number_text

COLUMNS = 80
NAME_WIDTH = 28


def listed() -> list[dict[str, Any]]:
    """Return each experiment and each set of them."""
    named: list[dict[str, Any]] = [
        {
            "name": name,
            "says": each.says,
            "needs": each.needs,
            "figures": {
                key: {
                    "says": figure.says,
                    "default": figure.default,
                    "least": figure.least,
                    "most": figure.most,
                }
                for key, figure in each.figures.items()
            },
        }
        for name, each in NAMED.items()
    ]
    series: list[dict[str, Any]] = [
        {"name": name, "says": each.says, "experiments": list(each.names)} for name, each in LIBRARY.items()
    ]
    return named + series


def listing_text() -> str:
    """Return them in 80 columns."""
    lines = ["Experiments:", ""]
    for name, named in NAMED.items():
        lines += _entry(name, named.says)
        for key, figure in named.figures.items():
            lines += _entry("", f"--figure {key}={number_text(figure.default)}: {figure.says}")
    lines += ["", "Several, one after another:", ""]
    for name, series in LIBRARY.items():
        lines += _entry(name, series.says)
    lines += [
        "",
        "Run one:       sprint cb-chaos --experiment latency --duration 30s",
        "See it first:  sprint cb-chaos --experiment latency --dry-run",
    ]
    return "\n".join(lines)


def _entry(name: str, says: str) -> list[str]:
    wrapped = textwrap.wrap(says, COLUMNS - NAME_WIDTH)
    return [f"{name if not number else '':<{NAME_WIDTH}}{text}" for number, text in enumerate(wrapped)]
