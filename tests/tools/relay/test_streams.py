"""NDJSON streams and the long poll."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sprint.core.relay.event_log import Cursor
from sprint.tools.relay.streams import POLL_SIZE_MAX, _Page
from tests.tools.relay.serving import CHAINS, LOG_ID, Relay, http_client, policy, until

EVENTS = "/api/v1/events"


async def following_line(lines: AsyncIterator[str]) -> dict[str, Any]:
    line = json.loads(await asyncio.wait_for(anext(lines), 10))
    assert isinstance(line, dict)
    return line


def test_stream_replays_then_goes_on_live_one_event_a_line() -> None:
    async def run() -> None:
        relay = Relay()
        for height in range(1, 4):
            relay.block(height)
        async with relay.listening() as listener, http_client(listener) as client:
            url = f"{EVENTS}?chains=btc&types=block&from=earliest"
            async with client.stream("GET", url) as answer:
                assert answer.headers["content-type"] == "application/x-ndjson"
                assert answer.headers["sprint-log"] == LOG_ID
                lines = answer.aiter_lines()
                assert [(await following_line(lines))["seq"] for _ in range(3)] == [1, 2, 3]
                relay.block(9, "litecoin-regtest")
                live = relay.block(4)
                assert (await following_line(lines))["cursor"] == live.cursor
            await until(lambda: relay.delivery.subscriber_count == 0)

    asyncio.run(run())


def test_stream_without_events_has_heartbeats() -> None:
    async def run() -> None:
        relay = Relay()
        async with (
            relay.listening(heartbeat_interval_s=0.01) as listener,
            http_client(listener) as client,
            client.stream("GET", EVENTS) as answer,
        ):
            lines = answer.aiter_lines()
            assert await following_line(lines) == {"type": "heartbeat"}
            assert await following_line(lines) == {"type": "heartbeat"}

    asyncio.run(run())


def test_stream_ends_whole_when_the_listener_stops() -> None:
    async def run() -> None:
        relay = Relay()
        async with (
            relay.listening() as listener,
            http_client(listener) as client,
            client.stream("GET", EVENTS) as answer,
        ):
            stopping = asyncio.create_task(listener.stop())
            assert [line async for line in answer.aiter_lines()] == []
            await asyncio.wait_for(stopping, 5)

    asyncio.run(run())


def test_coalesced_stream_is_in_order_and_whole() -> None:
    async def run() -> None:
        relay = Relay()
        async with (
            relay.listening(policy(rank=1, window_ms=10)) as listener,
            http_client(listener) as client,
            client.stream("GET", EVENTS) as answer,
        ):
            await until(lambda: relay.delivery.subscriber_count == 1)
            for height in range(1, 8):
                relay.block(height)
            lines = answer.aiter_lines()
            assert [(await following_line(lines))["seq"] for _ in range(7)] == list(range(1, 8))

    asyncio.run(run())


def test_history_pruned_under_a_stream_ends_it_with_an_error_line() -> None:
    async def run() -> None:
        relay = Relay()
        relay.delivery._ring._events_max = 1
        for height in range(1, 6):
            relay.block(height)
        bounds = relay.store.bounds()
        async with relay.listening() as listener, http_client(listener) as client:
            relay.store.prune(3)
            relay.store.bounds = iter([bounds, relay.store.bounds()]).__next__  # type: ignore[method-assign]  # pruned between the two
            async with client.stream("GET", f"{EVENTS}?from=earliest") as answer:
                line = await following_line(answer.aiter_lines())
                assert (line["type"], line["code"]) == ("error", "cursor_expired")
                assert line["earliest"] == Cursor(LOG_ID, 3).encode()

    asyncio.run(run())


def test_long_poll_answers_at_once_what_there_is_and_says_where_to_go_on() -> None:
    async def run() -> None:
        relay = Relay()
        for height in range(1, 251):
            relay.block(height)
        async with relay.listening() as listener, http_client(listener) as client:
            seqs: list[int] = []
            cursor = "earliest"
            for expected in (200, 50):
                answer = await client.get(EVENTS, params={"from": cursor, "wait": "5"})
                page = [json.loads(line)["seq"] for line in answer.text.splitlines()]
                assert len(page) == expected
                seqs += page
                cursor = answer.headers["sprint-cursor"]
            assert seqs == list(range(1, 251))
            assert cursor == Cursor(LOG_ID, 250).encode()

    asyncio.run(run())


def test_long_poll_waits_for_the_first_event() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, http_client(listener) as client:
            polling = asyncio.create_task(client.get(EVENTS, params={"wait": "10"}))
            await until(lambda: relay.delivery.subscriber_count == 1)
            event = relay.block(1)
            assert (await asyncio.wait_for(polling, 5)).content == event.body + b"\n"

    asyncio.run(run())


def test_long_poll_that_waits_no_time_moves_on_all_the_same() -> None:
    async def run() -> None:
        relay = Relay()
        relay.delivery._ring._events_max = 1
        for height in range(1, 4):
            relay.block(height)
        relay.status()
        async with relay.listening() as listener, http_client(listener) as client:
            asked = {"wait": "0", "types": "block", "from": "earliest"}
            answer = await client.get(EVENTS, params=asked)
            assert [json.loads(line)["seq"] for line in answer.text.splitlines()] == [1, 2, 3]
            answer = await client.get(EVENTS, params=asked | {"types": "reorg"})
            assert (answer.content, answer.headers["sprint-cursor"]) == (b"", Cursor(LOG_ID, 4).encode())

    asyncio.run(run())


def test_long_poll_never_takes_an_event_behind_one_that_did_not_fit() -> None:
    page = _Page()
    assert page.offer(b"x" * (POLL_SIZE_MAX - 10), "1")
    assert not page.offer(b"x" * 11, "2")
    assert not page.offer(b"x", "3")
    assert (len(page.lines), page.cursor) == (1, "1")


def test_long_poll_takes_one_event_of_any_size_and_events_up_to_its_size() -> None:
    page = _Page()
    assert page.offer(b"x" * (POLL_SIZE_MAX + 1), "1")
    assert not page.offer(b"", "2")
    page = _Page()
    assert page.offer(b"x" * (POLL_SIZE_MAX - 1), "1")
    assert page.offer(b"x", "2")


def test_idle_long_poll_ends_with_a_whole_answer_when_the_listener_stops(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, http_client(listener) as client:
            polling = asyncio.create_task(client.get(EVENTS, params={"wait": "60"}))
            await until(lambda: relay.delivery.subscriber_count == 1)
            # Half of what the poll would wait: a bound of a second had failed where the machine was busy.
            # A poll that is cut off instead of answered isn't whole, and is logged.
            async with asyncio.timeout(30):
                await listener.stop()
                answer = await polling
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["sprint-cursor"] == Cursor(LOG_ID, 0).encode()
        assert not caplog.records

    asyncio.run(run())


def test_idle_long_poll_ends_with_its_connection() -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener:
            async with http_client(listener) as client:
                polling = asyncio.create_task(client.get(EVENTS, params={"wait": "60"}))
                await until(lambda: relay.delivery.subscriber_count == 1)
                polling.cancel()
            await until(lambda: relay.delivery.subscriber_count == 0)

    asyncio.run(run())


def test_long_poll_without_an_event_still_moves_its_cursor_past_what_it_saw() -> None:
    async def run() -> None:
        relay = Relay()
        relay.status()
        async with relay.listening() as listener, http_client(listener) as client:
            query = {"wait": "0.05", "types": "block", "from": "earliest"}
            answer = await client.get(EVENTS, params=query)
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["sprint-cursor"] == Cursor(LOG_ID, 1).encode()

    asyncio.run(run())


def test_long_poll_from_a_list_keeps_each_chain_at_its_own_place() -> None:
    async def run() -> None:
        relay = Relay()
        for height in range(1, 9):
            relay.block(height, CHAINS[height % 2])
        places = [Cursor(LOG_ID, 8, CHAINS[0]).encode(), Cursor(LOG_ID, 2, CHAINS[1]).encode()]
        async with relay.listening() as listener, http_client(listener) as client:
            answer = await client.get(EVENTS, params={"wait": "5", "from": ",".join(places)})
            assert {json.loads(line)["chain"] for line in answer.text.splitlines()} == {CHAINS[1]}
            again = {"wait": "0", "from": answer.headers["sprint-cursor"]}
            assert (await client.get(EVENTS, params=again)).content == b""

    asyncio.run(run())


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("chain=bitcoin", "did you mean chains?"),
        ("form=earliest", "did you mean from?"),
        ("from=", "query field 'from' is empty"),
        ("colour=red", "there are chains, types, from"),
    ],
)
def test_a_misspelt_or_empty_query_field_is_refused_and_not_passed_over(query: str, said: str) -> None:
    async def run() -> None:
        relay = Relay()
        async with relay.listening() as listener, http_client(listener) as http:
            answer = await http.get(f"{EVENTS}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
        assert said in answer.json()["detail"]

    asyncio.run(run())
