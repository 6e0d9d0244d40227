"""Each query of docs/reference/tables.md gives on both databases what is written below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import RecordTable
from tests.tools.store.example_rows import fill
from tests.tools.store.homes import Home
from tests.tools.store.test_records import ask

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "tables.md"
QUERIES_EACH = 3
_SECTION = re.compile(r"^## (sprint_\w+)\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
_QUERY = re.compile(r"```sql\n(.*?)\n```\n\n```text\n(.*?)\n```", re.DOTALL)
_COLUMN = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
SECTIONS: dict[str, str] = dict(_SECTION.findall(PAGE.read_text(encoding="utf-8")))


def shown(value: object) -> str:
    """A value as the page shows it; a sum is a decimal in one database and a float in the other."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(f'"{each}"' for each in value) + "]"
    return str(value) if isinstance(value, str | int) else f"{float(str(value)):g}"


def test_every_table_that_the_relay_fills_is_documented() -> None:
    assert set(SECTIONS) == {"sprint_core_events", *(table.name for table in tables.RECORD_TABLES)}


@pytest.mark.parametrize("table", tables.RECORD_TABLES, ids=lambda table: str(table.name))
def test_its_columns_are_documented_in_their_order(table: RecordTable) -> None:
    found = [column for column in _COLUMN.findall(SECTIONS[table.name]) if column != "entry"]
    assert found == list(table.columns)


def test_each_documented_query_gives_what_the_page_says(home: Home) -> None:
    fill(home.opened())
    for table, text in SECTIONS.items():
        queries = _QUERY.findall(text)
        assert len(queries) == QUERIES_EACH, table
        for query, expected in queries:
            rows = ["; ".join(map(shown, row)) for row in ask(home, query)]
            assert rows, f"{query} gives nothing"
            assert rows == expected.splitlines(), query
