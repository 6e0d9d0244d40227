"""Where alerts come about: the rules look at the monitor's board, changes are kept, then told and sent.

    async with Desk(monitor, store, sinks) as desk:
        monitor.alerts = desk

Each transition is read at once, everything else every LOOK_INTERVAL_S. A change is on disk before it is told,
and before an operator's word is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self, get_args

from sprint.core.breaker.policy import Policy
from sprint.core.errors import ConfigError, RequestError, StoreError
from sprint.core.monitor.alerts.book import Book, Entry, Kept
from sprint.core.monitor.alerts.readings import readings, state_readings
from sprint.core.monitor.alerts.routes import ESCALATE_AFTER_S, Routes, Sending, routes_default
from sprint.core.monitor.alerts.rules import RULES, Level, Reading, Rule
from sprint.core.monitor.alerts.shown import alert_shown, past_shown, silence_shown
from sprint.core.monitor.alerts.silences import WHO_LENGTH_MAX, line_of, silence_of
from sprint.core.monitor.alerts.standing import Change, Subject
from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.breaker import packaged_policies
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor, Unlisten
from sprint.tools.monitor.sender import Sender
from sprint.tools.monitor.sinks.sink import Sink

LOOK_INTERVAL_S = 1.0
VIEWED_MAX = 500
# So long an operator's word waits for the disk before its sender is told that it has not been written yet.
WRITTEN_S_MAX = 5.0
SILENCE_ID_BYTES = 4
# Whose policies breakers of a relay have, of those that serve several tiers.
_TIER = "enterprise"

AlertListener = Callable[[Mapping[str, Any]], None]
log = logging.getLogger(__name__)


class Plan(NamedTuple):
    """By which rules alerts are raised, who is told, and when an alert goes one level up."""

    rules: Sequence[Rule] = RULES
    routes: Routes | None = None
    escalate_after_s: Mapping[Level, float] = ESCALATE_AFTER_S


class Clocks(NamedTuple):
    """Seconds of a clock that only rises, and seconds since 1970."""

    steady: Callable[[], float] = runtime.clock
    wall: Callable[[], float] = runtime.wall_clock


class Desk:
    """All alerts of one monitor. It runs on the monitor's event loop, and closes its sinks and its store."""

    def __init__(
        self,
        monitor: Monitor,
        store: AlertStore,
        sinks: Sequence[Sink] = (),
        plan: Plan | None = None,
        clocks: Clocks | None = None,
    ) -> None:
        plan, clocks = plan or Plan(), clocks or Clocks()
        self._monitor = monitor
        self._store = store
        self._clock, self._wall_clock = clocks
        self._judges = tuple(plan.rules)
        self._rules = {rule.name: rule for rule in plan.rules}
        kinds = {sink.name: sink.kind for sink in sinks}
        routes = routes_default(set(kinds.values())) if plan.routes is None else plan.routes
        sending = Sending(kinds, routes, plan.escalate_after_s)
        self.book = Book(sending, store.standing(), store.silences())
        self._over = [past.alert for past in reversed(store.history(VIEWED_MAX))]
        waiting = store.counts()
        self.senders = [Sender(sink, store, waiting.get(sink.name, 0)) for sink in sinks]
        self._limits: Mapping[str, Policy] = packaged_policies(tier=_TIER)
        self._listeners: list[AlertListener] = []
        self._changes: list[Entry] = []
        self._changes_kept: Counter[str] = Counter()
        self._silences_changed = False
        self._written: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()
        self._started_at = ""
        self._unlisten: Unlisten | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False
        self._storing_failed = False

    def __repr__(self) -> str:
        return f"Desk({self.book!r}, {len(self.senders)} sinks)"

    async def __aenter__(self) -> Self:
        self._started_at = rfc3339(runtime.wall_clock())
        before = len(self.book.silences())
        entries = self.book.begin(self._wall_clock())
        self._note(entries, silences=before != len(self.book.silences()))
        self._unlisten = self._monitor.listen(self._happened)
        self._keeper = asyncio.create_task(self._keep_on(), name="alerts' keeper")
        works = [self._look_on(), *(sender.run() for sender in self.senders)]
        self._tasks = [asyncio.create_task(work, name="alerts") for work in works]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._unlisten is not None:
            self._unlisten()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._closing = True
        self._changed.set()
        try:
            if self._keeper is not None:
                await self._keeper
        finally:
            for sender in self.senders:
                await sender.sink.close()
            self._store.close()

    # -- what faces ask for

    def view(self) -> dict[str, Any]:
        """Return what stands and then what is over, the newest first of both, silences, and how sinks do."""
        standing = [alert_shown(self.book, kept) for kept in reversed(self.book.standing())]
        over = [past_shown(alert) for alert in reversed(self._over)]
        return {
            "alerts": [*standing, *over][:VIEWED_MAX],
            "left_out": self.book.alerts.left_out,
            "silences": self.silences(),
            "sinks": [sender.shown() for sender in self.senders],
        }

    def figures(self) -> dict[str, Any]:
        """Return what metrics tell: counts of alerts, of changes and silences, and how sinks do."""
        standing = ((each.alert.level, _state_of(each)) for each in self.book.standing())
        return {
            "standing": Counter(standing),
            "changes": {change: self._changes_kept[change] for change in get_args(Change)},
            "silences": len(self.book.silences()),
            "left_out": self.book.alerts.left_out,
            "unwritten": len(self._changes),
            "sinks": [sender.shown() for sender in self.senders],
        }

    def silences(self) -> list[dict[str, Any]]:
        """Return the silences in force, that which ends first in front."""
        return [silence_shown(silence) for silence in self.book.silences()]

    async def history(self, limit: int, before: int | None = None) -> dict[str, Any]:
        """Return a page of what is over, newest first, and `next`: the `before` of the page after it."""
        past = await asyncio.to_thread(self._store.history, limit + 1, before)
        shown = [past_shown(each.alert) for each in past[:limit]]
        return {"alerts": shown, "next": past[limit - 1].number if len(past) > limit else None}

    def listen(self, callback: AlertListener) -> Unlisten:
        """Have a callback told of each alert when it comes, changes or goes, and is silenced or no longer."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    # -- an operator's words; RequestError where they can't be

    async def acknowledge(self, alert_id: str, who: str) -> dict[str, Any]:
        """Take down who has an alert in hand: it escalates no more. `changed` is false where it was so."""
        self._monitor.check_writable()
        with _refused():
            who = line_of({"by": who}, "by", WHO_LENGTH_MAX)
        kept, entry = self.book.acknowledge(alert_id, who, self._wall_clock())
        if entry is not None:
            log.info("alert %s is acknowledged by %s", alert_id, who)
            await self._kept([entry])
        return {"changed": entry is not None, "alert": alert_shown(self.book, kept)}

    async def silence(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a silence; the fields are those of `POST /api/silences`."""
        self._monitor.check_writable()
        now_s = self._wall_clock()
        with _refused():
            silence = silence_of(
                fields,
                silence_id=secrets.token_hex(SILENCE_ID_BYTES),
                now_unix_s=now_s,
                rules=list(self._rules),
            )
        entries = self.book.silence(silence, now_s)
        log.info(
            "silence %s by %s until %s: %s", silence.id, silence.by, rfc3339(silence.until_s), silence.why
        )
        await self._kept(entries, silences=True)
        return {"silence": silence_shown(silence)}

    async def end_silence(self, silence_id: str) -> dict[str, Any]:
        """End a silence before its time; what still holds is sent."""
        self._monitor.check_writable()
        silence, entries = self.book.end_silence(silence_id, self._wall_clock())
        log.info("silence %s by %s is ended", silence.id, silence.by)
        await self._kept(entries, silences=True)
        return {"silence": silence_shown(silence)}

    # -- looking

    def look(self) -> None:
        """Read everything now. What stands of a breaker that a relay no longer has counts as good."""
        seen: set[Subject] = set()
        for reading in readings(self._monitor.board, self._limits, self._judges):
            seen.add(Subject(reading.rule.name, reading.relay, reading.breaker))
            self._take(reading)
        relays = self._monitor.board.relays
        followed = {target.name for target in self._monitor.targets}
        for alert in self.book.alerts.standing():
            relay = relays.get(alert.relay)
            heard = alert.relay not in followed if relay is None else relay.connection == "live"
            ruled = alert.rule in self._rules
            if (heard or not ruled) and alert.subject not in seen:
                gone = f"{alert.breaker or alert.relay} is not there, or not judged by this rule, any more"
                rule = self._rules[alert.rule] if ruled else Rule(name=alert.rule, steps=())
                self._take(Reading(rule, alert.relay, alert.breaker, None, gone))
        before = len(self.book.silences())
        entries = self.book.tick(self._wall_clock())
        self._note(entries, silences=before != len(self.book.silences()))

    def _happened(self, happened: Happened) -> None:
        """Read a transition; of those before the start the rows tell what came of them."""
        transition = happened.transition
        if transition.at < self._started_at:
            return
        state, reason, shadow = transition.to_state, transition.evidence.text, transition.shadow
        key = Key(happened.relay, transition.breaker)
        for reading in state_readings(key, state, reason, shadow=shadow, rules=self._judges):
            self._take(reading)

    def _take(self, reading: Reading) -> None:
        entry = self.book.take(reading, self._clock(), self._wall_clock())
        if entry is not None:
            self._note([entry])

    async def _look_on(self) -> None:
        while True:
            try:
                self.look()
            except Exception:  # a board that one rule can't read must not end the others' watch
                log.exception("the rules could not look at the board")
            await asyncio.sleep(LOOK_INTERVAL_S)

    # -- keeping

    def _note(self, entries: Iterable[Entry], *, silences: bool = False) -> None:
        """Have changes written as soon as may be."""
        before = len(self._changes)
        self._changes.extend(entries)
        self._silences_changed = self._silences_changed or silences
        if silences or len(self._changes) != before:
            self._changed.set()

    async def _kept(self, entries: Iterable[Entry], *, silences: bool = False) -> None:
        """Have changes written, and wait for it. RequestError where the disk does not take them."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._written.append(written)
        self._note(entries, silences=silences)
        self._changed.set()
        done, _ = await asyncio.wait([written], timeout=WRITTEN_S_MAX)
        if not done:
            why = f"{self._store.file} can't be written yet; it holds until a restart, and is tried again"
            raise RequestError("not_ready", why)

    async def _keep_on(self) -> None:
        """Keep changes until the end; it is not cancelled, so that none is half kept."""
        while not self._closing:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._keep()
                self._storing_failed = False
            except StoreError as error:
                if not self._storing_failed:
                    log.warning("%s", error)
                self._storing_failed = True
                if not self._closing:
                    await asyncio.sleep(LOOK_INTERVAL_S)
                self._changed.set()
        await self._keep()

    async def _keep(self) -> None:
        """Write what has changed, and only then tell of it; what can't be written waits."""
        changes, self._changes = self._changes, []
        written, self._written = self._written, []
        silences = self.book.silences() if self._silences_changed else None
        self._silences_changed = False
        try:
            if changes or silences is not None:
                given_up = await asyncio.to_thread(self._store.keep, changes, silences)
                if given_up:
                    log.error("%d alerts that waited to be sent are given up: the outbox is full", given_up)
        except StoreError:
            self._changes = changes + self._changes
            self._written = written + self._written
            self._silences_changed = self._silences_changed or silences is not None
            raise
        self._tell_all(changes)
        for each in written:
            if not each.done():
                each.set_result(None)

    def _tell_all(self, changes: Sequence[Entry]) -> None:
        self._changes_kept.update(entry.kept.alert.change for entry in changes if entry.changed)
        over = [entry.kept.alert for entry in changes if entry.kept.alert.resolved_at]
        self._over = [*self._over, *over][-VIEWED_MAX:]
        for sender in self.senders:
            sender.wake(sum(name == sender.sink.name for entry in changes for name, _ in entry.messages))
        for entry in changes:
            told = alert_shown(self.book, entry.kept)
            for listener in tuple(self._listeners):
                try:
                    listener(told)
                except Exception:  # one face that fails must not keep the others in the dark
                    log.exception("a listener failed on the alert %s", entry.kept.alert.id)


def _state_of(kept: Kept) -> str:
    """Return which of `ALERT_STATES` an alert is counted under."""
    if kept.silence:
        return "silenced"
    return "acknowledged" if kept.alert.acknowledged_at else "unacknowledged"


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """Give what a request got wrong the code of its problem."""
    try:
        yield
    except ConfigError as error:
        raise RequestError("bad_query", str(error)) from error
