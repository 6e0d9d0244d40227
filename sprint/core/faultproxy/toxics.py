"""The toxics: which faults a proxy can put on the connections through it, as data.

`KINDS` is the one table of what there is, what each does and the figures it takes with their limits; the API
shows it and the codec reads by it. `Toxic` is one of them with its name, direction and share of connections.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sprint.core.errors import ConfigError

TOXICS_PER_PROXY_MAX = 32
DELAY_MS_MAX = 3_600_000
TTL_MS_MAX = 86_400_000
# What a figure of bytes may be at most; JSON's numbers are exact up to it.
BYTES_MAX = 2**53


class Kind(StrEnum):
    """What goes wrong."""

    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    SLICER = "slicer"
    STALL = "stall"
    BLACK_HOLE = "black_hole"
    TIMEOUT = "timeout"
    LIMIT_DATA = "limit_data"
    SLOW_CLOSE = "slow_close"
    RESET = "reset"
    LOSS_OF_CONNECTION = "loss_of_connection"
    DOWN = "down"


class Direction(StrEnum):
    """Which way: upstream is from client to target, downstream from target to client."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    BOTH = "both"

    def covers(self, one: Direction) -> bool:
        """Tell whether what goes `one` way is meant."""
        return self in {one, Direction.BOTH}


class Figure(msgspec.Struct, frozen=True):
    """One figure of a kind, a whole number; without `default` it must be given."""

    says: str
    least: int
    most: int
    default: int | None = None


class KindRules(msgspec.Struct, frozen=True):
    """What a kind does and which figures it takes. `loses_data`: bytes may be missing at the receiver."""

    says: str
    figures: dict[str, Figure] = {}
    loses_data: bool = False
    one_way: bool = True  # False: it is of the whole proxy, so without direction and toxicity


def _delay_ms(says: str, least: int = 0, default: int | None = None) -> Figure:
    return Figure(says, least, DELAY_MS_MAX, default)


KINDS: dict[Kind, KindRules] = {
    Kind.LATENCY: KindRules(
        "what is sent comes later, in the same order, the end of the stream too",
        {
            "latency_ms": _delay_ms("how much later"),
            "jitter_ms": _delay_ms("plus up to so much, drawn anew for each read", default=0),
        },
    ),
    Kind.BANDWIDTH: KindRules(
        "each connection has so many bytes a second at most",
        {"bytes_per_s": Figure("the rate", 1, BYTES_MAX)},
    ),
    Kind.SLICER: KindRules(
        "what is sent comes in small pieces, each a write of its own",
        {
            "piece_bytes": Figure("length of a piece", 1, 65_536),
            "variation_bytes": Figure("up to so much longer or shorter, drawn for each", 0, 65_536, 0),
            "pause_ms": _delay_ms("between two pieces", default=0),
        },
    ),
    Kind.STALL: KindRules("nothing comes through while it lasts; what was sent follows when it is gone"),
    Kind.BLACK_HOLE: KindRules(
        "what is sent is lost, ends too; a connection that lost something is reset when it is gone",
        loses_data=True,
    ),
    Kind.TIMEOUT: KindRules(
        "what is sent is lost, and the connection is closed after a time",
        {"after_ms": _delay_ms("from when the toxic meets the connection", least=1)},
        loses_data=True,
    ),
    Kind.LIMIT_DATA: KindRules(
        "the connection is closed once so many bytes went through",
        {"bytes": Figure("how many, of each connection and direction", 1, BYTES_MAX)},
        loses_data=True,
    ),
    Kind.SLOW_CLOSE: KindRules(
        "the end of the stream comes later than its last byte",
        {"delay_ms": _delay_ms("how much later", least=1)},
    ),
    Kind.RESET: KindRules(
        "the connection is reset: with direction `upstream` the target sees it and the client is closed, with"
        " `downstream` the other way round",
        {"after_ms": _delay_ms("from when the toxic meets the connection", default=0)},
        loses_data=True,
    ),
    Kind.LOSS_OF_CONNECTION: KindRules(
        "the connection is reset at a random time",
        {
            "mean_ms": _delay_ms("mean of the time, exponentially distributed", least=1),
            "after_ms": _delay_ms("but not before so long", default=0),
        },
        loses_data=True,
    ),
    Kind.DOWN: KindRules(
        "connections are refused, and those that are open are reset", loses_data=True, one_way=False
    ),
}


