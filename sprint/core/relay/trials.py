"""Sources that are shut out for what they did, and those that are back and on trial.

A source comes back with what it was shut out for as often as not. So connecting is not enough: it is used as
any other, since where all are bad all are used, but it counts as ready and is told as re-admitted only when
what it claims has been proved: the chain that it says is best is validated, or has less work than the head.
One that claims nothing new may mean the best header that is known, so that has to be validated, or a time to
pass without a fault.
"""

from __future__ import annotations

from collections.abc import Mapping

from sprint.core.model import SourceStatusData
from sprint.core.relay.head import HeadTracker, Node

PASSED = "nothing false was in what it told since it is back"
TRIAL_S_MAX = 60.0  # without a fault, then a trial is passed whatever was claimed


class _Trial:
    """One source's trial: the best block that it has announced since it is back."""

    __slots__ = ("claim", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.claim: Node | None = None


class Trials:
    """The sources of one chain that are shut out or on trial, by name."""

    def __init__(self) -> None:
        self._shut_out: dict[str, str] = {}  # with what was told of it last
        self._trials: dict[str, _Trial] = {}

    def __repr__(self) -> str:
        return f"Trials({len(self._shut_out)} shut out, {len(self._trials)} of them on trial)"

    @property
    def on_trial(self) -> list[str]:
        return sorted(self._trials)

    @property
    def shut_out(self) -> list[str]:
        """Those that are out: they are not connected, or not on trial yet."""
        return sorted(source for source in self._shut_out if source not in self._trials)

    def shut(self, source: str, reason: str) -> SourceStatusData | None:
        """Shut a source out; return what is to be told of it, None where that was told before."""
        self._trials.pop(source, None)
        if self._shut_out.get(source) == reason:
            return None
        self._shut_out[source] = reason
        return SourceStatusData(source, "blocked", reason)

    def begin(self, source: str, now: float) -> bool:
        """Take a source that has connected; tell whether it is on trial."""
        if source not in self._shut_out:
            return False
        self._trials[source] = _Trial(now)
        return True

    def lost(self, source: str) -> bool:
        """Note that a source was lost; tell whether that ended a trial, which begins anew when it is back."""
        return self._trials.pop(source, None) is not None

    def forget(self, source: str) -> None:
        """Drop all that is known of a source that is removed for good."""
        self._shut_out.pop(source, None)
        self._trials.pop(source, None)

    def announced(self, source: str, node: Node) -> None:
        """Note that a source has announced a block, if it is on trial."""
        trial = self._trials.get(source)
        if trial is not None and (trial.claim is None or node.work > trial.claim.work):
            trial.claim = node

    def check(self, synced: Mapping[str, bool], tree: HeadTracker, now: float) -> list[SourceStatusData]:
        """Re-admit those whose trial is passed; return what is to be told. `synced` are those that serve.

        One that serves has answered what it was asked for, with nothing false in it. One that only announces
        has to have announced something.
        """
        if not self._trials:
            return []
        passed = [source for source in self.on_trial if self._has_passed(source, synced, tree, now)]
        for source in passed:
            self.forget(source)
        return [SourceStatusData(source, "re-admitted", PASSED) for source in passed]

    def _has_passed(self, source: str, synced: Mapping[str, bool], tree: HeadTracker, now: float) -> bool:
        trial = self._trials[source]
        if now >= trial.since + TRIAL_S_MAX:
            return True
        if trial.claim is None:
            return synced.get(source, False) and tree.best_header.connected
        proved = trial.claim.connected or (not trial.claim.invalid and trial.claim.work <= tree.head.work)
        return synced.get(source, True) and proved
