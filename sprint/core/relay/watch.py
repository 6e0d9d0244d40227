"""The watchdog of one chain: says when it has stalled and when it has recovered.

It keys on the head's advance and on the number of ready sources, never on a socket being alive.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.model import ChainStatusData
from sprint.core.relay.settings import ChainSettings

NAMED_MAX = 4


class Watchdog:
    """Turns advances and the number of ready sources into `chain_status`."""

    def __init__(self, settings: ChainSettings, now: float) -> None:
        self._grace_s = settings.sources_grace_s
        self._alarm_s = settings.no_block_alarm_s
        self._advanced_at = now
        self._without_sources_since: float | None = now
        self._shut_out: tuple[str, ...] = ()
        self._syncing: tuple[str, ...] = ()
        self._announcing: tuple[str, ...] = ()
        self.stalled: str | None = None

    def __repr__(self) -> str:
        return f"Watchdog(stalled={self.stalled!r})"

    def advanced(self, now: float) -> None:
        self._advanced_at = now

    def sources_changed(
        self,
        ready: int,
        now: float,
        *,
        shut_out: Sequence[str] = (),
        syncing: Sequence[str] = (),
        announcing: Sequence[str] = (),
    ) -> None:
        """Note how many sources serve now, and the names of those that are there and do not.

        They are shut out, still syncing, or of a kind that only announces.
        """
        self._shut_out, self._syncing, self._announcing = tuple(shut_out), tuple(syncing), tuple(announcing)
        if ready:
            self._without_sources_since = None
        elif self._without_sources_since is None:
            self._without_sources_since = now

    def check(self, now: float, held: str | None = None) -> ChainStatusData | None:
        """Return the change of status that is due, if any. `held`: why blocks may not go out."""
        reason = self._reason(now) or held
        if (reason is None) == (self.stalled is None):
            return None
        before, self.stalled = self.stalled, reason
        if reason is None:
            return ChainStatusData("recovered", f"what stalled it is over ({before})")
        return ChainStatusData("stalled", reason)

    def next_timer(self) -> float | None:
        """Return when a stall would begin; None while one lasts or none can."""
        if self.stalled is not None:
            return None
        due = []
        if self._without_sources_since is not None:
            due.append(self._without_sources_since + self._grace_s)
        if self._alarm_s is not None:
            due.append(self._advanced_at + self._alarm_s)
        return min(due, default=None)

    def _reason(self, now: float) -> str | None:
        # The same sums as in `next_timer`: a difference may round to just under the bound at that very time.
        since = self._without_sources_since
        if since is not None and now >= since + self._grace_s:
            syncing = f"; still syncing: {_named(self._syncing)}" if self._syncing else ""
            alone = f"; serve nothing, as they only announce: {_named(self._announcing)}"
            announcing = alone if self._announcing else ""
            out = self._shut_out
            tried = f"; shut out for what they sent, and tried all the same: {_named(out)}" if out else ""
            return f"no source is ready{syncing}{announcing}{tried}"
        if self._alarm_s is not None and now >= self._advanced_at + self._alarm_s:
            return f"no new block for {self._alarm_s:.0f} s although sources are ready"
        return None


def _named(sources: Sequence[str]) -> str:
    more = len(sources) - NAMED_MAX
    return ", ".join(sources[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
