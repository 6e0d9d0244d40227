"""Payloads: decoding undoes encoding, published and recorded bytes, lists at their limits and one over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import bitcoin, dogecoin
from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p.framing import (
    HEADERS_MAX,
    INVENTORY_MAX,
    LOCATOR_MAX,
    PAYLOAD_SIZE_MAX_BY_COMMAND,
    FrameReader,
    encode_frame,
)
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_MWEB_FLAG,
    MSG_WITNESS_BLOCK,
    USER_AGENT_SIZE_MAX,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    Message,
    NotFound,
    Ping,
    Pong,
    Version,
    decode_message,
)
from sprint.core.wire import compact_size
from tests.core.protocols.bitcoin_p2p.peers import version
from tests.vectors import bitcoin_family as family_vectors

MERGED_SIZE = 535  # of the first merge-mined header of Dogecoin, with its AuxPoW
VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "bitcoin"

# The version message that Bitcoin's protocol documentation prints, byte for byte.
DOCUMENTED = bytes.fromhex(
    "f9beb4d976657273696f6e000000000064000000358d493262ea0000010000000000000011b2d05000000000"
    "010000000000000000000000000000000000ffff000000000000000000000000000000000000000000000000ffff000000000000"
    "3b2eb35d8ce617650f2f5361746f7368693a302e372e322fc03e0300"
)

# What litecoind 0.21.2.1 said first on regtest, recorded from its socket.
LITECOIND = bytes.fromhex(
    "fabfb5da76657273696f6e00000000006d0000007d584b858011010009040001000000003299016b00000000000000000000"
    "00000000000000000000000000000000000000000904000100000000000000000000000000000000000000000000a6675b88"
    "56051f86172f4c697465636f696e436f72653a302e32312e322e312f0200000001fabfb5da777478696472656c6179000000"
    "0000005df6e0e2fabfb5da73656e646164647276320000000000005df6e0e2fabfb5da76657261636b000000000000000000"
    "005df6e0e2"
)

hashes = st.binary(min_size=32, max_size=32)
u64s = st.integers(0, 2**64 - 1)
i32s = st.integers(-(2**31), 2**31 - 1)
items = st.lists(st.builds(InventoryItem, st.integers(0, 2**32 - 1), hashes), max_size=5).map(tuple)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Version,
        protocol_version=i32s,
        services=u64s,
        timestamp=st.integers(-(2**63), 2**63 - 1),
        nonce=u64s,
        user_agent=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=256),
        start_height=i32s,
        relay=st.booleans(),
    ),
    st.builds(Ping, u64s),
    st.builds(Pong, u64s),
    st.builds(GetHeaders, st.integers(0, 2**32 - 1), st.lists(hashes, max_size=5).map(tuple), hashes),
    st.builds(Headers, st.lists(st.binary(min_size=80, max_size=80), max_size=5).map(tuple)),
    st.builds(Inventory, items),
    st.builds(GetData, items),
    st.builds(NotFound, items),
)


@given(messages)
def test_decoding_undoes_encoding(message: Message) -> None:
    assert decode_message(message.command, message.encode()) == message


@given(messages)
def test_every_shorter_payload_is_truncated_but_for_the_optional_relay_flag(message: Message) -> None:
    payload = message.encode()
    optional = 1 if isinstance(message, Version) else 0
    for size in range(len(payload) - optional):
        with pytest.raises(WireError) as caught:
            decode_message(message.command, payload[:size])
        assert caught.value.kind == "truncated"


@given(messages, st.binary(min_size=1, max_size=4))
def test_a_longer_payload_is_refused_but_for_version_which_may_grow(message: Message, more: bytes) -> None:
    payload = message.encode() + more
    if isinstance(message, Version):
        assert decode_message(message.command, payload) == message
    else:
        with pytest.raises(WireError) as caught:
            decode_message(message.command, payload)
        assert caught.value.kind == "trailing"


def test_the_documented_version_message_is_read() -> None:
    (frame,) = FrameReader(bytes.fromhex("f9beb4d9")).feed(DOCUMENTED)
    assert Version.decode(frame.payload) == Version(
        protocol_version=60_002,
        services=1,
        timestamp=1_355_854_353,
        nonce=7_284_544_412_836_900_411,
        user_agent="/Satoshi:0.7.2/",
        start_height=212_672,
        relay=True,
    )


def test_the_first_words_of_a_real_litecoind_are_read_and_made_again() -> None:
    frames = list(FrameReader(bytes.fromhex("fabfb5da")).feed(LITECOIND))
    assert [frame.command for frame in frames] == ["version", "wtxidrelay", "sendaddrv2", "verack"]
    read = Version.decode(frames[0].payload)
    assert (read.protocol_version, read.user_agent, read.start_height) == (
        70_016,
        "/LitecoinCore:0.21.2.1/",
        2,
    )
    assert read.services == 0x1000409
    again = encode_frame(bytes.fromhex("fabfb5da"), "version", read.encode())
    # All but the address fields, which nobody uses and which are left empty here, and so the checksum.
    assert (again[:20], again[24 + 72 :]) == (LITECOIND[:20], LITECOIND[24 + 72 : len(again)])


def test_real_headers_are_carried_unchanged() -> None:
    lines = (VECTORS / "mainnet_headers_1_11.txt").read_text().split()
    headers = tuple(bytes.fromhex(line) for line in lines)
    payload = Headers(headers).encode()
    assert len(payload) == 1 + 11 * 81
    assert Headers.decode(payload) == Headers(headers)


def test_headers_with_and_without_auxpow_stand_in_one_message() -> None:
    (block,) = family_vectors.headers("dogecoin/mainnet_371337.hex")
    merged, plain = block[:MERGED_SIZE], dogecoin.MAIN.genesis
    message = Headers((plain, merged, plain, merged))
    payload = message.encode()
    assert len(payload) == 1 + 2 * 81 + 2 * (MERGED_SIZE + 1)
    assert decode_message("headers", payload, dogecoin.MAIN) == message
    for network in (None, bitcoin.MAIN):  # there, bit 8 of a version means nothing
        with pytest.raises(WireError):
            decode_message("headers", payload, network)


@pytest.mark.parametrize("size", [80, 81, 200, MERGED_SIZE - 1])
def test_a_headers_message_cut_inside_an_auxpow_is_truncated(size: int) -> None:
    (block,) = family_vectors.headers("dogecoin/mainnet_371337.hex")
    with pytest.raises(WireError) as caught:
        Headers.decode(b"\x01" + block[:size], dogecoin.MAIN)
    assert caught.value.kind == "truncated"


ITEM = InventoryItem(MSG_BLOCK, bytes(32))


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda count: Headers((bytes(80),) * count), HEADERS_MAX),
        (lambda count: Inventory((ITEM,) * count), INVENTORY_MAX),
        (lambda count: GetData((ITEM,) * count), INVENTORY_MAX),
        (lambda count: NotFound((ITEM,) * count), INVENTORY_MAX),
        (lambda count: GetHeaders(70_016, (bytes(32),) * count, bytes(32)), LOCATOR_MAX),
    ],
)
def test_a_list_at_its_limit_is_read_and_one_over_is_refused(
    make: Callable[[int], Message], limit: int
) -> None:
    full = make(limit)
    assert decode_message(full.command, full.encode()) == full
    assert len(full.encode()) <= PAYLOAD_SIZE_MAX_BY_COMMAND[full.command]
    over = make(limit + 1)
    with pytest.raises(WireError, match=f"{limit + 1}, limit {limit}") as caught:
        decode_message(over.command, over.encode())
    assert caught.value.kind == "oversized"


def test_a_count_without_its_items_is_refused() -> None:
    for command in ("inv", "getdata", "notfound"):
        with pytest.raises(WireError, match="1800000 bytes wanted at 3, 0 left"):
            decode_message(command, compact_size(INVENTORY_MAX))


def test_a_user_agent_at_its_limit_is_read_and_one_over_is_refused() -> None:
    full = version(user_agent="x" * USER_AGENT_SIZE_MAX)
    assert Version.decode(full.encode()) == full
    with pytest.raises(WireError, match=r"user agent 257, limit 256"):
        Version.decode(version(user_agent="x" * (USER_AGENT_SIZE_MAX + 1)).encode())


def test_a_user_agent_cannot_write_into_a_log() -> None:
    payload = version(user_agent="/evil--/").encode().replace(b"--", b"\n\xff")
    assert Version.decode(payload).user_agent == "/evil??/"


def test_an_old_version_message_without_the_relay_flag_wants_relay() -> None:
    assert Version.decode(version().encode()[:-1]).relay is True


def test_a_header_that_claims_transactions_is_refused() -> None:
    with pytest.raises(WireError, match="claims transactions"):
        Headers.decode(b"\x01" + bytes(80) + b"\x01")


def test_commands_without_a_record_decode_to_nothing() -> None:
    for command in ("verack", "block", "unheardof"):
        assert decode_message(command, b"\x01") is None


def test_flags_are_taken_off_a_kind() -> None:
    assert MSG_WITNESS_BLOCK == 0x40000002
    assert InventoryItem(MSG_WITNESS_BLOCK | MSG_MWEB_FLAG, bytes(32)).bare_kind == MSG_BLOCK
