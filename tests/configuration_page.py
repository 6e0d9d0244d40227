"""Writes the tables of docs/reference/configuration.md from the keys' own texts; a test holds them equal.

python -m tests.configuration_page
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from sprint.core.config.pages import breaker_table, reference_tables, tier_table
from sprint.tools.breaker.registry import packaged_texts

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "configuration.md"


def filled(page: str) -> str:
    """Return the page with the table under each section's heading as it is to be."""
    packaged = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")
    of_names = (
        ("[tiers.NAME]", tier_table(packaged)),
        ("[breakers.NAME]", breaker_table(packaged_texts(), packaged)),
    )
    for heading, table in (*reference_tables().items(), *of_names):
        pattern = rf"(^## `{re.escape(heading)}`\n(?:(?!## |\|).*\n)*)(?:\|.*\n)*"
        found = list(re.finditer(pattern, page, flags=re.MULTILINE))
        if len(found) != 1:
            raise ValueError(f"{PAGE.name} has {len(found)} sections {heading!r}, want 1")
        page = f"{page[: found[0].end(1)]}{table}\n{page[found[0].end() :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
