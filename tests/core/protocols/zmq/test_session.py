"""What a publisher says becomes announcements; no message is lost unnoticed; what is malformed costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.protocols.announcements import Announcement, BlockArrived, HashesAnnounced, SequenceLost
from sprint.core.protocols.zmq.frames import (
    HASHBLOCK,
    NUMBER_WRAP,
    RAWBLOCK,
    SEQUENCE,
    TOPICS,
    decode_message,
    encode_message,
    hash_payload,
    sequence_payload,
)
from sprint.core.protocols.zmq.session import MALFORMED_PENALTY, SCORE_MAX, ZmqSession

HASH = bytes(range(32))
RAW = bytes(81)
NOW = 5.0
# As doc/zmq.md of Bitcoin Core lays them out: the hash in display order, then the number.
HASHBLOCK_ON_THE_WIRE = (b"hashblock", HASH[::-1], b"\x07\x00\x00\x00")
CONNECTED_ON_THE_WIRE = (b"sequence", HASH[::-1] + b"C", b"\x00\x01\x00\x00")


def payload_of(topic: str) -> bytes:
    return {HASHBLOCK: hash_payload(HASH), RAWBLOCK: RAW, SEQUENCE: sequence_payload(HASH, ord("C"))}[topic]


def lost(announced: list[Announcement]) -> list[int]:
    return [each.lost for each in announced if isinstance(each, SequenceLost)]


def hear(session: ZmqSession, number: int, topic: str = HASHBLOCK) -> list[Announcement]:
    return session.receive(encode_message(topic, payload_of(topic), number), NOW)


def test_each_topic_announces_a_block() -> None:
    session = ZmqSession("n")
    assert session.receive(HASHBLOCK_ON_THE_WIRE, NOW) == [HashesAnnounced("n", (HASH,), NOW)]
    assert session.receive(CONNECTED_ON_THE_WIRE, NOW) == [HashesAnnounced("n", (HASH,), NOW)]
    assert session.receive((b"rawblock", RAW, bytes(4)), NOW) == [BlockArrived("n", RAW, NOW)]
    assert (session.lost, session.score, session.messages) == (0, 0, 3)


def test_a_disconnected_block_and_the_mempool_announce_nothing() -> None:
    session = ZmqSession("n")
    assert session.receive(encode_message(SEQUENCE, sequence_payload(HASH, ord("D")), 0), NOW) == []
    for number, label in enumerate(b"AR", 1):
        payload = HASH + bytes((label,)) + bytes(8)
        assert session.receive(encode_message(SEQUENCE, payload, number), NOW) == []
    assert session.score == 0


@given(st.sampled_from(TOPICS), st.integers(0, NUMBER_WRAP - 1))
def test_what_is_encoded_decodes_to_the_same(topic: str, number: int) -> None:
    message = decode_message(encode_message(topic, payload_of(topic), number))
    assert (message.topic, message.number) == (topic, number)
    assert message.raw_block == (RAW if topic == RAWBLOCK else b"")
    assert message.block_hash == (b"" if topic == RAWBLOCK else HASH)


@given(st.integers(0, NUMBER_WRAP - 1), st.lists(st.integers(0, 1000), max_size=20))
def test_every_message_that_is_missing_is_counted_once(start: int, gaps: list[int]) -> None:
    session = ZmqSession("n")
    number = start
    assert lost(hear(session, number)) == []
    for gap in gaps:
        number = (number + 1 + gap) % NUMBER_WRAP  # numbers wrap as a node's do
        assert lost(hear(session, number)) == ([gap] if gap else [])
    assert session.lost == sum(gaps)
    assert session.counts["sequence_lost"] == sum(gap > 0 for gap in gaps)


def test_a_loss_is_told_before_the_message_that_shows_it() -> None:
    session = ZmqSession("n")
    hear(session, 0)
    assert [type(each) for each in hear(session, 3)] == [SequenceLost, HashesAnnounced]


def test_topics_are_numbered_apart() -> None:
    session = ZmqSession("n")
    for topic, number in ((HASHBLOCK, 5), (RAWBLOCK, 9), (SEQUENCE, 0), (HASHBLOCK, 6), (RAWBLOCK, 10)):
        assert lost(hear(session, number, topic)) == []


def test_a_publisher_that_begins_anew_is_a_loss_of_unknown_size() -> None:
    session = ZmqSession("n")
    hear(session, 500)
    assert lost(hear(session, 0)) == [0]
    assert lost(hear(session, 1)) == []
    assert (session.lost, session.counts["restarted"]) == (0, 1)


def test_what_was_published_between_two_connections_shows() -> None:
    session = ZmqSession("n")
    hear(session, 3)
    session.connected()
    assert lost(hear(session, 6)) == [2]


MALFORMED = {
    "two parts": (b"hashblock", HASH),
    "four parts": (b"hashblock", HASH, bytes(4), b""),
    "no parts": (),
    "a number of three bytes": (b"hashblock", HASH, bytes(3)),
    "a short hash": (b"hashblock", HASH[1:], bytes(4)),
    "a long hash": (b"hashblock", HASH + b"\x00", bytes(4)),
    "an unknown label": (b"sequence", HASH + b"Z", bytes(4)),
    "no label": (b"sequence", HASH, bytes(4)),
    "a label with more behind it": (b"sequence", HASH + b"C\x00", bytes(4)),
    "a mempool label without its number": (b"sequence", HASH + b"A", bytes(4)),
    "a block that is a header alone": (b"rawblock", bytes(80), bytes(4)),
    "a topic that nobody asked for": (b"hashtx", HASH, bytes(4)),
}


@pytest.mark.parametrize("parts", MALFORMED.values(), ids=MALFORMED)
def test_what_does_not_parse_is_refused(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(WireError):
        decode_message(parts)
    session = ZmqSession("n")
    assert session.receive(parts, NOW) == []
    assert session.score > 0
    assert sum(session.counts.values()) == 1


def test_a_publisher_of_malformed_messages_is_closed_at_the_limit_and_says_why() -> None:
    session = ZmqSession("n")
    for _ in range(SCORE_MAX // MALFORMED_PENALTY - 1):
        session.receive(MALFORMED["two parts"], NOW)
    assert session.score < SCORE_MAX
    session.receive(MALFORMED["two parts"], NOW)
    assert session.closed == "a message of 2 parts, want 3 (score 100, limit 100)"
    assert hear(session, 0) == []
    session.connected()
    assert hear(session, 0) != []


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_no_bytes_raise(parts: list[bytes]) -> None:
    ZmqSession("n").receive(parts, NOW)
