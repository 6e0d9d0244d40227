"""Bulk through a proxy lies in memory that its connections share: not one byte changes, and none stays."""

from __future__ import annotations

import asyncio
import random
import socket
import tracemalloc
from typing import Any

import psutil
import pytest

from sprint.core.faultproxy.channel import HELD_SIZE_MAX
from sprint.core.faultproxy.connection import ConnectionFaults
from sprint.core.faultproxy.drawing import SeededDraws
from sprint.tools.faultproxy import reading
from sprint.tools.faultproxy.link import WRITE_SIZE_HIGH, Link
from sprint.tools.faultproxy.reading import BULK_READ_SIZE_MAX, READ_SIZE_MAX, ReadBuffer
from tests.tools.faultproxy.ends import Bench, Loop, Peer, both_loops, proxied, run_on, until

SIZE = 24_000_000
STALLED_COUNT = 3
PAIRS_MADE = 40
# What a stalled direction keeps: what it could not write at once, and the rest of a read before that.
PIECES_PER_STALLED_MAX = 2


class Uses:
    """How often bulk was written from where it lay, and how often some of it was left to a transport."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lent = self.left = 0
        lent, leave = ReadBuffer.lent, ReadBuffer.leave

        def counted_lent(memory: ReadBuffer, size: int) -> memoryview:
            self.lent += 1
            return lent(memory, size)

        def counted_leave(memory: ReadBuffer) -> None:
            self.left += 1
            leave(memory)

        monkeypatch.setattr(ReadBuffer, "lent", counted_lent)
        monkeypatch.setattr(ReadBuffer, "leave", counted_leave)


async def sent_and_closed(peer: Peer, data: bytes) -> None:
    await peer.send(data)
    peer.half_close()


async def read_unevenly(peer: Peer, rng: random.Random) -> tuple[bytes, bool]:
    """Read to the end, now in a hurry and now with rests, so that the other end is paused and goes on."""
    received = bytearray()
    while part := await peer.read(rng.choice((4_096, 65_536, 1_048_576))):
        received += part
        if rng.random() < 0.02:
            await asyncio.sleep(rng.choice((0, 0.002, 0.01)))
    return bytes(received), False


async def disturbed(bench: Bench, rng: random.Random, passing: asyncio.Future[Any]) -> int:
    """Put toxics on and take them off at random times while bytes are passing; how many there were."""
    count = 0
    kinds: list[dict[str, Any]] = [
        {"kind": "stall"},
        {"kind": "latency", "latency_ms": 3, "jitter_ms": 2},
        {"kind": "bandwidth", "bytes_per_s": 200_000_000},
        {"kind": "slicer", "piece_bytes": 30_000, "variation_bytes": 20_000},
    ]
    while not passing.done():
        await asyncio.sleep(rng.uniform(0, 0.02))
        for fields in rng.sample(kinds, rng.randrange(1, 3)):
            bench.proxy.add(**fields, direction=rng.choice(("upstream", "downstream", "both")))
            count += 1
        await asyncio.sleep(rng.uniform(0, 0.008))
        bench.proxy.reset()
    return count


@both_loops
def test_bulk_is_the_same_byte_for_byte_whenever_toxics_come_and_go(
    loop: Loop, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, uses = random.Random(f"{seed}/bulk"), Uses(monkeypatch)
    up, down = rng.randbytes(SIZE), rng.randbytes(SIZE)

    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            passing = asyncio.gather(
                read_unevenly(target, rng),
                read_unevenly(client, rng),
                sent_and_closed(client, up),
                sent_and_closed(target, down),
            )
            count = await disturbed(bench, rng, passing)
            at_target, at_client, *_ = await passing
            assert (at_target == (up, False), at_client == (down, False)) == (True, True)
            await until(lambda: bench.proxy.connection_count == 0)
            view = bench.proxy.view()
            assert (view["bytes_upstream"], view["bytes_downstream"]) == (SIZE, SIZE)
            assert count > 0
            assert uses.lent > 0

    run_on(loop, main())


async def stall(bench: Bench, data: bytes) -> tuple[Peer, asyncio.Task[None]]:
    """Begin to send bulk to a target that doesn't read; its end, when the proxy doesn't read on either."""
    client, target = await bench.pair()
    target.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    link = max(bench.proxy._links, key=lambda each: each._faults._number)
    sending = asyncio.create_task(sent_and_closed(client, data))
    await until(lambda: not link.client.is_read)
    return target, sending


@both_loops
def test_what_waits_for_a_slow_reader_is_not_overwritten_by_other_connections(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses = Uses(monkeypatch)
    data = [random.Random(number).randbytes(SIZE) for number in range(STALLED_COUNT + 1)]

    async def main() -> None:
        async with proxied() as bench:
            stalled = [await stall(bench, each) for each in data[:-1]]
            assert uses.left >= STALLED_COUNT
            client, target = await bench.pair()
            received, _ = await asyncio.gather(target.read_to_end(), sent_and_closed(client, data[-1]))
            assert received == (data[-1], False), "one that reads passes those that do not"
            for (slow, sending), expected in zip(stalled, data[:-1], strict=True):
                assert await slow.read_to_end() == (expected, False)
                await sending

    run_on(loop, main())


class KeepingTransport(asyncio.Transport):
    """A transport whose socket takes nothing: it keeps what it is given, as it is given."""

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(extra={"socket": bound})
        self.kept: list[bytes | bytearray | memoryview] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.kept))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.kept.append(data)


@pytest.mark.parametrize("size", [1, WRITE_SIZE_HIGH, WRITE_SIZE_HIGH + 1, BULK_READ_SIZE_MAX])
def test_what_a_transport_keeps_is_not_read_over_whatever_its_size(size: int) -> None:
    async def main() -> None:
        made = Link(ConnectionFaults(1, SeededDraws), ReadBuffer(), lambda _: None, lambda _: None)
        with socket.socket() as one, socket.socket() as other:
            target = KeepingTransport(other)
            made.target.connection_made(target)
            made.client.connection_made(KeepingTransport(one))
            for letter in (b"a", b"b", b"c"):
                room = made.client.get_buffer(-1)
                room[:size] = letter * size
                made.client.buffer_updated(size)
            assert b"".join(target.kept) == b"a" * size + b"b" * size + b"c" * size

    asyncio.run(main())


@both_loops
def test_memory_left_to_readers_that_stand_still_is_bounded_and_given_back(loop: Loop) -> None:
    def held_size() -> int:
        only = [tracemalloc.Filter(inclusive=True, filename_pattern=reading.__file__)]
        return sum(each.size for each in tracemalloc.take_snapshot().filter_traces(only).traces)

    async def main() -> None:
        async with proxied() as bench:
            stalled = [await stall(bench, bytes(SIZE)) for _ in range(STALLED_COUNT)]
            for link in bench.proxy._links:
                assert link.target.transport is not None
                waiting = link.target.transport.get_write_buffer_size()
                assert WRITE_SIZE_HIGH < waiting <= WRITE_SIZE_HIGH + BULK_READ_SIZE_MAX
            pieces = PIECES_PER_STALLED_MAX * STALLED_COUNT + 1
            assert BULK_READ_SIZE_MAX < held_size() <= pieces * (BULK_READ_SIZE_MAX + 1_024)
            for slow, sending in stalled:
                assert len((await slow.read_to_end())[0]) == SIZE
                await sending
            assert held_size() <= BULK_READ_SIZE_MAX + 4_096

    tracemalloc.start()
    try:
        run_on(loop, main())
    finally:
        tracemalloc.stop()


@both_loops
def test_a_toxic_holds_no_larger_reads_than_before(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="stall")
            sending = asyncio.create_task(sent_and_closed(client, bytes(SIZE)))
            (link,) = bench.proxy._links
            await until(lambda: not link.client.is_read)
            assert HELD_SIZE_MAX <= link.client.channel.held_size <= HELD_SIZE_MAX + READ_SIZE_MAX
            bench.proxy.reset()
            assert await target.read_to_end() == (bytes(SIZE), False)
            await sending

    run_on(loop, main())


@both_loops
@pytest.mark.parametrize("killed", ["client", "target"])
def test_an_end_that_is_killed_under_bulk_resets_the_other_and_leaves_no_descriptor(
    loop: Loop, killed: str
) -> None:
    def descriptor_count() -> int:
        return psutil.Process().num_fds()

    async def one(bench: Bench) -> None:
        client, target = await bench.pair()
        sender, reader = (client, target) if killed == "target" else (target, client)
        sending = asyncio.create_task(sender.send(bytes(SIZE)))
        await reader.read_exactly(BULK_READ_SIZE_MAX)
        reader.reset()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await sending
        await until(lambda: bench.proxy.connection_count == 0)
        sender.close()

    async def main() -> None:
        async with proxied() as bench:
            await one(bench)
            before = descriptor_count()
            for _ in range(PAIRS_MADE):
                await one(bench)
            await until(lambda: descriptor_count() <= before)
            assert bench.proxy.view()["connections_made"] == PAIRS_MADE + 1

    run_on(loop, main())
