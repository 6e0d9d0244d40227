"""The event contract: the shape that is documented, and that every type decodes to what was encoded."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.model import (
    EVENT_OF_DATA,
    EVENT_TYPES,
    BlockData,
    ChainStatusData,
    CheckSlip,
    EventData,
    FinalizedData,
    GapData,
    HeaderData,
    HeaderWithdrawnData,
    ReorgData,
    SourceStatusData,
    decode_event,
    rfc3339,
)
from sprint.core.relay.event_log import EventLog

LOG_ID = "ab" * 8
HASH, PARENT = "00" * 31 + "aa", "00" * 31 + "bb"
TIME = "2025-09-05T18:55:07Z"
BLOCK = BlockData(
    hash=HASH, height=123456, parent=PARENT, timestamp=TIME, tx_count=2500, size=1234567, validation="full",
    source="core-1", sources_seen=3, agreed_by=3, relay_time_ms=0.85,
    proof=CheckSlip(("merkle_root",), ("core-1",)), native={"bits": "207fffff"},
)  # fmt: skip
DATA: list[EventData] = [
    BLOCK,
    msgspec.structs.replace(BLOCK, late=True),
    HeaderData(HASH, 5, PARENT, TIME, "core-1", 0.1, {}),
    HeaderWithdrawnData(HASH, 5, "body not had within 30 s"),
    ReorgData(4, (HASH,), (PARENT, HASH), 1),
    FinalizedData(HASH, 5),
    GapData(4, 6, "bodies not had"),
    ChainStatusData("stalled", "no source is ready"),
    SourceStatusData("core-1", "ready", "connected"),
]


def test_a_block_event_has_the_documented_shape() -> None:
    event = json.loads(EventLog(LOG_ID, 41, {"bitcoin": 1041}).append("bitcoin", BLOCK).body)
    assert list(event) == ["type", "chain", "seq", "cursor", "data"]
    assert (event["type"], event["chain"], event["seq"]) == ("block", "bitcoin", 1042)
    assert {k: v for k, v in event["data"].items() if k not in ("proof", "native")} == {
        "hash": HASH, "height": 123456, "parent": PARENT, "timestamp": TIME, "tx_count": 2500,
        "size": 1234567, "validation": "full", "source": "core-1",
        "sources_seen": 3, "agreed_by": 3, "relay_time_ms": 0.85,
    }  # fmt: skip


def test_late_is_said_only_of_late_blocks() -> None:
    log = EventLog(LOG_ID, 0, {})
    on_time, late = (json.loads(log.append("bitcoin", data).body)["data"] for data in DATA[:2])
    assert "late" not in on_time
    assert late["late"] is True


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
def test_every_type_decodes_to_what_was_encoded(data: EventData) -> None:
    logged = EventLog(LOG_ID, 0, {}).append("bitcoin", data)
    event = decode_event(logged.body)
    assert type(event).__name__ == EVENT_OF_DATA[type(data)].__name__
    assert event.data == data
    assert (event.chain, event.seq, event.cursor) == ("bitcoin", 1, logged.cursor)


def test_the_listed_types_are_those_of_the_records() -> None:
    log = EventLog(LOG_ID, 0, {})
    assert {log.append("bitcoin", data).type for data in DATA} == set(EVENT_TYPES)
    assert len(EVENT_TYPES) == len(EVENT_OF_DATA)
    assert {type(data) for data in DATA} == set(EVENT_OF_DATA)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"type":"blok"}', b'{"type":"gap","chain":"bitcoin","seq":1,"cursor":"c","data":{}}'],
)
def test_what_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_event(body)


@given(st.integers(0, 2**32 - 1))
def test_every_header_time_has_a_date(seconds: int) -> None:
    text = rfc3339(seconds)
    assert len(text) == len(TIME)
    assert text.endswith("Z")


def test_a_date_is_that_of_its_second_in_utc() -> None:
    assert rfc3339(1_757_098_507) == TIME
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
