"""What generators and their parent say to each other: read as it was said, or refused."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ProtocolError
from sprint.tools.loadtest.assignment import (
    MESSAGE_SIZE_MAX,
    Assignment,
    Failed,
    FromGenerator,
    Progress,
    Ready,
    ServiceWork,
    framed,
    read_framed,
)
from tests.tools.loadtest.options_for_tests import options

DECODER: msgspec.msgpack.Decoder[FromGenerator] = msgspec.msgpack.Decoder(FromGenerator)
PROGRESS = Progress(
    cells=[b"a", b""],
    elapsed_ns=1,
    in_flight=2,
    connections=3,
    states={"b": "open"},
    cpu_s=0.5,
    memory_bytes=4,
)


async def read(data: bytes) -> list[FromGenerator]:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    found = []
    while (message := await read_framed(reader, DECODER)) is not None:
        found.append(message)
    return found


def test_messages_come_back_as_they_were() -> None:
    sent: list[FromGenerator] = [Ready(), PROGRESS, Failed("why")]
    assert asyncio.run(read(b"".join(map(framed, sent)))) == sent


def test_an_assignment_comes_back_as_it_was() -> None:
    asked = options(stage=("1s:5", "2s:7"))
    work = ServiceWork(breaker="b", policy=asked.policy, failure_rate=0.5, latency_ms_min=1, latency_ms_max=2)
    sent = Assignment(plan=asked.plan, process=0, work=work, timeout_ns=1, seed=2, interval_s=0.1)
    assert msgspec.msgpack.decode(framed(sent)[4:], type=Assignment) == sent


@given(st.integers(0, 200))
def test_a_message_cut_short_is_the_end(length: int) -> None:
    whole = framed(PROGRESS)
    assert asyncio.run(read(whole + whole[: min(length, len(whole) - 1)])) == [PROGRESS]


@given(st.binary(min_size=1, max_size=200))
def test_what_is_no_message_is_refused(body: bytes) -> None:
    try:
        DECODER.decode(body)
    except msgspec.DecodeError:
        with pytest.raises(ProtocolError, match="is none"):
            asyncio.run(read(len(body).to_bytes(4, "big") + body))


def test_a_length_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match=f"limit {MESSAGE_SIZE_MAX}"):
        asyncio.run(read((MESSAGE_SIZE_MAX + 1).to_bytes(4, "big")))
