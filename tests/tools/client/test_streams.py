"""Both faces over real sockets, against a relay that fails in every way one can on the wire."""

from __future__ import annotations

import asyncio
import http
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Response

from sprint.core.errors import ClientError, ConfigError, CursorExpired, CursorForeign
from sprint.core.model import Event
from sprint.tools.client import AsyncClient, Client, ClientSettings
from tests.tools.client.fake_relay import FakeRelay, Fault, RelayLog, no_wait, no_wait_async

# Short where a test has to see a limit reached; the waits themselves are skipped by `sleep`.
SETTINGS = ClientSettings(
    connect_attempts_max=8, connect_timeout_s=5.0, subscribe_timeout_s=5.0, close_timeout_s=0.2
)
FACES = ("blocking", "asyncio")
FAULTS = (1000, 1001, 1011, 4008, 4029, "cut", "torn", "malformed", "refused")


@pytest.fixture(scope="module")
def relay() -> Iterator[FakeRelay]:
    with FakeRelay() as running:
        yield running


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(
    face: str,
    relay: FakeRelay,
    count: int,
    *,
    client_settings: ClientSettings = SETTINGS,
    sleep: Callable[[float], None] = no_wait,
    **options: Any,
) -> tuple[list[Event], str | tuple[str, ...] | None]:
    """The next `count` events of a new stream, and the client's cursor after them."""
    if face == "blocking":
        with Client(relay.url, settings=client_settings, sleep=sleep) as client:
            events = client.events(**options)
            return [next(events) for _ in range(count)], client.cursor

    async def sleep_async(delay_s: float) -> None:
        await asyncio.to_thread(sleep, delay_s)

    async def run() -> tuple[list[Event], str | tuple[str, ...] | None]:
        async with AsyncClient(relay.url, settings=client_settings, sleep=sleep_async) as client:
            events = client.events(**options)
            return [await anext(events) for _ in range(count)], client.cursor

    return asyncio.run(run())


def log_of(events: int) -> RelayLog:
    log = RelayLog()
    for number in range(events):
        log.append(("bitcoin", "litecoin")[number % 2], number % 3)
    return log


