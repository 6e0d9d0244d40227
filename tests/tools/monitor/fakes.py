"""A monitor without a network, and boards with breakers in every state, for tests of what is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sprint.core.breaker.outcomes import Evidence, State
from sprint.core.errors import RequestError, SprintError
from sprint.core.monitor.board import Board, Happened, Key, RelaySeen
from sprint.core.monitor.codec import Delta, Metrics, Snapshot, TransitionTold
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow, identity, rfc3339
from tests.tools.monitor.answers import detail_of

# 2025-09-05T18:55:07Z
NOW_UNIX_S = 1_757_098_507.0
POINT_INTERVAL_S = 5.0


class FakeMonitor:
    """A board, and orders that are kept in place of being sent."""

    def __init__(self, board: Board, *, demo: bool = False, read_only: bool = False) -> None:
        self.board = board
        self.demo = demo
        self.read_only = read_only
        self.alerts: Any = None
        self.recorder: Any = None
        self.replay: Any = None
        self.orders: list[tuple[Key, str, str]] = []
        self.laid_over: list[tuple[Key, Mapping[str, Any]]] = []
        self.details_asked: list[Key] = []
        self.refuses: SprintError | None = None
        self._listeners: list[Callable[[Happened], None]] = []

    async def start(self) -> None:
        """Follow nobody."""

    async def stop(self) -> None:
        """Stop following nobody."""

    def now(self) -> float:
        """Return the time that stands still."""
        return NOW_UNIX_S

    async def order(self, key: Key, action: str, reason: str) -> bool:
        """Keep an order, and show its state as a relay would."""
        if self.read_only:
            raise RequestError("read_only", "this monitor was started with --read-only and changes nothing")
        if self.refuses is not None:
            raise self.refuses
        self.orders.append((key, action, reason))
        states: dict[str, State] = {
            "force_open": "force_open",
            "force_close": "force_close",
            "release": "open",
        }
        state = states.get(action, "closed")
        changed = self.board.rows[key].state != state
        change(self.board, key, state=state, reason=f"operator via admin API: {reason}")
        return changed

    async def detail(self, key: Key) -> dict[str, Any]:
        """Answer as `GET /api/breakers/{name}` does."""
        self.details_asked.append(key)
        if self.refuses is not None:
            raise self.refuses
        return detail_of(self.board.rows[key])

    async def lay_over(self, key: Key, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what is laid over."""
        if self.refuses is not None:
            raise self.refuses
        self.laid_over.append((key, fields))
        return {"config": {}, "laid_over": {"fields": fields, "at": rfc3339(NOW_UNIX_S)}}

    def listen(self, callback: Callable[[Happened], None]) -> None:
        """Keep who listens."""
        self._listeners.append(callback)

    def happen(self, relay: str, transition: TransitionRow) -> None:
        """Let a transition happen."""
        self.board.told(relay, TransitionTold(seq=0, at=transition.at, transition=transition), NOW_UNIX_S)
        for listener in self._listeners:
            listener(Happened(relay, transition))


def row(name: str, state: State = "closed", **fields: Any) -> BreakerRow:
    """Return a breaker's row, well unless it is said otherwise."""
    kind, chain, source = identity(name)
    text = str(fields.get("reason", "closed since the start"))
    whole: dict[str, Any] = {
        "name": name, "kind": kind, "chain": chain, "source": source, "policy": kind, "state": state,
        "shadow": False, "since": rfc3339(NOW_UNIX_S - 3_600), "reason": text,
        "evidence": Evidence(detector="start", text=text), "calls": 40, "failures": 0, "rejected": 0,
        "failure_rate": 0.0, "slow_rate": 0.0, "latency_ms_mean": 12.5, "health": 0.98,
        "next_trial_at": None, "withheld": None, "transitions": 0,
    }  # fmt: skip
    return BreakerRow(**{**whole, **fields})


def ago(seconds: float) -> str:
    """Return the time so long before NOW_UNIX_S."""
    return rfc3339(NOW_UNIX_S - seconds)


