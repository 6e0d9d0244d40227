"""Which body is asked of which source, and when the next source is asked instead.

The pipeline says which bodies it wants; `assign` spreads them over the sources that are ready, those of the
best branch first and lowest height first, each source with a bounded number in flight. Those of other
branches have a share of their own, so that headers without bodies never hold up the best branch. No more is
asked for than may be proved at a time. A body that does not come in time, is not found, or comes
false is asked of the next source: one that was asked less often first, one that announced it before one
that did not. One source is not asked for the same body again before a wait, which grows by a fifth to a cap.
How long a source has for an answer is Bitcoin Core's measure of a stalled download (net_processing.cpp,
BLOCK_STALLING_TIMEOUT): 2 s, twice as long each time it does not keep to it, up to 64 s, and shorter by 0.85
with each body that comes. Unlike there it is kept for each source, and who stalls is passed by, not closed.

A body of the best branch is *hedged*: where its source has not answered by the time in which it mostly
does, a second one is asked as well, and whichever comes first counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Sized

import msgspec

from sprint.core.relay.settings import SIDE_BODIES_IN_FLIGHT_MAX, ChainSettings

RETRY_WAIT_FIRST_S = 0.5
RETRY_WAIT_FACTOR = 1.2
RETRY_WAIT_MAX_S = 3.0
HEDGE_WAIT_S_MIN = 0.1  # a second source is asked no sooner, however quick the first one is as a rule
HEDGE_WAIT_S_UNKNOWN = 1.0  # and so late where too little is known of the first
FLIGHTS_MAX = 2  # sources that one body is asked of at a time
REQUEST_TIMEOUT_MAX_S = 64.0  # a source's time doubles with each failure, so that a slow line can finish once
REQUEST_TIMEOUT_GROWTH = 2.0
REQUEST_TIMEOUT_DECAY = 0.85
_GROWTH_TRIES_MAX = 32  # waits have reached their cap by then


class Request(msgspec.Struct, frozen=True):
    """What to ask of a source: headers after a locator, or bodies."""

    source: str
    locator: tuple[bytes, ...] = ()
    bodies: tuple[bytes, ...] = ()


class Flight(msgspec.Struct):
    """One request under way: when it was made, and until when it may be answered."""

    sent_at: float
    deadline: float


class Want:
    """One body that is wanted. `flights` are the requests for it under way, by source, oldest first."""

    __slots__ = (
        "again_at",
        "announcers",
        "asked_at",
        "best",
        "flights",
        "hash",
        "hedge_at",
        "height",
        "late_wait_s",
        "not_before",
        "queued",
        "round_asked",
        "rounds",
        "tries",
    )

    def __init__(self, block_hash: bytes, height: int, announcers: set[str], *, best: bool) -> None:
        self.hash = block_hash
        self.height = height
        self.best = best  # whether it is on the branch of most work
        self.announcers = announcers
        self.tries: dict[str, int] = {}
        self.again_at: dict[str, float] = {}  # by source: not before
        self.round_asked: set[str] = set()  # a round ends when all ready sources are in it
        self.flights: dict[str, Flight] = {}
        self.asked_at: float | None = None  # when it was first asked of anybody
        self.hedge_at: float | None = None  # when a second source is to be asked as well
        self.not_before = 0.0
        self.queued = False  # whether it waits to be asked for; not while asked for or being proved
        self.rounds = 0
        self.late_wait_s: float | None = None  # set once a gap has passed over it

    def __repr__(self) -> str:
        return f"Want({self.hash[::-1].hex()[:16]}… at {self.height}, asked of {list(self.flights)})"

    @property
    def asked_of(self) -> str | None:
        """The source that it was asked of first, of those that may still answer."""
        return next(iter(self.flights), None)


class BodyFetcher:
    """Keeps the wanted bodies and the slots of the sources.

    `proving` are the bodies being proved, `demoted` the sources that are asked after all others;
    `slow_after_s` tells how soon a source mostly answers.
    """

    def __init__(
        self,
        settings: ChainSettings,
        proving: Sized = (),
        demoted: Collection[str] = (),
        slow_after_s: Callable[[str, float], float] = lambda _, unknown_s: unknown_s,
    ) -> None:
        self.hedging = True
        self._settings = settings
        self._proving = proving
        self._demoted = demoted
        self._slow_after_s = slow_after_s
        self._wants: dict[bytes, Want] = {}
        self._in_flight: dict[str, set[bytes]] = {}  # by ready source
        self._patience_s: dict[str, float] = {}  # by ready source that has let its time run out
        # By pruned source, how many of the newest blocks it has, and the height that it said it was at.
        self._newest_only: dict[str, tuple[int, int]] = {}
        self._highest = 0  # height of a body that was wanted
        self._unasked: list[_Entry] = []  # a heap; entries may be stale

    def __repr__(self) -> str:
        return f"BodyFetcher({len(self._wants)} wanted, {len(self._in_flight)} sources)"

    def __len__(self) -> int:
        return len(self._wants)

    def get(self, block_hash: bytes) -> Want | None:
        return self._wants.get(block_hash)

    def want(self, block_hash: bytes, height: int, announcers: Iterable[str], *, best: bool = True) -> None:
        """Ask for a body from now on. Idempotent; notes more announcers, and that it became a best one."""
        if best:
            self._highest = max(self._highest, height)
        known = self._wants.get(block_hash)
        if known is None:
            want = self._wants[block_hash] = Want(block_hash, height, set(announcers), best=best)
            self._queue(want)
            return
        known.announcers.update(announcers)
        if best and not known.best:
            known.best = True
            if known.queued:
                heapq.heappush(self._unasked, _entry(known))

    def done(self, block_hash: bytes) -> None:
        """Stop wanting a body: it is here, or never will be."""
        want = self._wants.pop(block_hash, None)
        if want is not None:
            self._free_all(want)

    def source_ready(self, source: str) -> None:
        self._in_flight.setdefault(source, set())

    def keeps_newest(self, source: str, count: int, height: int) -> None:
        """Ask a source that is at a `height` for no body but the newest, until `may_keep_all`."""
        self._newest_only[source] = (count, height)

    def may_keep_all(self, source: str) -> None:
        self._newest_only.pop(source, None)

    def source_lost(self, source: str) -> None:
        self._patience_s.pop(source, None)
        for block_hash in self._in_flight.pop(source, ()):
            self._end_flight(self._wants[block_hash], source)
        for want in self._wants.values():
            want.tries.pop(source, None)
            want.again_at.pop(source, None)
            want.announcers.discard(source)

    def was_asked_of(self, block_hash: bytes, source: str) -> bool:
        return block_hash in self._in_flight.get(source, ())

    def arrived(self, block_hash: bytes, source: str) -> float | None:
        """Free the source's slot; the want stays until `done` or `failed`. Return when it was asked there."""
        want = self._wants.get(block_hash)
        if want is None or source not in want.flights:
            return None
        if source in self._patience_s:
            self._patience_s[source] *= REQUEST_TIMEOUT_DECAY
            if self._patience_s[source] <= self._settings.body_request_timeout_s:
                del self._patience_s[source]
        return self._free(want, source).sent_at

    def failed(self, block_hash: bytes, source: str) -> None:
        """Ask the next source: this one had no body, or a false one."""
        want = self._wants.get(block_hash)
        if want is None:
            return
        want.tries[source] = max(1, want.tries.get(source, 0))
        self._end_flight(want, source)

    @property
    def late_count(self) -> int:
        """How many bodies are wanted that a gap has passed over."""
        return sum(want.late_wait_s is not None for want in self._wants.values())

    def make_late(self, block_hash: bytes, now: float, *, at_once: bool = False) -> None:
        """A gap has passed over it: ask on, more and more seldom. `at_once`: it was not asked for before."""
        want = self._wants[block_hash]
        want.late_wait_s = self._settings.late_retry_s
        want.not_before = now if at_once else now + want.late_wait_s
        self._free_all(want)
        self._ask_again(want)

    def assign(self, now: float) -> list[Request]:
        """Hand out what can be asked for now."""
        given: dict[str, list[bytes]] = {}
        later: list[_Entry] = []
        while self._unasked and self._free_sources():
            entry = heapq.heappop(self._unasked)
            want = self._wants.get(entry[-1])
            if want is None or not want.queued or entry != _entry(want):
                continue
            source = self._choose(want, now) if self._has_share(want) else None
            if source is None:
                later.append(entry)
                if want.asked_at is None and not any(self._keeps(s, want) for s in self._in_flight):
                    # That nobody has it is no better than that nobody answers.
                    want.asked_at, want.rounds = now, 1
                continue
            self._ask(want, source, now)
            given.setdefault(source, []).append(want.hash)
        for entry in later:
            heapq.heappush(self._unasked, entry)
        for want in self._to_hedge(now):
            source = self._choose(want, now)
            if source is not None:
                self._ask(want, source, now)
                given.setdefault(source, []).append(want.hash)
        return [Request(source, bodies=tuple(hashes)) for source, hashes in given.items()]

    def expire(self, now: float) -> list[tuple[str, bytes, float]]:
        """Take back what was not answered in time; return (source, hash, seconds waited) of each."""
        expired = [
            (source, want.hash, now - flight.sent_at)
            for want in self._asked()
            for source, flight in want.flights.items()
            if flight.deadline <= now
        ]
        for source in {source for source, _, _ in expired}:  # once, however many it held up
            longer_s = self._time_for(source) * REQUEST_TIMEOUT_GROWTH
            self._patience_s[source] = min(longer_s, REQUEST_TIMEOUT_MAX_S)
        for source, block_hash, _ in expired:
            self._end_flight(self._wants[block_hash], source)
        return expired

    def stood_still(self, seconds: float, now: float) -> None:
        """Let no time count in which answers were not read: they may be here already."""
        for want in self._wants.values():
            for flight in want.flights.values():
                flight.deadline = min(flight.deadline + seconds, now + REQUEST_TIMEOUT_MAX_S)
                flight.sent_at = min(flight.sent_at + seconds, now)
            if want.hedge_at is not None:
                want.hedge_at += seconds
            if want.asked_at is not None:
                want.asked_at = min(want.asked_at + seconds, now)

    def overdue(self, asked_before: float) -> list[Want]:
        """Return the wants, not yet late ones, first asked for before a time; lowest first."""
        found = [
            w
            for w in self._wants.values()
            if w.late_wait_s is None and w.asked_at is not None and w.asked_at <= asked_before
        ]
        return sorted(found, key=lambda w: w.height)

    def next_timer(self) -> float | None:
        """Return when `expire` or `assign` next has something to do."""
        due = [flight.deadline for want in self._asked() for flight in want.flights.values()]
        free = self._free_sources()
        for want in self._hedgeable():
            others = [s for s in free if s not in want.flights and self._keeps(s, want)]
            if others and want.hedge_at is not None:
                due.append(max(want.hedge_at, _askable_at(want, others)))
        if free:
            for want in (w for w in self._wants.values() if w.queued and self._has_share(w)):
                having = [s for s in free if self._keeps(s, want)] if self._newest_only else free
                due += [_askable_at(want, having)] if having else []
        return min(due, default=None)

    def _asked(self) -> list[Want]:
        return [
            self._wants[h] for h in dict.fromkeys(h for hashes in self._in_flight.values() for h in hashes)
        ]

    def _hedgeable(self) -> list[Want]:
        """The wants that another source may be asked for too when their time has come."""
        if not self.hedging:
            return []
        return [w for w in self._asked() if w.best and w.hedge_at is not None and w.late_wait_s is None]

    def _to_hedge(self, now: float) -> list[Want]:
        due = (w for w in self._hedgeable() if w.hedge_at is not None and w.hedge_at <= now)
        return sorted(due, key=lambda want: want.height)

    def _has_share(self, want: Want) -> bool:
        """Tell whether bodies of its kind of branch may be asked for now."""
        return want.best or sum(not w.best for w in self._asked()) < SIDE_BODIES_IN_FLIGHT_MAX

    def _free_sources(self) -> list[str]:
        in_work = len(self._proving) + sum(map(len, self._in_flight.values()))
        if in_work >= self._settings.proofs_in_work_max:
            return []
        limit = self._settings.bodies_in_flight_max
        return [source for source, hashes in self._in_flight.items() if len(hashes) < limit]

    def _keeps(self, source: str, want: Want) -> bool:
        """Tell whether a source has a body as far as is known; of a pruned one only the newest are asked."""
        count, height = self._newest_only.get(source, (None, 0))
        return count is None or want.height > max(height, self._highest) - count

    def _choose(self, want: Want, now: float) -> str | None:
        """The ready source with a free slot: asked least, not demoted, announced it, least in flight."""
        return min(
            (
                s
                for s in self._free_sources()
                if s not in want.flights and self._keeps(s, want) and _askable_at(want, (s,)) <= now
            ),
            key=lambda s: (
                want.tries.get(s, 0),
                s in self._demoted,
                s not in want.announcers,
                len(self._in_flight[s]),
            ),
            default=None,
        )

    def _ask(self, want: Want, source: str, now: float) -> None:
        want.queued = False
        want.asked_at = now if want.asked_at is None else want.asked_at
        tries = min(want.tries.get(source, 0), _GROWTH_TRIES_MAX)
        want.tries[source] = want.tries.get(source, 0) + 1
        want.flights[source] = Flight(now, now + self._time_for(source))
        slow_after_s = max(HEDGE_WAIT_S_MIN, self._slow_after_s(source, HEDGE_WAIT_S_UNKNOWN))
        want.hedge_at = now + slow_after_s if len(want.flights) < FLIGHTS_MAX else None
        wait_s = min(RETRY_WAIT_FIRST_S * RETRY_WAIT_FACTOR ** (tries + 1), RETRY_WAIT_MAX_S)
        want.again_at[source] = now + max(wait_s, want.late_wait_s or 0.0)
        self._in_flight[source].add(want.hash)
        want.round_asked.add(source)
        if want.round_asked.issuperset(self._in_flight):
            self._end_round(want, now)

    def _time_for(self, source: str) -> float:
        """Return how long a source has for an answer."""
        return self._patience_s.get(source, self._settings.body_request_timeout_s)

    def _end_round(self, want: Want, now: float) -> None:
        """All ready sources were asked; a late want now waits for twice as long as the last time."""
        want.rounds += 1
        want.round_asked.clear()
        if want.late_wait_s is not None:
            want.late_wait_s = min(want.late_wait_s * 2, self._settings.late_retry_max_s)
            want.not_before = now + want.late_wait_s

    def _free(self, want: Want, source: str) -> Flight:
        self._in_flight.get(source, set()).discard(want.hash)
        return want.flights.pop(source)

    def _free_all(self, want: Want) -> None:
        for source in list(want.flights):
            self._free(want, source)

    def _end_flight(self, want: Want, source: str) -> None:
        """A request came to nothing; ask again unless another one is under way."""
        if source in want.flights:
            self._free(want, source)
        if not want.flights:
            self._ask_again(want)

    def _ask_again(self, want: Want) -> None:
        if want.late_wait_s is not None and want.rounds > self._settings.late_retries_max:
            self.done(want.hash)
            return
        self._queue(want)

    def _queue(self, want: Want) -> None:
        if not want.queued:
            want.queued = True
            heapq.heappush(self._unasked, _entry(want))


_Entry = tuple[bool, int, bytes]


def _entry(want: Want) -> _Entry:
    """What a want is ordered by: the best branch first, then the lowest height."""
    return (not want.best, want.height, want.hash)


def _askable_at(want: Want, sources: Iterable[str]) -> float:
    """When the first of these sources may be asked."""
    return max(want.not_before, min(want.again_at.get(source, 0.0) for source in sources))
