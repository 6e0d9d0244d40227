"""What bounds a proxy: ends that don't read, targets that don't answer, descriptors that run out."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import time

import pytest

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import proxy_of
from sprint.core.faultproxy.connection import ConnectionFaults, Ending
from sprint.core.faultproxy.drawing import SeededDraws
from sprint.tools.faultproxy import link, proxy
from sprint.tools.faultproxy.proxies import PROXIES_MAX, FaultProxies
from sprint.tools.faultproxy.reading import ReadBuffer
from tests.tools.faultproxy.ends import Loop, both_loops, proxied, run_on, until

SIZE = 20_000_000


@both_loops
def test_an_end_that_was_closed_and_does_not_read_is_let_go(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CLOSE_TIMEOUT_S", 0.2)

    async def main() -> None:
        async with proxied() as bench:
            client, _target = await bench.pair()
            sending = asyncio.create_task(client.send(bytes(SIZE)))
            (made,) = bench.proxy._links
            await until(lambda: not made.client.is_read)
            begin = time.monotonic()
            bench.proxy.add(kind="timeout", after_ms=1)
            await until(lambda: bench.proxy.connection_count == 0)
            assert time.monotonic() - begin >= 0.2
            with pytest.raises(ConnectionError):
                await sending

    run_on(loop, main())


@both_loops
def test_a_target_that_never_answers_resets_the_client_when_its_time_is_over(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "CONNECT_TIMEOUT_S", 0.3)

    async def main() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(4)]
            for each in waiting:  # more than its queue takes, so that the next gets no answer
                each.settimeout(0)
                assert each.connect_ex(full.getsockname()) in {0, errno.EINPROGRESS}
            target = f"127.0.0.1:{full.getsockname()[1]}"
            async with (
                proxied() as bench,
                proxy.FaultProxy(proxy_of({"name": "b", "target": target})) as silent,
            ):
                bench.proxy = silent
                begin = time.monotonic()
                client = bench.client()
                assert await client.read_to_end() == (b"", True)
                assert time.monotonic() - begin >= 0.29
                assert (silent.connections_failed, silent.connection_count) == (1, 0)
            for each in waiting:
                each.close()

    run_on(loop, main())


@both_loops
def test_a_connection_that_comes_while_descriptors_have_run_out_is_taken_later(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:
            client = bench.client()  # in the queue: the loop has had no turn yet
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            free = os.dup(0)
            os.close(free)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
                listening = bench.proxy._listening
                assert listening is not None
                await until(lambda: listening._pause is not None)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            target = await bench.target.accept()
            await client.send(b"late")
            assert await target.read() == b"late"

    run_on(loop, main())


@both_loops
def test_there_are_as_many_proxies_as_the_limit_says_and_not_one_more(loop: Loop) -> None:
    async def main() -> None:
        proxies = FaultProxies()
        for number in range(PROXIES_MAX):
            proxies.create(proxy_of({"name": f"p{number}", "target": "127.0.0.1:9"}))
        with pytest.raises(ConfigError, match=f"{PROXIES_MAX} proxies, limit {PROXIES_MAX}"):
            proxies.create(proxy_of({"name": "more", "target": "127.0.0.1:9"}))
        await proxies.delete("p0")
        proxies.create(proxy_of({"name": "more", "target": "127.0.0.1:9"}))
        await proxies.stop()

    run_on(loop, main())


@both_loops
def test_many_connections_come_and_go_at_once_and_none_is_left(loop: Loop) -> None:
    async def main() -> None:
        async with proxied() as bench:

            async def one(number: int) -> None:
                client = bench.client()
                await client.send(b"%04d" % number)
                if number % 3 == 0:
                    client.reset()
                elif number % 3 == 1:
                    client.half_close()
                else:
                    client.close()

            async def accepted() -> None:
                for _ in range(300):
                    (await bench.target.accept()).close()

            await asyncio.gather(accepted(), *(one(number) for number in range(300)))
            await until(lambda: bench.proxy.connection_count == 0)
            view = bench.proxy.view()
            assert view["connections_made"] == 300
            assert len(bench.proxy._openings) == 0

    run_on(loop, main())


class StandInTransport(asyncio.Transport):
    """A transport that notes how it was ended."""

    def __init__(self, bound: socket.socket) -> None:
        super().__init__(extra={"socket": bound})
        self.ended: list[str] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.ended.append("abort")

    def close(self) -> None:
        self.ended.append("close")


def test_a_client_whose_target_went_before_its_socket_was_made_is_reset() -> None:
    async def main() -> None:
        gone: list[link.Link] = []
        faults = ConnectionFaults(1, SeededDraws)
        made = link.Link(faults, ReadBuffer(), lambda begun: begun.adopt(()), gone.append)
        with socket.socket() as one, socket.socket() as other:
            target, client = StandInTransport(one), StandInTransport(other)
            made.target.connection_made(target)
            made.target.connection_lost(None)
            assert gone == [made]
            made.client.connection_made(client)
            assert client.ended == ["abort"]

    asyncio.run(main())


def test_a_client_whose_connection_was_ended_before_its_socket_was_made_is_ended_in_the_same_way() -> None:
    async def main() -> None:
        faults = ConnectionFaults(1, SeededDraws)
        made = link.Link(faults, ReadBuffer(), lambda begun: begun.adopt(()), lambda _: None)
        with socket.socket() as one, socket.socket() as other:
            target, client = StandInTransport(one), StandInTransport(other)
            made.target.connection_made(target)
            made.end(Ending(resets_client=False, resets_target=True))
            made.client.connection_made(client)
            assert (client.ended, target.ended) == (["close"], ["abort"])
            made.client.connection_lost(None)
            made.target.connection_lost(None)

    asyncio.run(main())
