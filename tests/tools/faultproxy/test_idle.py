"""A proxy without toxics is not there: each byte, half-close, close and reset comes through as it was."""

from __future__ import annotations

import asyncio
import random
import socket

import psutil
import pytest

from sprint.core.errors import ConfigError, ListenError
from sprint.core.faultproxy.channel import HELD_SIZE_MAX
from sprint.core.faultproxy.codec import proxy_of
from sprint.tools.faultproxy.link import WRITE_SIZE_HIGH, LinkEnd
from sprint.tools.faultproxy.proxy import FaultProxy
from sprint.tools.faultproxy.reading import BULK_READ_SIZE_MAX
from tests.tools.faultproxy.ends import Loop, Peer, both_loops, proxied, run_on, until

SIZE = 50_000_000
TCP_CLOSE = 7  # of Linux: nothing more will come or go


async def sent_and_closed(peer: Peer, data: bytes) -> None:
    await peer.send(data)
    peer.half_close()


@both_loops
def test_fifty_megabytes_each_way_at_once_are_the_same_and_end_by_half_closes(loop: Loop, seed: int) -> None:
    up, down = (random.Random(f"{seed}{way}").randbytes(SIZE) for way in ("up", "down"))

    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            (at_target, reset_up), (at_client, reset_down), *_ = await asyncio.gather(
                target.read_to_end(),
                client.read_to_end(),
                sent_and_closed(client, up),
                sent_and_closed(target, down),
            )
            assert (at_target == up, at_client == down) == (True, True)
            assert (reset_up, reset_down) == (False, False)
            await until(lambda: bench.proxy.connection_count == 0)
            view = bench.proxy.view()
            assert (view["bytes_upstream"], view["bytes_downstream"]) == (SIZE, SIZE)

    run_on(loop, main())


