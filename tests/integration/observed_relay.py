"""A relay whose stages can be seen and held from outside, so that it can be killed in each of them.

    python -m tests.integration.observed_relay --board FILE --source URL --data-dir DIR …

It is `RelayService` as the command runs it, with an observer that writes each stage to a `StageBoard` and,
where the board says so, stops the whole process in that stage. `--deliver-first` makes it the mutant that
hands an event over before it is committed.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import msgspec

from sprint.core.relay.event_log import Commit
from sprint.core.relay.source_url import parse_source
from sprint.core.relay.tiers import find_tier
from sprint.tools.relay.commit import Committer, Pause
from sprint.tools.relay.listeners import Ports
from sprint.tools.relay.service import RelayOptions, RelayService, Serving, packaged_tiers
from sprint.tools.relay.stages import Stage
from sprint.tools.runtime import StopSignal, run, set_up_logging
from sprint.tools.store import Store
from tests.integration.stage_board import STAGES, Field, StageBoard

# Between two blocks nothing is read for longer than this; within a block's way never.
QUIET_S = 0.015
READS_OF_A_BLOCK = 2
_NUMBER = {stage: number for number, stage in enumerate(STAGES)}


class StageWriter:
    """Writes stages to the board. The first read after a quiet time is an announcement, the next a body."""

    def __init__(self, board: StageBoard) -> None:
        self._board = board
        self._reads = 0
        self._last_mark_at = 0.0

    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        board = self._board
        if stage == "read":
            if not block:
                self._read(at)
            return
        self._last_mark_at = at
        if stage == "handed_over" and self._reads == READS_OF_A_BLOCK:
            board[Field.WAY_NS] = time.monotonic_ns() - board[Field.BODY_AT_NS]
            board[Field.DELIVERED] += 1
        self._reach(_NUMBER[stage])

    def _read(self, at: float) -> None:
        quiet = at - self._last_mark_at > QUIET_S
        self._last_mark_at = at
        self._reads = 1 if quiet else self._reads + 1
        self._reach(_NUMBER["announced" if quiet else "read"])
        if self._reads == READS_OF_A_BLOCK:
            self._board[Field.BODY_AT_NS] = time.monotonic_ns()

    def _reach(self, number: int) -> None:
        self._board[Field.STAGE] = number
        if self._board[Field.HOLD_AT] == number:
            self._board[Field.HELD] = 1
            os.kill(os.getpid(), signal.SIGSTOP)


class DeliverFirst(Committer):
    """The mutant: hands over, then commits."""

    def __init__(self, store: Store, committed: Callable[[Sequence[Commit]], None], paused: Pause) -> None:
        super().__init__(store, lambda _: None, paused)
        self._hand_over = committed

    def submit(self, commit: Commit) -> None:
        self._hand_over([commit])
        super().submit(commit)


def main() -> None:
    """Run until SIGTERM, as the command does."""
    arguments = _parser().parse_args()
    set_up_logging("json", "info")
    options = RelayOptions(
        sources=tuple(map(parse_source, arguments.source)),
        chain_sections={},
        tiers=(find_tier(packaged_tiers({}), arguments.tier),),
        ports=Ports(
            "127.0.0.1", arguments.port, arguments.admin_port, arguments.metrics_port, free_if_taken=False
        ),
        data_dir=arguments.data_dir,
        durability="process",
        demo=False,
    )

    def serving(line: Serving) -> None:
        print(msgspec.json.encode(line).decode(), flush=True)

    async def serve() -> None:
        stop = StopSignal()
        stop.install()
        await RelayService(options, observer=StageWriter(board)).run(serving, stop)

    committer = DeliverFirst if arguments.deliver_first else Committer
    with StageBoard(arguments.board) as board, patch("sprint.tools.relay.service.Committer", committer):
        run(serve())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--board", type=Path, required=True)
    parser.add_argument("--source", action="append", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tier", required=True)
    for option in ("--port", "--admin-port", "--metrics-port"):
        parser.add_argument(option, type=int, required=True)
    parser.add_argument("--log-format")
    parser.add_argument("--deliver-first", action="store_true")
    return parser


if __name__ == "__main__":
    main()
