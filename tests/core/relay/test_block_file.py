"""Each form in which people keep blocks is told apart; what is none says where and what would be right."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sprint.core.chains import bitcoin, dogecoin
from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.node_answer import Candidate
from sprint.core.relay import block_file
from sprint.core.relay.block_file import FRAME_SIZE_MAX, Found, Unreadable, split_file
from sprint.tools.devnet.seeded_bits import SeededBits
from tests.vectors import bitcoin_family as vectors

MAIN = bitcoin.MAIN
BLOCKS = vectors.block_file("bitcoin/mainnet_blk_0_to_4.dat.bz2")
HEADERS = vectors.headers("bitcoin/mainnet_headers_1_11.txt")
ANSWER = vectors.answer("bitcoin/mainnet_951658.json")


def split(data: bytes) -> list[Found | Unreadable]:
    return list(split_file("f", data, MAIN))


def raws(data: bytes) -> list[bytes]:
    found = []
    for each in split(data):
        assert isinstance(each, Found), each
        assert isinstance(each.candidate, Candidate)
        found.append(each.candidate.raw)
    return found


def unreadable(data: bytes) -> Unreadable:
    *_, last = split(data)
    assert isinstance(last, Unreadable)
    return last


def framed(blocks: list[bytes]) -> bytes:
    return b"".join(MAIN.magic + len(raw).to_bytes(4, "little") + raw for raw in blocks)


def wrapped(raw: bytes, width: int, end: str = "\n") -> bytes:
    digits = raw.hex()
    return end.join(digits[at : at + width] for at in range(0, len(digits), width)).encode()


def test_a_block_is_found_in_each_form() -> None:
    raw = BLOCKS[2]
    forms = [
        raw,
        raw.hex().encode(),
        raw.hex().upper().encode() + b"\r\n",
        b"\xef\xbb\xbf" + raw.hex().encode(),
    ]
    forms += [wrapped(raw, 64), wrapped(raw, 80, "\r\n"), b"\n  " + wrapped(raw, 8, " ") + b"\t\n"]
    forms += [json.dumps(raw.hex()).encode(), json.dumps({"hex": raw.hex()}).encode(), framed([raw])]
    forms += [framed([raw]) + bytes(5000), json.dumps([raw.hex()], indent=2).encode()]
    for form in forms:
        assert raws(form) == [raw], form[:40]


def test_blocks_and_headers_one_a_line_are_told_from_a_block_that_is_wrapped() -> None:
    assert raws(b"\n".join(raw.hex().encode() for raw in BLOCKS)) == BLOCKS
    lines = b"\n".join(raw.hex().encode() for raw in HEADERS)
    assert raws(lines) == HEADERS
    assert [each.offset for each in split(lines)] == [161 * number for number in range(len(HEADERS))]


def test_a_header_is_told_from_a_block_by_where_it_ends() -> None:
    for data, header_only in ((HEADERS[0], True), (HEADERS[0].hex().encode(), True), (BLOCKS[0], False)):
        (found,) = split(data)
        assert isinstance(found, Found)
        assert isinstance(found.candidate, Candidate)
        assert found.candidate.header_only is header_only


def test_a_merge_mined_header_ends_behind_its_proof() -> None:
    block = vectors.json_block("dogecoin/mainnet_371337_electrumx.json")
    size = header_size(block, 0, dogecoin.MAIN)
    for raw, header_only in ((block[:size], True), (block[:80], False), (block, False)):
        (found,) = split_file("f", raw, dogecoin.MAIN)
        assert isinstance(found, Found)
        assert isinstance(found.candidate, Candidate)
        assert found.candidate.header_only is header_only


def test_frames_are_found_with_their_offsets() -> None:
    found = split(framed(BLOCKS))
    assert raws(framed(BLOCKS)) == BLOCKS
    offsets = [sum(8 + len(raw) for raw in BLOCKS[:number]) for number in range(len(BLOCKS))]
    assert [each.offset for each in found] == offsets


WRONG = [
    (b"", 0, "it is empty"),
    (b" \n\t", 0, "it is empty"),
    (bytes(79), 0, "79 bytes: a header alone has 80"),
    (b"abc", 0, "3 hex digits: bytes have an even number"),
    (b"ab" * 79, 0, "79 bytes in hex: a header alone has 80"),
    (b"ab cd hello", 6, "neither hex nor JSON"),
    ("é".encode(), 0, "neither hex nor JSON"),
    (b"{", 0, "no valid JSON"),
    (b'{"a":' * 100_000, 0, "no valid JSON"),
    (b"[" * 100_000, 0, "no valid JSON"),
    (b'"\xff"', 0, "no valid JSON"),
    (b"[]", 0, "an empty list"),
    (b'{"blockchain": 1}', 0, "JSON object with 'blockchain'"),
    (b"[5]", 0, "answer 0: JSON number"),
]


@pytest.mark.parametrize(("data", "offset", "said"), WRONG, ids=[f"{w[0][:12]!r}" for w in WRONG])
def test_what_is_no_block_says_where_and_what_would_be_right(data: bytes, offset: int, said: str) -> None:
    found = unreadable(data)
    assert (found.file, found.offset) == ("f", offset)
    assert said in found.reason


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        (b"\x01\x02\x03\x04", "01020304: want the magic f9beb4d9, or zeros to the end"),
        (bytes.fromhex("fbc0b6db") + bytes(200), "fbc0b6db: want the magic"),
        (MAIN.magic, "a block of 0 bytes: want 80 to"),
        (
            MAIN.magic + b"\x01\x01\x00",
            f"a block of 257 bytes: want 80 to {FRAME_SIZE_MAX}, 0 bytes are left",
        ),
        (
            MAIN.magic + (500).to_bytes(4, "little") + bytes(499),
            f"500 bytes: want 80 to {FRAME_SIZE_MAX}, 499 bytes are left",
        ),
        (MAIN.magic + (79).to_bytes(4, "little") + bytes(79), "79 bytes: want 80 to"),
        (MAIN.magic + b"\xff" * 4 + bytes(100), "a block of 4294967295 bytes"),
    ],
)
def test_what_follows_the_last_frame_must_be_zeros(tail: bytes, said: str) -> None:
    data = framed(BLOCKS) + tail
    *found, last = split(data)
    assert len(found) == len(BLOCKS)
    assert isinstance(last, Unreadable)
    assert last.offset == len(framed(BLOCKS))
    assert said in last.reason


def test_the_largest_frame_is_taken_and_one_byte_more_is_not() -> None:
    for size, kind in ((FRAME_SIZE_MAX, Found), (FRAME_SIZE_MAX + 1, Unreadable)):
        data = MAIN.magic + size.to_bytes(4, "little") + bytes(size)
        assert [type(each) for each in split(data)] == [kind]


def test_as_many_blocks_as_the_limit_are_taken_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_file, "BLOCKS_MAX", 5)
    assert raws(framed(BLOCKS)) == BLOCKS
    found = split(framed([*BLOCKS, BLOCKS[0], BLOCKS[0]]))
    assert [type(each) for each in found] == [Found] * 5 + [Unreadable]
    assert "more than 5 blocks" in unreadable(framed([*BLOCKS, BLOCKS[0]])).reason


def test_json_at_its_limit_is_read_and_one_byte_more_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(BLOCKS[0].hex()).encode()
    monkeypatch.setattr(block_file, "JSON_SIZE_MAX", len(data))
    assert raws(data) == [BLOCKS[0]]
    monkeypatch.setattr(block_file, "JSON_SIZE_MAX", len(data) - 1)
    assert f"{len(data)} bytes of JSON, limit {len(data) - 1}" in unreadable(data).reason


@pytest.mark.parametrize("behind", [b"", b"\xc0\xc0\xc0\xc0\xff", bytes(100)], ids=["end", "frame", "zeros"])
def test_a_blk_file_of_another_network_is_told_by_its_magic_and_not_judged_as_a_block(behind: bytes) -> None:
    raw = BLOCKS[2]
    found = unreadable(bytes.fromhex("c0c0c0c0") + len(raw).to_bytes(4, "little") + raw + behind)
    assert found.offset == 0
    assert "another network, by its magic c0c0c0c0: bitcoin's begins with f9beb4d9" in found.reason


@given(st.sampled_from(BLOCKS), st.binary(min_size=4, max_size=4))
def test_a_raw_block_is_not_taken_for_a_blk_file_whatever_parent_it_names(raw: bytes, parent: bytes) -> None:
    length = int.from_bytes(parent, "little")
    assume(length != len(raw) - 8)
    changed = raw[:4] + parent + raw[8:]
    assert raws(changed) == [changed]


def test_gzip_data_is_named_and_not_judged_as_a_block() -> None:
    assert "gzip data: unpack it first" in unreadable(gzip.compress(BLOCKS[2], mtime=0)).reason


def test_a_digit_that_is_none_is_named_by_its_byte() -> None:
    digits = BLOCKS[2].hex()
    assert unreadable(f"{digits[:301]}g{digits[302:]}".encode()).offset == 301
    assert unreadable(f"0x{digits}".encode()).offset == 1


@given(
    st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    st.sampled_from([b"", MAIN.magic, b"{", b'"']),
)
def test_any_bytes_give_something_that_says_its_place(data: bytes, start: bytes) -> None:
    found = split(start + data)
    assert found
    assert all(0 <= each.offset <= len(start + data) for each in found)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 40))
def test_frames_come_out_as_they_were_put_in(numbers: list[int], padding: int) -> None:
    blocks = [BLOCKS[number] for number in numbers]
    assert raws(framed(blocks) + bytes(padding)) == blocks


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [BLOCKS[2].hex(), '{"hash": 1}', "ab"])
def test_text_in_utf_16_is_named_and_not_judged_as_a_block(encoding: str, text: str) -> None:
    assert "text in UTF-16: save it in UTF-8" in unreadable(text.encode(encoding)).reason


@pytest.mark.parametrize("exponent", [0x02, 0x10, 0x1E, 0xFF])
@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_are_named_and_not_judged_as_a_block(seed: int, exponent: int) -> None:
    bits = SeededBits(str(seed))
    noise = b"".join(bits.getrandbits(256).to_bytes(32, "little") for _ in range(40))
    noise = noise[:75] + bytes((exponent,)) + noise[76:]  # of a target that nobody meets or none allows
    reason = unreadable(noise).reason
    assert reason.startswith("1280 bytes that are no ")
    assert "no block of bitcoin: no target that it allows at byte 72" in reason


def test_a_block_with_its_target_or_its_coinbase_broken_is_still_judged() -> None:
    raw = BLOCKS[2]
    no_target = raw[:72] + b"\xff\xff\xff\xff" + raw[76:]
    no_coinbase = raw[:81] + b"\xff" * 60 + raw[141:]
    assert raws(no_target) == [no_target]
    assert raws(no_coinbase) == [no_coinbase]
    assert raws(no_target[:80]) == [no_target[:80]]
