"""Over any run of losses of the connection that writes: nothing twice, nothing lost, and it always goes on.

The session is driven as the writer drives it: what is first in line is tried in groups of any size until it
is in, and only then leaves the line.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sprint.core.errors import StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store.postgres.link import Connection, Link
from sprint.tools.store.postgres.store import PostgresStore
from tests.tools.store.commits import block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
FAULTS = ("in, answer lost", "cut before the commit", "connect refused", "good")
GROUP_MAX = 4
TRIES_MAX = 60
EXAMPLES = 200 if os.environ.get("SPRINT_SOAK") == "1" else 12
# Each try: how many commits come before it, and how many are taken of the line.
Tries = list[tuple[int, int]]
tries_of = st.lists(st.tuples(st.integers(0, GROUP_MAX), st.integers(1, GROUP_MAX)), min_size=2, max_size=8)


class Faults:
    """What goes wrong next: at a connect it is refused, at a commit it is in and unheard of, or is cut."""

    def __init__(self, run: Sequence[str]) -> None:
        self.left = deque(run)

    def begin(self, store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have them happen to the connection that writes; those that read stay well."""
        execute, connect = Connection.execute, Link.connect

        def executed(connection: Connection, query: Any, *args: Any, **more: Any) -> Any:
            writes = query == "COMMIT" and connection is store._session._connection
            fault = self._at_commit() if writes else "good"
            if fault == "cut before the commit":
                _lose(connection)
            found = execute(connection, query, *args, **more)
            if fault == "in, answer lost":
                _lose(connection)
            return found

        def connected(link: Link) -> Connection:
            if self.left and self.left[0] == "connect refused":
                self.left.popleft()
                raise psycopg.OperationalError("refused by a test")
            return connect(link)

        monkeypatch.setattr(Connection, "execute", executed)
        monkeypatch.setattr(Link, "connect", connected)

    def _at_commit(self) -> str:
        while self.left and self.left[0] == "connect refused":
            self.left.popleft()
        return self.left.popleft() if self.left else "good"


def _lose(connection: Connection) -> None:
    connection.pgconn.finish()
    raise psycopg.OperationalError("the connection was cut by a test")


class Line:
    """The commits in line, and those that the session said are in."""

    def __init__(self, store: PostgresStore) -> None:
        self._session = store._session
        self._log = log_of(store)
        self.waiting: list[Commit] = []
        self.told: list[int] = []

    def submit(self, count: int) -> None:
        self.waiting += [block_commit(self._log, "bitcoin", self._log.position + 1) for _ in range(count)]

    def try_once(self, group_max: int) -> bool:
        """Write the first of the line; whether that got in. What got in leaves the line."""
        group = self.waiting[:group_max]
        try:
            self._session.write(group)
        except StoreFailing:
            return False
        self.told += [event.position for commit in group for event in commit.events]
        del self.waiting[: len(group)]
        return True

    def goes_on(self) -> bool:
        """Try as a writer does whose server is well by and by; whether the whole line got in."""
        for _ in range(TRIES_MAX):
            if not self.waiting:
                return True
            self.try_once(GROUP_MAX)
        return not self.waiting


def test_any_run_of_losses_repeats_nothing_loses_nothing_and_never_wedges(
    postgres_home: PostgresHome,
) -> None:
    seen = Counter[str]()

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(faults=st.lists(st.sampled_from(FAULTS), max_size=10), tries=tries_of)
    # The writer wedged for good: of a group that was in and unheard of one commit left the line, and the loss
    # after that made it forget that the others were in.
    @example(
        faults=["in, answer lost", "connect refused", "cut before the commit", "good"],
        tries=[(4, 4), (0, 1), (4, 4)],
    )
    # The same where the loss came before a try of upkeep or of a group of known ones alone.
    @example(
        faults=["in, answer lost", "connect refused", "in, answer lost", "connect refused"],
        tries=[(4, 4), (4, 2), (0, 4), (0, 1), (2, 4)],
    )
    def run(faults: list[str], tries: Tries) -> None:
        seen.update(faults_of_a_run(postgres_home, faults, tries))

    run()
    print(", ".join(f"{what}: {count}" for what, count in seen.most_common()))


def faults_of_a_run(postgres_home: PostgresHome, faults: list[str], tries: Tries) -> Counter[str]:
    """Check one run on an empty log; return what struck, and how much was written."""
    postgres_home.begin_anew()
    with closing(postgres_home.opened()) as store, pytest.MonkeyPatch.context() as monkeypatch:
        line = Line(store)
        injected = Faults(faults)
        injected.begin(store, monkeypatch)
        for count, group_max in tries:
            line.submit(count)
            if line.waiting:
                line.try_once(group_max)
            # What was told is in, whatever comes next.
            assert stored(store)[: len(line.told)] == line.told
        assert line.goes_on(), f"{len(line.waiting)} commits are never written any more"
        assert line.told == stored(store) == list(range(1, len(line.told) + 1))
    struck = Counter(faults[: len(faults) - len(injected.left)])
    return struck + Counter({"runs": 1, "commits told as in": len(line.told)})


def stored(store: PostgresStore) -> list[int]:
    return [event.position for event in store.read_events(0, 10_000, (), (), 10_000)]
