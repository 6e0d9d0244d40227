"""The relay's REST answers and problems, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from sprint.core.relay.event_log import Cursor
from sprint.core.relay.status import Arrival, BlockStatus
from sprint.tools.store import StoredBlock
from sprint.tools.web.problems import PROBLEMS
from tests.tools.relay.serving import LOG_ID, Relay, block_data, http_client

HASH_OF_2 = block_data(2).hash


def served_relay() -> Relay:
    relay = Relay()
    for height in range(1, 6):
        relay.block(height)
    relay.block(2, "litecoin-regtest")
    return relay


ANSWERS: dict[str, Callable[[Any], bool]] = {
    "/api/v1/chains": lambda a: [c["chain"] for c in a["chains"]] == ["bitcoin", "litecoin-regtest"],
    "/api/v1/chains/btc/status": lambda a: a["anchor"] == "first_use",
    "/api/v1/chains/btc/blocks": lambda a: [b["height"] for b in a["blocks"]] == [5, 4, 3, 2, 1],
    "/api/v1/chains/btc/blocks?limit=2": lambda a: a["next"] == 4,
    "/api/v1/chains/btc/blocks?limit=2&before=3": lambda a: [b["height"] for b in a["blocks"]] == [2, 1],
    "/api/v1/chains/btc/blocks?limit=5": lambda a: a["next"] is None,
    "/api/v1/blocks/latest": lambda a: (
        {c: b["height"] for c, b in a.items()} == {"bitcoin": 5, "litecoin-regtest": 2}
    ),
    "/api/v1/blocks/latest?chain=ltc": lambda a: a["height"] == 2,
    f"/api/v1/blocks/{block_data(5).hash}": lambda a: a["height"] == 5,
    f"/api/v1/blocks/{block_data(5).hash}/status": lambda a: (a["state"], a["height"]) == ("relayed", 5),
    "/api/v1/btc/latest": lambda a: (a["height"], a["confirmations"], a["seq"]) == (5, 1, 5),
    "/api/v1/btc/block/3": lambda a: (a["height"], a["confirmations"], a["canonical"]) == (3, 3, True),
    f"/api/v1/ltc/block/{HASH_OF_2}": lambda a: a["chain"] == "litecoin-regtest",
    "/api/v1/health": lambda a: a["status"] == "ok",
    "/api/v1/ready": lambda a: a["status"] == "ready",
    "/api/v1/version": lambda a: "version" in a,
    "/problems": lambda a: {p["code"] for p in a["problems"]} == set(PROBLEMS),
    "/problems/slow": lambda a: a["code"] == "slow",
}


@pytest.mark.parametrize("path", ANSWERS)
def test_path_answers_what_it_promises(path: str) -> None:
    async def run() -> None:
        relay = served_relay()
        async with relay.listening() as listener, http_client(listener) as client:
            answer = await client.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["sprint-log"] == LOG_ID
            assert ANSWERS[path](answer.json())

    asyncio.run(run())


def test_block_is_its_events_data_with_place_and_standing() -> None:
    async def run() -> None:
        relay = served_relay()
        event = json.loads(relay.store.events[1].body)
        async with relay.listening() as listener, http_client(listener) as client:
            answer = (await client.get("/api/v1/bitcoin/block/2")).json()
            place = {name: event[name] for name in ("chain", "seq", "cursor")}
            assert answer == event["data"] | place | {"canonical": True, "confirmations": 4}

    asyncio.run(run())


def test_block_off_the_best_branch_says_so_and_has_no_confirmations() -> None:
    async def run() -> None:
        relay = served_relay()
        block = relay.store.blocks[2]
        relay.store.blocks[2] = StoredBlock(
            block.chain, block.hash, block.height, canonical=False, event_body=block.event_body
        )
        async with relay.listening() as listener, http_client(listener) as client:
            answer = (await client.get(f"/api/v1/blocks/{block.hash}")).json()
            assert (answer["canonical"], answer["confirmations"]) == (False, 0)

    asyncio.run(run())


def test_hash_known_on_two_chains_is_answered_300_with_both() -> None:
    async def run() -> None:
        relay = served_relay()
        async with relay.listening() as listener, http_client(listener) as client:
            answer = await client.get(f"/api/v1/blocks/{HASH_OF_2}")
            assert answer.status_code == 300
            assert {block["chain"] for block in answer.json()["blocks"]} == {"bitcoin", "litecoin-regtest"}

    asyncio.run(run())


def test_latest_follows_the_head_without_reading_the_store() -> None:
    async def run() -> None:
        relay = served_relay()
        async with relay.listening() as listener, http_client(listener) as client:
            assert (await client.get("/api/v1/btc/latest")).json()["height"] == 5
            relay.block(6)
            assert (await client.get("/api/v1/btc/latest")).json()["height"] == 6
            assert relay.store.reads == 0

    asyncio.run(run())


REFUSED = {
    "/": "not_found",
    "/api/v1/nothing": "not_found",
    "/problems/nothing": "not_found",
    "/api/v1/dogecoin/latest": "unknown_chain",
    "/api/v1/blocks/latest?chain=dogecoin": "unknown_chain",
    "/api/v1/events?chains=dogecoin": "unknown_chain",
    "/api/v1/events?types=blocks": "unknown_type",
    "/api/v1/events?chains=" + ",".join(["btc"] * 65): "too_many",
    "/api/v1/events?from=nonsense": "cursor_unknown",
    "/api/v1/events?from=" + Cursor("f" * 16, 0).encode(): "cursor_foreign",
    "/api/v1/events?from=" + Cursor(LOG_ID, 0).encode(): "cursor_expired",
    "/api/v1/events?on_expired=jump": "bad_query",
    "/api/v1/events?wait=61": "bad_query",
    "/api/v1/events?wait=nan": "bad_query",
    "/api/v1/btc/block/99": "block_not_found",
    "/api/v1/btc/block/" + "f" * 64: "block_not_found",
    "/api/v1/blocks/" + "f" * 64: "block_not_found",
    "/api/v1/blocks/" + "f" * 129: "bad_query",
    "/api/v1/btc/block/%00": "bad_query",
    "/api/v1/chains/btc/blocks?limit=0": "bad_query",
    "/api/v1/chains/btc/blocks?limit=1001": "bad_query",
    "/api/v1/chains/btc/blocks?before=-1": "bad_query",
    "/api/v1/chains/btc/blocks?limit=1&limit=2": "bad_query",
    "/api/v1/chains/btc/blocks?" + "&".join(f"k{n}=1" for n in range(17)): "bad_query",
    "/api/v1/chains/btc/blocks?limit=%ff": "bad_query",
    "/ws/v1/events": "upgrade_required",
    "/ws/btc/blocks": "upgrade_required",
    "/api/v1/chains/ltc/status": "internal",
    "/api/v1/chains?" + "x" * 8_000: "target_too_long",
}


@pytest.mark.parametrize("path", REFUSED)
def test_request_that_cannot_be_answered_is_a_problem(path: str) -> None:
    async def run() -> None:
        relay = served_relay()
        relay.store.prune(2)
        async with relay.listening() as listener, http_client(listener) as client:
            answer = await client.get(path)
            problem = answer.json()
            assert problem["code"] == REFUSED[path]
            assert problem["type"] == f"/problems/{REFUSED[path]}"
            assert answer.status_code == problem["status"] == PROBLEMS[REFUSED[path]].status
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["advice"]
            assert problem["detail"]

    asyncio.run(run())


def test_chain_without_a_block_has_no_latest() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, http_client(listener) as client:
            assert (await client.get("/api/v1/btc/latest")).json()["code"] == "block_not_found"
            assert (await client.get("/api/v1/blocks/latest")).json() == {}

    asyncio.run(run())


def test_relay_that_is_not_ready_says_what_is_missing() -> None:
    async def run() -> None:
        relay = Relay()
        relay.view.missing = "the store is not open"
        async with relay.listening() as listener, http_client(listener) as client:
            answer = await client.get("/api/v1/ready")
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert answer.json()["detail"] == "the store is not open"

    asyncio.run(run())


def test_other_methods_are_refused_with_allow_and_head_has_no_body() -> None:
    async def run() -> None:
        relay = served_relay()
        async with relay.listening() as listener, http_client(listener) as client:
            refused = await client.delete("/api/v1/btc/latest")
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
            assert refused.json()["code"] == "method_not_allowed"
            head = await client.head("/api/v1/btc/latest")
            whole = await client.get("/api/v1/btc/latest")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))

    asyncio.run(run())


async def _status_of(relay: Relay, named: str) -> tuple[int, Any]:
    async with relay.listening() as listener, http_client(listener) as client:
        answer = await client.get(f"/api/v1/blocks/{named}/status")
        return answer.status_code, answer.json()


def test_a_refused_blocks_status_says_why_and_a_hash_on_two_chains_is_told_of_both() -> None:
    relay = served_relay()
    refused = BlockStatus(chain="bitcoin", hash="ab" * 32, state="rejected", reason="merkle_root: not it")
    relay.view.statuses = [refused]
    code, answer = asyncio.run(_status_of(relay, "ab" * 32))
    assert (code, answer["state"], answer["reason"]) == (200, "rejected", "merkle_root: not it")
    relay.view.statuses = [refused, BlockStatus(chain="litecoin", hash="ab" * 32, state="proving")]
    code, answer = asyncio.run(_status_of(relay, "ab" * 32))
    assert (code, [block["chain"] for block in answer["blocks"]]) == (300, ["bitcoin", "litecoin"])


@pytest.mark.parametrize(
    ("named", "code", "status"),
    [("cd" * 32, "block_not_found", 404), ("cd", "bad_query", 400), ("x" * 64, "bad_query", 400)],
)
def test_a_status_of_nothing_known_says_so(named: str, code: str, status: int) -> None:
    found, answer = asyncio.run(_status_of(served_relay(), named))
    assert (found, answer["code"]) == (status, code)


def test_a_block_by_hash_tells_who_announced_it_and_how_much_later() -> None:
    relay = served_relay()
    named = block_data(3).hash
    sources = (Arrival("core-1", 0.0), Arrival("core-2", 12.5))
    relay.view.statuses = [BlockStatus(chain="bitcoin", hash=named, state="relayed", sources=sources)]

    async def run() -> Any:
        async with relay.listening() as listener, http_client(listener) as client:
            known = await client.get(f"/api/v1/blocks/{named}")
            forgotten = await client.get(f"/api/v1/blocks/{block_data(1).hash}")
            return known.json(), forgotten.json()

    known, forgotten = asyncio.run(run())
    assert known["arrivals"] == [
        {"source": "core-1", "offset_ms": 0.0},
        {"source": "core-2", "offset_ms": 12.5},
    ]
    assert (known["height"], forgotten["arrivals"]) == (3, [])
