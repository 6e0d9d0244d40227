"""The store reads its own log as far as it knows it to go, or says that it cannot."""

from __future__ import annotations

from contextlib import closing

import pytest

from sprint.core.errors import StoreFailing
from tests.tools.store.commits import block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE sprint_core.log SET log_id = 'another'", "holds log another up to 2, want log .* up to 2"),
        ("UPDATE sprint_core.log SET position = 1", "holds log .* up to 1, want log .* up to 2"),
        ("TRUNCATE sprint_core.log", "holds no log, want log .* up to 2"),
    ],
    ids=["another log", "a standby that lags", "no log"],
)
def test_a_replay_went_on_in_a_log_that_was_not_its_own(
    postgres_home: PostgresHome, change: str, said: str
) -> None:
    """Another log's events got this one's cursors; where some were missing a replay passed over them."""
    with closing(postgres_home.opened()) as store:
        log = log_of(store)
        store._session.write([block_commit(log, "bitcoin", height) for height in (1, 2)])
        assert [event.position for event in store.read_events(0, 2, (), (), 9)] == [1, 2]
        with postgres_home.connect() as connection:
            connection.execute(change.encode())
        with pytest.raises(StoreFailing, match=said):
            store.read_events(0, 2, (), (), 9)
        with pytest.raises(StoreFailing, match=said):
            store.bounds()
        # The connection went back as it was lent.
        assert len(store.snapshot("bitcoin", 9).blocks) == 2
