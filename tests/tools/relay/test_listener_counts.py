"""The limit of a tier's connections: who comes over it is refused and counted, who was there is served."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sprint.tools.relay.listener_counts import ListenerCounts
from tests.tools.relay.serving import Relay, http_client, policy, until, websocket_url

TIER = "rank-5"


def counted(relay: Relay, name: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(ListenerCounts(relay.api.sites))
    return registry.get_sample_value(name, {"tier": TIER})


def test_a_connection_over_the_limit_that_stays_does_not_have_the_others_refused() -> None:
    """As long as one connection too many was open, the requests of all others were refused too."""

    async def main() -> None:
        relay = Relay()
        async with relay.listening(policy(connections_max=1)) as listener, http_client(listener) as first:
            assert (await first.get("/api/v1/version")).status_code == 200
            with socket.create_connection((listener.host, listener.port)):
                await until(lambda: relay.api.sites[TIER].connection_count == 2)
                assert (await first.get("/api/v1/version")).status_code == 200
                async with httpx.AsyncClient(base_url=listener.url, trust_env=False) as late:
                    answer = await late.get("/api/v1/version")
            assert answer.status_code == 503
            assert answer.json()["detail"] == "3 connections, limit 1"
            assert counted(relay, "sprint_connections_refused_total") == 1

    asyncio.run(main())


def test_one_that_came_over_the_limit_is_served_once_there_is_room() -> None:
    async def main() -> None:
        relay = Relay()
        async with relay.listening(policy(connections_max=1)) as listener:
            first = socket.create_connection((listener.host, listener.port))
            await until(lambda: relay.api.sites[TIER].connection_count == 1)
            reader, writer = await asyncio.open_connection(listener.host, listener.port)
            await until(lambda: relay.api.sites[TIER].connection_count == 2)
            first.close()
            await until(lambda: relay.api.sites[TIER].connection_count == 1)
            head = f"GET /api/v1/version HTTP/1.1\r\nHost: {listener.host}:{listener.port}\r\n\r\n"
            writer.write(head.encode())
            assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 200 OK\r\n"
            writer.close()
            await writer.wait_closed()

    asyncio.run(main())


def test_handshakes_are_counted_and_refused_like_requests_and_what_is_gone_is_not_counted() -> None:
    async def main() -> None:
        relay = Relay()
        async with relay.listening(policy(connections_max=1)) as listener:
            url = websocket_url(listener, "/ws/v1/events")
            async with connect(url):
                assert counted(relay, "sprint_connections") == 1
                with pytest.raises(InvalidStatus) as refused:
                    await connect(url)
                assert refused.value.response.status_code == 503
                assert counted(relay, "sprint_connections_refused_total") == 1
            await until(lambda: relay.api.sites[TIER].connection_count == 0)
            assert counted(relay, "sprint_connections") == 0
            assert counted(relay, "sprint_connections_max") == 1
            assert counted(relay, "sprint_subscribers_slow_total") == 0

    asyncio.run(main())
