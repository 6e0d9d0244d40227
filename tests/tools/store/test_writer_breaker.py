"""The writer's tries pass through a breaker: it says when the next one is, and nothing is lost or skipped."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from sprint.core.errors import CircuitOpenError, StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.writer import WriteGroup, Writer
from tests.tools.store.commits import WAIT_S, Answers
from tests.tools.store.test_writer import QUICK, Database, commit


class Gatekeeper:
    """What tries are made through: refuses as often as told, and counts the tries."""

    def __init__(self, refusals: Sequence[float | None]) -> None:
        self.refusals = list(refusals)
        self.tries = 0

    def __call__(self, write_group: WriteGroup, group: Sequence[Commit]) -> None:
        if self.refusals:
            raise CircuitOpenError("store", "open", "held by a test", self.refusals.pop(0))
        self.tries += 1
        write_group(group)


class Waits(threading.Event):
    """What the writer waits at between two tries; each wait is noted and cut short."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return super().wait(0.001)


def store_breaker() -> CircuitBreaker:
    """The relay's own, with its delays a thousandth."""
    breaker = RelayBreakers("turbo").store()
    backoff = replace(breaker.policy.backoff, base_s=0.0005, longest_s=0.005)
    breaker.adopt(replace(breaker.policy, backoff=backoff))
    return breaker


def test_what_is_not_let_through_is_told_once_and_tried_again() -> None:
    database, answers, gatekeeper = Database(), Answers(), Gatekeeper([0.001, 0.001, 0.001])
    writer = Writer(database.write_group, database.keep_up, QUICK)
    commits = [commit(number) for number in range(1, 5)]
    for each in commits:
        writer.submit(each)
    writer.start(answers, gatekeeper)
    told, error = answers.wait()
    assert (told, str(error)) == (
        tuple(commits),
        "nothing is written: breaker 'store' is open: held by a test; try again in 0.001 s",
    )
    assert answers.wait_in(len(commits)) == commits
    writer.close()
    assert [each for group in database.groups for each in group] == commits


def test_the_relays_breaker_opens_on_a_disk_that_refuses_and_closes_by_a_trial() -> None:
    database, answers, breaker = Database([True] * 8), Answers(), store_breaker()
    writer = Writer(database.write_group, database.keep_up, QUICK)
    commits = [commit(number) for number in range(1, 5)]
    for each in commits:
        writer.submit(each)
    writer.start(answers, breaker.call)
    assert answers.wait_in(len(commits)) == commits
    writer.close()
    explained = breaker.explain()
    moves = [(each.from_state, each.to_state) for each in explained.last_transitions]
    assert moves[0] == ("closed", "open")
    assert moves[-1] == ("half_open", "closed")
    assert moves.count(("half_open", "open")) == 5, "three failures opened it, five trials failed"
    assert explained.last_transitions[0].evidence.text.endswith("StoreFailing: disk full")
    assert [each for group in database.groups for each in group] == commits


def test_while_an_operator_holds_it_open_nothing_is_written_and_its_release_is_seen() -> None:
    database, answers, breaker = Database(), Answers(), store_breaker()
    breaker.force_open("the disk is exchanged")
    writer = Writer(database.write_group, database.keep_up, QUICK)
    writer._closing = waits = Waits()
    writer.submit(commit(1))
    writer.start(answers, breaker.call)
    _, error = answers.wait()
    assert "the disk is exchanged" in str(error)
    assert database.groups == []
    breaker.release()
    assert answers.wait_in(1) == [commit(1)]
    assert waits.seconds, "it did not wait between its tries"
    assert all(seconds is not None and 0.0 < seconds <= 1.0 for seconds in waits.seconds)
    writer.close()


def test_a_stop_makes_its_last_try_although_a_breaker_lets_none_through() -> None:
    database, answers = Database(), Answers()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(close_timeout_s=WAIT_S))
    writer.submit(commit(1))
    writer.start(answers, Gatekeeper([3_600.0]))
    answers.wait()
    writer.close()
    assert database.groups == [[commit(1)]]


def test_a_stop_that_comes_while_a_try_is_refused_makes_its_last_one() -> None:
    """The writer took the refused try for its last, and ended with the commit not in."""
    database, answers = Database(), Answers()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(close_timeout_s=WAIT_S))
    refusing, stopping = threading.Event(), threading.Event()

    def refuse_while_it_stops(write_group: WriteGroup, group: Sequence[Commit]) -> None:
        refusing.set()
        assert stopping.wait(WAIT_S)
        raise CircuitOpenError("store", "open", "held by a test", 3_600.0)

    writer.submit(commit(1))
    writer.start(answers, refuse_while_it_stops)
    assert refusing.wait(WAIT_S)
    with pytest.raises(StoreFailing, match="1 commits not in"):
        writer.close(0.0)
    stopping.set()
    assert answers.wait_in(1) == [commit(1)]
    assert database.groups == [[commit(1)]]
