"""A probe: what a relay says is known at once, a lost one is marked, and what was missed is caught up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve
from websockets.utils import accept_key

from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.codec import Delta, Metrics, Snapshot, encode
from sprint.core.monitor.rows import rfc3339
from sprint.tools.monitor import probe as module
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import (
    RECONNECT_S_MAX,
    RECONNECT_S_MIN,
    Following,
    Target,
    reconnect_delay_s,
)
from sprint.tools.net import bind
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Router, Site
from sprint.tools.web.server import serve as serve_site
from tests.core.monitor.rows_for_tests import row_named
from tests.tools.monitor.relay_stand_in import ALICE, RelayStandIn, until, watched

AT = rfc3339(0.0)


def test_rows_health_and_sources_of_a_relay_are_on_the_board() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            assert set(monitor.board.rows) == {Key("main", "store"), relay.alice}
            seen = monitor.board.relays["main"]
            assert (seen.connection, seen.reason, seen.health["status"]) == ("live", "", "ok")
            assert seen.sources == {"litecoin-regtest": [{"name": "alice"}]}

    asyncio.run(scene())


def test_a_transition_is_told_at_once_and_the_row_follows() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            happened: list[Happened] = []
            monitor.listen(happened.append)
            began = time.monotonic()
            relay.fail()
            await until(lambda: happened, "the transition is told")
            assert time.monotonic() - began < 0.25
            assert (happened[0].relay, happened[0].transition.to_state) == ("main", "open")
            await until(lambda: monitor.board.rows[relay.alice].state == "open", "the row is open")
            assert monitor.board.transitions(relay.alice) == [happened[0].transition]

    asyncio.run(scene())


def test_a_lost_relay_is_marked_its_rows_stay_and_what_was_missed_is_caught_up_with() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            happened: list[Happened] = []
            monitor.listen(happened.append)
            await relay.stop()
            await until(lambda: monitor.board.relays["main"].connection == "lost", "it is lost")
            assert monitor.board.relays["main"].reason
            assert set(monitor.board.rows) == {Key("main", "store"), relay.alice}
            relay.fail()
            await relay.start()
            await until(lambda: happened, "what was missed is told")
            assert happened[0].transition.to_state == "open"
            await until(lambda: monitor.board.relays["main"].connection == "live", "it is back")
            assert monitor.board.rows[relay.alice].state == "open"

    asyncio.run(scene())


def test_transitions_of_a_relay_that_was_restarted_follow_on_those_before() -> None:
    """Numbers begin again at 1, which the board had taken for transitions that it knew."""

    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            relay.registry.get("store", "store").force_open("before")
            relay.fail()
            await until(lambda: len(monitor.board.transitions(relay.alice)) == 1, "opened before")
            await relay.stop()
            await relay.start(anew=True)
            relay.fail()
            await until(lambda: len(monitor.board.transitions(relay.alice)) == 2, "opened after")
            before, after = monitor.board.transitions(relay.alice)
            assert (before.number, after.number) == (2, 1)
            assert before.at < after.at

    asyncio.run(scene())


def test_histories_from_before_the_monitor_are_read() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay:
            relay.fail()
            await relay.feed.measure()
            async with watched(relay) as monitor:
                await until(lambda: monitor.board.points(relay.alice), "its figures are known")
                (told,) = monitor.board.transitions(relay.alice)
                assert told.to_state == "open"
                assert [each.state for each in monitor.board.points(relay.alice)] == ["open"]

    asyncio.run(scene())


def test_a_relay_that_is_not_there_yet_is_followed_when_it_is() -> None:
    async def scene() -> None:
        relay = RelayStandIn()
        async with relay:
            await relay.stop()
            async with Monitor(targets=(relay.target,)) as monitor:
                await until(lambda: monitor.board.relays["main"].connection == "lost", "nobody answers")
                assert "nobody answers" in monitor.board.relays["main"].reason
                await relay.start()
                await until(lambda: relay.alice in monitor.board.rows, "it is heard")

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def saying(*payloads: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """A server whose /ws says some messages to each that comes, and then nothing."""
    came: list[int] = []

    async def talk(connection: ServerConnection) -> None:
        came.append(1)
        for payload in payloads:
            await connection.send(payload.decode())
        await connection.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", came


SNAPSHOT = encode(Snapshot(seq=1, at=AT, breakers=(row_named("x"),)))
BAD = {
    "not JSON": (b"breakers", "no message of a relay"),
    "another object": (b'{"type":"event"}', "no message of a relay"),
    "no snapshot first": (encode(Metrics(seq=1, at=AT, points={})), "no snapshot"),
    "a row of no breaker": (b'{"type":"snapshot","seq":1,"at":"","breakers":[{}]}', "no message of a relay"),
    "a gap": (SNAPSHOT + b"\n" + encode(Metrics(seq=3, at=AT, points={})), "message 2 is missing: 3 came"),
    "half a row": (
        SNAPSHOT + b"\n" + encode(Delta(seq=2, at=AT, changed=({"name": "new"},), removed=())),
        "no message of a relay",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_relays_word_loses_the_relay_with_the_reason_and_is_tried_again(what: str) -> None:
    payload, said = BAD[what]

    async def scene() -> None:
        async with (
            saying(*payload.split(b"\n")) as (url, came),
            Monitor(targets=(Target("odd", url),)) as monitor,
        ):
            await until(lambda: said in monitor.board.relays["odd"].reason, said)
            assert monitor.board.relays["odd"].connection == "lost"
            await until(lambda: len(came) > 2, "it is tried again")

    asyncio.run(scene())


def test_the_port_of_something_else_is_told_by_what_it_is_not() -> None:
    async def scene() -> None:
        bound = bind("127.0.0.1", 0)
        port = bound.getsockname()[1]
        listener = await serve_site(Site(Router(), Guard(port), connections_max=8), bound)
        async with Monitor(targets=(Target("other", listener.url),)) as monitor:
            await until(lambda: monitor.board.relays["other"].connection == "lost", "it is none")
            assert "answers 404 where a relay has /ws" in monitor.board.relays["other"].reason
        await listener.stop()

    asyncio.run(scene())


def test_a_place_that_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(module, "PING_TIMEOUT_S", 0.1)

    async def scene() -> None:
        async with saying() as (url, _), Monitor(targets=(Target("mute", url),)) as monitor:
            await until(lambda: monitor.board.relays["mute"].connection == "lost", "it says nothing")
            assert "no answer" in monitor.board.relays["mute"].reason

    asyncio.run(scene())


def test_a_relay_that_answers_no_ping_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped keeps its connections, and says nothing on them."""
    monkeypatch.setattr(module, "PING_INTERVAL_S", 0.1)
    monkeypatch.setattr(module, "PING_TIMEOUT_S", 0.2)

    async def scene() -> None:
        done = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            key = next(line for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_key(key.partition(": ")[2]).encode() + b"\r\n\r\n"
                b"\x81\x7e" + len(SNAPSHOT).to_bytes(2, "big") + SNAPSHOT
            )  # fmt: skip
            await done.wait()
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            target = Target("mute", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            async with Monitor(targets=(target,)) as monitor:
                await until(lambda: monitor.board.relays["mute"].connection == "live", "it is heard")
                await until(lambda: monitor.board.relays["mute"].connection == "lost", "it is lost")
                assert monitor.probes["mute"].connections == 1
            done.set()

    asyncio.run(scene())


@given(st.integers(0, 16), st.floats(0.0, 1.0, exclude_max=True))
def test_attempts_wait_longer_each_time_and_never_too_long(attempt: int, draw: float) -> None:
    delay_s = reconnect_delay_s(attempt, draw)
    assert 0.5 * RECONNECT_S_MIN <= delay_s <= RECONNECT_S_MAX
    assert reconnect_delay_s(attempt + 1, draw) >= delay_s


def test_how_often_health_is_asked_for_is_the_interval() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay:
            following = Following(interval_s=0.05)
            async with Monitor(targets=(relay.target,), following=following) as monitor:
                await until(lambda: relay.asked.count("/api/health") >= 4, "it is asked again and again")
                version = monitor.board.version
                await until(lambda: relay.asked.count("/api/health") >= 8, "and again")
                assert monitor.board.version == version, "the same health is no news"

    asyncio.run(scene())


def test_a_listener_that_fails_does_not_keep_the_others_in_the_dark(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            told: list[Happened] = []

            def failing(_: Happened) -> None:
                raise ValueError("broken face")

            monitor.listen(failing)
            unlisten = monitor.listen(told.append)
            relay.fail()
            await until(lambda: told, "the second is told")
            unlisten()
            relay.registry.get(ALICE, "source").reset("over")
            await until(lambda: len(monitor.board.transitions(relay.alice)) == 2, "it closed")
            assert len(told) == 1, "who has left is told no more"

    asyncio.run(scene())
    assert "broken face" in caplog.text


def test_a_probe_that_is_told_to_end_as_its_first_message_comes_ends() -> None:
    """`asyncio.wait_for` of Python 3.11 took the cancellation for itself: the probe went on for ever."""

    async def scene() -> None:
        message: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        class Connection:
            async def recv(self) -> bytes:
                return await message

        probe = module.Probe(Target("main", "http://127.0.0.1:9"), Monitor(), Following())
        reading = asyncio.create_task(probe._read(cast("ClientConnection", Connection())))
        for _ in range(5):  # until it waits for its message
            await asyncio.sleep(0)
        message.set_result(SNAPSHOT)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await probe.api.close()

    asyncio.run(scene())
