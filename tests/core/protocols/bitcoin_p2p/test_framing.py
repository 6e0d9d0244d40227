"""Frames: published bytes, any cut of the stream, limits held by the header alone, linear time."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.mweb_format import EXTENSION_SIZE_MAX
from sprint.core.errors import WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p import framing
from sprint.core.protocols.bitcoin_p2p.framing import (
    CHECKSUM_PENALTY,
    PAYLOAD_SIZE_DEFAULT_MAX,
    PAYLOAD_SIZE_MAX,
    PAYLOAD_SIZE_MAX_BY_COMMAND,
    PAYLOAD_SIZE_MAX_WITH_AUXPOW,
    Frame,
    FrameReader,
    encode_frame,
    parse_frame_header,
    payload_sizes_max,
)

MAGIC = bytes.fromhex("f9beb4d9")
VERACK = bytes.fromhex("f9beb4d976657261636b000000000000000000005df6e0e2")

names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12)
frames = st.lists(st.builds(Frame, names, st.binary(max_size=200)), max_size=8)


def claim(command: str, size: int) -> bytes:
    """A header that claims a payload of `size` bytes."""
    return MAGIC + command.encode().ljust(12, b"\0") + size.to_bytes(4, "little") + bytes(4)


def test_a_published_frame_is_made_and_read() -> None:
    assert encode_frame(MAGIC, "verack") == VERACK
    assert list(FrameReader(MAGIC).feed(VERACK)) == [Frame("verack", b"")]


@given(frames, st.data())
def test_frames_come_out_whole_and_in_order_however_the_stream_is_cut(
    wanted: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(encode_frame(MAGIC, each.command, each.payload) for each in wanted)
    reader = FrameReader(MAGIC)
    got: list[Frame] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += reader.feed(stream[:size])
        stream = stream[size:]
    assert got == wanted


def test_a_frame_comes_out_with_its_last_byte_and_not_before() -> None:
    stream = encode_frame(MAGIC, "ping", bytes(8))
    reader = FrameReader(MAGIC)
    assert [len(list(reader.feed(stream[i : i + 1]))) for i in range(len(stream))] == [0] * 31 + [1]


LIMITS = [*PAYLOAD_SIZE_MAX_BY_COMMAND.items(), ("unheardof", PAYLOAD_SIZE_DEFAULT_MAX)]


@pytest.mark.parametrize(("command", "limit"), LIMITS)
def test_a_payload_at_its_commands_limit_is_waited_for_and_one_over_is_refused_by_its_header(
    command: str, limit: int
) -> None:
    assert list(FrameReader(MAGIC).feed(claim(command, limit))) == []
    with pytest.raises(WireError, match=f"{command} of {limit + 1} bytes, limit {limit}") as caught:
        list(FrameReader(MAGIC).feed(claim(command, limit + 1)))
    assert (caught.value.kind, caught.value.penalty) == ("oversized", 100)


def test_headers_with_auxpow_may_fill_a_frame_and_nothing_else_may_be_larger_for_it() -> None:
    limits = PAYLOAD_SIZE_MAX_WITH_AUXPOW
    assert {command for command in limits if limits[command] != PAYLOAD_SIZE_MAX_BY_COMMAND[command]} == {
        "headers"
    }
    assert list(FrameReader(MAGIC, limits).feed(claim("headers", PAYLOAD_SIZE_MAX))) == []
    with pytest.raises(WireError, match=r"headers of 4000001 bytes, limit 4000000"):
        list(FrameReader(MAGIC, limits).feed(claim("headers", PAYLOAD_SIZE_MAX + 1)))


def test_a_block_and_nothing_else_may_be_larger_where_an_extension_stands_behind_it() -> None:
    """Such a block is cheap to have mined; refused as a frame, it lost the relay every honest source."""
    limits = payload_sizes_max(litecoin.MAIN)
    assert {command for command in limits if limits[command] != PAYLOAD_SIZE_MAX_BY_COMMAND[command]} == {
        "block",
        "cmpctblock",
    }
    assert PAYLOAD_SIZE_MAX + EXTENSION_SIZE_MAX <= limits["block"] <= 32_000_000, "Litecoin Core's own limit"


def test_each_network_has_the_limits_of_its_blocks_and_headers() -> None:
    assert payload_sizes_max(bitcoin.MAIN) == PAYLOAD_SIZE_MAX_BY_COMMAND
    assert payload_sizes_max(dogecoin.MAIN) == PAYLOAD_SIZE_MAX_WITH_AUXPOW


def test_no_command_has_a_limit_above_that_of_the_protocol() -> None:
    assert max(PAYLOAD_SIZE_MAX_BY_COMMAND.values()) == PAYLOAD_SIZE_MAX == 4_000_000
    assert PAYLOAD_SIZE_MAX_BY_COMMAND["headers"] == 2_000 * 81 + 9
    assert PAYLOAD_SIZE_MAX_BY_COMMAND["inv"] == 50_000 * 36 + 9


def test_the_magic_of_another_network_ends_the_stream() -> None:
    with pytest.raises(WireError, match="magic fabfb5da, this network has f9beb4d9") as caught:
        list(FrameReader(MAGIC).feed(encode_frame(bytes.fromhex("fabfb5da"), "verack")))
    assert (caught.value.kind, caught.value.penalty) == ("magic", 100)


@pytest.mark.parametrize(
    "padded",
    [
        b"ver\0ack\0\0\0\0\0",
        b"\0" * 12,
        b"ping\0\0\0\0\0\0\0x",
        b"p\x7fng\0\0\0\0\0\0\0\0",
        b"p\xffng" + bytes(8),
    ],
)
def test_a_command_that_is_not_padded_ascii_ends_the_stream(padded: bytes) -> None:
    with pytest.raises(WireError, match="not printable ASCII") as caught:
        parse_frame_header(MAGIC + padded + bytes(8), MAGIC)
    assert (caught.value.kind, caught.value.penalty) == ("command", 100)


def test_a_command_of_all_twelve_bytes_is_read() -> None:
    assert list(FrameReader(MAGIC).feed(encode_frame(MAGIC, "abcdefghijkl"))) == [Frame("abcdefghijkl", b"")]


def test_a_wrong_checksum_costs_points_and_the_frames_around_it_are_read() -> None:
    good = encode_frame(MAGIC, "ping", bytes(8))
    bad = good[:-1] + b"\x01"
    iterator = FrameReader(MAGIC).feed(good + bad + good)
    assert next(iterator) == Frame("ping", bytes(8))
    with pytest.raises(WireError, match="ping: checksum of 8 bytes") as caught:
        next(iterator)
    assert (caught.value.kind, caught.value.penalty) == ("checksum", CHECKSUM_PENALTY)
    assert list(iterator) == [Frame("ping", bytes(8))]


def test_frames_before_a_bad_header_are_delivered() -> None:
    iterator = FrameReader(MAGIC).feed(VERACK + bytes(24))
    assert next(iterator) == Frame("verack", b"")
    with pytest.raises(WireError):
        next(iterator)


def test_a_header_is_parsed_once_however_many_pieces_its_payload_comes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[bytes] = []

    def spy(raw: bytes, magic: bytes, payload_size_max: Mapping[str, int]) -> tuple[str, int, bytes]:
        parsed.append(raw)
        return parse_frame_header(raw, magic, payload_size_max)

    monkeypatch.setattr(framing, "parse_frame_header", spy)
    stream = encode_frame(MAGIC, "block", bytes(10_000))
    reader = FrameReader(MAGIC)
    for start in range(0, len(stream), 100):
        list(reader.feed(stream[start : start + 100]))
    assert len(parsed) == 1


def test_a_block_of_4_mb_in_small_chunks_costs_linear_time() -> None:
    # Copying what has come at each chunk would move about 125 GB; this moves megabytes. The bound is far
    # from both.
    payload = bytes(PAYLOAD_SIZE_MAX)
    header = claim("block", len(payload))[:-4] + sha256d(payload)[:4]
    stream = header + payload
    reader = FrameReader(MAGIC)
    begun = time.process_time()
    got = [each for start in range(0, len(stream), 64) for each in reader.feed(stream[start : start + 64])]
    assert time.process_time() - begun < 5.0
    assert got == [Frame("block", payload)]
