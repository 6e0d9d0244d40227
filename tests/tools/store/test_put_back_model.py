"""Over any run of kills, copies and restores a log id names one order of events, ends only by a restore."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from sprint.tools.store import Store
from tests.tools.store.commits import Answers, block_commit, log_of, opened
from tests.tools.store.homes import SqliteHome
from tests.tools.store.test_crash import leave_unclean
from tests.tools.store.test_high_water import back_up, put_back

BLOCKS_MAX = 3
COPIES_MAX = 4


class PutBack(RuleBasedStateMachine):
    """A relay's file, its copies, and all that subscribers were ever given."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="sprint-put-back-"))
        self.path = self.folder / "sprint.db"
        self.copies: list[Path] = []
        self.given: dict[str, list[bytes]] = {}
        self.height = 0
        self.was_put_back = False
        with closing(opened(self.path)) as store:
            self.log_id = store.log_id

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(blocks=st.integers(0, BLOCKS_MAX), killed=st.booleans(), copied_before_the_end=st.booleans())
    def run(self, blocks: int, *, killed: bool, copied_before_the_end: bool) -> None:
        """Run a relay from a start to a stop or a kill."""
        with closing(opened(self.path)) as store:
            self.check(store)
            answers = Answers()
            store.start(answers)
            log = log_of(store)
            for number in range(blocks):
                if copied_before_the_end and number == blocks - 1:
                    self.copy()
                self.height += 1
                commit = block_commit(log, "bitcoin", self.height)
                store.submit(commit)
                answers.wait_in(1)
                self.given[self.log_id].append(commit.events[0].body)
        if killed:
            leave_unclean(SqliteHome(self.path))

    @rule()
    def copy(self) -> None:
        """Copy the file and what is to be in it as a backup of a running database does."""
        if len(self.copies) < COPIES_MAX:
            copy = self.folder / f"{len(self.copies)}.copy"
            back_up(self.path, copy)
            self.copies.append(copy)

    @rule(number=st.integers(0, COPIES_MAX - 1))
    def restore(self, number: int) -> None:
        if number < len(self.copies):
            put_back(self.copies[number], self.path)
            self.was_put_back = True

    def check(self, store: Store) -> None:
        """Compare what the log holds with all that was ever given out of it."""
        held = [event.body for event in store.read_events(0, 10_000, (), (), 10_000)]
        assert held == self.given.setdefault(store.log_id, [])
        if store.log_id != self.log_id:
            assert self.was_put_back, "a log ended for no reason"
        self.was_put_back = False
        self.log_id = store.log_id


TestPutBack = PutBack.TestCase
TestPutBack.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
