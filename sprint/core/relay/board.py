"""Who of a chain's sources is first, who lags, and who is not asked first any more.

All sources race: the first to announce a block has won it, the others confirm it and show by how much they
are later. A source that stays behind the others is *demoted*: it is asked for nothing that another can give,
until it has kept up again for some heads. It is never shut out for that, so where all are bad all are used.

Lag is measured against the second-highest head where there are three or more sources, so that one which runs
ahead alone, by mistake or by lying, makes no honest one look late. Whom to ask goes by the highest: of
several that hang at once the second-highest would be one that hangs itself.
"""

from __future__ import annotations

from collections import deque

import msgspec

from sprint.core.model import SourceStatusData
from sprint.core.relay.settings import ChainSettings

LAG_SMOOTHING = 0.2  # weight of the newest lag in the average
ANSWERS_KEPT = 64  # of a source's newest answers, for its score and for what is slow of it
TRIAL_HEADS = 4  # that a demoted source must reach in time before it is asked first again
BEHIND_BLOCKS_GRACE_S = 3.0  # a burst of blocks makes everybody lag by many for a moment
_SECOND_HIGHEST_FROM = 3
_SLOW_PERCENTILE = 0.95


class Standing(msgspec.Struct, frozen=True):
    """What is told of one source. `lag_ms` is its average lag behind the winner; `score` is 0 to 100.

    `height` is that of the highest block it has announced, None before any. `behind_blocks` counts from the
    head that sources are held against. `demoted` says why it is not asked first, or is empty.
    """

    height: int | None
    behind_blocks: int
    wins: int
    confirmations: int
    lag_ms: float | None
    score: int
    answers: int
    timeouts: int
    demoted: str


class _Row:
    """One ready source."""

    __slots__ = (
        "answers",
        "answers_total",
        "asked_lacking",
        "behind_since",
        "confirmations",
        "demoted",
        "height",
        "judged_at",
        "lacks_height",
        "lacks_since",
        "lag_s",
        "presumed_height",
        "timeouts",
        "trial_heads",
        "wins",
    )

    def __init__(self) -> None:
        self.height: int | None = None
        self.presumed_height = 0
        self.wins = 0
        self.confirmations = 0
        self.lag_s: float | None = None
        self.answers: deque[float | None] = deque(maxlen=ANSWERS_KEPT)  # seconds, None for none in time
        self.answers_total = 0
        self.timeouts = 0
        self.behind_since: float | None = None
        self.lacks_since: float | None = None  # when it did not name a block of
        self.lacks_height = 0  # this height, which another had named
        self.asked_lacking = False  # whether it was asked since
        self.judged_at: float | None = None  # when it is next to be seen whether it is too late
        self.demoted = ""
        self.trial_heads = 0

    @property
    def known_height(self) -> int:
        """Its height, or what it is taken to have until it says."""
        return self.presumed_height if self.height is None else self.height


