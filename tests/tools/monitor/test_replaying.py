"""A recording as on a player: paused, faster, from another place; the board is always as it was then."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from sprint.core.monitor.board import Happened, Key, RelaySeen
from sprint.core.monitor.fleet import (
    FleetMessage,
    FleetSnapshot,
    FleetTape,
    FleetTransition,
    decode_fleet,
    encode_fleet,
    row_told,
)
from sprint.core.monitor.rows import rfc3339
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.recording import Recorder
from sprint.tools.monitor.replaying import PAUSE_S_MAX, SPEEDS, Replay
from tests.tools.monitor.fakes import NOW_UNIX_S, ago, row, story_board, transition
from tests.tools.monitor.relay_stand_in import until

STORE = Key("north", "store")
STEP_S = 20.0
STEPS = 6
AT_ONCE = 1e9
Scene = Callable[[Replay, Monitor, list[Happened]], Awaitable[None]]


def recording(step_s: float = STEP_S) -> bytes:
    """Return a recording in which a breaker makes a transition every so many seconds, by their numbers."""
    relay = RelaySeen(name="north", url="http://127.0.0.1:8081", connection="live", since=ago(0))
    messages: list[FleetMessage] = [
        FleetSnapshot(
            seq=0, at=rfc3339(NOW_UNIX_S), part=1, parts=1, demo=False, read_only=False, relays=(relay,),
            breakers=(msgspec.to_builtins(row_told(STORE, row("store"))),),
        )
    ]  # fmt: skip
    for number in range(1, STEPS + 1):
        at_s = NOW_UNIX_S + number * step_s
        told = transition(
            "store", "closed", "open", "tripped", str(number), number=number, ago_s=NOW_UNIX_S - at_s
        )
        messages.append(FleetTransition(seq=number, at=rfc3339(at_s), relay="north", transition=told))
    return b"".join(encode_fleet(each) + b"\n" for each in messages)


def numbers(monitor: Monitor) -> list[int]:
    """Return which transitions the board has."""
    return [each.number for each in monitor.board.transitions(STORE)]


def shown(scene: Scene, *, step_s: float = STEP_S, speed: float = 1.0) -> None:
    """Run a scene with a recording that stands still at its beginning."""

    async def whole() -> None:
        monitor, told = Monitor(read_only=True), list[Happened]()
        monitor.listen(told.append)
        replay = Replay(monitor, io.BytesIO(recording(step_s)), Path("a.ndjson"), speed)
        replay.pause()
        task = asyncio.create_task(replay.run())
        try:
            await asyncio.wait_for(scene(replay, monitor, told), 30)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(whole())


def is_idle(recorder: Recorder) -> bool:
    return recorder.path is None


async def went(replay: Replay, seconds: float) -> None:
    """Jump, and wait until that is done."""
    there = asyncio.Event()
    unlisten = replay.listen(lambda what: there.set() if what == "elsewhere" else None)
    replay.jump(seconds)
    await there.wait()
    unlisten()


def test_a_jump_lays_the_board_as_it_was_then_and_nothing_happens_on_the_way() -> None:
    async def scene(replay: Replay, monitor: Monitor, told: list[Happened]) -> None:
        await went(replay, NOW_UNIX_S + 65.0)
        assert (numbers(monitor), monitor.now()) == ([1, 2, 3], NOW_UNIX_S + 65.0)
        await went(replay, -40.0)
        assert (numbers(monitor), monitor.now()) == ([1], NOW_UNIX_S + 25.0)
        assert [each.transition.number for each in monitor.board.recent] == [1]
        await went(replay, 60.0)
        assert numbers(monitor) == [1, 2, 3, 4]
        assert told == []

    shown(scene)


def test_a_jump_beyond_either_end_goes_to_that_end() -> None:
    async def scene(replay: Replay, monitor: Monitor, _: list[Happened]) -> None:
        await went(replay, NOW_UNIX_S + 9_999.0)
        await until(lambda: replay.ended, "the end")
        assert (numbers(monitor), monitor.now()) == ([1, 2, 3, 4, 5, 6], NOW_UNIX_S + STEPS * STEP_S)
        await went(replay, -9_999.0)
        assert (numbers(monitor), monitor.now()) == ([], NOW_UNIX_S)
        assert list(monitor.board.rows) == [STORE]
        assert not replay.ended

    shown(scene)


def test_what_is_paused_stands_still_and_goes_on_from_there() -> None:
    async def scene(replay: Replay, monitor: Monitor, told: list[Happened]) -> None:
        await went(replay, NOW_UNIX_S + 45.0)
        at_s = monitor.now()
        assert replay.told().paused
        assert told == []
        replay.pause()
        await until(lambda: replay.ended, "it went on to its end")
        assert at_s == NOW_UNIX_S + 45.0
        assert [each.transition.number for each in told] == [3, 4, 5, 6]

    shown(scene, speed=AT_ONCE)


def test_speeds_are_those_of_a_list_and_time_goes_by_them() -> None:
    now = [100.0]
    replay = Replay(Monitor(), io.BytesIO(), clock=lambda: now[0])
    assert replay.now() == 0.0
    replay._anchor(NOW_UNIX_S)
    for _ in range(len(SPEEDS)):
        replay.change_speed(1)
    assert replay.speed == SPEEDS[-1]
    now[0] += 2.0
    assert replay.now() == NOW_UNIX_S + 2.0 * SPEEDS[-1]
    for _ in range(2 * len(SPEEDS)):
        replay.change_speed(-1)
    assert replay.speed == SPEEDS[0]
    assert replay.now() == NOW_UNIX_S + 2.0 * SPEEDS[-1], "another speed moves nothing"


def test_a_time_in_which_nothing_happened_is_no_longer_than_a_minute() -> None:
    async def scene(replay: Replay, monitor: Monitor, _: list[Happened]) -> None:
        await until(lambda: numbers(monitor) == [] and monitor.board.rows, "its beginning")
        replay.pause()
        await until(lambda: monitor.now() >= NOW_UNIX_S + 86_400.0 - PAUSE_S_MAX, "the minute before")
        assert numbers(monitor) == []

    shown(scene, step_s=86_400.0)


@pytest.mark.parametrize("turn", ["pause", "change_speed", "jump"])
def test_who_watches_is_told_how_it_is_shown_and_of_another_place_everything_anew(turn: str) -> None:
    class Watcher:
        def __init__(self) -> None:
            self.snapshots = 0
            self.tapes: list[FleetTape] = []

        def introduce(self, parts: object, _seq: int) -> None:
            self.snapshots += 1

        def tell(self, payload: bytes, _seq: int) -> None:
            message = decode_fleet(payload)
            if isinstance(message, FleetTape):
                self.tapes.append(message)

    async def scene(replay: Replay, monitor: Monitor, _: list[Happened]) -> None:
        feed, watcher = FleetFeed(monitor), Watcher()
        turns: dict[str, Callable[[], None]] = {
            "pause": replay.pause,
            "change_speed": lambda: replay.change_speed(1),
        }
        feed.watch(watcher)
        assert watcher.tapes[-1].replay == replay.told()
        if turn == "jump":
            await went(replay, NOW_UNIX_S + 65.0)
            assert watcher.snapshots == 2
            assert watcher.tapes[-1].at == rfc3339(NOW_UNIX_S + 65.0)
        else:
            turns[turn]()
            assert watcher.snapshots == 1
        assert watcher.tapes[-1].replay == replay.told()
        feed.stop()

    shown(scene)


def test_a_recorder_writes_while_it_is_asked_to_and_says_where(tmp_path: Path) -> None:
    async def scene() -> None:
        monitor = Monitor(story_board())
        feed = FleetFeed(monitor)
        recorder = monitor.recorder = Recorder(feed, tmp_path)
        first = recorder.start(NOW_UNIX_S)
        assert first == tmp_path / "cb-monitor-20250905T185507Z.ndjson"
        assert recorder.path == first
        await until(lambda: recorder.written_size, "the snapshot is written")
        assert await recorder.stop() == first
        assert is_idle(recorder)
        second = recorder.start(NOW_UNIX_S)
        assert second.name == "cb-monitor-20250905T185507Z-1.ndjson"
        await until(lambda: recorder.written_size, "the snapshot is written")
        await recorder.stop()
        feed.stop()
        for path in (first, second):
            told = [decode_fleet(line) for line in path.read_bytes().splitlines()]
            assert isinstance(told[0], FleetSnapshot)
            assert len(told[0].breakers) == len(monitor.board.rows)

    asyncio.run(scene())


def test_a_recording_that_cannot_be_written_on_is_over_and_says_why(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    async def scene() -> None:
        said: list[str] = []
        feed = FleetFeed(Monitor(story_board()))
        recorder = Recorder(feed, tmp_path, said.append)
        recorder.record(Full(), tmp_path / "a")
        await until(lambda: said, "it says why")
        assert "No space left" in said[0]
        assert recorder.path is None
        feed.stop()

    asyncio.run(scene())
