"""The process that is measured: settings are applied to it and taken back between the rounds.

    python -m sprint.tools.optimize.bench.worker JOURNAL_FOLDER

It reads an order a line, and answers each with a line of JSON. It restores and ends when its stdin does, that
is with who started it; where it is killed, `sprint optimize restore` takes back what was of the host.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sprint.core.optimize.bench_result import SettingState
from sprint.core.optimize.setting import Outcome, Setting
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.applying import Applied, Target, apply
from sprint.tools.optimize.bench.orders import Apply, Order, Reply, Restore
from sprint.tools.optimize.bench.pauses import Heap
from sprint.tools.optimize.bench.scenes import SCENES
from sprint.tools.optimize.python_runtime import PythonRuntime

ENDED_BY_SIGNAL = 128


class Worker:
    """Does what it is ordered."""

    def __init__(self, journal_folder: Path) -> None:
        self._journal_folder = journal_folder
        self._actuators: dict[str, Actuator] = {**SYSTEM_ACTUATORS, **PythonRuntime().actuators()}
        self._heap = Heap()
        self._applied: Applied | None = None

    def __repr__(self) -> str:
        return f"Worker({self._heap!r}, applied={self._applied is not None})"

    def obey(self, order: Order) -> Reply:
        if isinstance(order, Apply):
            return self._apply(order.settings)
        if isinstance(order, Restore):
            return self.restore()
        return Reply(values=SCENES[order.scene].measure(order.seconds))

    def restore(self) -> Reply:
        applied, self._applied = self._applied, None
        states = () if applied is None else _states(applied.restore())
        gc.collect()  # garbage of one round is not left to the next
        return Reply(states=states)

    def _apply(self, settings: Sequence[Setting]) -> Reply:
        self.restore()
        self._applied = apply(
            settings, target=Target.of_self(), journal_folder=self._journal_folder, clock=time.monotonic,
            actuators=self._actuators,
        )  # fmt: skip
        return Reply(states=_states(self._applied.outcomes))


def _states(outcomes: Sequence[Outcome]) -> tuple[SettingState, ...]:
    return tuple(SettingState(each.setting.key, each.state, _says(each)) for each in outcomes)


def _says(outcome: Outcome) -> str:
    refused = f"{outcome.refusal.name}; {outcome.refusal.remedy}" if outcome.refusal else ""
    return outcome.says or refused or outcome.setting.unsupported


def main() -> int:
    """Obey until stdin ends."""
    # In the middle of a measurement too, what was applied is taken back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED_BY_SIGNAL + signal.SIGTERM))
    worker = Worker(Path(sys.argv[1]))
    encode, decode = msgspec.json.encode, msgspec.json.Decoder(Order).decode
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    try:
        for line in sys.stdin:
            sys.stdout.write(encode(worker.obey(decode(line))).decode() + "\n")
            sys.stdout.flush()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        worker.restore()
    return 0


if __name__ == "__main__":
    sys.exit(main())