def opened(name: str, ago_s: float = 14.0, trial_in_s: float = 6.0) -> BreakerRow:
    """Return the row of one that opened so long ago."""
    text = "3 failures in a row: Connection refused (127.0.0.1:19444)"
    return row(
        name, "open", reason=text, since=ago(ago_s), next_trial_at=ago(-trial_in_s),
        evidence=Evidence(detector="failures_in_a_row", measured=3.0, limit=3.0, calls=3, text=text),
        calls=12, failures=7, failure_rate=0.5833, latency_ms_mean=1_840.0, health=0.31, rejected=4,
        transitions=3,
    )  # fmt: skip


def story_board() -> Board:
    """Return two relays with a breaker in every state, figures over some minutes, and transitions."""
    board = Board()
    for relay, url in (("north", "http://127.0.0.1:8081"), ("south", "http://127.0.0.1:9081")):
        board.connected(
            RelaySeen(
                name=relay, url=url, connection="live", since=ago(4_000), health=HEALTH, sources=SOURCES
            )
        )  # fmt: skip
    north = (
        opened("source:litecoin-regtest:alice"),
        row(
            "source:litecoin-regtest:bob",
            withheld="3 failures in a row: timed out", failures=3, failure_rate=0.3,
        ),
        row("source:bitcoin:core-1", "half_open", reason="a trial was due", since=ago(1.5)),
        row("source:bitcoin:core-2"),
        row("store", latency_ms_mean=3.2),
    )  # fmt: skip
    south = (
        row(
            "source:dogecoin:old", "force_open",
            reason="operator via admin API: its disk is replaced", since=ago(7_500),
        ),
        row(
            "source:dogecoin:new", "force_close",
            reason="operator via admin API: it is known to be slow", failures=4, failure_rate=0.1,
        ),
        row("store", latency_ms_mean=2.8, calls=0, health=None),
    )  # fmt: skip
    board.told("north", Snapshot(seq=1, at=rfc3339(NOW_UNIX_S), breakers=north), NOW_UNIX_S)
    board.told("south", Snapshot(seq=1, at=rfc3339(NOW_UNIX_S), breakers=south), NOW_UNIX_S)
    add_figures(board, 60)
    add_transitions(board, Key("north", "source:litecoin-regtest:alice"))
    return board


def add_figures(board: Board, points: int, seed: int = 7) -> None:
    """Give each breaker so many points, the last at NOW_UNIX_S."""
    random_of = random.Random(seed)
    for at in range(points):
        unix_s = NOW_UNIX_S - (points - 1 - at) * POINT_INTERVAL_S
        told: dict[str, dict[str, MetricsPoint]] = {}
        for key, each in board.rows.items():
            told.setdefault(key.relay, {})[key.breaker] = _point(each, unix_s, at / points, random_of)
        for relay, figures in told.items():
            board.told(relay, Metrics(seq=at, at=rfc3339(unix_s), points=figures), unix_s)


def _point(each: BreakerRow, unix_s: float, share: float, random_of: random.Random) -> MetricsPoint:
    bad = each.state in ("open", "half_open") and share > 0.8
    noise = 0.8 + 0.4 * random_of.random()
    mean = (each.latency_ms_mean or 0.0) * noise * (1.0 if bad else 0.4)
    return MetricsPoint(
        at=rfc3339(unix_s), state=each.state if bad else "closed", calls=each.calls, failures=each.failures,
        rejected=each.rejected, failure_rate=min(1.0, (each.failure_rate if bad else 0.02) * noise),
        slow_rate=0.0, calls_per_s=round(each.calls / 30 * noise, 2), latency_ms_mean=mean,
        latency_ms_p50=mean * 0.8, latency_ms_p95=mean * 2.1, latency_ms_p99=mean * 3.4, health=each.health,
    )  # fmt: skip