@given(
    faults=st.lists(
        st.builds(Fault, st.sampled_from(FAULTS), st.integers(0, 3), st.integers(0, 2)), max_size=6
    ),
    events=st.integers(1, 12),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_consumer_sees_each_event_once_in_order_through_any_faults(
    face: str, relay: FakeRelay, faults: list[Fault], events: int
) -> None:
    log = log_of(events)
    relay.reset(log, list(faults))
    generous = ClientSettings(malformed_messages_max=9, close_timeout_s=0.2)
    handed, cursor = read(face, relay, events, client_settings=generous, start="earliest")
    assert handed == log.decoded()
    assert cursor == log.events[-1].cursor


@pytest.mark.parametrize("fault", [*FAULTS, "deaf"])
def test_each_fault_alone_is_resumed_from_the_last_event(
    face: str, relay: FakeRelay, fault: int | str
) -> None:
    log = log_of(4)
    relay.reset(log, [Fault(fault, events=2)])
    quick = ClientSettings(subscribe_timeout_s=0.1, close_timeout_s=0.2)
    handed, _ = read(face, relay, 4, client_settings=quick, start="earliest")
    assert handed == log.decoded()
    assert relay.faults == []
    if fault not in ("refused", "deaf"):
        assert [request["from"] for request in relay.requests] == ["earliest", log.events[1].cursor]


def test_a_relay_that_no_longer_answers_pings_is_left_for_a_new_connection(
    face: str, relay: FakeRelay
) -> None:
    log = log_of(3)
    relay.reset(log, [Fault("frozen", events=1)])
    quick = ClientSettings(ping_interval_s=0.05, ping_timeout_s=0.1, close_timeout_s=0.05)
    handed, _ = read(face, relay, 3, client_settings=quick, start="earliest")
    assert handed == log.decoded()


def test_what_comes_between_subscribed_and_the_first_event_is_not_missed(face: str, relay: FakeRelay) -> None:
    log = log_of(3)
    relay.reset(log, [Fault("cut")])
    waits: list[float] = []

    def append_while_away(delay_s: float) -> None:
        waits.append(delay_s)
        log.append("bitcoin")

    handed, _ = read(face, relay, 1, sleep=append_while_away, start="latest")
    assert handed == log.decoded()[3:]
    assert len(waits) == 1


def test_a_relay_that_restarts_is_waited_for(face: str, relay: FakeRelay) -> None:
    log = log_of(4)
    relay.reset(log, [Fault("cut", events=2)])
    tries: list[float] = []

    def stop_and_start(delay_s: float) -> None:
        tries.append(delay_s)
        if len(tries) == 1:
            relay.stop()
        elif len(tries) == 3:
            relay.start()

    handed, _ = read(face, relay, 4, sleep=stop_and_start, start="earliest")
    assert handed == log.decoded()
    assert len(tries) == 3


def test_a_relay_that_does_not_come_back_is_given_up_at_the_limit(face: str, relay: FakeRelay) -> None:
    relay.reset(log_of(1), [])
    relay.stop()
    tries: list[float] = []
    try:
        with pytest.raises(ClientError, match="limit 8") as caught:
            read(face, relay, 1, sleep=tries.append)
    finally:
        relay.start()
    assert caught.value.code == "unreachable"
    assert len(tries) == SETTINGS.connect_attempts_max - 1
    assert max(tries) <= SETTINGS.backoff_longest_s


def test_filters_reach_the_relay(face: str, relay: FakeRelay) -> None:
    log = log_of(6)
    relay.reset(log, [])
    handed, _ = read(face, relay, 1, chains="litecoin", types=["reorg"], start="earliest")
    wanted = [e for e in log.decoded(("litecoin",)) if type(e).__name__ == "ReorgEvent"]
    assert handed == wanted[:1]
    assert relay.requests[0]["chains"] == ["litecoin"]


def test_a_list_of_cursors_resumes_each_chain_by_itself(face: str, relay: FakeRelay) -> None:
    log = log_of(8)
    starts = [log.events[4].cursor, log.events[1].cursor]  # bitcoin has seen more than litecoin
    relay.reset(log, [Fault("cut", events=1), Fault("cut", events=1)])
    handed, cursor = read(face, relay, 4, chains=["bitcoin", "litecoin"], start=starts)
    decoded = log.decoded()
    assert handed == [decoded[3], decoded[5], decoded[6], decoded[7]]
    assert cursor == (log.events[6].cursor, log.events[7].cursor)


def test_a_cursor_of_another_log_is_raised_after_a_reconnect(face: str, relay: FakeRelay) -> None:
    old = log_of(2)
    new = RelayLog("22" * 8)
    new.append("bitcoin")

    def replace_log(_: float) -> None:
        relay.log = new

    relay.reset(old, [Fault("cut", events=2)])
    with pytest.raises(CursorForeign):
        read(face, relay, 3, sleep=replace_log, start="earliest")
    relay.reset(old, [Fault("cut", events=2)])
    handed, _ = read(face, relay, 3, sleep=replace_log, start="earliest", on_foreign="earliest")
    assert handed == old.decoded() + new.decoded()


def test_an_expired_cursor_is_raised_with_the_earliest(face: str, relay: FakeRelay) -> None:
    log = log_of(4)
    log.earliest = 3
    relay.reset(log, [])
    with pytest.raises(CursorExpired) as caught:
        read(face, relay, 1, start=log.events[0].cursor)
    handed, _ = read(face, relay, 1, start=caught.value.earliest)
    assert handed == log.decoded()[3:]


def test_a_refusal_by_http_is_raised_with_the_problems_code(face: str, relay: FakeRelay) -> None:
    relay.reset(log_of(1), [])
    body = json.dumps({"type": "/problems/host_refused", "title": "Host refused", "detail": "use 127.0.0.1"})
    status = http.HTTPStatus.FORBIDDEN
    relay.refusal = Response(status.value, status.phrase, Headers(), body.encode())
    with pytest.raises(ClientError, match=r"use 127\.0\.0\.1") as caught:
        read(face, relay, 1)
    assert caught.value.code == "host_refused"


def test_a_close_by_policy_is_raised(face: str, relay: FakeRelay) -> None:
    relay.reset(log_of(1), [Fault(1008)])
    with pytest.raises(ClientError, match="1008") as caught:
        read(face, relay, 1)
    assert caught.value.code == "policy"


def test_a_message_over_the_limit_is_raised_with_the_limits_name(face: str, relay: FakeRelay) -> None:
    relay.reset(log_of(1), [])
    with pytest.raises(ClientError, match="message_size_max is 120") as caught:
        read(face, relay, 1, client_settings=ClientSettings(message_size_max=120), start="earliest")
    assert caught.value.code == "too_big"


def test_a_cancelled_wait_loses_nothing(relay: FakeRelay) -> None:
    log = log_of(2)
    relay.reset(log, [])

    async def run() -> list[Event]:
        async with AsyncClient(relay.url, settings=SETTINGS, sleep=no_wait_async) as client:
            events = client.events(start="earliest")
            handed = [await anext(events), await anext(events)]
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            log.append("bitcoin")
            await asyncio.to_thread(relay.stop)
            await asyncio.to_thread(relay.start)
            handed.append(await anext(events))
            return handed

    assert asyncio.run(run()) == log.decoded()


def test_closing_the_asyncio_client_ends_the_stream_of_a_task_that_waits(relay: FakeRelay) -> None:
    relay.reset(log_of(1), [])

    async def run() -> list[Event]:
        client = AsyncClient(relay.url, settings=SETTINGS)
        events = client.events(start="earliest")
        await anext(events)

        async def rest() -> list[Event]:
            return [event async for event in events]

        waiting = asyncio.ensure_future(rest())
        await asyncio.sleep(0)
        await client.aclose()
        assert events.closed
        return await waiting

    assert asyncio.run(run()) == []


def test_closing_the_blocking_client_ends_the_stream_of_a_thread_that_waits(relay: FakeRelay) -> None:
    relay.reset(log_of(1), [])
    client = Client(relay.url, settings=SETTINGS)
    events = client.events(start="earliest")
    handed: list[Event] = []
    first = threading.Event()

    def consume() -> None:
        for event in events:
            handed.append(event)
            first.set()

    thread = threading.Thread(target=consume)
    thread.start()
    assert first.wait(10)
    client.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(handed) == 1


def test_closing_the_blocking_client_ends_the_wait_for_the_next_try(relay: FakeRelay) -> None:
    relay.reset(log_of(0), [Fault("cut")])
    slow = ClientSettings(backoff_first_s=1000.0, backoff_longest_s=1000.0)
    entered = threading.Event()

    def longest(_: float, high: float) -> float:
        entered.set()
        return high

    client = Client(relay.url, settings=slow, uniform=longest)
    thread = threading.Thread(target=list, args=(client.events(),))
    thread.start()
    assert entered.wait(10)
    client.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_stream_closed_while_it_connects_leaves_no_connection(relay: FakeRelay) -> None:
    relay.reset(log_of(1), [Fault("cut")])

    async def run() -> None:
        async def close_instead(_: float) -> None:
            await client.aclose()

        client = AsyncClient(relay.url, settings=SETTINGS, sleep=close_instead)
        events = client.events(start="latest")
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert events._connection is None

    asyncio.run(run())
    blocking = Client(relay.url, settings=SETTINGS, sleep=lambda _: blocking.close())
    relay.reset(log_of(1), [Fault("cut")])
    stream = blocking.events(start="latest")
    assert list(stream) == []
    assert stream._connection is None


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ws://127.0.0.1", "http://", "http://a:99999", "http://a/?b", "http://[::1"]
)
def test_an_address_that_cannot_be_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Client(url)