class SourceBoard:
    """The standings of one chain's sources. `demoted` is the live set of those that are not asked first."""

    def __init__(self, settings: ChainSettings) -> None:
        self._settings = settings
        self._rows: dict[str, _Row] = {}
        self._ready: set[str] = set()
        self.demoted: set[str] = set()

    def __repr__(self) -> str:
        return f"SourceBoard({len(self._ready)} ready, {len(self.demoted)} demoted)"

    def ready(self, source: str, head_height: int = 0) -> None:
        """Take a source in. One that was here before keeps its wins, not its height.

        One that has what we have answers our request for headers with none. So until it names a block it is
        taken to have the head, whose height is given: the next block will show whether it keeps up.
        """
        row = self._rows.setdefault(source, _Row())
        row.height, row.behind_since, row.judged_at = None, None, None
        row.presumed_height = head_height
        row.lacks_since = None
        self._ready.add(source)

    def lost(self, source: str) -> None:
        self._ready.discard(source)

    def forget(self, source: str) -> None:
        """Drop all that is known of a source that is removed for good."""
        self.lost(source)
        self.demoted.discard(source)
        self._rows.pop(source, None)

    def won(self, source: str, height: int) -> None:
        """Note that a source was the first to announce a block."""
        row = self._rows.get(source)
        if row is not None:
            row.wins += 1
            self._reached(row, height, 0.0)

    def confirmed(self, source: str, height: int, lag_s: float) -> None:
        """Note that a source announced a block that another had announced `lag_s` before."""
        row = self._rows.get(source)
        if row is not None:
            row.confirmations += 1
            row.lag_s = lag_s if row.lag_s is None else row.lag_s + LAG_SMOOTHING * (lag_s - row.lag_s)
            self._reached(row, height, lag_s)

    def reached(self, source: str, height: int) -> None:
        """Note that a source has a block that was known from before the start."""
        row = self._rows.get(source)
        if row is not None:
            self._reached(row, height, 0.0)

    def answered(self, source: str, seconds: float) -> None:
        """Note that a body came so long after it was asked for."""
        row = self._rows.get(source)
        if row is not None:
            row.answers.append(seconds)
            row.answers_total += 1

    def timed_out(self, source: str) -> None:
        row = self._rows.get(source)
        if row is not None:
            row.answers.append(None)
            row.timeouts += 1

    def slow_after_s(self, source: str, default_s: float) -> float:
        """Return the time in which 19 of 20 of its answers came; `default_s` while too few are known."""
        row = self._rows.get(source)
        taken = sorted(s for s in row.answers if s is not None) if row is not None else []
        if len(taken) < TRIAL_HEADS:
            return default_s
        return taken[min(len(taken) - 1, int(len(taken) * _SLOW_PERCENTILE))]

    def to_ask(self, now: float) -> list[str]:
        """Return who has lacked a block for a while that another has, and was not asked since, once each.

        It may have missed an announcement, or hang: nobody waits for anything of it, so only asking tells.
        """
        highest = self._highest()
        asked = []
        for source in sorted(self._ready):
            row = self._rows[source]
            if highest is None or row.known_height >= highest:
                row.lacks_since = None
            elif row.lacks_since is None or row.known_height >= row.lacks_height:
                row.lacks_since, row.lacks_height, row.asked_lacking = now, highest, False
            elif not row.asked_lacking and now >= row.lacks_since + BEHIND_BLOCKS_GRACE_S:
                row.asked_lacking = True
                asked.append(source)
        return asked

    def check(self, now: float) -> list[SourceStatusData]:
        """Demote who has stayed behind and take back who has kept up; return what is to be told."""
        reference = self._reference()
        told: list[SourceStatusData] = []
        if reference is None:  # nobody left to be held against
            for source in self._ready:
                self._rows[source].behind_since = self._rows[source].judged_at = None
            return told
        for source in sorted(self._ready):
            row = self._rows[source]
            behind = reference - row.known_height
            if behind <= 0:
                row.behind_since = row.judged_at = None
                if row.demoted and row.trial_heads >= TRIAL_HEADS:
                    row.demoted = ""
                    self.demoted.discard(source)
                    told.append(SourceStatusData(source, "re-admitted", f"kept up for {TRIAL_HEADS} heads"))
                continue
            if row.behind_since is None:
                row.behind_since = now
            row.judged_at = self._next_judged_at(row.behind_since, now)
            reason = self._too_late(behind, now - row.behind_since)
            if reason:
                row.trial_heads = 0
                if not row.demoted:
                    told.append(SourceStatusData(source, "demoted", reason))
                row.demoted = reason
                self.demoted.add(source)
        return told

    def next_timer(self) -> float | None:
        """Return when a source that is behind is to be asked or demoted at the earliest; None if none is."""
        rows = [self._rows[source] for source in self._ready]
        due = [row.judged_at for row in rows if row.judged_at is not None]
        due += [
            row.lacks_since + BEHIND_BLOCKS_GRACE_S
            for row in rows
            if row.lacks_since is not None and not row.asked_lacking
        ]
        return min(due, default=None)

    def standing(self, source: str) -> Standing | None:
        row = self._rows.get(source)
        if row is None:
            return None
        reference = self._reference()
        behind = 0 if reference is None or row.height is None else max(0, reference - row.height)
        return Standing(
            height=row.height,
            behind_blocks=behind,
            wins=row.wins,
            confirmations=row.confirmations,
            lag_ms=None if row.lag_s is None else round(row.lag_s * 1000, 2),
            score=_score(row),
            answers=row.answers_total,
            timeouts=row.timeouts,
            demoted=row.demoted,
        )

    def _reached(self, row: _Row, height: int, lag_s: float) -> None:
        if row.height is None or height > row.height:
            row.height = height
            if row.demoted and lag_s < self._settings.lag_s_max:
                row.trial_heads += 1

    def _next_judged_at(self, behind_since: float, now: float) -> float | None:
        """Return the next of the two times at which a source that stays behind may be too late."""
        times = (behind_since + BEHIND_BLOCKS_GRACE_S, behind_since + self._settings.lag_s_max)
        return min((at for at in times if at > now), default=None)

    def _too_late(self, behind: int, for_s: float) -> str:
        limit, lag_s_max = self._settings.lag_blocks_max, self._settings.lag_s_max
        if behind >= limit and for_s >= BEHIND_BLOCKS_GRACE_S:
            return f"{behind} blocks behind the other sources, limit {limit}"
        if for_s >= lag_s_max:
            return f"behind the other sources for {for_s:.0f} s, limit {lag_s_max:g} s"
        return ""

    def _highest(self) -> int | None:
        """Return the highest head of all; None where there is nothing to compare."""
        heights = [self._rows[source].known_height for source in self._ready]
        return max(heights) or None if len(heights) >= 2 else None

    def _reference(self) -> int | None:
        """Return the head that sources are held against; None where there is nothing to compare."""
        if self._highest() is None:
            return None
        heights = sorted((self._rows[source].known_height for source in self._ready), reverse=True)
        return heights[1] if len(heights) >= _SECOND_HIGHEST_FROM else heights[0]


def _score(row: _Row) -> int:
    """Rate a source by its newest answers, and halve it while it is demoted."""
    good = sum(answer is not None for answer in row.answers)
    share = good / len(row.answers) if row.answers else 1.0
    return round(100 * share * (0.5 if row.demoted else 1.0))
