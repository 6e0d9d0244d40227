"""A desk of alerts whose breakers go to and fro at random, for a test that kills it.

    python -m tests.integration.killed_desk FILE URL SEED [calm]

A line on stdout says what is on disk by then: `kept` an alert and whether it is sent, `acknowledged`,
`silenced`. With `calm` all is well, silences are ended, and it says `calm` when nothing stands or waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sprint.core.errors import RequestError
from sprint.core.monitor.alerts.book import Entry
from sprint.core.monitor.alerts.rules import STATE, Rule
from sprint.core.monitor.alerts.silences import Silence
from sprint.core.monitor.alerts.standing import Alert
from sprint.core.monitor.board import RelaySeen
from sprint.core.monitor.codec import Snapshot
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.monitor.alert_desk import Desk, Plan
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.sinks.webhook import Webhook
from tests.core.monitor.rows_for_tests import row_named

BREAKERS = tuple("abcdefgh")
STATES = ("closed", "closed", "half_open", "open")
RULES = (Rule(name="state", reads="state", steps=STATE.steps, clear_s=0.0),)
PAUSE_S = 0.002


_saying = threading.Lock()


def say(**told: Any) -> None:
    with _saying:
        print(json.dumps(told), flush=True)


class SayingStore(AlertStore):
    """A store that says what it has written."""

    def keep(self, entries: Sequence[Entry], silences: Sequence[Silence] | None = None) -> int:
        given_up = super().keep(entries, silences)
        for entry in entries:
            alert = entry.kept.alert
            say(
                kept={
                    "id": alert.id,
                    "number": alert.number,
                    "change": alert.change,
                    "silenced": bool(entry.kept.silence),
                    "sent": [message.number for _, message in entry.messages],
                }
            )
        return given_up


class Numbered(Webhook):
    """A webhook that says which process has posted."""

    def _body(self, alerts: Sequence[Alert], sent_at: str) -> bytes:
        return json.dumps({**json.loads(super()._body(alerts, sent_at)), "process": os.getpid()}).encode()


class Course:
    """What happens to the breakers, and what an operator says."""

    def __init__(self, monitor: Monitor, desk: Desk, seed: int) -> None:
        self.monitor, self.desk = monitor, desk
        self.random = random.Random(seed)
        self.states = dict.fromkeys(BREAKERS, "closed")

    async def run(self) -> None:
        """Go on until it is killed."""
        words = (self.acknowledge, self.silence, self.end_silence)
        while True:
            self.states[self.random.choice(BREAKERS)] = self.random.choice(STATES)
            self.show()
            if self.random.random() < 0.2:
                await self.random.choice(words)()
            await asyncio.sleep(PAUSE_S)

    async def calm(self) -> None:
        """End all that there is."""
        for silence in self.desk.silences():
            await self.desk.end_silence(silence["id"])
        while self.desk.book.standing() or any(sender.waiting for sender in self.desk.senders):
            self.show()
            await asyncio.sleep(PAUSE_S)
        say(calm=True)

    def show(self) -> None:
        rows = tuple(row_named(name, state=state, reason="r") for name, state in self.states.items())
        self.monitor.board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=rows), 0.0)
        self.desk.look()

    async def acknowledge(self) -> None:
        standing = self.desk.book.standing()
        if standing:
            alert_id = self.random.choice(standing).alert.id
            try:
                await self.desk.acknowledge(alert_id, "anna")
            except RequestError:
                return  # it was over before
            say(acknowledged=alert_id)

    async def silence(self) -> None:
        breaker, for_s = self.random.choice(BREAKERS), self.random.choice((1, 2))
        fields = {"breaker": breaker, "for": f"{for_s}s", "by": "anna", "why": "a test"}
        made = await self.desk.silence(fields)
        say(silenced=made["silence"])

    async def end_silence(self) -> None:
        silences = self.desk.silences()
        if len(silences) > 2:
            silence_id = self.random.choice(silences)["id"]
            await self.desk.end_silence(silence_id)
            say(ended=silence_id)


async def main(file: str, url: str, seed: int, *, calm: bool) -> None:
    monitor = Monitor()
    at = rfc3339(runtime.wall_clock())
    monitor.board.connected(RelaySeen(name="main", url="", connection="live", since=at))
    desk = Desk(monitor, SayingStore(Path(file)), [Numbered(url)], Plan(RULES))
    course = Course(monitor, desk, seed)
    course.show()  # what stood before the kill is over, or raised again, by what is seen now
    async with desk:
        say(silences=[each["id"] for each in desk.silences()], standing=desk.view()["alerts"])
        await (course.calm() if calm else course.run())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), calm="calm" in sys.argv[4:]))
