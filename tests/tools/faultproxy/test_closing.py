"""An end that a toxic closes sees a close: no reset, whatever it has sent that nobody reads any more.

A socket that is closed with bytes that nobody has read is reset by the system (RFC 1122, 4.2.2.13).
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.tools.faultproxy.ends import READ_SIZE, Loop, Peer, both_loops, proxied, run_on, until


async def fill(peer: Peer) -> int:
    """Send until nobody takes more of it, neither the proxy nor the system; return how many bytes."""
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += peer.socket.send(bytes(READ_SIZE))
            await asyncio.sleep(0.001)
    return sent


@both_loops
def test_a_client_that_has_sent_before_it_is_let_in_is_closed_and_not_reset(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            bench.proxy.add(kind="reset", direction="upstream")
            client = bench.client()
            await client.send(b"a request")
            assert await client.read_to_end() == (b"", False)
            await until(lambda: bench.proxy.connection_count == 0)

    run_on(loop, main())


@both_loops
@pytest.mark.parametrize("way", ["upstream", "downstream"])
def test_an_end_that_is_not_read_any_more_is_closed_and_not_reset(loop: Loop, way: str) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            closed = client if way == "upstream" else target
            await fill(closed)
            bench.proxy.add(kind="reset", direction=way)
            assert await closed.read_to_end() == (b"", False)
            await until(lambda: bench.proxy.connection_count == 0)

    run_on(loop, main())


@both_loops
def test_what_was_written_to_an_end_that_is_closed_reaches_it_though_it_sends_meanwhile(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client, target = await bench.pair()
            sent = await fill(target)
            ending = bench.proxy.add(kind="timeout", after_ms=1)
            await until(lambda: ending.counts.connections_closed == 1)
            await client.send(b"a request")
            received, is_reset = await client.read_to_end()
            assert not is_reset
            assert 0 < len(received) <= sent
            await until(lambda: bench.proxy.connection_count == 0)

    run_on(loop, main())
