"""A node's publisher and its JSON-RPC: both tell what its ledger has, and a call is answered or refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from sprint.core.chains import display_hash
from sprint.core.errors import ConfigError, ListenError
from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import Announcement, BlockArrived, HashesAnnounced, SequenceLost
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.rpc_server import BODY_SIZE_MAX
from tests.tools.devnet.test_edge import running
from tests.tools.relay.test_p2p_source import SpyIntake
from tests.tools.relay.test_zmq_source import source_at

CHAIN = "bitcoin-regtest"
BESIDE = DevnetOptions(block_interval_s=0, zmq_ports={CHAIN: 0}, rpc_ports={CHAIN: 0})
Call = Callable[..., Coroutine[Any, Any, Any]]


@asynccontextmanager
async def asking() -> AsyncIterator[tuple[Devnet, Call, httpx.AsyncClient]]:
    async with running(CHAIN, options=BESIDE) as (devnet, _):
        url = f"http://127.0.0.1:{devnet.rpc_port(CHAIN)}/"
        async with httpx.AsyncClient(trust_env=False, base_url=url, timeout=10.0) as client:

            async def call(method: str, *parameters: object) -> Any:
                request = {"id": 7, "method": method, "params": parameters}
                answer = (await client.post("", json=request)).json()
                assert answer["id"] == 7
                return answer["result"] if answer["error"] is None else answer["error"]["code"]

            yield devnet, call, client


async def first_heard(devnet: Devnet, intake: SpyIntake) -> Announcement | str:
    """Mine until a block is heard of: subscriptions take effect a moment after the handshake."""
    for _ in range(100):
        devnet.mine(CHAIN)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                said = await intake.heard.get()
                break
    else:
        raise AssertionError("nothing was heard of 100 blocks")
    (mined,) = devnet.mine(CHAIN)
    while not names(await intake.next(), mined):
        pass
    return said


def names(said: Announcement | str, block_hash: bytes) -> bool:
    """Tell whether the last message of a block has come."""
    if isinstance(said, HashesAnnounced):
        return said.hashes[0] == block_hash
    return isinstance(said, BlockArrived) and sha256d(said.raw[:80]) == block_hash


def test_a_publisher_tells_of_a_burst_by_its_last_block_and_of_each_by_sequence() -> None:
    async def main() -> None:
        async with running(CHAIN, options=BESIDE) as (devnet, _):
            intake = SpyIntake()
            port = devnet.zmq_port(CHAIN)
            assert port is not None
            task = asyncio.create_task(source_at(port, intake, "hashblock,sequence").run())
            assert await intake.next() == "ready"
            await first_heard(devnet, intake)
            assert isinstance(await intake.next(), HashesAnnounced)  # the same block by `hashblock`
            mined = devnet.mine(CHAIN, 3)
            told = [await intake.next() for _ in range(4)]
            assert [each.hashes[0] for each in told if isinstance(each, HashesAnnounced)] == [
                *mined,
                mined[-1],
            ]
            devnet.show(CHAIN, Fault.LOSE, 2)
            devnet.mine(CHAIN)
            devnet.mine(CHAIN)
            lost = [
                said for said in [await intake.next() for _ in range(4)] if isinstance(said, SequenceLost)
            ]
            assert [(each.topic, each.lost) for each in lost] == [("sequence", 1), ("hashblock", 1)]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_published_block_is_the_ledgers() -> None:
    async def main() -> None:
        async with running(CHAIN, options=BESIDE) as (devnet, _):
            intake, port = SpyIntake(), devnet.zmq_port(CHAIN)
            assert port is not None
            task = asyncio.create_task(source_at(port, intake, "rawblock").run())
            assert await intake.next() == "ready"
            said = await first_heard(devnet, intake)
            assert isinstance(said, BlockArrived)
            ledger = devnet.ledger(CHAIN)
            assert said.raw in [ledger.body(each, witness=True) for each in ledger.best_chain_from(0, 100)]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_what_a_source_and_an_operator_ask_is_answered_out_of_the_ledger() -> None:
    async def main() -> None:
        async with asking() as (devnet, call, _):
            ledger = devnet.ledger(CHAIN)
            tip = display_hash(ledger.tip)
            assert await call("getblockcount") == ledger.height() == 3
            assert await call("getbestblockhash") == tip
            assert await call("getblockhash", 3) == tip
            info = await call("getblockchaininfo")
            assert (info["chain"], info["blocks"], info["bestblockhash"]) == ("regtest", 3, tip)
            assert (await call("getnetworkinfo"))["subversion"] == "/sprint-devnet/"
            published = await call("getzmqnotifications")
            assert [row["type"] for row in published] == ["pubhashblock", "pubrawblock", "pubsequence"]
            assert published[0]["address"] == f"tcp://127.0.0.1:{devnet.zmq_port(CHAIN)}"
            header, body = ledger.header(ledger.tip), ledger.body(ledger.tip, witness=True)
            assert header is not None
            assert body is not None
            raw_form = (tip, False)
            assert await call("getblockheader", *raw_form) == header.hex()
            assert await call("getblock", tip, 0) == body.hex()
            assert await call("getblock", *raw_form) == body.hex()
            for said in (await call("getblockheader", tip), await call("getblock", tip)):
                below = ledger.best_chain_hash_at(2)
                assert below is not None
                assert (said["hash"], said["height"], said["confirmations"]) == (tip, 3, 1)
                assert said["previousblockhash"] == display_hash(below)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("getblockhash", (99,), -8),
        ("getblockhash", (), -8),
        ("getblock", ("ff" * 32,), -5),
        ("getblockheader", ("ff" * 32,), -5),
        ("getblock", ("no hash",), -8),
        ("stop", (), -32601),
        ("__init__", (), -32601),
    ],
)
def test_what_cannot_be_answered_is_refused_with_cores_code(
    method: str, parameters: tuple[object, ...], code: int
) -> None:
    async def main() -> None:
        async with asking() as (_, call, _client):
            assert await call(method, *parameters) == code
            assert await call("getblockcount") == 3

    asyncio.run(main())


def test_a_batch_is_answered_in_order_under_200() -> None:
    async def main() -> None:
        async with asking() as (_, _call, client):
            requests = [
                {"id": n, "method": method, "params": []}
                for n, method in enumerate(("getblockcount", "stop"))
            ]
            answer = await client.post("", json=requests)
            assert answer.status_code == 200
            assert [(each["id"], each["result"]) for each in answer.json()] == [(0, 3), (1, None)]

    asyncio.run(main())


def test_a_wait_for_a_height_ends_with_its_block_and_with_its_time() -> None:
    async def main() -> None:
        async with asking() as (devnet, call, _):
            waiting = asyncio.create_task(call("waitforblockheight", 4, 8_000))
            assert await call("getblockcount") == 3
            assert not waiting.done()
            (mined,) = devnet.mine(CHAIN)
            assert await waiting == {"hash": display_hash(mined), "height": 4}
            assert (await call("waitforblockheight", 50, 10))["height"] == 4

    asyncio.run(main())


@pytest.mark.parametrize(
    ("request_line", "body", "status"),
    [
        ("POST / HTTP/1.1", b"not json", 500),
        ("POST / HTTP/1.1", b"[]", 400),
        ("POST / HTTP/1.1", b'{"params":[]}', 500),
        ("GET / HTTP/1.1", b"", 405),
    ],
)
def test_what_is_no_call_is_refused(request_line: str, body: bytes, status: int) -> None:
    assert (
        asyncio.run(status_of(f"{request_line}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body))
        == status
    )


def test_a_body_over_the_limit_is_refused_unread() -> None:
    head = f"POST / HTTP/1.1\r\nContent-Length: {BODY_SIZE_MAX + 1}\r\n\r\n"
    assert asyncio.run(status_of(head.encode())) == 413


async def status_of(raw: bytes) -> int:
    async with running(CHAIN, options=BESIDE) as (devnet, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", devnet.rpc_port(CHAIN))
        writer.write(raw)
        async with asyncio.timeout(10):
            line = await reader.readline()
        writer.close()
        return int(line.split()[1])


@pytest.mark.parametrize("field", ["zmq_ports", "rpc_ports"])
def test_a_taken_port_is_told(field: str) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            ports: dict[str, Any] = {field: {CHAIN: taken.getsockname()[1]}}
            with pytest.raises(ListenError, match=str(ports[field][CHAIN])):
                async with running(CHAIN, options=DevnetOptions(block_interval_s=0, **ports)):
                    pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault.LOSE, "publishes nothing over ZMQ"), (Fault.LYING_JSON, "answers no JSON-RPC")],
)
def test_a_fault_of_a_listener_that_there_is_not_is_refused(fault: Fault, said: str) -> None:
    async def main() -> None:
        async with running(CHAIN) as (devnet, _):
            assert devnet.zmq_port(CHAIN) is devnet.rpc_port(CHAIN) is None
            with pytest.raises(ConfigError, match=said):
                devnet.show(CHAIN, fault)

    asyncio.run(main())


def test_lying_json_gives_the_bytes_of_the_block_below_and_ends() -> None:
    async def main() -> None:
        async with asking() as (devnet, call, _):
            ledger = devnet.ledger(CHAIN)
            tip, below = display_hash(ledger.tip), ledger.best_chain_hash_at(2)
            assert below is not None
            true, false = ledger.body(ledger.tip, witness=True), ledger.body(below, witness=True)
            assert true is not None
            assert false is not None
            raw_form = (tip, False)
            devnet.show(CHAIN, Fault.LYING_JSON, 1)
            assert await call("getblock", *raw_form) == false.hex()
            assert await call("getblockheader", *raw_form) == false[:80].hex()
            async with asyncio.timeout(10):
                while await call("getblock", *raw_form) != true.hex():
                    pass
            assert await call("getblockheader", *raw_form) == true[:80].hex()

    asyncio.run(main())


def test_a_later_lying_json_outlasts_the_end_of_an_earlier_one() -> None:
    async def main() -> None:
        async with asking() as (devnet, call, _):
            server = devnet._node(CHAIN).rpc
            assert server is not None
            server.lie(0.0)
            server.lie(600.0)
            for _ in range(3):
                assert await call("getblockcount") == 3  # turns of the loop, in which the first would end
            assert server._rpc.lying

    asyncio.run(main())
