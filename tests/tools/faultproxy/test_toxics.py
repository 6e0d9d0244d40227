"""Each toxic on real sockets: the bytes and the time that both ends see, and what is counted of it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.channel import HELD_SIZE_MAX
from tests.tools.faultproxy.ends import Bench, Loop, Peer, both_loops, proxied, run_on, until

# What a busy machine may add to a time that is asked for.
LATE_S = 3.0


async def echoed_s(one: Peer, other: Peer, data: bytes = b"ping") -> float:
    """Send from one end to the other; how long it took, in seconds."""
    begin = time.monotonic()
    await one.send(data)
    assert await other.read_exactly(len(data)) == data
    return time.monotonic() - begin


def counts(bench: Bench, name: str) -> dict[str, Any]:
    (row,) = [each for each in bench.proxy.view()["toxics"] if each["name"] == name]
    return dict(row["counts"])


@both_loops
def test_latency_is_on_its_direction_alone_on_bytes_and_on_the_end(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="latency", latency_ms=400, direction="downstream")
            await echoed_s(client, target)
            assert counts(bench, "latency")["bytes_delayed"] == 0
            assert 0.4 <= await echoed_s(target, client) < 0.4 + LATE_S
            begin = time.monotonic()
            target.half_close()
            assert await client.read() == b""
            assert 0.4 <= time.monotonic() - begin < 0.4 + LATE_S
            assert counts(bench, "latency")["bytes_delayed"] == 4

    run_on(loop, main())


@both_loops
def test_bandwidth_gives_so_many_bytes_in_so_much_time(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="bandwidth", bytes_per_s=400_000, direction="upstream")
            data = random.Random(2).randbytes(200_000)
            assert 0.5 <= await echoed_s(client, target, data) < 0.5 + LATE_S
            await echoed_s(target, client, data)
            assert counts(bench, "bandwidth")["bytes_delayed"] == len(data), "of one direction"

    run_on(loop, main())


@both_loops
def test_bandwidth_beyond_what_may_be_held_makes_the_sender_wait_and_loses_nothing(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="bandwidth", bytes_per_s=20_000_000)
            data = random.Random(3).randbytes(12_000_000)
            sending = asyncio.create_task(client.send(data))
            (link,) = bench.proxy._links
            await until(lambda: not link.client.is_read)
            assert link.client.channel.held_size <= HELD_SIZE_MAX + 300_000
            assert await target.read_exactly(len(data)) == data
            await sending

    run_on(loop, main())


@both_loops
def test_slices_arrive_one_by_one(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="slicer", piece_bytes=3, pause_ms=50)
            begin = time.monotonic()
            await client.send(b"abcdefgh")
            assert await target.read() == b"abc"
            assert await target.read_exactly(5) == b"defgh"
            assert 0.1 <= time.monotonic() - begin < 0.1 + LATE_S

    run_on(loop, main())


@both_loops
def test_slices_without_a_pause_are_all_there_and_in_order(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="slicer", piece_bytes=7, variation_bytes=6)
            data = random.Random(4).randbytes(20_000)
            await client.send(data)
            received, reads = b"", 0
            while len(received) < len(data):
                received += await target.read()
                reads += 1
            assert received == data
            assert reads > 100, "each piece is a write of its own, so that a reader on time sees many"

    run_on(loop, main())


@both_loops
def test_a_stalled_connection_stays_open_and_has_everything_when_the_stall_is_gone(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="stall")
            data = random.Random(5).randbytes(20_000_000)
            sending = asyncio.create_task(client.send(data))
            (link,) = bench.proxy._links
            await until(lambda: not link.client.is_read)
            assert HELD_SIZE_MAX <= link.client.channel.held_size <= HELD_SIZE_MAX + 300_000
            bench.proxy.remove("stall")
            assert await target.read_exactly(len(data)) == data
            await sending
            assert await echoed_s(target, client) < LATE_S

    run_on(loop, main())


@both_loops
def test_what_fell_into_a_black_hole_is_counted_and_its_connection_reset_when_it_is_gone(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            (client, target), (spared, at_spared) = await bench.pair(), await bench.pair()
            hole = bench.proxy.add(kind="black_hole", direction="upstream")
            await client.send(bytes(300_000))
            client.half_close()
            await until(lambda: hole.counts.bytes_dropped == 300_000)
            assert await echoed_s(target, client, b"the other way is free") < LATE_S
            bench.proxy.remove("black_hole")
            assert await target.read_to_end() == (b"", True)
            assert await client.read_to_end() == (b"", True)
            assert hole.counts.connections_reset == 1
            assert await echoed_s(spared, at_spared) < LATE_S, "who lost nothing goes on"

    run_on(loop, main())


@both_loops
def test_a_timeout_lets_nothing_through_and_then_closes_both_ends(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            begin = time.monotonic()
            bench.proxy.add(kind="timeout", after_ms=400)
            await client.send(b"lost")
            assert await target.read_to_end() == (b"", False)
            assert await client.read_to_end() == (b"", False)
            assert 0.4 <= time.monotonic() - begin < 0.4 + LATE_S
            done = counts(bench, "timeout")
            assert (done["bytes_dropped"], done["connections_closed"], done["connections_reset"]) == (4, 1, 0)

    run_on(loop, main())


@both_loops
def test_limit_data_closes_after_exactly_so_many_bytes(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            bench.proxy.add(kind="limit_data", bytes=100_000, direction="downstream")
            client, target = await bench.pair()
            data = random.Random(6).randbytes(100_001)
            await target.send(data)
            assert await client.read_to_end() == (data[:100_000], False)
            await until(lambda: bench.proxy.connection_count == 0)
            assert counts(bench, "limit_data")["connections_closed"] == 1

    run_on(loop, main())


@both_loops
def test_a_slow_close_is_late_while_bytes_are_not(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="slow_close", delay_ms=400)
            begin = time.monotonic()
            await client.send(b"bytes")
            client.half_close()
            assert await target.read() == b"bytes"
            assert counts(bench, "slow_close")["bytes_delayed"] == 0
            assert await target.read() == b""
            assert 0.4 <= time.monotonic() - begin < 0.4 + LATE_S

    run_on(loop, main())


@both_loops
@pytest.mark.parametrize("direction", ["upstream", "downstream", "both"])
def test_a_reset_is_seen_by_the_end_that_it_is_for(loop: Loop, direction: str) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="reset", direction=direction)
            assert await client.read_to_end() == (b"", direction != "upstream")
            assert await target.read_to_end() == (b"", direction != "downstream")
            await until(lambda: bench.proxy.connection_count == 0)
            assert counts(bench, "reset")["connections_reset"] == 1

    run_on(loop, main())


@both_loops
def test_a_connection_made_while_a_reset_is_on_is_reset_after_its_time(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            bench.proxy.add(kind="reset", after_ms=300)
            begin = time.monotonic()
            client, target = await bench.pair()
            await echoed_s(client, target)
            assert await client.read_to_end() == (b"", True)
            assert await target.read_to_end() == (b"", True)
            assert 0.3 <= time.monotonic() - begin < 0.3 + LATE_S

    run_on(loop, main())


@both_loops
def test_connections_are_lost_at_random_times(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            pairs = [await bench.pair() for _ in range(20)]
            begin = time.monotonic()
            lost = bench.proxy.add(kind="loss_of_connection", mean_ms=200)
            ended: list[float] = []

            async def watch(peer: Peer) -> None:
                assert await peer.read_to_end() == (b"", True)
                ended.append(time.monotonic() - begin)

            await asyncio.gather(*(watch(client) for client, _ in pairs))
            assert max(ended) - min(ended) > 0.1
            assert lost.counts.connections_reset == len(pairs)

    run_on(loop, main())


@both_loops
def test_a_proxy_that_is_down_resets_and_refuses_and_keeps_its_port(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            bench.proxy.add(kind="down", ttl_ms=400)
            begin = time.monotonic()
            assert await client.read_to_end() == (b"", True)
            assert await target.read_to_end() == (b"", True)
            refused = 0
            while time.monotonic() - begin < 0.3:
                with pytest.raises(ConnectionRefusedError):
                    bench.client()
                refused += 1
                await asyncio.sleep(0.02)
            assert refused > 0
            await until(lambda: bench.proxy.find("down") is None)
            assert time.monotonic() - begin >= 0.399
            again, at_again = await bench.pair()
            assert await echoed_s(again, at_again) < LATE_S

    run_on(loop, main())


@both_loops
def test_a_toxic_with_a_time_to_live_is_gone_by_itself(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            begin = time.monotonic()  # before the stall, as a busy machine may take its time after it
            bench.proxy.add(kind="stall", ttl_ms=500)
            bench.proxy.add(kind="latency", latency_ms=1, ttl_ms=100)
            await echoed_s(client, target)
            assert 0.5 <= time.monotonic() - begin < 0.5 + LATE_S
            view = bench.proxy.view()
            assert view["toxics"] == []
            over = {row["name"]: row["counts"]["connections_met"] for row in view["toxics_over"]}
            assert over == {"latency": 1, "stall": 1}

    run_on(loop, main())


@both_loops
def test_a_share_of_connections_has_a_toxic_the_same_with_the_same_seed(loop: Loop) -> None:
    async def stalled(seed: str) -> list[bool]:
        async with proxied(seed=seed) as bench:
            bench.proxy.add(kind="stall", toxicity=0.5)
            pairs = [await bench.pair() for _ in range(24)]
            for client, _ in pairs:
                await client.send(b"x")
            held = [link.client.channel for link in bench.proxy._links]
            await until(lambda: sum(link.client.received_size for link in bench.proxy._links) == 24)
            assert (
                sum(channel.held_size for channel in held)
                == bench.proxy.view()["toxics"][0]["counts"]["connections_met"]
            )
            ready = []
            for _, target in pairs:
                try:
                    ready.append(target.socket.recv(1) != b"x")
                except BlockingIOError:
                    ready.append(True)
            return ready

    async def main() -> None:
        first = await stalled("a")
        assert 2 < sum(first) < 22
        assert await stalled("a") == first
        assert await stalled("b") != first

    run_on(loop, main())


@both_loops
def test_toxics_come_change_and_go_under_a_stream_and_not_a_byte_is_lost(loop: Loop, seed: int) -> None:
    rng = random.Random(seed)
    up, down = rng.randbytes(3_000_000), rng.randbytes(3_000_000)

    async def disturbed(bench: Bench) -> None:
        for number in range(40):
            bench.proxy.add(kind="latency", name="late", latency_ms=rng.randrange(4), jitter_ms=3)
            bench.proxy.add(kind="slicer", piece_bytes=rng.randrange(500, 9_000))
            bench.proxy.add(kind="stall", name=f"stall{number}", ttl_ms=5)
            bench.proxy.add(kind="bandwidth", bytes_per_s=20_000_000)
            await asyncio.sleep(0.003)
            bench.proxy.change("late", {"latency_ms": rng.randrange(4)})
            await asyncio.sleep(0.003)
            bench.proxy.reset()

    async def sent_and_closed(peer: Peer, data: bytes) -> None:
        await peer.send(data)
        peer.half_close()

    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            at_target, at_client, *_ = await asyncio.gather(
                target.read_to_end(), client.read_to_end(), sent_and_closed(client, up),
                sent_and_closed(target, down), disturbed(bench),
            )  # fmt: skip
            assert (at_target == (up, False), at_client == (down, False)) == (True, True)

    run_on(loop, main())


@both_loops
def test_what_cannot_be_changes_nothing(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            bench.proxy.add(kind="latency", latency_ms=5)
            before = bench.proxy.view()
            wrongs: list[Callable[[], object]] = [
                lambda: bench.proxy.add(kind="latency", latency_ms=6),
                lambda: bench.proxy.add(kind="nothing"),
                lambda: bench.proxy.change("latency", {"latency_ms": -1}),
                lambda: bench.proxy.change("other", {}),
                lambda: bench.proxy.remove("other"),
            ]
            for wrong in wrongs:
                with pytest.raises(ConfigError):
                    wrong()
            assert bench.proxy.view() == before

    run_on(loop, main())
