"""What holds for the store's statements whatever they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sprint.tools import store

SOURCES = sorted(Path(store.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_placeholder_has_a_number_which_python_from_3_12_on_refuses_with_a_sequence(source: Path) -> None:
    assert re.findall(r"\?\d+", source.read_text(encoding="utf-8")) == []
