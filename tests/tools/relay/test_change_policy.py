"""A tier's policy that is changed while it is served: who is there stays, and is served under the new one."""

from __future__ import annotations

import asyncio
import json

import httpx
import msgspec
from websockets.asyncio.client import connect

from sprint.tools.relay.place import StartAsked
from tests.tools.relay.serving import Relay, http_client, policy, until, websocket_url
from tests.tools.relay.test_delivery import ALL, Recorder, everything

WAIT_S = 10.0


def test_subscribers_stay_and_new_ones_get_the_new_window() -> None:
    async def main() -> None:
        relay = Relay()
        tier = policy()
        async with relay.listening(tier) as listener:
            url = websocket_url(listener, "/ws/v1/events?types=block")
            async with asyncio.timeout(WAIT_S), connect(url) as there:
                await until(lambda: relay.delivery.subscriber_count == 1)
                relay.api.change_policy(tier.name, {"rank": 1, "coalescing_window_ms": 5.0})
                async with connect(url) as new:
                    await until(lambda: relay.delivery.subscriber_count == 2)
                    relay.block(7)
                    for socket in (there, new):
                        messages = [json.loads(await socket.recv()) for _ in range(2)]
                        assert messages[-1]["data"]["height"] == 7
            feed, _ = relay.api._served[tier.name]
            assert feed.window is not None
            assert feed.window.window_s == 0.005

    asyncio.run(main())


def test_a_lower_limit_of_connections_refuses_new_ones_and_ends_none() -> None:
    async def main() -> None:
        relay = Relay()
        tier = policy()
        async with relay.listening(tier) as listener, http_client(listener) as first:
            assert (await first.get("/api/v1/version")).status_code == 200
            relay.api.change_policy(tier.name, {"connections_max": 1})
            assert (await first.get("/api/v1/version")).status_code == 200
            async with httpx.AsyncClient(base_url=listener.url, trust_env=False) as second:
                assert (await second.get("/api/v1/version")).status_code == 503
            relay.api.change_policy(tier.name, {"connections_max": 2})
            assert (await first.get("/api/v1/version")).status_code == 200

    asyncio.run(main())


def test_who_still_follows_while_a_policy_is_changed_joins_under_the_new_one() -> None:
    async def main() -> None:
        relay = Relay()
        relay.block(1)
        order: list[Recorder] = []
        other, late = Recorder(order=order), Recorder(order=order)
        latest = await relay.delivery.locate(StartAsked(ALL, "latest"))
        await relay.delivery.follow(other, everything(rank=3), latest)
        late.stalled.clear()
        earliest = await relay.delivery.locate(StartAsked(ALL, "earliest"))
        subscription = everything(rank=1)
        following = asyncio.create_task(relay.delivery.follow(late, subscription, earliest))
        relay.delivery.change_policy(msgspec.structs.replace(subscription.policy, rank=9))
        late.stalled.set()
        assert await following
        order.clear()
        relay.block(2)
        assert order == [late, other]
        relay.delivery.close()

    asyncio.run(main())
