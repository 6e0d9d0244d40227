"""The monitor: probes of relays, the board that they write, and an operator's words on their way back.

    async with Monitor(targets=(Target("main", "http://127.0.0.1:8081"),)) as monitor:
        monitor.listen(print)
        await monitor.order(Key("main", "store"), "force_open", "a new disk")

It is the one face for terminal, page, alerts and metrics. Without targets it is a board to write on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import msgspec

from sprint.core.errors import RequestError
from sprint.core.monitor.board import RELAYS_MAX, Board, Happened, Key, RelaySeen
from sprint.core.monitor.codec import Delta, Message, Metrics, TransitionTold
from sprint.core.monitor.fleet import FleetMessage, FleetMetrics, FleetTransition, lay_on
from sprint.core.monitor.orders import order_of
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow, rfc3339
from sprint.tools import runtime
from sprint.tools.monitor.probe import Following, Probe, Target
from sprint.tools.monitor.relay_api import RelayApi, RelayLost, breaker_path

if TYPE_CHECKING:
    from sprint.tools.monitor.recording import Recorder
    from sprint.tools.monitor.replaying import Replay

# A library that takes a cancellation for itself is told again.
CANCELS_MAX = 3
CANCEL_S_MAX = 2.0

HappenedListener = Callable[[Happened], None]
FiguresListener = Callable[[str, Mapping[str, MetricsPoint]], None]
Unlisten = Callable[[], None]
# How a recording is shown by now: paused, at another speed, at its end; or from another place of it.
Turned = Literal["turned", "elsewhere"]
log = logging.getLogger(__name__)


class AlertDesk(Protocol):
    """Where alerts lie: all that there are for whoever asks, and each as it becomes.

    An operator's words raise RequestError where they can't be, `read_only` among others.
    """

    def view(self) -> dict[str, Any]:
        """Return what `GET /api/alerts` answers."""

    def silences(self) -> list[dict[str, Any]]:
        """Return the silences in force, that which ends first in front."""

    async def history(self, limit: int, before: int | None = None) -> dict[str, Any]:
        """Return a page of what is over, newest first, and `next`: the `before` of the page after it."""

    async def acknowledge(self, alert_id: str, who: str) -> dict[str, Any]:
        """Take down who has an alert in hand: `{"changed": …, "alert": …}`."""

    async def silence(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Begin a silence, of the fields of `POST /api/silences`: `{"silence": …}`."""

    async def end_silence(self, silence_id: str) -> dict[str, Any]:
        """End a silence before its time: `{"silence": …}`."""

    def listen(self, callback: Callable[[Mapping[str, Any]], None]) -> object:
        """Have a callback told of each alert when it comes, changes or goes."""


