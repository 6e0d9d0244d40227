"""The proxies over HTTP: made, looked at, told; what cannot be is refused with its key, and nothing done."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from sprint.tools.faultproxy.control import serve_control
from sprint.tools.faultproxy.proxies import FaultProxies
from sprint.tools.net import bind
from tests.tools.faultproxy.ends import Loop, Target, both_loops, run_on


class Controlled:
    """Some proxies, a target, and a client of the control."""

    def __init__(self, proxies: FaultProxies, target: Target, client: httpx.AsyncClient) -> None:
        self.proxies = proxies
        self.target = target
        self.client = client

    async def asked(self, method: str, path: str, status: int = 200, **fields: Any) -> dict[str, Any]:
        body = fields if method in {"POST", "PUT"} else None
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    async def created(self, name: str = "node") -> dict[str, Any]:
        fields = {"name": name, "target": str(self.target.address)}
        return dict((await self.asked("POST", "/api/proxies", 201, **fields))["proxy"])


@asynccontextmanager
async def controlled() -> AsyncIterator[Controlled]:
    proxies = FaultProxies()
    target = Target()
    listener = await serve_control(proxies, bind("127.0.0.1", 0))
    try:
        async with httpx.AsyncClient(trust_env=False, base_url=listener.url, timeout=10.0) as client:
            yield Controlled(proxies, target, client)
    finally:
        await listener.stop()
        await proxies.stop()
        target.close()


@both_loops
def test_a_latency_is_put_on_changed_and_taken_off_while_a_connection_is_open(loop: Loop) -> None:
    async def main() -> None:
        async with controlled() as control:
            made = await control.created()
            host, port = made["listen"].split(":")
            client = socket.create_connection((host, int(port)))
            target = await control.target.accept()

            async def taken_s() -> float:
                begin = time.monotonic()
                client.send(b"ping")
                assert await target.read() == b"ping"
                return time.monotonic() - begin

            toxics = "/api/proxies/node/toxics"
            assert await taken_s() < 0.3
            await control.asked("POST", toxics, 201, kind="latency", latency_ms=300)
            assert 0.3 <= await taken_s() < 2
            await control.asked("PUT", f"{toxics}/latency", latency_ms=600)
            assert 0.6 <= await taken_s() < 2.5
            gone = await control.asked("DELETE", f"{toxics}/latency")
            assert gone["toxic"]["counts"]["bytes_delayed"] == 8
            assert await taken_s() < 0.3
            assert (await control.asked("GET", toxics)) == {"toxics": []}
            client.close()

    run_on(loop, main())
