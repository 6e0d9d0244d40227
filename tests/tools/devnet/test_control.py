"""The devnet's control over HTTP: it says how nodes are, does what it is told, and names what cannot be."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from sprint.core.chains import display_hash
from sprint.tools.devnet.control import BLOCKS_PER_REQUEST_MAX, BODY_SIZE_MAX, PATH, serve_control
from sprint.tools.devnet.edge import (
    BLOCK_INTERVAL_S_MAX,
    SEED_LENGTH_MAX,
    Devnet,
    DevnetAddress,
    DevnetOptions,
)
from sprint.tools.devnet.faults import LIES, LIES_OF_ANY_KIND, OF_THE_CLOCK, RULES, Fault
from sprint.tools.net import bind
from tests.tools.devnet.test_edge import Peer, running

CHAIN = "litecoin-regtest"
OTHER = "bitcoin-regtest"
OPTIONS = DevnetOptions(block_interval_s=0, zmq_ports={CHAIN: 0}, rpc_ports={CHAIN: 0})


@asynccontextmanager
async def controlled(
    options: DevnetOptions = OPTIONS,
) -> AsyncIterator[tuple[Devnet, httpx.AsyncClient, int]]:
    """Give a devnet of two chains, a client of its control, and the P2P port of the first chain."""
    async with running(CHAIN, OTHER, options=options) as (devnet, (address, _)):
        listener = await serve_control(devnet, bind("127.0.0.1", 0))
        try:
            async with httpx.AsyncClient(
                trust_env=False, base_url=listener.url + PATH, timeout=10.0
            ) as client:
                yield devnet, client, address.port
        finally:
            await listener.stop()


async def told(client: httpx.AsyncClient, what: str, chain: str = CHAIN, **fields: object) -> dict[str, Any]:
    answer = await client.post(f"/{chain}/{what}", json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_node_is_shown_as_it_is_by_id_and_by_name() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, port):
            everything = (await client.get(str(client.base_url).rstrip("/"))).json()
            assert list(everything["nodes"]) == [CHAIN, OTHER]
            assert set(everything["faults"]) == set(Fault)
            assert everything["faults"]["fork"]["amount_max"] == RULES[Fault.FORK].amount_max
            shown = (await client.get(f"/{CHAIN}")).json()
            assert shown == everything["nodes"][CHAIN] == (await client.get("/litecoin")).json()
            assert shown == {
                "chain": CHAIN,
                "height": 3,
                "tip": display_hash(devnet.ledger(CHAIN).tip),
                "connections": 0,
                "listeners": {
                    "p2p": f"p2p://127.0.0.1:{port}",
                    "rpc": f"rpc://127.0.0.1:{devnet.rpc_port(CHAIN)}",
                    "zmq": f"zmq://127.0.0.1:{devnet.zmq_port(CHAIN)}",
                },
                "block_interval_ms": 0,
                "schedule_seed": None,
                "faults": [],
            }
            assert everything["nodes"][OTHER]["listeners"]["rpc"] is None
            async with Peer(DevnetAddress(CHAIN, "127.0.0.1", port)), asyncio.timeout(10):
                while (await client.get("/litecoin")).json()["connections"] != 1:
                    pass

    asyncio.run(main())


def test_blocks_that_it_is_told_to_mine_are_its_tip() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, _):
            done = await told(client, "mine", count=4)
            assert len(done["hashes"]) == 4
            assert (done["node"]["height"], done["node"]["tip"]) == (7, done["hashes"][-1])
            assert display_hash(devnet.ledger(CHAIN).tip) == done["hashes"][-1]
            assert devnet.ledger(OTHER).height() == 3
            assert (await client.post("/litecoin/mine")).json()["node"]["height"] == 8, "one by default"

    asyncio.run(main())


def test_every_fault_is_shown_by_its_own_amount_and_told_of_while_it_lasts() -> None:
    mined = {Fault.REORDER: 3, Fault.FORK: 2, Fault.SHORT_FORK: 2, Fault.BAD_MERKLE: 1, Fault.BAD_PROOF: 1}
    lasting = LIES_OF_ANY_KIND | OF_THE_CLOCK | {Fault.STALL, Fault.DELAY, Fault.DRIP, Fault.LOSE}

    async def main() -> None:
        async with controlled() as (_, client, _port):
            for fault in sorted(Fault, key=lambda each: each in lasting):
                done = await told(client, "fault", fault=fault)
                assert len(done["hashes"]) == mined.get(fault, 0), fault
                in_force = {row["fault"]: row["amount"] for row in done["node"]["faults"]}
                expected = RULES[fault].amount_default if fault in lasting else None
                assert in_force.get(fault) == expected, fault

    asyncio.run(main())


def test_a_fault_that_lasts_is_told_with_what_is_left_and_a_later_one_takes_its_place() -> None:
    async def main() -> None:
        async with controlled() as (_, client, _port):
            await told(client, "fault", fault="stall", amount=600)
            (row,) = (await told(client, "fault", fault="stall", amount=30))["node"]["faults"]
            assert row["amount"] == 30
            assert 20 < row["left_s"] <= 30
            await told(client, "fault", fault="lose", amount=6)
            told_of = (await told(client, "mine"))["node"]["faults"]
            assert told_of[1] == {"fault": "lose", "amount": 3, "left_s": None}

    asyncio.run(main())


def test_every_fault_that_lasts_is_over_when_it_is_ended_before_its_time() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, port):
            node = devnet._node(CHAIN)
            for fault in Fault:
                done = await told(client, "fault", fault=fault)
                false_blocks = done["hashes"] if fault in LIES else []
                for _ in range(2):
                    done = await told(client, "fault/end", fault=fault)
                    assert done["hashes"] == []
                    assert fault not in [row["fault"] for row in done["node"]["faults"]]
                    assert done["node"]["tip"] not in false_blocks
            assert node._clock.time(node._now()) == node._clock._wall_clock()
            assert node.rpc is not None
            assert not node.rpc._rpc.lying
            async with Peer(DevnetAddress(CHAIN, "127.0.0.1", port)) as peer:
                await told(client, "fault", fault="stall", amount=600)
                await told(client, "fault/end", fault="stall")
                assert await peer.sync(peer.genesis)

    asyncio.run(main())


def test_a_schedule_begins_and_ends_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprint.tools.devnet.faults.PAUSE_MIN_S", 0.0)
    monkeypatch.setattr("sprint.tools.devnet.faults.PAUSE_MAX_S", 0.01)
    seen = asyncio.Event()
    monkeypatch.setattr("sprint.tools.devnet.listening_node.ListeningNode.show", lambda *_: seen.set())

    async def main() -> None:
        async with controlled() as (devnet, client, _):
            assert (await told(client, "schedule", seed="7"))["node"]["schedule_seed"] == "7"
            async with asyncio.timeout(10):
                await seen.wait()
            scheduled = devnet._node(CHAIN)._scheduled
            assert (await told(client, "schedule", seed=None))["node"]["schedule_seed"] is None
            assert scheduled is not None
            async with asyncio.timeout(10):
                await asyncio.wait((scheduled,))
            assert devnet.state(OTHER).schedule_seed is None

    asyncio.run(main())


def test_the_clock_is_set_and_stopped() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, _):
            assert (await told(client, "interval", ms=10))["node"]["block_interval_ms"] == 10
            async with asyncio.timeout(10):
                while (await client.get("/litecoin")).json()["height"] < 6:
                    pass
            mining = devnet._node(CHAIN)._mining
            assert mining is not None
            await told(client, "interval", ms=0)
            await asyncio.wait((mining,), timeout=10)
            assert mining.cancelled()
            height = devnet.ledger(CHAIN).height()
            assert devnet._node(CHAIN)._mining is None
            assert (await client.get("/litecoin")).json()["height"] == height

    asyncio.run(main())


INTERVAL_MS_MAX = int(BLOCK_INTERVAL_S_MAX * 1000)
WRONG: list[tuple[str, object, str, str]] = [
    ("mine", {"count": 0}, "bad_query", f"count: 0; want a whole number from 1 to {BLOCKS_PER_REQUEST_MAX}"),
    ("mine", {"count": BLOCKS_PER_REQUEST_MAX + 1}, "bad_query", f"to {BLOCKS_PER_REQUEST_MAX}"),
    ("mine", {"count": "3"}, "bad_query", "count: '3'; want a whole number"),
    ("mine", {"count": True}, "bad_query", "count: True"),
    ("mine", {"count": 1.5}, "bad_query", "count: 1.5"),
    ("mine", {"count": None}, "bad_query", "count: nothing"),
    ("mine", {"cuont": 3}, "bad_query", "no field 'cuont'; there is count"),
    ("mine", [3], "bad_json", "array; want an object"),
    ("fault", {}, "bad_query", "fault: nothing; want one of duplicate, reorder"),
    ("fault", {"fault": "earthquake"}, "bad_query", "no fault 'earthquake'; there is duplicate"),
    ("fault", {"fault": ["stall"]}, "bad_query", "fault: ['stall']"),
    (
        "fault",
        {"fault": "stall", "amount": 601},
        "bad_query",
        "amount: 601; want a whole number",
    ),
    ("fault", {"fault": "stall", "amount": -1}, "bad_query", "amount: -1"),
    (
        "fault",
        {"fault": "disconnect", "amount": 2},
        "bad_query",
        "amount: 2; want",
    ),
    ("fault/end", {}, "bad_query", "fault: nothing; want one of duplicate, reorder"),
    ("fault/end", {"fault": "stall", "amount": 1}, "bad_query", "no field 'amount'; there is fault"),
    ("schedule", {}, "bad_query", "seed: nothing; want a text of 1 to 64 characters, or null"),
    ("schedule", {"seed": 7}, "bad_query", "seed: 7; want a text"),
    ("schedule", {"seed": ""}, "bad_query", "a seed of 0 characters; want 1 to 64"),
    ("schedule", {"seed": "x" * (SEED_LENGTH_MAX + 1)}, "bad_query", "a seed of 65 characters"),
    ("interval", {}, "bad_query", f"ms: nothing; want a whole number from 0 to {INTERVAL_MS_MAX}"),
    ("interval", {"ms": INTERVAL_MS_MAX + 1}, "bad_query", f"to {INTERVAL_MS_MAX}"),
    (
        "interval",
        {"ms": 9},
        "bad_query",
        "ms: a block every 0.009 s; want 0, which mines only when told",
    ),
    ("dance", {}, "not_found", "no such path"),
]


def test_what_cannot_be_is_a_problem_that_names_field_value_and_limit_and_changes_nothing() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, _):
            before = devnet.state(CHAIN)
            for what, fields, code, said in WRONG:
                answer = await client.post(f"/{CHAIN}/{what}", json=fields)
                assert answer.headers["content-type"] == "application/problem+json"
                problem = answer.json()
                assert (problem["code"], said in problem["detail"]) == (code, True), problem
                assert devnet.state(CHAIN) == before, fields

    asyncio.run(main())


def test_what_is_not_of_this_devnet_or_not_from_here_is_refused() -> None:
    async def main() -> None:
        async with controlled() as (devnet, client, _):
            absent = await client.get("/dogecoin")
            assert (absent.status_code, absent.json()["code"]) == (404, "unknown_chain")
            assert f"running: {CHAIN}, {OTHER}" in absent.json()["detail"]
            kind = await client.get(client.base_url.copy_with(path=absent.json()["type"]))
            assert (kind.status_code, kind.json()["code"]) == (200, "unknown_chain")
            no_rpc = await client.post(f"/{OTHER}/fault", json={"fault": "lying_json"})
            assert (no_rpc.status_code, no_rpc.json()["code"]) == (400, "bad_query")
            assert "answers no JSON-RPC" in no_rpc.json()["detail"]
            foreign = await client.post(f"/{CHAIN}/mine", headers={"Origin": "http://evil.example"})
            assert foreign.status_code == 403
            long = await client.post(f"/{CHAIN}/mine", content=b" " * (BODY_SIZE_MAX + 1))
            assert (long.status_code, long.json()["code"]) == (413, "body_too_large")
            assert str(BODY_SIZE_MAX) in long.json()["detail"]
            assert (await client.get(f"/{CHAIN}/mine")).status_code == 405
            assert devnet.ledger(CHAIN).height() == 3

    asyncio.run(main())


def test_a_devnet_of_its_own_process_is_controlled_where_it_says() -> None:
    command = [sys.executable, "-m", "sprint.tools.devnet", "--chain", CHAIN]
    with subprocess.Popen(
        [*command, "--control-port", "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as devnet:
        assert devnet.stdin is not None
        assert devnet.stdout is not None
        port = json.loads(devnet.stdout.readline())["control_port"]
        answer = httpx.post(
            f"http://127.0.0.1:{port}{PATH}/litecoin/mine", json={"count": 2}, trust_env=False, timeout=10.0
        )
        mined = answer.json()["hashes"]
        devnet.stdin.write("tip\n")
        devnet.stdin.flush()
        assert json.loads(devnet.stdout.readline()) == {"tip": mined[-1], "height": 5}
        taken = subprocess.run(
            [*command, "--control-port", str(port)],
            stdin=subprocess.PIPE,  # whatever the tests' own is: a devnet takes its commands from a pipe
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert taken.returncode == 3
        assert f"127.0.0.1:{port} (--control-port)" in taken.stderr
        devnet.stdin.write("quit\n")
        devnet.stdin.flush()
        assert devnet.wait(10) == 0