class Monitor:
    """What is known of some relays' breakers, and the way to tell them something.

    `demo`: the relays are none, but a demonstration. `read_only`: nothing is told to a relay.
    """

    def __init__(
        self,
        board: Board | None = None,
        targets: Sequence[Target] = (),
        *,
        demo: bool = False,
        read_only: bool = False,
        following: Following | None = None,
    ) -> None:
        self.board = Board() if board is None else board
        self.demo = demo
        self.read_only = read_only
        self.alerts: AlertDesk | None = None
        self.following = following or Following()
        self.targets = tuple(targets)[:RELAYS_MAX]
        self.probes: dict[str, Probe] = {}
        self._listeners: list[HappenedListener] = []
        self._figures_listeners: list[FiguresListener] = []
        self.recorder: Recorder | None = None
        self.replay: Replay | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"Monitor({self.board!r})"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to follow all targets."""
        for target in self.targets:
            probe = Probe(target, self, self.following)
            self.probes[target.name] = probe
            self._tasks.append(asyncio.create_task(probe.run(), name=f"probe of {target.name}"))

    async def stop(self) -> None:
        """Follow no more. May be called again."""
        tasks, self._tasks = self._tasks, []
        pending = set(tasks)
        for _ in range(CANCELS_MAX):
            for task in pending:
                task.cancel()
            if pending:
                _, pending = await asyncio.wait(pending, timeout=CANCEL_S_MAX)

    def now(self) -> float:
        """Return the seconds since 1970 that what is shown goes by; of a recording those when it was made."""
        return runtime.wall_clock() if self.replay is None else self.replay.now()

    # -- an operator's words

    def check_writable(self) -> None:
        """Refuse what would change something, and say why it can't: RequestError."""
        if self.replay is not None:
            raise RequestError(
                "read_only", "this is a recording; nothing can be told to a relay, and no alert changed"
            )
        if self.read_only:
            raise RequestError("read_only", "this monitor was started with --read-only and changes nothing")

    async def order(self, key: Key, action: str, reason: str) -> bool:
        """Tell a breaker to be in a state; False where it was so already.

        RequestError in the relay's words where it refuses, RelayLost where it can't be asked.
        """
        return bool((await self.ordered(key, action, reason)).get("changed"))

    async def ordered(self, key: Key, action: str, reason: str) -> dict[str, Any]:
        """Do what `order` does, and return what the relay answers: `changed`, and `breaker`, its row."""
        asked = {"action": action, "reason": reason}
        order_of(asked)
        answer = await self._writable(key).send("POST", breaker_path(key.breaker, "/state"), asked)
        self._take_row(key, answer.get("breaker"))
        return answer

    async def detail(self, key: Key) -> dict[str, Any]:
        """Return a breaker as its relay has it: row, `explanation`, `config`, `laid_over`."""
        return await self._api(key).get(breaker_path(key.breaker), dict[str, Any])

    async def lay_over(self, key: Key, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Lay figures over a breaker's policy, in place of those of last time; `{}` takes them back."""
        return await self._writable(key).send("PUT", breaker_path(key.breaker, "/config"), fields)

    # -- what happens

    def listen(self, callback: HappenedListener) -> Unlisten:
        """Have a callback told each transition at once; those that were missed too, when they are known."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def listen_figures(self, callback: FiguresListener) -> Unlisten:
        """Have a callback told the figures of a relay's breakers as they come."""
        self._figures_listeners.append(callback)
        return lambda: self._figures_listeners.remove(callback)

    # -- what probes hand in

    def seen(self, relay: RelaySeen) -> None:
        """Take what became of a relay's connection."""
        known = self.board.relays.get(relay.name)
        if known is None or known.connection != relay.connection:
            runtime.log_fields(
                log,
                logging.WARNING if relay.connection == "lost" else logging.INFO,
                f"relay {relay.connection}",
                relay=relay.name,
                url=relay.url,
                reason=relay.reason,
            )
        self.board.connected(relay)

    def told(self, relay: str, message: Message) -> None:
        """Take a relay's message, and tell those who listen."""
        if isinstance(message, TransitionTold):
            self._happened(relay, message.transition)
            return
        self.board.told(relay, message, runtime.wall_clock())
        if isinstance(message, Metrics):
            self._measured(relay, message.points)

    def row(self, key: Key) -> BreakerRow | None:
        """Return what is known of a breaker."""
        return self.board.rows.get(key)

    def missed(self, key: Key, transitions: Sequence[TransitionRow], points: Sequence[MetricsPoint]) -> None:
        """Take what a relay's histories have of a breaker."""
        for transition in transitions:
            self._happened(key.relay, transition)
        self.board.measured(key, points)

    def retold(self, message: FleetMessage, at_s: float, *, happens: bool = True) -> None:
        """Take a message of a recording, which was told at `at_s`, as what happens now.

        Not `happens`: as what has happened long since, on the way to another place of the recording.
        """
        if not happens:
            lay_on(self.board, message, at_s)
            return
        if isinstance(message, FleetTransition):
            self._happened(message.relay, message.transition)
        else:
            lay_on(self.board, message, at_s)
        if isinstance(message, FleetMetrics):
            self._measured(message.relay, message.points)

    def forget_all(self) -> None:
        """Forget all relays and what they said, as a recording does that is shown from its beginning."""
        for relay in tuple(self.board.relays):
            self.board.removed(relay)

    # -- within

    def _take_row(self, key: Key, fields: object) -> None:
        """Take the row that a relay answers with: who asks next must not be shown what was."""
        if isinstance(fields, dict) and fields.get("name") == key.breaker:
            delta = Delta(seq=0, at=rfc3339(runtime.wall_clock()), changed=(fields,), removed=())
            with contextlib.suppress(msgspec.ValidationError):  # what /ws tells holds in any case
                self.board.told(key.relay, delta, runtime.wall_clock())

    def _happened(self, relay: str, transition: TransitionRow) -> None:
        if self.board.happened(relay, transition):
            happened = Happened(relay, transition)
            for listener in tuple(self._listeners):
                try:
                    listener(happened)
                except Exception:  # one face that fails must not keep the others in the dark
                    log.exception("a listener failed on a transition of %s", transition.breaker)

    def _measured(self, relay: str, points: Mapping[str, MetricsPoint]) -> None:
        for listener in tuple(self._figures_listeners):
            listener(relay, points)

    def _writable(self, key: Key) -> RelayApi:
        self.check_writable()
        return self._api(key)

    def _api(self, key: Key) -> RelayApi:
        probe = self.probes.get(key.relay)
        if probe is None:
            raise RelayLost(f"relay {key.relay[:64]!a} is not followed; there is nobody to ask")
        return probe.api
