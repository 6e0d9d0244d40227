"""The page on the blast radius says what the code does: keys, figures, names."""

from __future__ import annotations

import re
from pathlib import Path

from sprint.core.chaos.blast_radius import UNANSWERED_IN_A_ROW
from sprint.core.chaos.radius_limit import KEYS, limit_of
from sprint.tools.chaos.embedded import NODE_NAMES, OVER_RPC
from sprint.tools.chaos.observer import SAMPLES_PER_S
from sprint.tools.chaos.proxies import SUFFIX

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "blast-radius.md"


def test_the_pages_table_has_the_limits_keys_and_its_examples_are_read() -> None:
    page = PAGE.read_text("utf-8")
    table = page.partition("## The limit")[2].partition("## Afterwards")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(KEYS)
    examples = re.findall(r"`(?:--max-blast-radius )?((?:\w+=)?\d+%?(?:,\w+=\d+)*)`", table)
    assert {"chains=1,sources=2,subscribers=100", "50%", "chains=50%"} == set(examples)
    assert all(limit_of(example).most for example in examples)


def test_the_pages_figures_and_names_are_the_codes() -> None:
    page = PAGE.read_text("utf-8")
    assert (UNANSWERED_IN_A_ROW, SAMPLES_PER_S) == (3, 5), "three samples in a row, five in a second"
    for name in (*NODE_NAMES, OVER_RPC, f"NAME{SUFFIX}"):
        assert f"`{name}`" in page
