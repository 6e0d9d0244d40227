"""Numbering and cursors: positions and seq rise by one; any text is a cursor of this log or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sprint.core.errors import CursorError, CursorForeign, CursorUnknown
from sprint.core.model import BlockData, ChainStatusData, CheckSlip, EventData, HeaderWithdrawnData
from sprint.core.relay.event_log import CURSOR_LENGTH_MAX, Cursor, EventLog, parse_cursor

LOG_ID = "00ff" * 4
OTHER_LOG_ID = "00fe" * 4

positions = st.integers(0, 2**64 - 1)
chains = st.sampled_from(["", "bitcoin", "litecoin-regtest", "x" * 60])


@given(positions, chains)
def test_a_cursor_round_trips(position: int, chain: str) -> None:
    cursor = Cursor(LOG_ID, position, chain)
    text = cursor.encode()
    assert parse_cursor(text, LOG_ID) == cursor
    assert len(text) <= CURSOR_LENGTH_MAX
    assert text.isascii()
    assert not set(text) & set("+/= ?&#")


@given(positions, chains)
def test_a_cursor_of_another_log_is_foreign(position: int, chain: str) -> None:
    with pytest.raises(CursorForeign, match=f"cursor of log {OTHER_LOG_ID}, this log is {LOG_ID}"):
        parse_cursor(Cursor(OTHER_LOG_ID, position, chain).encode(), LOG_ID)


@given(st.text(max_size=200))
def test_any_text_is_refused_as_a_cursor_and_nothing_else(text: str) -> None:
    with pytest.raises(CursorUnknown):
        parse_cursor(text, LOG_ID)


@given(positions, chains, st.data())
def test_a_cursor_with_one_character_changed_is_refused(
    position: int, chain: str, data: st.DataObject
) -> None:
    text = Cursor(LOG_ID, position, chain).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(codec="ascii") | st.characters())
    changed = text[:place] + character + text[place + 1 :]
    assume(changed != text)
    with pytest.raises(CursorError):
        parse_cursor(changed, LOG_ID)


@pytest.mark.parametrize("other", ["/", "+"])
def test_the_other_base64_alphabet_does_not_write_a_cursor(other: str) -> None:
    texts = (Cursor(LOG_ID, position, "bitcoin").encode() for position in range(1_000))
    written = [text.replace(before, other) for text in texts for before in "_-" if before in text]
    assert written
    for text in written:
        with pytest.raises(CursorUnknown):
            parse_cursor(text, LOG_ID)


@given(positions, chains, st.integers(1, 30))
def test_a_cursor_cut_short_is_refused(position: int, chain: str, cut: int) -> None:
    text = Cursor(LOG_ID, position, chain).encode()
    with pytest.raises(CursorUnknown, match="take one from an event's `cursor`"):
        parse_cursor(text[:-cut], LOG_ID)


def test_a_cursor_over_the_limit_is_refused_by_its_length() -> None:
    with pytest.raises(CursorUnknown, match=f"cursor of {CURSOR_LENGTH_MAX + 1} characters, limit"):
        parse_cursor("A" * (CURSOR_LENGTH_MAX + 1), LOG_ID)


@given(
    st.lists(st.sampled_from(["bitcoin", "litecoin", "litecoin-regtest"]), max_size=30), st.integers(0, 1000)
)
def test_positions_rise_over_all_chains_and_seq_by_chain(order: list[str], start: int) -> None:
    log = EventLog(LOG_ID, start, {"bitcoin": 7})
    seq = {"bitcoin": 7}
    for index, chain in enumerate(order):
        event = log.append(chain, ChainStatusData("stalled", "no source is ready"))
        seq[chain] = seq.get(chain, 0) + 1
        assert (event.position, event.seq, event.chain) == (start + index + 1, seq[chain], chain)
        assert parse_cursor(event.cursor, LOG_ID) == Cursor(LOG_ID, event.position, chain)
        body = json.loads(event.body)
        assert (body["chain"], body["seq"], body["cursor"]) == (chain, event.seq, event.cursor)
    assert log.position == start + len(order)


BLOCK = BlockData(
    hash="00" * 32, height=5, parent="11" * 32, timestamp="2025-09-05T18:55:07Z", tx_count=1, size=300,
    validation="full", source="core-1", sources_seen=1, agreed_by=1, relay_time_ms=0.5,
    proof=CheckSlip(("merkle_root",), ("core-1",)), native={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "kind", "told_of"),
    [
        (BLOCK, "block", ("00" * 32, 5)),
        (HeaderWithdrawnData("22" * 32, 6, "body not had"), "header_withdrawn", ("22" * 32, 6)),
        (ChainStatusData("stalled", "no source is ready"), "chain_status", (None, None)),
    ],
)
def test_an_event_that_tells_of_a_block_is_kept_with_its_hash_and_height(
    data: EventData, kind: str, told_of: tuple[str | None, int | None]
) -> None:
    event = EventLog(LOG_ID, 0, {}).append("bitcoin", data)
    assert event.type == json.loads(event.body)["type"] == kind
    assert (event.hash, event.height) == told_of
