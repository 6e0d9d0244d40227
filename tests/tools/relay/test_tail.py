"""`tail` goes on across restarts of the relay, also where a new log has begun."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sprint.tools.relay.tail import follow
from tests.tools.client.fake_relay import FakeRelay, Fault, RelayLog

OTHER_LOG_ID = "22" * 8


@pytest.fixture
def relay() -> Iterator[FakeRelay]:
    with FakeRelay() as relay:
        yield relay


def test_tail_reads_the_new_log_of_a_relay_that_came_back_and_says_so_once(relay: FakeRelay) -> None:
    for _ in range(2):
        relay.log.append()
    relay.faults = [Fault(1001, events=2)]
    told: list[str] = []
    events = follow(relay.url, None, None, "earliest", told.append)
    assert [next(events).seq for _ in range(2)] == [1, 2]
    relay.log = RelayLog(OTHER_LOG_ID)
    for _ in range(3):
        relay.log.append()
    assert next(events).seq == 1
    assert told == [OTHER_LOG_ID]
    assert [next(events).seq for _ in range(2)] == [2, 3]
    assert told == [OTHER_LOG_ID]


def test_tail_from_a_cursor_of_another_log_reads_this_one_from_its_start_and_says_so(
    relay: FakeRelay,
) -> None:
    relay.log.append()
    told: list[str] = []
    start = RelayLog(OTHER_LOG_ID).append().cursor
    assert next(follow(relay.url, None, None, start, told.append)).seq == 1
    assert told == [relay.log.numbering.log_id]


def test_tail_of_one_log_tells_of_none_across_a_reconnect(relay: FakeRelay) -> None:
    for _ in range(2):
        relay.log.append()
    relay.faults = [Fault(1001, events=1)]
    told: list[str] = []
    events = follow(relay.url, None, None, "earliest", told.append)
    assert [next(events).seq for _ in range(2)] == [1, 2]
    assert told == []
