"""The proxies over HTTP: made, looked at, told; what cannot be is refused with its key, and nothing done."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import uvloop

from sprint.core.faultproxy.toxics import DELAY_MS_MAX, Kind
from sprint.tools.faultproxy.control import BODY_SIZE_MAX, serve_control
from sprint.tools.faultproxy.proxies import FaultProxies
from sprint.tools.net import bind
from tests.tools.faultproxy.ends import Loop, Peer, Target, both_loops, run_on


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
            await taken_s()
            await control.asked("POST", toxics, 201, kind="latency", latency_ms=300)
            assert 0.3 <= await taken_s() < 2
            await control.asked("PUT", f"{toxics}/latency", latency_ms=600)
            assert 0.6 <= await taken_s() < 2.5
            gone = await control.asked("DELETE", f"{toxics}/latency")
            assert gone["toxic"]["counts"]["bytes_delayed"] == 8
            await taken_s()
            assert gone["toxic"]["counts"]["connections_met"] == 1
            assert (await control.asked("GET", toxics)) == {"toxics": []}
            client.close()

    run_on(loop, main())


@both_loops
def test_proxies_are_made_listed_and_deleted_with_their_connections(loop: Loop) -> None:
    async def main() -> None:
        async with controlled() as control:
            made = await control.created("a")
            await control.created("b")
            listed = (await control.asked("GET", "/api/proxies"))["proxies"]
            assert [each["name"] for each in listed] == ["a", "b"]
            assert (await control.asked("GET", "/api/proxies/a")) == listed[0] == made
            host, port = made["listen"].split(":")
            peer = Peer(socket.create_connection((host, int(port))))
            await control.target.accept()
            await control.asked("DELETE", "/api/proxies/a")
            assert await peer.read_to_end() == (b"", True)
            peer.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)))
            await control.asked("GET", "/api/proxies/a", 404)
            await control.created("a")

    run_on(loop, main())


@both_loops
def test_one_order_takes_all_faults_off_all_proxies(loop: Loop) -> None:
    async def main() -> None:
        async with controlled() as control:
            for name in ("a", "b"):
                await control.created(name)
                for kind in ("stall", "black_hole"):
                    await control.asked("POST", f"/api/proxies/{name}/toxics", 201, kind=kind)
            assert await control.asked("POST", "/api/faults/reset") == {"removed": 4}
            listed = (await control.asked("GET", "/api/proxies"))["proxies"]
            assert [each["toxics"] for each in listed] == [[], []]
            await control.asked("POST", "/api/faults/reset", 400, of="a")

    run_on(loop, main())


@both_loops
def test_the_kinds_are_told_with_their_figures_and_limits(loop: Loop) -> None:
    async def main() -> None:
        async with controlled() as control:
            kinds = (await control.asked("GET", "/api/faults"))["kinds"]
            assert list(kinds) == list(Kind)
            assert kinds["latency"]["figures"]["latency_ms"] == {
                "says": "how much later", "least": 0, "most": DELAY_MS_MAX, "default": None,
            }  # fmt: skip

    run_on(loop, main())


REFUSED: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", "/api/proxies", {"name": "b"}, 400, "target: nothing; want HOST:PORT"),
    ("POST", "/api/proxies", {"name": "b", "target": "192.0.2.1:1"}, 400, "not on loopback"),
    ("POST", "/api/proxies", {"name": "b", "target": "[::1]:1", "listen": "0.0.0.0:0"}, 400, "listen: 0.0"),
    ("POST", "/api/proxies", {"name": "node", "target": "[::1]:1"}, 400, "name: a proxy 'node' is there"),
    ("GET", "/api/proxies/other", {}, 404, "no proxy 'other'; there is node"),
    ("DELETE", "/api/proxies/other", {}, 404, "no proxy 'other'"),
    ("POST", "/api/proxies/other/toxics", {"kind": "stall"}, 404, "no proxy 'other'"),
    ("POST", "/api/proxies/node/toxics", {"kind": "latency"}, 400, "latency_ms: nothing; want a whole"),
    ("POST", "/api/proxies/node/toxics", {"kind": "stall", "name": "held"}, 400, "a toxic 'held' is there"),
    ("PUT", "/api/proxies/node/toxics/held", {"toxicity": 2}, 400, "toxicity: 2; want a number from 0 to 1"),
    ("PUT", "/api/proxies/node/toxics/other", {}, 404, "no toxic 'other' on proxy node"),
    ("DELETE", "/api/proxies/node/toxics/other", {}, 404, "no toxic 'other' on proxy node"),
    ("PUT", "/api/proxies/node", {}, 405, "there is DELETE, GET, HEAD"),
]  # fmt: skip


def test_what_cannot_be_is_refused_with_its_reason_and_nothing_is_done() -> None:
    async def main() -> None:
        async with controlled() as control:
            await control.created()
            await control.asked("POST", "/api/proxies/node/toxics", 201, kind="stall", name="held")
            before = await control.asked("GET", "/api/proxies")
            for method, path, fields, status, said in REFUSED:
                problem = await control.asked(method, path, status, **fields)
                assert said in problem["detail"], problem
            assert await control.asked("GET", "/api/proxies") == before

    run_on(uvloop.new_event_loop, main())


def test_a_form_of_a_foreign_page_and_a_long_body_are_refused() -> None:
    async def main() -> None:
        async with controlled() as control:
            for path in ("/api/proxies", "/api/faults/reset", "/api/proxies/x/toxics"):
                answer = await control.client.post(
                    path, content=b"{}", headers={"Content-Type": "text/plain"}
                )
                assert answer.status_code == 415
                answer = await control.client.post(path, json={"name": "a" * BODY_SIZE_MAX})
                assert answer.status_code == 413
            answer = await control.client.get("/api/proxies", headers={"Origin": "http://page.example"})
            assert answer.status_code == 403

    run_on(uvloop.new_event_loop, main())


def test_what_a_refusal_names_as_its_type_is_served_beside_it() -> None:
    async def main() -> None:
        async with controlled() as control:
            refused = await control.asked("GET", "/api/proxies/nobody", 404)
            assert (await control.asked("GET", refused["type"]))["code"] == "not_found"

    run_on(uvloop.new_event_loop, main())


def test_no_body_whatever_brings_anything_but_an_answer_and_a_problem_of_its_own(seed: int) -> None:
    """What a stranger may send: JSON of any shape under the keys that there are, and bytes that are none."""
    rng = random.Random(seed)
    values: list[Any] = [
        None,
        True,
        -1,
        0,
        1,
        2**63,
        1e300,
        "",
        "stall",
        "latency",
        "both",
        "127.0.0.1:1",
        [],
        {},
    ]
    keys = [
        "name",
        "kind",
        "direction",
        "toxicity",
        "ttl_ms",
        "target",
        "listen",
        "latency_ms",
        "bytes",
        "\x00",
    ]

    async def main() -> None:
        async with controlled() as control:
            await control.created()
            for _ in range(400):
                body = msgspec.json.encode(
                    {key: rng.choice(values) for key in rng.sample(keys, rng.randrange(5))}
                )
                if rng.random() < 0.3:
                    cut = rng.randrange(len(body) + 1)
                    body = body[:cut] + rng.randbytes(3) + body[cut:]
                path = rng.choice(["/api/proxies", "/api/proxies/node/toxics", "/api/faults/reset"])
                answer = await control.client.post(
                    path, content=body, headers={"Content-Type": "application/json"}
                )
                assert answer.status_code in {200, 201, 400}, (answer.text, body)
            assert (await control.asked("GET", "/api/proxies/node"))["name"] == "node"

    run_on(uvloop.new_event_loop, main())
