"""WebSocket sessions: operations, refusals, close codes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sprint.core.relay.event_log import Cursor
from sprint.tools.web.websocket import MESSAGE_SIZE_MAX
from tests.tools.relay.serving import LOG_ID, Relay, policy, until, websocket_url

EVENTS = "/ws/v1/events"


async def receive(connection: ClientConnection) -> dict[str, Any]:
    message = json.loads(await asyncio.wait_for(connection.recv(), 10))
    assert isinstance(message, dict)
    return message


async def ask(connection: ClientConnection, **message: Any) -> dict[str, Any]:
    await connection.send(json.dumps(message))
    return await receive(connection)


def test_subscriber_is_given_what_is_published_after_subscribed() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            assert connection.response is not None
            assert connection.response.headers["Sprint-Log"] == LOG_ID
            answer = await ask(connection, op="subscribe", id=1, chains=["btc"])
            assert answer == {
                "op": "subscribed",
                "id": 1,
                "log": LOG_ID,
                "cursor": Cursor(LOG_ID, 0).encode(),
            }
            await until(lambda: relay.delivery.subscriber_count == 1)
            sent = relay.block(1)
            relay.block(1, "litecoin-regtest")
            assert (await connection.recv(decode=False)) == sent.body
            assert (await ask(connection, op="ping", id="p")) == {"op": "pong", "id": "p"}

    asyncio.run(run())


def test_blocks_path_sends_blocks_at_once_and_nothing_else() -> None:
    async def run() -> None:
        relay = Relay()
        async with (
            relay.listening() as listener,
            connect(websocket_url(listener, "/ws/btc/blocks")) as connection,
        ):
            await until(lambda: relay.delivery.subscriber_count == 1)
            relay.status()
            relay.block(7)
            event = await receive(connection)
            assert (event["type"], event["data"]["height"]) == ("block", 7)

    asyncio.run(run())


def test_replay_from_a_cursor_goes_on_live_in_order() -> None:
    async def run() -> None:
        relay = Relay()
        events = [relay.block(height) for height in range(1, 30)]
        url = f"{EVENTS}?chains=bitcoin&types=block&from={events[9].cursor}"
        async with relay.listening() as listener, connect(websocket_url(listener, url)) as connection:
            assert (await receive(connection))["op"] == "subscribed"
            relay.block(30)
            heights = [(await receive(connection))["data"]["height"] for _ in range(20)]
            assert heights == list(range(11, 31))

    asyncio.run(run())


def test_second_subscribe_replaces_the_first_and_unsubscribe_ends_it() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            await ask(connection, op="subscribe", id=1, chains=["bitcoin"])
            await ask(connection, op="subscribe", id=2, chains=["ltc"])
            await until(lambda: relay.delivery.subscriber_count == 1)
            relay.block(1)
            relay.block(2, "litecoin-regtest")
            assert (await receive(connection))["chain"] == "litecoin-regtest"
            assert (await ask(connection, op="unsubscribe", id=3)) == {"op": "unsubscribed", "id": 3}
            assert relay.delivery.subscriber_count == 0

    asyncio.run(run())


def test_expired_cursor_is_refused_with_the_earliest_or_skipped_with_a_gap() -> None:
    async def run() -> None:
        relay = Relay()
        events = [relay.block(height) for height in range(1, 11)]
        relay.store.prune(5)
        earliest = Cursor(LOG_ID, 5).encode()
        old = {"op": "subscribe", "from": events[0].cursor}
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            refused = await ask(connection, id=1, **old)
            assert (refused["code"], refused["earliest"]) == ("cursor_expired", earliest)
            await ask(connection, id=2, chains=["bitcoin"], on_expired="skip", **old)
            gap = await receive(connection)
            assert gap == {
                "type": "gap",
                "chain": "bitcoin",
                "seq": 5,
                "cursor": Cursor(LOG_ID, 5, "bitcoin").encode(),
                "data": {"from_height": 0, "to_height": 5, "reason": "cursor_expired"},
            }
            assert [(await receive(connection))["seq"] for _ in range(5)] == [6, 7, 8, 9, 10]

    asyncio.run(run())


REFUSED = {
    "bad_json": "{",
    "bad_op nested": '{"id":9,"x":' + "[" * 30_000,
    "bad_op": '{"op":"fly","id":9}',
    "bad_op misspelt": '{"op":"subscribe","id":9,"chain":["litecoin"]}',
    "bad_op missing": '{"id":9}',
    "bad_op id": json.dumps({"op": "ping", "id": "x" * 129}),
    "bad_op skip": '{"op":"subscribe","id":9,"on_expired":"jump"}',
    "unknown_chain": '{"op":"subscribe","id":9,"chains":["dogecoin"]}',
    "unknown_type": '{"op":"subscribe","id":9,"types":["blocks"]}',
    "too_many chains": json.dumps({"op": "subscribe", "id": 9, "chains": ["btc"] * 65}),
    "too_many cursors": json.dumps({"op": "subscribe", "id": 9, "from": []}),
    "cursor_unknown": '{"op":"subscribe","id":9,"from":"nonsense"}',
    "cursor_unknown ahead": json.dumps({"op": "subscribe", "id": 9, "from": Cursor(LOG_ID, 1).encode()}),
    "cursor_unknown chain": json.dumps({"op": "subscribe", "id": 9, "from": [Cursor(LOG_ID, 0).encode()]}),
    "cursor_foreign": json.dumps({"op": "subscribe", "id": 9, "from": Cursor("f" * 16, 0).encode()}),
    "cursor_foreign ack": json.dumps({"op": "ack", "id": 9, "cursor": Cursor("f" * 16, 0).encode()}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_message_of_no_use_is_answered_with_its_code(case: str) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            await connection.send(REFUSED[case])
            answer = await receive(connection)
            assert (answer["op"], answer["code"]) == ("error", case.split(maxsplit=1)[0])
            # What is no JSON has no id; of everything else the sender learns which was refused.
            assert answer["id"] in ((None,) if case in ("bad_json", "bad_op nested") else (9, "x" * 128))

    asyncio.run(run())


def test_third_malformed_message_closes_with_1008_and_not_the_second() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            await connection.send("?")
            await connection.send(b"binary")
            assert [(await receive(connection))["code"] for _ in range(2)] == ["bad_json", "bad_json"]
            assert (await ask(connection, op="ping"))["op"] == "pong"
            await connection.send("?")
            assert (await receive(connection))["code"] == "bad_json"
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    asyncio.run(run())


@pytest.mark.parametrize(("size", "code"), [(MESSAGE_SIZE_MAX, None), (MESSAGE_SIZE_MAX + 1, 1009)])
def test_message_is_taken_at_the_size_limit_and_closes_with_1009_above(size: int, code: int | None) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, connect(websocket_url(listener, EVENTS)) as connection:
            ping = json.dumps({"op": "ping", "id": 1})
            await connection.send(ping + " " * (size - len(ping)))
            if code is None:
                assert (await receive(connection))["op"] == "pong"
                return
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ws/dogecoin/blocks", 404, "unknown_chain"),
        ("/ws/v1/nothing/here", 404, "not_found"),
        (f"{EVENTS}?chains=dogecoin", 404, "unknown_chain"),
        (f"{EVENTS}?types=blocks", 400, "unknown_type"),
        (f"{EVENTS}?from=a&from=b", 400, "bad_query"),
    ],
)
def test_url_that_cannot_be_had_is_refused_at_the_handshake(path: str, status: int, code: str) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            with pytest.raises(InvalidStatus) as refused:
                await connect(websocket_url(listener, path))
            assert refused.value.response.status_code == status
            assert json.loads(refused.value.response.body or b"")["type"] == f"/problems/{code}"

    asyncio.run(run())


def test_url_with_a_cursor_of_another_log_is_told_so_and_closed() -> None:
    async def run() -> None:
        relay = Relay()
        url = f"{EVENTS}?from={Cursor('f' * 16, 0).encode()}"
        async with relay.listening() as listener, connect(websocket_url(listener, url)) as connection:
            assert (await receive(connection))["code"] == "cursor_foreign"
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "cursor_foreign")

    asyncio.run(run())


def test_stop_closes_websockets_with_1001() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            connection = await connect(websocket_url(listener, EVENTS))
            stopping = asyncio.create_task(listener.stop())
            with pytest.raises(ConnectionClosed) as closed:
                await connection.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            await asyncio.wait_for(stopping, 5)

    asyncio.run(run())


def test_frames_of_one_window_arrive_together_and_in_order() -> None:
    async def run() -> None:
        relay = Relay()
        async with (
            relay.listening(policy(rank=1, window_ms=20)) as listener,
            connect(websocket_url(listener, "/ws/bitcoin/blocks")) as connection,
        ):
            await until(lambda: relay.delivery.subscriber_count == 1)
            for height in range(1, 6):
                relay.block(height)
            assert [(await receive(connection))["data"]["height"] for _ in range(5)] == [1, 2, 3, 4, 5]

    asyncio.run(run())
