"""The three peers that send compact blocks unasked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.protocols.bitcoin_p2p.high_bandwidth import (
    BLOCKS_REMEMBERED,
    HIGH_BANDWIDTH_MAX,
    HighBandwidthChoice,
)


def block(number: int) -> bytes:
    return number.to_bytes(32, "big")


def chosen(choice: HighBandwidthChoice) -> list[str]:
    return [name for name in "abcdef" if name in choice]


def test_the_fourth_takes_the_place_of_the_one_that_was_first_longest_ago() -> None:
    choice = HighBandwidthChoice()
    for number, name in enumerate("abca"):
        assert choice.delivered(name, block(number)) is None
    assert choice.delivered("d", block(9)) == "b"
    assert chosen(choice) == ["a", "c", "d"]


def test_only_the_first_to_deliver_a_block_counts() -> None:
    choice = HighBandwidthChoice()
    choice.delivered("a", block(1))
    assert choice.delivered("b", block(1)) is None
    assert chosen(choice) == ["a"]


def test_the_place_of_a_peer_that_is_gone_is_free() -> None:
    choice = HighBandwidthChoice()
    for number, name in enumerate("abc"):
        choice.delivered(name, block(number))
    choice.lost("a")
    choice.lost("f")
    assert choice.delivered("d", block(3)) is None
    assert chosen(choice) == ["b", "c", "d"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 40)), max_size=200))
def test_there_are_never_more_than_three_and_who_is_dropped_is_told(
    deliveries: list[tuple[str, int]],
) -> None:
    choice, told = HighBandwidthChoice(), set[str]()
    for name, number in deliveries:
        dropped = choice.delivered(name, block(number))
        told = {each for each in (*told, name) if each in choice}
        assert dropped is None or dropped not in choice
        assert len(chosen(choice)) <= HIGH_BANDWIDTH_MAX
        assert len(choice._delivered) <= BLOCKS_REMEMBERED
        assert set(chosen(choice)) == told
