"""What waits for a proof, or for its end, is bounded in bytes; and what is dropped comes later."""

from __future__ import annotations

import pytest

from sprint.core.relay import admit, book
from sprint.core.relay.admit import Wait
from sprint.core.relay.book import Proving
from sprint.core.relay.prove import BlockProof, HeadersProof
from sprint.core.relay.settings import IDLE_ANSWERS_MAX
from tests.core.relay.driving import Blocks, Driver, begun, shown


def test_answers_that_repeat_headers_being_proved_do_not_say_that_a_source_has_no_more() -> None:
    """The log began in the middle of a first sync when the source that was ahead got lost."""
    blocks = Blocks()
    driver, hashes = Driver(blocks), blocks.mine(6)
    driver.ready("a")
    driver.ready("b")
    proof = driver.admit(driver.headers_of("a", hashes[:3], full=True))
    repeated = [driver.headers_of("b", hashes[:3], full=True) for _ in range(IDLE_ANSWERS_MAX + 1)]
    assert [type(driver.admit(each)) for each in repeated] == [Wait] * len(repeated)
    assert driver.settle(proof).readmit == repeated
    (asked,) = [r for r in driver.settle(driver.admit(repeated[0])).requests if r.locator]
    assert (asked.source, asked.locator[0]) == ("b", hashes[2])
    driver.lost("a")
    driver.timer(3.0)
    assert not driver.has_begun()
    driver.headers("b", hashes[3:])
    assert driver.has_begun()
    assert driver.state.tree.best_header.hash == hashes[-1]


def test_headers_that_repeat_false_ones_being_proved_are_refused_when_those_are() -> None:
    blocks = Blocks()
    driver, hashes = Driver(blocks), blocks.mine(2)
    driver.ready("a")
    driver.ready("b")
    proof = driver.admit(driver.headers_of("a", hashes, full=True))
    repeated = driver.headers_of("b", hashes, full=True)
    assert isinstance(driver.admit(repeated), Wait)
    driver.state.book.reject(hashes[0], "false")
    assert driver.settle(proof).readmit == [repeated]
    assert isinstance(driver.admit(repeated), admit.Refused)


def test_headers_over_the_bytes_that_may_be_proved_are_dropped_and_taken_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admit, "HEADERS_PROVING_BYTES_MAX", 3 * 80)
    blocks = Blocks()
    driver = begun(blocks, None, "a", "b")
    one, other = blocks.mine(2, on=blocks.genesis), blocks.mine(2, on=blocks.genesis)
    proof = driver.admit(driver.headers_of("a", one))
    assert isinstance(proof, HeadersProof)
    assert isinstance(driver.admit(driver.headers_of("b", other)), Wait)
    assert isinstance(driver.admit(driver.headers_of("b", other[:1])), HeadersProof), "at the limit"
    driver.settle(proof)
    assert len(driver.state.book.proving_headers) == 1
    assert driver.state.book.proving_headers.size_bytes == 80
    assert isinstance(driver.admit(driver.headers_of("b", blocks.mine(2, on=blocks.genesis))), HeadersProof)


def test_more_headers_at_once_than_may_be_proved_are_proved_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admit, "HEADERS_PROVING_BYTES_MAX", 80)
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(3)
    driver.headers("a", hashes)
    assert driver.state.tree.best_header.hash == hashes[-1]


def test_a_body_over_the_bytes_that_may_be_proved_is_dropped_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    driver.headers("a", hashes)
    size = len(blocks.body(hashes[0])) + len(blocks.body(hashes[1]))
    monkeypatch.setattr(admit, "BODIES_PROVING_BYTES_MAX", size - 1)
    first = driver.admit(driver.block_of("a", hashes[0]))
    assert isinstance(first, BlockProof)
    assert isinstance(driver.admit(driver.block_of("a", hashes[1])), Wait)
    driver.settle(first)
    assert driver.state.book.proving_bodies.size_bytes == 0
    (asked,) = [r.bodies for r in driver.timer(5.0).requests if r.bodies]
    assert asked == (hashes[1],)
    driver.body("a", hashes[1])
    assert driver.delivered() == shown(hashes)


def test_headers_that_wait_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "PENDING_BYTES_MAX", 2 * 80)
    blocks = Blocks()
    driver, hashes = begun(blocks), blocks.mine(2)
    proof = driver.admit(driver.headers_of("a", hashes[:1]))
    decisions = [driver.admit(driver.headers_of(f"peer-{i}", hashes[1:])) for i in range(3)]
    assert ["dropped" in repr(decision) for decision in decisions] == [False, False, True]
    assert len(driver.settle(proof).readmit) == 2
    again = driver.admit(driver.headers_of("peer-2", hashes[1:]))
    assert isinstance(again, HeadersProof)


def test_a_hash_that_is_proved_counts_once_and_one_that_is_not_counts_nothing() -> None:
    proving = Proving()
    proving.add(b"a", bytes(5))
    proving.add(b"a", bytes(7))
    proving.discard(b"b")
    assert (len(proving), proving.size_bytes, b"a" in proving, b"b" in proving) == (1, 7, True, False)
    proving.discard(b"a")
    assert (len(proving), proving.size_bytes) == (0, 0)