def add_transitions(board: Board, key: Key) -> None:
    """Give a breaker a past: opened, tried, opened again."""
    steps: tuple[tuple[State, State, str, str, float], ...] = (
        ("closed", "open", "tripped", "3 failures in a row: timed out", 64.0),
        ("open", "half_open", "trial_due", "1 s after it opened", 60.0),
        ("half_open", "closed", "trials_succeeded", "the trial call succeeded", 59.5),
        ("closed", "open", "tripped", board.rows[key].reason, 14.0),
    )
    for number, (before, after, cause, text, ago_s) in enumerate(steps, 1):
        told = transition(key.breaker, before, after, cause, text, number=number, ago_s=ago_s)
        board.told(key.relay, TransitionTold(seq=number, at=told.at, transition=told), NOW_UNIX_S)


def transition(
    breaker: str, before: State, after: State, cause: Any, text: str, *, number: int, ago_s: float
) -> TransitionRow:
    """Return a transition that happened so long ago."""
    return TransitionRow(
        number=number, breaker=breaker, from_state=before, to_state=after, reason=cause,
        at=rfc3339(NOW_UNIX_S - ago_s), evidence=Evidence(detector="machine", text=text), shadow=False,
    )  # fmt: skip


def change(board: Board, key: Key, **fields: Any) -> None:
    """Change some fields of a row, as a delta of its relay would."""
    told = {"name": key.breaker, **{name: msgspec.to_builtins(value) for name, value in fields.items()}}
    board.told(key.relay, Delta(seq=0, at=rfc3339(NOW_UNIX_S), changed=(told,), removed=()), NOW_UNIX_S)


def many(breakers: int, relay: str = "main") -> Board:
    """Return a relay with so many breakers, one in fifty of them open."""
    board = Board()
    seen = RelaySeen(name=relay, url="http://127.0.0.1:8081", connection="live", since=ago(0))
    board.connected(seen)
    names = [f"source:chain-{at % 7}:node-{at:04}" for at in range(breakers)]
    rows = tuple(row(name) if at % 50 else opened(name) for at, name in enumerate(names))
    board.told(relay, Snapshot(seq=1, at=rfc3339(NOW_UNIX_S), breakers=rows), NOW_UNIX_S)
    return board


_LITECOIN = {"status": "degraded", "reason": "1 of 2 sources ready", "sources": 2, "sources_ready": 1}
HEALTH: dict[str, Any] = {
    "status": "degraded",
    "reasons": ["source:litecoin-regtest:alice is open: 3 failures in a row"],
    "version": "0.1.0",
    "store": {"status": "ok", "reason": ""},
    "listeners": [{"tier": "turbo", "url": "http://127.0.0.1:8080", "subscribers": 3}],
    "breakers": {"closed": 3, "open": 1, "half_open": 1},
    "chains": {
        "litecoin-regtest": _LITECOIN,
        "bitcoin": {"status": "ok", "reason": "", "sources": 2, "sources_ready": 2},
    },
}
_STANDING = {"height": 2_931_204, "behind_blocks": 0, "wins": 12, "lag_ms": 4.1, "score": 100}
# One that always wins has no lag behind a winner; one that has announced no block yet has no height.
_WINNER = {**_STANDING, "wins": 40, "lag_ms": None}
_NEW = {"height": None, "behind_blocks": 0, "wins": 0, "lag_ms": None, "score": 100}
_PRUNED = "pruned: it has no blocks below 2,930,000"


def _source(
    name: str,
    state: str,
    breaker: State,
    reason: str = "",
    standing: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "reason": reason,
        "standing": standing,
        "breaker": {"state": breaker},
        "notes": list(notes),
    }  # fmt: skip


SOURCES: dict[str, list[dict[str, Any]]] = {
    "litecoin-regtest": [
        _source("alice", "waiting", "open", "its breaker is open"),
        _source("bob", "ready", "closed", standing=_STANDING),
    ],
    "bitcoin": [
        _source("core-1", "ready", "half_open", standing=_NEW),
        _source("core-2", "ready", "closed", standing=_WINNER, notes=(_PRUNED,)),
    ],
}
