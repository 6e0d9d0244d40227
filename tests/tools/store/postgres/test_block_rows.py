"""Whether block rows are copied or merged, both databases come to hold the same blocks."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.errors import StoreFailing
from sprint.core.relay.event_log import BlockRow, Commit
from sprint.tools.store import Store
from sprint.tools.store.postgres import block_rows
from sprint.tools.store.postgres.block_rows import COPY_BLOCKS_MIN, Placed, Tops
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import opened, row
from tests.tools.store.homes import PostgresHome

IN_MEMORY = StoreSettings(durability="memory")
CHAINS = ("bitcoin", "litecoin")
HEIGHT_MAX = 6
STATES = ("known", "held", "delivered")
blocks_of = st.builds(
    row,
    st.sampled_from(CHAINS),
    st.integers(0, HEIGHT_MAX),
    st.sampled_from(("", "b")),
    state=st.sampled_from(STATES),
    canonical=st.booleans(),
)
# Each group: the rows of its commits, one commit a chain, and whether the store is opened anew before it.
groups_of = st.lists(st.tuples(st.lists(blocks_of, max_size=8), st.booleans()), min_size=1, max_size=6)


def commits_of(rows: list[BlockRow]) -> list[Commit]:
    return [Commit(each.chain, (), (each,), canonical=((each.hash, each.canonical),)) for each in rows]


def new_rows(count: int) -> list[Placed]:
    return [(row("bitcoin", height), None) for height in range(1, count + 1)]


def held(store: Store) -> list[tuple[BlockRow, ...]]:
    return [store.snapshot(chain, 100).blocks for chain in CHAINS]


@pytest.mark.real("postgres")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=groups_of)
def test_copied_or_merged_the_rows_are_those_of_the_embedded_store(
    postgres_home: PostgresHome, groups: list[tuple[list[BlockRow], bool]]
) -> None:
    postgres_home.begin_anew()
    with pytest.MonkeyPatch.context() as monkeypatch, closing(opened(None, IN_MEMORY)) as plain:
        monkeypatch.setattr(block_rows, "COPY_BLOCKS_MIN", 2)
        store = postgres_home.opened()
        try:
            for rows, anew in groups:
                if anew:
                    store.close()
                    store = postgres_home.opened()
                if commits := commits_of(rows):
                    store._session.write(commits)
                    plain._write(commits)
                assert held(store) == held(plain)
        finally:
            store.close()


@pytest.mark.real("postgres")
def test_rows_that_somebody_else_wrote_are_met_once_and_then_merged(postgres_home: PostgresHome) -> None:
    """Else the group would be tried, and refused, for ever."""
    rows = [row("bitcoin", height) for height in range(1, COPY_BLOCKS_MIN + 2)]
    with closing(postgres_home.opened()) as store:
        store._session.write(commits_of(rows[:1]))
        with postgres_home.connect() as somebody:
            somebody.execute("CREATE TEMPORARY TABLE one AS TABLE sprint_core.blocks")
            somebody.execute("UPDATE one SET height = height + 1, hash = %s", (rows[1].hash,))
            somebody.execute("INSERT INTO sprint_core.blocks OVERRIDING USER VALUE TABLE one")
        with pytest.raises(StoreFailing, match="blocks_pkey"):
            store._session.write(commits_of(rows[1:]))
        store._session.write(commits_of(rows[1:]))
        assert held(store)[0] == tuple(rows)


def test_so_many_new_blocks_are_copied_and_fewer_go_with_the_rest() -> None:
    tops = Tops({"bitcoin": 0})
    few, many = new_rows(COPY_BLOCKS_MIN - 1), new_rows(COPY_BLOCKS_MIN)
    assert tops.split(few) == ([], few)
    assert tops.split(many) == (many, [])
    tops.grow(many[:1])
    assert tops.split(many) == ([], many), "the lowest may be stored"
    more = new_rows(COPY_BLOCKS_MIN + 1)
    assert tops.split(more) == (more[1:], more[:1])


def test_a_chain_that_is_new_has_new_blocks() -> None:
    rows = new_rows(COPY_BLOCKS_MIN)
    assert Tops({}).split(rows) == (rows, [])
