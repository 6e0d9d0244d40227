"""What a publisher sends is what a session hears; what it loses shows as a jump, and nothing else does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.protocols.announcements import BlockArrived, HashesAnnounced, SequenceLost
from sprint.core.protocols.zmq.publisher import NumberedPublisher
from sprint.core.protocols.zmq.session import ZmqSession

RAW = bytes(90)


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_a_reorg_tells_who_left_and_who_joined_and_the_new_tip_last() -> None:
    sent = NumberedPublisher().tip_moved([name(3), name(2)], [name(12), name(13)], RAW)
    assert [(topic.decode(), payload) for topic, payload, _ in sent] == [
        ("sequence", name(3)[::-1] + b"D"),
        ("sequence", name(2)[::-1] + b"D"),
        ("sequence", name(12)[::-1] + b"C"),
        ("sequence", name(13)[::-1] + b"C"),
        ("hashblock", name(13)[::-1]),
        ("rawblock", RAW),
    ]
    assert [number for _, _, number in sent] == [bytes((n, 0, 0, 0)) for n in (0, 1, 2, 3, 0, 0)]


def test_a_branch_that_is_cut_back_names_no_new_tip() -> None:
    sent = NumberedPublisher().tip_moved([name(3)], [], b"")
    assert [topic for topic, _, _ in sent] == [b"sequence"]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12))
def test_a_session_hears_each_tip_and_counts_what_was_lost_before_it(moves: list[tuple[int, int]]) -> None:
    publisher, session = NumberedPublisher(), ZmqSession("n")
    heard, sent, lost = [], 0, 0
    publisher_says = publisher.tip_moved([], [name(0)], RAW)
    for parts in publisher_says:  # one of each topic, so that later losses can be seen
        session.receive(parts, 0.0)
    for index, (added, losing) in enumerate(moves, 1):
        publisher.lose(losing)
        hashes = [name(100 * index + n) for n in range(added)]
        messages = publisher.tip_moved([], hashes, RAW)
        sent += len(messages)
        lost += (added + 2 if added else 0) - len(messages)
        heard += [said for parts in messages for said in session.receive(parts, 0.0)]
    assert sum(not isinstance(each, SequenceLost) for each in heard) == sent
    assert sum(isinstance(each, HashesAnnounced | BlockArrived) for each in heard) == sent
    assert session.lost <= lost
    assert session.score == 0