class Toxic(msgspec.Struct, frozen=True, kw_only=True):
    """One fault on the connections of a proxy; `codec.toxic_of` makes them, checked.

    `toxicity` is the share of connections that have it, 0 to 1. `ttl_ms` is after how long it is gone by
    itself; None keeps it until it is removed. `figures` are those of its kind, all of them.
    """

    name: str
    kind: Kind
    direction: Direction = Direction.BOTH
    toxicity: float = 1.0
    ttl_ms: int | None = None
    figures: dict[str, int] = {}

    def seconds(self, figure: str) -> float:
        """Return a figure of milliseconds in seconds."""
        return self.figures[figure] / 1000


class ToxicCounts:
    """What one toxic has done so far. Bytes that several toxics delayed are counted by each."""

    __slots__ = (
        "bytes_delayed",
        "bytes_dropped",
        "connections_closed",
        "connections_met",
        "connections_reset",
    )

    def __init__(self) -> None:
        self.connections_met = 0
        self.bytes_delayed = 0
        self.bytes_dropped = 0
        self.connections_reset = 0
        self.connections_closed = 0


class ActiveToxic:
    """A toxic in force. A changed one is a new object that goes on with the counts of the one before it."""

    __slots__ = ("counts", "expires_at", "toxic")

    def __init__(self, toxic: Toxic, counts: ToxicCounts, now: float) -> None:
        self.toxic = toxic
        self.counts = counts
        self.expires_at = None if toxic.ttl_ms is None else now + toxic.ttl_ms / 1000

    def __repr__(self) -> str:
        return f"ActiveToxic({self.toxic.name}: {self.toxic.kind})"


class ToxicSet:
    """The toxics of one proxy, in the order in which they work: that in which they were added."""

    def __init__(self) -> None:
        self._active: dict[str, ActiveToxic] = {}

    def __repr__(self) -> str:
        return f"ToxicSet({', '.join(self._active)})"

    @property
    def active(self) -> tuple[ActiveToxic, ...]:
        return tuple(self._active.values())

    @property
    def is_down(self) -> bool:
        return any(each.toxic.kind is Kind.DOWN for each in self._active.values())

    def find(self, name: str) -> ActiveToxic | None:
        return self._active.get(name)

    def add(self, toxic: Toxic, now: float) -> ActiveToxic:
        """Put a toxic behind those there are; ConfigError where its name is taken or there are too many."""
        if toxic.name in self._active:
            raise ConfigError(
                f"name: a toxic {toxic.name!r} is there already; change it, or take another name"
            )
        if len(self._active) >= TOXICS_PER_PROXY_MAX:
            raise ConfigError(
                f"{len(self._active)} toxics on this proxy, limit {TOXICS_PER_PROXY_MAX}; remove one first"
            )
        return self._put(toxic, ToxicCounts(), now)

    def change(self, toxic: Toxic, now: float) -> ActiveToxic:
        """Put a toxic in the place of the one of its name. Its time begins anew, its counts go on."""
        return self._put(toxic, self._active[toxic.name].counts, now)

    def remove(self, name: str) -> ActiveToxic | None:
        return self._active.pop(name, None)

    def clear(self) -> int:
        """Remove all; return how many there were."""
        count = len(self._active)
        self._active.clear()
        return count

    def expire(self, now: float) -> list[ActiveToxic]:
        """Remove those whose time is over, and return them."""
        gone = [
            each for each in self._active.values() if each.expires_at is not None and each.expires_at <= now
        ]
        for each in gone:
            del self._active[each.toxic.name]
        return gone

    def next_expiry(self) -> float | None:
        return min((each.expires_at for each in self.active if each.expires_at is not None), default=None)

    def _put(self, toxic: Toxic, counts: ToxicCounts, now: float) -> ActiveToxic:
        self._active[toxic.name] = made = ActiveToxic(toxic, counts, now)
        return made
