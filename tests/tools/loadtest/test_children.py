"""Children of a run: ended on leaving, and at once where nobody waits for them any more."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from sprint.tools import runtime
from sprint.tools.embedded.child import Child, ChildFailed
from sprint.tools.loadtest.children import started
from tests.children import children_that_run

SAYS_AND_WAITS = "import sys; print('{}', flush=True); sys.stdin.read()"
SAYS_NOTHING = "import sys; sys.stdin.read()"
WAIT_S = 30


def child_of(script: str, folder: Path) -> Callable[[ExitStack, Callable[[], bool]], Child]:
    def start(stack: ExitStack, is_wanted: Callable[[], bool]) -> Child:
        command = [sys.executable, "-c", script]
        return stack.enter_context(Child("a part", command, folder=folder, is_wanted=is_wanted))

    return start


def test_a_child_runs_within_and_is_gone_after(tmp_path: Path) -> None:
    async def main() -> int:
        async with started(child_of(SAYS_AND_WAITS, tmp_path)) as child:
            assert psutil.pid_exists(child.pid)
            return child.pid

    assert not psutil.pid_exists(runtime.run(main()))


def test_a_child_that_does_not_come_is_not_waited_for_by_who_is_cancelled(tmp_path: Path) -> None:
    """Ctrl-C while an embedded relay starts: it had a minute to say where it serves."""
    starts = threading.Event()

    async def main() -> None:
        start = child_of(SAYS_NOTHING, tmp_path)

        def noted(stack: ExitStack, is_wanted: Callable[[], bool]) -> Child:
            starts.set()
            return start(stack, is_wanted)

        async def use() -> None:
            async with started(noted):
                raise AssertionError("it says nothing")

        using = asyncio.create_task(use())
        await asyncio.to_thread(starts.wait, WAIT_S)
        using.cancel()
        done, _ = await asyncio.wait((using,), timeout=WAIT_S)
        assert done
        assert using.cancelled()

    runtime.run(main())
    assert not children_that_run(SAYS_NOTHING)


def test_a_child_that_fails_is_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(child_of("raise SystemExit('no')", tmp_path)):
            raise AssertionError("it has ended")

    with pytest.raises(ChildFailed, match="a part does not run: no"):
        runtime.run(main())
