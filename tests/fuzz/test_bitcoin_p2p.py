"""Garbage against the P2P parsers and sessions: only a ProtocolError may come out, never another exception.

Each case runs for its share of SPRINT_FUZZ_S seconds (20 by default, 300 in the soak run). A failure prints
its round; SPRINT_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from sprint.core.chains.bitcoin import REGTEST
from sprint.core.errors import ProtocolError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.framing import PAYLOAD_SIZE_MAX_BY_COMMAND, FrameReader, encode_frame
from sprint.core.protocols.bitcoin_p2p.link import Link
from sprint.core.protocols.bitcoin_p2p.messages import (
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    Message,
    NotFound,
    Ping,
    Pong,
    decode_message,
)
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.core.protocols.bitcoin_p2p.peers import (
    SETTINGS,
    MemoryLedger,
    bare,
    body_of,
    frame,
    make_headers,
    peer_session,
    serving_session,
    version,
)

SOAK = os.environ.get("SPRINT_SOAK") == "1"
FUZZ_S = float(os.environ.get("SPRINT_FUZZ_S", "300" if SOAK else "20"))
CASES = 8
GARBAGE_SIZE_MAX = 400
CHUNKS_MAX = 12

HEADERS = make_headers(12)
HASHES = [sha256d(header) for header in HEADERS]
ITEMS = tuple(InventoryItem(kind, digest) for kind in (1, 2, 5, 0x40000002) for digest in HASHES)
VALID: tuple[Message, ...] = (
    version(),
    Ping(1),
    Pong(2),
    GetHeaders(70_016, tuple(HASHES), bytes(32)),
    Headers(tuple(HEADERS)),
    Inventory(ITEMS),
    GetData(ITEMS),
    NotFound(ITEMS),
)
COMMANDS = (*PAYLOAD_SIZE_MAX_BY_COMMAND, "unheardof", "tx", "addr", "sendtxrcncl")
COUNTED = {
    *("unknown", "unwanted", "protocol"),
    *("magic", "command", "oversized", "checksum", "malformed", "truncated", "trailing"),
}

Garbage = Callable[[random.Random], bytes]


def raw(rng: random.Random) -> bytes:
    """Bytes without any order, half of them behind the right magic."""
    return rng.choice((b"", REGTEST.magic)) + rng.randbytes(rng.randrange(GARBAGE_SIZE_MAX))


def framed(rng: random.Random) -> bytes:
    """A frame in order around a payload without any."""
    payload = rng.randbytes(rng.randrange(GARBAGE_SIZE_MAX))
    return encode_frame(REGTEST.magic, rng.choice(COMMANDS), payload)


def mutated(rng: random.Random) -> bytes:
    """A frame in order around a payload that is nearly right."""
    message = rng.choice(VALID)
    payload = bytearray(message.encode())
    for _ in range(rng.randrange(3)):
        match rng.randrange(4):
            case 0:
                payload = payload[: rng.randrange(len(payload) + 1)]
            case 1:
                payload += rng.randbytes(rng.randrange(1, 40))
            case 2 if payload:
                payload[rng.randrange(len(payload))] = rng.randrange(256)
            case _:  # an absurd count where most messages have theirs
                payload[:1] = rng.choice((b"\xfc", b"\xfd\xff\xff", b"\xfe" + bytes(4), b"\xff" * 9))
    return encode_frame(REGTEST.magic, message.command, bytes(payload))


def mixed(rng: random.Random) -> bytes:
    """What a peer may say, in any order, with now and then something of the above or a bit turned."""
    if rng.random() < 0.1:
        data = bytearray(frame(rng.choice(VALID)))
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(data)
    if rng.random() < 0.1:
        return mutated(rng)
    if rng.random() < 0.3:
        return encode_frame(REGTEST.magic, "block", body_of(rng.choice(HEADERS)))
    if rng.random() < 0.2:
        return encode_frame(REGTEST.magic, rng.choice(COMMANDS[:12]))
    return frame(rng.choice(VALID[1:]))


@pytest.mark.parametrize("garbage", [raw, framed, mutated, mixed])
@pytest.mark.parametrize("end", ["asking", "serving"])
def test_no_input_makes_a_session_raise_or_grow_beyond_its_limits(
    garbage: Garbage, end: str, seed: int
) -> None:
    rng = random.Random(f"{seed}/{end}/{garbage.__name__}")
    deadline = time.monotonic() + FUZZ_S / CASES
    seen: Counter[str] = Counter()
    number = 0
    while number < 50 or time.monotonic() < deadline:
        number += 1
        session: Link = peer_session() if end == "asking" else serving_session(MemoryLedger(HEADERS))
        try:
            _one_session(session, garbage, rng)
        except Exception as error:
            error.add_note(f"round {number} of {end}/{garbage.__name__}, seed {seed}")
            raise
        seen.update(session.counts)
        seen["closed" if session.closed else "open"] += 1
    print(f"{number} sessions: {dict(seen)}")
    assert seen["closed"]
    assert set(seen) - {"closed", "open"} <= COUNTED


def _one_session(session: Link, garbage: Garbage, rng: random.Random) -> None:
    """Talk to a session until it closes or has had enough; its bounds hold after every step."""
    now = 0.0
    if rng.random() < 0.8:
        session.receive_data(frame(version(nonce=rng.getrandbits(64))) + bare("verack"), now)
    for _ in range(rng.randrange(1, CHUNKS_MAX)):
        data = garbage(rng)
        cut = rng.randrange(len(data) + 1)
        session.receive_data(data[:cut], now)
        if isinstance(session, PeerSession) and rng.random() < 0.5:
            session.request_headers(rng.sample(HASHES, 3), now)
            session.request_blocks(rng.sample(HASHES, 3), now)
        session.receive_data(data[cut:], now)
        if rng.random() < 0.5:
            session.data_to_send()
        assert session._outbox.size_bytes <= SETTINGS.output_bytes_max
        assert session._outbox.deferred <= SETTINGS.replies_waiting_max
        due = session.next_timer()
        assert (due is None) == (session.closed is not None)
        if due is not None and rng.random() < 0.1:
            now = due
            session.handle_timer(now)
    assert (session.closed is None) == (session.score < 100 and session.next_timer() is not None)


@pytest.mark.parametrize("garbage", [raw, framed, mutated, mixed])
def test_frames_and_payloads_raise_nothing_but_protocol_errors(garbage: Garbage, seed: int) -> None:
    rng = random.Random(f"{seed}/parsers/{garbage.__name__}")
    penalties: list[int] = []
    for _ in range(2_000):
        frames = FrameReader(REGTEST.magic).feed(garbage(rng))
        try:
            for each in frames:
                decode_message(each.command, each.payload)
                decode_message(rng.choice(VALID).command, each.payload)
        except ProtocolError as error:
            penalties.append(error.penalty)
    assert penalties
    assert all(0 < penalty <= 100 for penalty in penalties)
