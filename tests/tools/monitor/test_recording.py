"""Recordings: what was written is shown again as it was, and what can't be read is named by its line."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError, RequestError
from sprint.core.monitor.board import Board, Happened, Key
from sprint.core.monitor.fleet import FleetSnapshot, FleetTransition, decode_fleet, lay_on
from sprint.tools.monitor import recording as module
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.recording import LineWriter, lines_to, new_recording, open_recording
from sprint.tools.monitor.replaying import Replay
from tests.tools.monitor.relay_stand_in import RelayStandIn, until, watched

AT_ONCE = 1e9


def recorded(path: Path) -> Board:
    """Record a relay while a breaker opens; return the board as it was then."""

    async def scene() -> Board:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            feed = FleetFeed(monitor)
            with new_recording(path) as file:
                async with lines_to(feed, file) as writer:
                    relay.fail()
                    await until(lambda: monitor.board.rows[relay.alice].state == "open", "it opens")
                    size = writer.written_size
                    await until(lambda: writer.written_size > size, "the delta is written")
            feed.stop()
            return monitor.board

    return asyncio.run(scene())


def replayed(path: Path) -> tuple[Monitor, list[Happened]]:
    monitor, told = Monitor(read_only=True), list[Happened]()
    monitor.listen(told.append)

    async def scene() -> None:
        with open_recording(path) as file:
            replay = Replay(monitor, file, path, AT_ONCE)
            task = asyncio.create_task(replay.run())
            await until(lambda: replay.ended or task.done(), "the recording has ended")
            if task.done():
                task.result()
            task.cancel()

    asyncio.run(scene())
    return monitor, told


def test_a_recording_shows_what_was_again(tmp_path: Path) -> None:
    board = recorded(tmp_path / "a.ndjson")
    monitor, told = replayed(tmp_path / "a.ndjson")
    assert monitor.board.rows == board.rows
    assert monitor.board.recent == board.recent
    assert [each.transition.to_state for each in told] == ["open"]
    assert monitor.now() < 4e9
    with pytest.raises(RequestError, match="this is a recording"):
        asyncio.run(monitor.order(Key("main", "store"), "reset", ""))


def test_a_last_line_that_was_cut_off_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A recorder that is killed leaves half a line."""
    path = tmp_path / "a.ndjson"
    board = recorded(path)
    with path.open("ab") as file:
        file.write(b'{"type":"delta","seq":9')
    assert replayed(path)[0].board.rows == board.rows
    assert "cut off" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: no message"),
        (b"hello\n", "line 1: no message"),
        (
            b'{"type":"delta","seq":1,"at":"","relays":[],"changed":[],"removed":[]}\n',
            "begin with a snapshot",
        ),
    ],
)
def test_what_is_no_recording_is_refused_before_anything_is_shown(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        open_recording(path)
    with pytest.raises(ConfigError, match="there is one already"):
        new_recording(path)
    with pytest.raises(ConfigError, match="No such file"):
        open_recording(tmp_path / "absent")
    with pytest.raises(ConfigError, match="No such file"):
        new_recording(tmp_path / "absent" / "a.ndjson")


def test_a_bad_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    recorded(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, b'{"type":"delta"}\n']))
    replay = replayed(path)[0].replay
    assert replay is not None
    assert replay.told().reason.startswith(f"line {len(lines) + 1}: no message")


class Stuck(io.BytesIO):
    """A pipe that nobody reads until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def write(self, data: object) -> int:
        self.free.wait(10)
        return super().write(data)  # type: ignore[arg-type]


def test_a_reader_who_falls_behind_is_given_a_new_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_SIZE_MAX", 2_000)

    async def scene() -> tuple[list[bytes], Board]:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            feed, file = FleetFeed(monitor), Stuck()
            async with lines_to(feed, file) as writer:
                await until(lambda: writer.written_size, "the snapshot is being written")
                for number in range(20):
                    relay.registry.get("store", "store").force_open(str(number))
                    relay.registry.get("store", "store").reset(str(number))
                await until(lambda: writer not in feed, "too much waits")
                file.free.set()
                await until(lambda: writer in feed, "it is told again")
                await until(lambda: file.getvalue().count(b'"snapshot"') == 2, "a new snapshot")
                await until(
                    lambda: monitor.board.rows[Key("main", "store")].transitions == 40, "all is known"
                )
                size = writer.written_size
                await until(lambda: writer.written_size > size, "the last row is written")
            feed.stop()
            return file.getvalue().splitlines(), monitor.board

    lines, board = asyncio.run(scene())
    elsewhere = Board()
    for line in lines:
        lay_on(elsewhere, decode_fleet(line), 0.0)
    assert elsewhere.rows[Key("main", "store")].state == board.rows[Key("main", "store")].state


def test_a_recording_ends_at_its_bound_and_says_so() -> None:
    async def scene() -> None:
        async with RelayStandIn() as relay, watched(relay) as monitor:
            feed = FleetFeed(monitor)
            writer = LineWriter(feed, io.BytesIO(), size_max=100)
            await writer.run()
            assert writer.reason == "over 100 bytes"
            assert writer.ended.is_set()
            assert writer not in feed
            feed.stop()

    asyncio.run(scene())


def test_each_line_is_a_message_of_the_websocket(tmp_path: Path) -> None:
    recorded(tmp_path / "a.ndjson")
    messages = [decode_fleet(line) for line in (tmp_path / "a.ndjson").read_bytes().splitlines()]
    assert isinstance(messages[0], FleetSnapshot)
    assert any(isinstance(each, FleetTransition) for each in messages)
    assert [each.seq for each in messages] == list(range(messages[0].seq, messages[0].seq + len(messages)))
