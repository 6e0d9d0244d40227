"""Recordings in the terminal: begun and ended by a key, and shown again with the keys of a player."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprint.core.errors import ConfigError
from sprint.core.monitor.fleet import Replayed
from sprint.tools.monitor.tui.looks import PLAIN, Appearance
from tests.tools.monitor.fake_desk import ALERTS, FakeDesk
from tests.tools.monitor.fakes import FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import NARROW, WIDE, opened_terminal, pressed, screen_text, under_pilot


class FakeRecorder:
    """Says where it would write."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.written_size = 0
        self.refuses = False

    def start(self, now_unix_s: float) -> Path:
        """Begin."""
        if self.refuses:
            raise ConfigError("a.ndjson: Read-only file system")
        self.path, self.written_size = Path(f"at-{now_unix_s:.0f}.ndjson"), 2_340_000
        return self.path

    async def stop(self) -> Path | None:
        """End."""
        path, self.path = self.path, None
        return path


class FakeReplay:
    """Keeps how it was turned."""

    def __init__(self) -> None:
        self.turned: list[str] = []
        self.shown = Replayed(file="monday.ndjson", speed=4.0, paused=False, ended=False)

    def told(self) -> Replayed:
        """Return how it is shown."""
        return self.shown

    def pause(self) -> None:
        """Stand still."""
        self.turned.append("pause")

    def change_speed(self, steps: int) -> None:
        """Go faster."""
        self.turned.append(f"speed {steps}")

    def jump(self, seconds: float) -> None:
        """Go on."""
        self.turned.append(f"jump {seconds:g}")


@under_pilot
async def test_a_key_records_into_a_file_whose_name_is_shown_and_ends_it() -> None:
    monitor, recorder = FakeMonitor(story_board()), FakeRecorder()
    monitor.recorder = recorder
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        assert "REC" not in screen_text(app)
        await pressed(app, pilot, "w")
        assert " ● REC  at-1757098507.ndjson  2.3 MB  w stops it" in screen_text(app)
        await pressed(app, pilot, "w")
        assert "REC" not in screen_text(app)
        assert recorder.path is None
        recorder.refuses = True
        await pressed(app, pilot, "w")
        assert app._notifications
        assert [each.severity for each in app._notifications][-1] == "error"


@under_pilot
async def test_a_recording_that_is_shown_says_so_and_is_turned_by_the_keys_of_a_player() -> None:
    monitor, replay = FakeMonitor(story_board(), read_only=True), FakeReplay()
    monitor.replay = replay
    async with opened_terminal(monitor, WIDE) as (app, pilot):
        assert (
            " ▶ REPLAY  monday.ndjson at 2025-09-05 18:55:07 UTC \u00d74: nothing of it happens now"
            in screen_text(app)
        )
        await pressed(
            app, pilot, "space", "+", "-", "full_stop", "comma", "greater_than_sign", "less_than_sign"
        )
        assert replay.turned == ["pause", "speed 1", "speed -1", "jump 10", "jump -10", "jump 60", "jump -60"]
        assert not app.held
        await pressed(app, pilot, "w")
        assert "nothing to record" in " ".join(each.message for each in app._notifications)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
@under_pilot
async def test_a_replay_said_read_only_and_not_that_it_is_one_and_what_may_be_done(
    size: tuple[int, int],
) -> None:
    monitor = FakeMonitor(story_board(), read_only=True)
    monitor.replay, monitor.alerts = FakeReplay(), FakeDesk(*ALERTS)
    async with opened_terminal(monitor, size) as (app, pilot):
        assert "READ-ONLY" not in screen_text(app)
        shown = " ".join(screen_text(app).split())
        assert "nothing of it happens now" in shown
        assert "space pause + - speed" in shown
        for keys in ("f", "e", "2 a"):
            app.clear_notifications()
            await pressed(app, pilot, *keys.split())
            (said,) = [each.message for each in app._notifications]
            assert said.startswith("this is a recording: nothing of it can be changed; space pause"), keys
            assert app.screen is app.screen_stack[0]


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["80x24", "160x48"])
@under_pilot
async def test_a_broken_recording_was_shown_as_one_that_had_come_to_its_end(size: tuple[int, int]) -> None:
    monitor, replay = FakeMonitor(story_board(), read_only=True), FakeReplay()
    replay.shown = Replayed(
        file="monday.ndjson", speed=1.0, paused=False, ended=True, reason="line 812: JSON is malformed [a]"
    )
    monitor.replay = replay
    async with opened_terminal(monitor, size) as (app, _):
        shown = " ".join(screen_text(app).split())
        assert "broken off" in shown
        assert "it can't be shown beyond that: line 812: JSON is malformed [a]" in shown
        assert "at its end" not in shown
        assert "60 s" in shown, "it can still be shown from another place"


@pytest.mark.parametrize(
    ("paused", "ended", "said"), [(True, False, "UTC paused"), (False, True, "UTC at its end")]
)
@pytest.mark.parametrize("appearance", [PLAIN, Appearance(ascii_only=True)], ids=["plain", "ascii"])
def test_how_a_recording_is_shown_is_told(
    appearance: Appearance, *, paused: bool, ended: bool, said: str
) -> None:
    @under_pilot
    async def scene() -> None:
        monitor, replay = FakeMonitor(story_board()), FakeReplay()
        replay.shown = Replayed(file="a", speed=1.0, paused=paused, ended=ended)
        monitor.replay = replay
        async with opened_terminal(monitor, WIDE, appearance) as (app, _):
            assert said in screen_text(app)
            assert (screen_text(app).splitlines()[1].isascii()) == appearance.ascii_only

    scene()
