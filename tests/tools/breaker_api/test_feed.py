"""What watchers are told: everything once, in order, at once where it matters, and within bounds."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

from sprint.core.breaker.outcomes import Evidence
from sprint.core.breaker.transitions import Transition
from sprint.core.monitor.codec import Delta, applied, row_fields
from sprint.tools.breaker_api import feed as feed_module
from sprint.tools.breaker_api.feed import TRANSITIONS_WAITING_MAX
from sprint.tools.web import websocket
from tests.tools.breaker_api.serving import ALICE, Served, fail, received, served
from tests.tools.relay.serving import until

OVERTAKING_S = 0.2  # so long one thread is held up, unless the other comes through


def test_a_watcher_is_given_all_rows_first_and_then_what_changed() -> None:
    async def main() -> None:
        async with served() as each, each.watching() as connection:
            snapshot = await received(connection, "snapshot")
            held: dict[str, Any] = {row["name"]: row for row in snapshot["breakers"]}
            assert sorted(held) == [ALICE, "store"]
            fail(each)
            delta = msgspec.convert(await received(connection, "delta"), Delta, strict=False)
            assert [fields["name"] for fields in delta.changed] == [ALICE]
            assert "policy" not in delta.changed[0], "what did not change is not told"
            held = dict(applied(held, delta))
            assert held[ALICE] == row_fields(each.feed.row(each.alice))

    asyncio.run(main())


def test_breakers_come_and_go_in_deltas() -> None:
    async def main() -> None:
        async with served() as each, each.watching() as connection:
            await received(connection, "snapshot")
            bob = each.registry.get("source:litecoin-regtest:bob", "source")
            delta = await received(connection, "delta")
            assert delta["changed"] == [row_fields(each.feed.row(bob))]
            each.registry.remove(ALICE)
            assert (await received(connection, "delta"))["removed"] == [ALICE]

    asyncio.run(main())


def test_a_transition_is_told_before_the_next_delta_from_whatever_thread_it_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_module, "DELTA_INTERVAL_S", 600.0)

    async def main() -> None:
        async with served() as each, each.watching() as connection:
            snapshot = await received(connection, "snapshot")
            thread = threading.Thread(target=fail, args=(each,))
            thread.start()
            told = msgspec.json.decode(await asyncio.wait_for(connection.recv(), 10))
            thread.join()
            assert (told["type"], told["seq"]) == ("transition", snapshot["seq"] + 1)
            assert (told["transition"]["breaker"], told["transition"]["to"]) == (ALICE, "open")

    asyncio.run(main())


def test_each_message_has_the_next_number_for_whoever_began_when() -> None:
    async def main() -> None:
        async with served() as each, each.watching() as first, each.watching() as second:
            seqs = {id(first): [], id(second): []}  # type: dict[int, list[int]]
            for connection in (first, second):
                seqs[id(connection)].append((await received(connection, "snapshot"))["seq"])
            for action in (each.alice.force_open, each.alice.reset, each.alice.force_close):
                action()
                await each.feed.measure()
            for connection in (first, second):
                while len(seqs[id(connection)]) < 7:
                    message = msgspec.json.decode(await asyncio.wait_for(connection.recv(), 10))
                    seqs[id(connection)].append(message["seq"])
            for found in seqs.values():
                assert found == list(range(found[0], found[0] + 7))

    asyncio.run(main())


def test_nothing_is_computed_for_nobody() -> None:
    async def main() -> None:
        async with served() as each:
            looked: list[int] = []
            rows = each.feed.rows

            async def counted() -> Any:
                looked.append(1)
                return await rows()

            each.feed.rows = counted  # type: ignore[method-assign]
            async with each.watching() as connection:
                await received(connection, "snapshot")
            await until(lambda: not each.feed._watchers and not each.feed._watching)
            seen = len(looked)
            assert seen
            fail(each)
            assert len(looked) == seen
            async with each.watching() as connection:
                snapshot = await received(connection, "snapshot")
                states = {row["name"]: row["state"] for row in snapshot["breakers"]}
            assert states[ALICE] == "open", "one who comes later is told what is then"

    asyncio.run(main())


def test_one_that_says_something_is_told_that_nobody_listens_and_closed_at_the_third() -> None:
    async def main() -> None:
        async with served() as each, each.watching() as connection:
            await received(connection, "snapshot")
            for _ in range(3):
                await connection.send('{"op":"force_open"}')
            assert (await received(connection, "error"))["code"] == "bad_op"
            closed = await _read_to_the_end(connection)
            assert closed is not None
            assert closed.code == 1008

    asyncio.run(main())


def test_one_that_does_not_read_is_closed_as_slow_and_the_others_miss_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine is, it is to come to read the close.
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT_S", 60.0)

    async def main() -> None:
        async with served() as each, each.watching() as reader, each.watching() as stalled:
            snapshot = await received(reader, "snapshot")
            await received(stalled, "snapshot")
            stalled.transport.pause_reading()
            told = await _flood(each, reader)
            numbers = [message["seq"] for message in told]
            assert numbers == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(numbers)))
            stalled.transport.resume_reading()
            closed = await _read_to_the_end(stalled)
            assert closed is not None
            assert closed.code == 4008
            assert int(closed.reason) in numbers

    asyncio.run(main())


async def _read_to_the_end(connection: ClientConnection) -> Close | None:
    """Read until the connection is closed; return what it was closed with, None where it was reset."""
    with pytest.raises(ConnectionClosed) as closed:
        await _read_for_ever(connection)
    return closed.value.rcvd


async def _read_for_ever(connection: ClientConnection) -> None:
    while True:
        await asyncio.wait_for(connection.recv(), 10)


async def _flood(each: Served, reader: Any) -> list[dict[str, Any]]:
    """Flip a breaker until one of the two watchers is given up; return what the other was told."""
    told: list[dict[str, Any]] = []
    for number in range(20_000):
        action = each.alice.force_open if number % 2 else each.alice.force_close
        action("x" * 200)
        told.append(msgspec.json.decode(await asyncio.wait_for(reader.recv(), 10)))
        if len(each.feed._watchers) == 1:
            return told
    raise AssertionError("nobody was given up")


def test_transitions_that_come_faster_than_the_loop_turns_are_bounded_and_their_loss_shows() -> None:
    async def main() -> None:
        async with served() as each:
            evidence = Evidence(detector="operator", text="")
            for number in range(TRANSITIONS_WAITING_MAX + 10):
                each.feed._heard(
                    Transition(
                        number=number,
                        breaker=ALICE,
                        from_state="closed",
                        to_state="closed",
                        reason="reset",
                        at=0.0,
                        evidence=evidence,
                    )
                )
            await asyncio.sleep(0)
            kept = each.feed.transitions.rows(ALICE)
            assert kept[-1].number == TRANSITIONS_WAITING_MAX + 10
            assert each.feed.transitions.number == TRANSITIONS_WAITING_MAX + 10

    asyncio.run(main())


def test_a_clock_that_is_set_moves_what_is_told_later_and_one_that_drifts_moves_nothing() -> None:
    async def main() -> None:
        async with served() as each:
            began = each.feed.unix_offset_s
            each.feed._wall_clock = lambda: each.feed._clock() + began + 0.5
            await each.feed.measure()
            assert each.feed.unix_offset_s == began
            each.feed._wall_clock = lambda: each.feed._clock() + began + 3600.0
            await each.feed.measure()
            assert each.feed.unix_offset_s == pytest.approx(began + 3600.0)

    asyncio.run(main())


def test_what_is_kept_of_a_breaker_goes_with_it() -> None:
    async def main() -> None:
        async with served() as each:
            fail(each)
            await each.feed.measure()
            each.feed.tell_waiting()
            assert each.feed.transitions.rows(ALICE)
            each.registry.remove(ALICE)
            await each.feed.measure()
            assert not each.feed.transitions.rows(ALICE)
            assert not each.feed.metrics.points(ALICE)

    asyncio.run(main())


class Recorder:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, payload: bytes, seq: int) -> None:
        self.told.append(msgspec.json.decode(payload)["type"])


def test_a_row_is_not_told_before_the_transition_that_made_it_so() -> None:
    async def main() -> None:
        async with served() as each:
            recorder = Recorder()
            each.feed.watch(recorder)
            await until(lambda: bool(recorder.told))
            fail(each)
            await each.feed._compare()  # in the turn of the loop in which the transition was heard
            assert recorder.told == ["snapshot", "transition", "delta"]

    asyncio.run(main())


def test_a_round_that_fails_is_logged_and_the_next_one_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed_module, "DELTA_INTERVAL_S", 0.01)
    monkeypatch.setattr(feed_module, "METRICS_INTERVAL_S", 0.01)

    async def main() -> None:
        async with served() as each:
            row, measured = each.feed.row, each.feed._measured
            failures = {"row": 1, "point": 1}

            def failing(kind: str, work: Any) -> Any:
                def done(breaker: Any) -> Any:
                    if failures[kind]:
                        failures[kind] -= 1
                        raise RuntimeError("a mistake of ours")
                    return work(breaker)

                return done

            monkeypatch.setattr(each.feed, "row", failing("row", row))
            monkeypatch.setattr(each.feed, "_measured", failing("point", measured))
            async with each.watching() as connection:
                assert len((await received(connection, "snapshot"))["breakers"]) == 2
                assert set((await received(connection, "metrics"))["points"]) == {ALICE, "store"}

    asyncio.run(main())
    said = [record.message for record in caplog.records if record.exc_info]
    assert sorted(said) == [
        "a round over the breakers' figures failed",
        "a round over the breakers' rows failed",
    ]


class Numbers:
    """Gives numbers, and lets another thread go on, if it can, between the first and its use."""

    def __init__(self) -> None:
        self.given = 0
        self.first_is_given = threading.Event()
        self.second_is_heard = threading.Event()

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.given += 1
        number = self.given
        if number == 1:
            self.first_is_given.set()
            self.second_is_heard.wait(OVERTAKING_S)
        return number


def test_transitions_of_two_threads_wait_in_the_order_of_their_numbers() -> None:
    """One had taken number 1, another then 2 and its place, and the history began with 2."""

    async def main() -> None:
        async with served() as each:
            each.feed._numbers = numbers = Numbers()
            first = threading.Thread(target=each.registry.get("store", "store").force_open)

            def second() -> None:
                assert numbers.first_is_given.wait(10)
                each.alice.force_open()
                numbers.second_is_heard.set()

            threads = [first, threading.Thread(target=second)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(10)
            assert [number for number, _ in each.feed._waiting] == [1, 2]
            await asyncio.sleep(0)

    asyncio.run(main())


def test_figures_that_cannot_be_told_of_one_breaker_leave_those_of_the_others() -> None:
    async def main() -> None:
        async with served() as each:
            each.alice.tend(lambda machine, _: setattr(machine.figures.window, "_width_s", 0.0))
            await each.feed.measure()
            assert each.feed.metrics.points(ALICE, 9) == []
            assert len(each.feed.metrics.points("store", 9)) == 1
            assert (await each.feed.rows())[ALICE].reason.startswith("its figures can't be told: ")

    asyncio.run(main())
