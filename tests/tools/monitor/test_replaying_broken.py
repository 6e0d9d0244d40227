"""A recording with a bad line, and what an operator is told who would change something of one."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Key
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.replaying import Replay
from tests.tools.monitor.fakes import NOW_UNIX_S
from tests.tools.monitor.test_replaying import STEP_S, STEPS, numbers, recording, went

GOOD = 3
WAIT_S = 30.0


@pytest.mark.parametrize("bad", [b"{}", b'{"type": "delta"', b"\\xff"])
def test_a_bad_line_is_the_end_of_a_recording_and_says_so_and_what_is_before_it_can_be_seen_again(
    bad: bytes,
) -> None:
    lines = recording().splitlines(keepends=True)
    lines[GOOD + 1] = bad + b"\n"

    async def scene() -> None:
        monitor = Monitor(read_only=True)
        replay = Replay(monitor, io.BytesIO(b"".join(lines)), Path("a.ndjson"))
        replay.pause()
        task = asyncio.create_task(replay.run())
        try:
            await went(replay, NOW_UNIX_S + STEPS * STEP_S)
            await asyncio.wait_for(replay.broken.wait(), WAIT_S)
            assert numbers(monitor) == [1, 2, 3]
            told = replay.told()
            assert (told.ended, told.reason.partition(":")[0]) == (True, f"line {GOOD + 2}")
            await went(replay, -1.5 * STEP_S)
            assert numbers(monitor) == [1]
            assert (replay.told().ended, replay.told().reason) == (False, "")
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())


def test_who_would_change_something_of_a_recording_is_told_that_it_is_one() -> None:
    monitor = Monitor(read_only=True)
    with pytest.raises(RequestError, match="started with --read-only"):
        asyncio.run(monitor.order(Key("north", "store"), "force_open", "a new disk"))
    Replay(monitor, io.BytesIO(recording()))
    with pytest.raises(RequestError, match="this is a recording") as raised:
        asyncio.run(monitor.order(Key("north", "store"), "force_open", "a new disk"))
    assert raised.value.code == "read_only"
