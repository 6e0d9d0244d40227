"""Alerts from a board to receivers: told once, over outages and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.errors import RequestError, StoreError
from sprint.core.monitor.alerts.book import Entry, Kept
from sprint.core.monitor.alerts.rules import STATE, Rule, Step
from sprint.core.monitor.alerts.standing import Alert
from sprint.core.monitor.board import RelaySeen
from sprint.core.monitor.codec import Snapshot, TransitionTold
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.monitor import alert_desk, alert_store
from sprint.tools.monitor.alert_desk import Clocks, Desk, Plan
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.sinks.webhook import Webhook
from tests.core.monitor.alerts.test_messages import alert_of
from tests.core.monitor.rows_for_tests import row_named, transition_of
from tests.tools.monitor.alert_receivers import HttpReceiver, free_port, http_receiver
from tests.tools.monitor.relay_stand_in import until

WAIT_S = 20.0


def entry_of(alert: Alert, sink: str) -> Entry:
    return Entry(Kept(alert=alert, told={sink: alert.level}), [(sink, alert)])


def monitor_with(state: Any, *, read_only: bool = False) -> Monitor:
    monitor = Monitor(read_only=read_only)
    relay = RelaySeen(name="main", url="http://h:1", connection="live", since=rfc3339(0.0))
    monitor.board.connected(relay)
    say(monitor, state)
    return monitor


def say(monitor: Monitor, state: Any) -> None:
    rows = (row_named("x", state=state, reason="5 of 5 calls failed"),)
    monitor.board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=rows), 0.0)


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Told:
    """Waits for alerts that a desk tells of."""

    def __init__(self, desk: Desk) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        desk.listen(self.queue.put_nowait)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.queue.get(), WAIT_S)


@asynccontextmanager
async def desk_of(
    monitor: Monitor, folder: Path, url: str = "", clock: Clock | None = None
) -> AsyncIterator[tuple[Desk, Told]]:
    sinks = [Webhook(url)] if url else []
    store = AlertStore(folder / "alerts.sqlite")
    desk = Desk(monitor, store, sinks, clocks=Clocks(clock or Clock()))
    told = Told(desk)
    async with desk:
        yield desk, told


def sent(told: Any) -> dict[str, Any]:
    """Return what is sent of an alert that faces are told of."""
    return {name: value for name, value in told.items() if name not in {"silenced", "escalates_at"}}


async def arrived(receiver: HttpReceiver, count: int) -> None:
    await asyncio.to_thread(receiver.received.wait, count)


def test_an_open_breaker_is_posted_once_and_its_end_too(tmp_path: Path) -> None:
    async def scene(receiver: HttpReceiver) -> None:
        clock, monitor = Clock(), monitor_with("open")
        async with desk_of(monitor, tmp_path, receiver.url, clock) as (desk, told):
            assert (await told.next())["level"] == "critical"
            await arrived(receiver, 1)
            desk.look()
            say(monitor, "closed")
            desk.look()
            clock.now_s = STATE.clear_s
            desk.look()
            assert (await told.next())["change"] == "resolved"
            await arrived(receiver, 2)
            (only,) = desk.view()["alerts"]
            assert (only["breaker"], only["change"]) == ("x", "resolved")

    with http_receiver() as receiver:
        asyncio.run(scene(receiver))
        assert [(each["change"], each["number"]) for each in receiver.alerts()] == [
            ("raised", 1),
            ("resolved", 2),
        ]


def test_a_transition_is_an_alert_before_its_row_follows(tmp_path: Path) -> None:
    async def scene() -> None:
        monitor = monitor_with("closed")
        async with desk_of(monitor, tmp_path) as (desk, told):
            old = transition_of(1, 0.0)
            monitor.told("main", TransitionTold(seq=1, at=old.at, transition=old))
            assert desk.view()["alerts"] == [], "what was before the start is the rows' affair"
            new = transition_of(2, runtime.wall_clock() + 1.0)
            monitor.told("main", TransitionTold(seq=2, at=new.at, transition=new))
            alert = await told.next()
            assert (alert["rule"], alert["breaker"], alert["level"]) == ("state", "x", "critical")

    asyncio.run(scene())


def test_what_could_not_be_sent_before_a_restart_is_sent_after_it(tmp_path: Path) -> None:
    port = free_port()

    async def before() -> Any:
        url = f"http://127.0.0.1:{port}/hook?token=in-the-url"
        async with desk_of(monitor_with("open"), tmp_path, url) as (_, told):
            return await told.next()

    async def after(receiver: HttpReceiver, raised: Any) -> None:
        async with desk_of(monitor_with("open"), tmp_path, receiver.url) as (desk, told):
            await arrived(receiver, 1)
            desk.look()
            (standing,) = desk.view()["alerts"]
            assert standing == raised, "it stands and is not raised again"
        assert told.queue.empty()

    raised = asyncio.run(before())
    with http_receiver(port) as receiver:
        asyncio.run(after(receiver, raised))
        assert receiver.alerts() == [sent(raised)]


def test_failures_of_a_receiver_lose_and_repeat_nothing_that_it_confirmed(tmp_path: Path) -> None:
    async def scene(receiver: HttpReceiver) -> None:
        receiver.statuses = [500, 503]
        async with desk_of(monitor_with("open"), tmp_path, receiver.url) as (desk, _):
            await arrived(receiver, 1)
            await asyncio.to_thread(receiver.failed.wait, 2)
        assert desk.view()["sinks"][0]["refused"] == 0

    with http_receiver() as receiver:
        asyncio.run(scene(receiver))
        assert len(receiver.alerts()) == 1


def test_a_message_that_is_refused_for_good_does_not_hold_up_those_behind_it(tmp_path: Path) -> None:
    store = AlertStore(tmp_path / "alerts.sqlite")
    with http_receiver() as receiver:
        sink = Webhook(receiver.url)
        store.keep([entry_of(alert_of(3.0, name), sink.name) for name in ("a", "b", "c")])
        store.close()
        receiver.statuses = [413, 413]  # all three together, and the first alone

        async def scene() -> None:
            async with desk_of(Monitor(), tmp_path, receiver.url):
                await asyncio.to_thread(receiver.received.wait, 1)

        asyncio.run(scene())
        assert receiver.alerts()[0]["breaker"] == "b"


def test_a_file_is_of_one_monitor(tmp_path: Path) -> None:
    store = AlertStore(tmp_path / "a.sqlite")
    with pytest.raises(StoreError, match="in use by process"):
        AlertStore(tmp_path / "a.sqlite")
    store.close()
    AlertStore(tmp_path / "a.sqlite").close()


def test_an_outbox_that_is_full_gives_up_the_oldest_and_says_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_store, "WAITING_MAX", 2)
    store = AlertStore(tmp_path / "a.sqlite")
    alerts: list[Alert] = [alert_of(3.0, name) for name in ("a", "b", "c")]
    assert store.keep([entry_of(alert, "sink") for alert in alerts]) == 1
    assert [each.alert.breaker for each in store.waiting("sink", 9)] == ["b", "c"]
    assert store.counts() == {"sink": 2}
    store.close()


def test_an_acknowledgement_and_a_silence_are_on_disk_when_they_are_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        async with desk_of(monitor_with("open"), tmp_path) as (desk, told):
            alert = await told.next()
            await desk.acknowledge(alert["id"], "anna")
            await desk.silence({"breaker": "x", "for": "1h", "by": "anna", "why": "a new disk"})
            (kept,), (silence,) = desk._store.standing(), desk._store.silences()
            assert (kept.alert.acknowledged_by, kept.silence) == ("anna", silence.id)
        async with desk_of(monitor_with("open"), tmp_path) as (desk, _):
            (alert,) = desk.view()["alerts"]
            assert (alert["acknowledged_by"], alert["silenced"]["why"]) == ("anna", "a new disk")
            assert alert["escalates_at"] is None

    asyncio.run(scene())


def test_an_operator_is_told_when_the_disk_does_not_take_their_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_desk, "WRITTEN_S_MAX", 0.05)

    async def scene() -> None:
        async with desk_of(monitor_with("open"), tmp_path) as (desk, told):
            alert = await told.next()
            with monkeypatch.context() as failing:
                failing.setattr(AlertStore, "keep", fails)
                with pytest.raises(RequestError, match="can't be written yet") as raised:
                    await desk.acknowledge(alert["id"], "anna")
            assert raised.value.code == "not_ready"
            assert (await told.next())["acknowledged_by"] == "anna", "it is written once the disk takes it"

    asyncio.run(scene())


def fails(*_: object) -> None:
    raise StoreError("the disk is full")


def test_what_was_confirmed_is_not_sent_again_where_the_disk_could_not_take_that_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(receiver: HttpReceiver) -> None:
        monitor = monitor_with("open")
        with monkeypatch.context() as failing:
            failing.setattr(AlertStore, "done", fails)
            async with desk_of(monitor, tmp_path, receiver.url) as (desk, _):
                await arrived(receiver, 1)
                await until(lambda: desk.senders[0].failed >= 2, "the disk has failed")
                failing.undo()
                await until(lambda: not desk.senders[0].waiting, "it is taken down")

    with http_receiver() as receiver:
        asyncio.run(scene(receiver))
        assert len(receiver.received.all()) == 1


def test_a_sink_with_a_mistake_in_it_does_not_end_the_way_of_what_comes_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistakes = [KeyError("a mistake"), UnicodeEncodeError("ascii", "é", 0, 1, "another")]
    send = Webhook.send

    async def mistaken(sink: Webhook, alerts: Sequence[Alert]) -> None:
        if mistakes:
            raise mistakes.pop()
        await send(sink, alerts)

    monkeypatch.setattr(Webhook, "send", mistaken)

    async def scene(receiver: HttpReceiver) -> None:
        async with desk_of(monitor_with("open"), tmp_path, receiver.url) as (desk, _):
            await arrived(receiver, 1)
            assert desk.senders[0].failed == 2

    with http_receiver() as receiver:
        asyncio.run(scene(receiver))


def test_what_stands_by_a_rule_that_there_is_no_more_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        clock, own = Clock(), Rule(name="own", reads="calls", steps=(Step("info", 0.0),))
        monitor = monitor_with("closed")
        async with Desk(monitor, AlertStore(tmp_path / "a.sqlite"), (), Plan((own,)), Clocks(clock)) as desk:
            desk.look()
            assert [alert["rule"] for alert in desk.view()["alerts"]] == ["own"]
        async with Desk(monitor, AlertStore(tmp_path / "a.sqlite"), clocks=Clocks(clock)) as desk:
            desk.look()
            clock.now_s += own.clear_s
            desk.look()
            await until(lambda: any(alert["resolved_at"] for alert in desk.view()["alerts"]), "it is over")

    asyncio.run(scene())


def test_a_desk_that_is_read_only_takes_no_word_from_any_face(tmp_path: Path) -> None:
    async def scene() -> None:
        async with desk_of(monitor_with("open", read_only=True), tmp_path) as (desk, told):
            alert = await told.next()
            for word in (
                desk.acknowledge(alert["id"], "anna"),
                desk.silence({"breaker": "x", "for": "1h", "by": "anna", "why": "a new disk"}),
                desk.end_silence("none"),
            ):
                with pytest.raises(RequestError) as raised:
                    await word
                assert raised.value.code == "read_only"

    asyncio.run(scene())