@both_loops
def test_an_answer_comes_back_after_the_client_has_half_closed(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            await sent_and_closed(client, b"request")
            assert await target.read_to_end() == (b"request", False)
            await sent_and_closed(target, b"answer")
            assert await client.read_to_end() == (b"answer", False)

    run_on(loop, main())


@both_loops
def test_a_target_that_speaks_first_is_heard(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            await target.send(b"banner")
            assert await client.read() == b"banner"

    run_on(loop, main())


@both_loops
def test_a_reset_of_either_end_is_a_reset_at_the_other(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            for killed in (0, 1):
                ends = await bench.pair()
                await ends[killed].send(b"last words")
                assert await ends[1 - killed].read() == b"last words"
                ends[killed].reset()
                assert await ends[1 - killed].read_to_end() == (b"", True)
            await until(lambda: bench.proxy.connection_count == 0)

    run_on(loop, main())


@both_loops
def test_a_reader_that_stops_stops_the_sender_and_holds_bounded_bytes(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            target.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
            data = random.Random(1).randbytes(SIZE)
            sending = asyncio.create_task(sent_and_closed(client, data))
            (link,) = bench.proxy._links
            await until(lambda: not link.client.is_read)
            held = link.target.transport.get_write_buffer_size() if link.target.transport else 0
            assert held + link.client.channel.held_size <= WRITE_SIZE_HIGH + BULK_READ_SIZE_MAX
            assert not sending.done()
            assert await target.read_to_end() == (data, False)
            await sending

    run_on(loop, main())


@both_loops
def test_a_sender_that_is_killed_while_its_reader_stands_still_is_passed_on_as_a_reset(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            sending = asyncio.create_task(client.send(bytes(SIZE)))
            (link,) = bench.proxy._links
            await until(lambda: not link.client.is_read)
            sending.cancel()
            await asyncio.wait([sending])
            client.reset()
            await until(lambda: bench.proxy.connection_count == 0)
            received, was_reset = await target.read_to_end()
            assert (len(received) < SIZE, was_reset) == (True, True)

    run_on(loop, main())


@both_loops
def test_a_client_that_is_killed_after_its_half_close_is_passed_on_as_a_reset(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            await sent_and_closed(client, b"request")
            assert await target.read_to_end() == (b"request", False)
            client.reset()
            await until(lambda: bench.proxy.connection_count == 0)
            assert target.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    run_on(loop, main())


@both_loops
@pytest.mark.parametrize("size", [HELD_SIZE_MAX - 1, HELD_SIZE_MAX + 30_000])
def test_an_end_whose_both_streams_are_over_is_not_taken_for_one_that_was_killed(
    loop: Loop, size: int
) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            target.half_close()
            assert await client.read() == b""
            bench.proxy.add(kind="stall", direction="upstream")
            data = random.Random(8).randbytes(size)
            await sent_and_closed(client, data)
            (link,) = bench.proxy._links
            await until(lambda: link.client.has_sent_all or not link.client.is_read)
            assert link.client.transport is not None
            bound = link.client.transport.get_extra_info("socket")
            await until(lambda: bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE)
            link.end_if_dead()
            await asyncio.sleep(0)
            bench.proxy.reset()
            assert await target.read_to_end() == (data, False)

    run_on(loop, main())


@both_loops
def test_an_end_is_told_the_end_of_the_stream_once_however_slowly_it_reads(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[LinkEnd] = []
    end_stream = LinkEnd.end_stream

    def counted(end: LinkEnd) -> None:
        told.append(end)
        end_stream(end)

    monkeypatch.setattr(LinkEnd, "end_stream", counted)

    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            (link,) = bench.proxy._links
            assert link.target.transport is not None
            small = link.target.transport.get_extra_info("socket")
            small.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            data = random.Random(7).randbytes(HELD_SIZE_MAX - 1)
            bench.proxy.add(kind="stall")
            await sent_and_closed(client, data)
            await until(lambda: link.client.has_sent_all)
            bench.proxy.reset()
            await until(lambda: link.target.is_paused)
            assert await target.read_to_end() == (data, False)
            await target.send(b"answer")
            assert await client.read() == b"answer"
            assert len(told) == 1

    run_on(loop, main())


@both_loops
def test_a_target_that_resets_at_once_resets_each_client_and_leaves_none_behind(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            for _ in range(50):
                client = bench.client()
                (await bench.target.accept()).reset()
                assert await client.read_to_end() == (b"", True)
            await until(lambda: bench.proxy.connection_count == 0)
            assert len(bench.proxy._openings) == 0

    run_on(loop, main())


@both_loops
def test_stopping_resets_what_is_open_and_leaves_no_socket_and_no_task(loop: Loop) -> None:
    async def main() -> None:
        before = len(psutil.Process().net_connections("tcp"))
        async with proxied() as bench:
            ends = [await bench.pair() for _ in range(5)]
            unanswered = [bench.client() for _ in range(3)]
            await bench.proxy.stop()
            for peer in (*(each for pair in ends for each in pair), *unanswered):
                assert await peer.read_to_end() == (b"", True)
        await asyncio.sleep(0)
        assert len(psutil.Process().net_connections("tcp")) == before
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_on(loop, main())


@both_loops
def test_a_target_that_cannot_be_reached_resets_the_client_and_is_counted(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            bench.target.close()
            client = bench.client()
            assert await client.read_to_end() == (b"", True)
            assert bench.proxy.view()["connections_failed"] == 1
            assert bench.proxy.connection_count == 0

    run_on(loop, main())


@both_loops
def test_one_connection_too_many_is_reset_and_the_others_stay(loop: Loop) -> None:
    async def main() -> None:
        async with proxied(connections_max=2) as bench:
            pairs = [await bench.pair() for _ in range(2)]
            extra = bench.client()
            assert await extra.read_to_end() == (b"", True)
            for client, target in pairs:
                await client.send(b"still here")
                assert await target.read() == b"still here"
            pairs[0][0].reset()
            await until(lambda: bench.proxy.connection_count == 1)
            client, target = await bench.pair()
            await client.send(b"a place was free")
            assert await target.read() == b"a place was free"
            assert bench.proxy.view()["connections_refused"] == 1

    run_on(loop, main())


@both_loops
def test_ipv6_is_the_same(loop: Loop) -> None:
    async def main() -> None:
        async with proxied("::1") as bench:
            assert str(bench.proxy.address).startswith("[::1]:")
            client, target = await bench.pair()
            await sent_and_closed(client, b"six")
            assert await target.read_to_end() == (b"six", False)

    run_on(loop, main())


def test_a_stranger_is_no_target_unless_the_caller_lists_it() -> None:
    settings = proxy_of({"name": "far", "target": "192.0.2.1:8333"})
    with pytest.raises(ConfigError, match=r"target: 192\.0\.2\.1:8333 is not on loopback"):
        FaultProxy(settings)
    for allowed in ("192.0.2.1:8333", "192.0.2.1"):
        FaultProxy(settings, allowed=[allowed])
    with pytest.raises(ConfigError, match=r"allow list has 192\.0\.2\.1:8334"):
        FaultProxy(settings, allowed=["192.0.2.1:8334"])


@both_loops
def test_a_port_that_is_taken_is_named(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            taken = str(bench.proxy.address)
            with pytest.raises(ListenError, match=taken):
                FaultProxy(proxy_of({"name": "b", "target": "127.0.0.1:1", "listen": taken})).start()

    run_on(loop, main())
