"""Watches a second relay for the same time, and puts nothing on it: the control beside an experiment."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from sprint.core.chaos.beside import Beside, Watched, Where, beside_of
from sprint.core.chaos.observation import Phases
from sprint.core.errors import ConfigError
from sprint.tools.chaos.admin import AdminFailed, RelayAdmin
from sprint.tools.chaos.observer import Observer
from sprint.tools.chaos.subject import Subject

OPTION = "--beside"


class Control:
    """A second relay and its observer, whose clock began `ahead_s` after that of the run."""

    def __init__(self, observer: Observer, beginning: Observer) -> None:
        self._observer = observer
        self._ahead_s = beginning.now_s - observer.now_s

    def __repr__(self) -> str:
        return f"Control({self._observer!r}, {self._ahead_s:.3f} s)"

    def held_beside(self, observer: Observer, phases: Phases) -> Beside | None:
        """Return both over the time of the faults; None where none was on."""
        if phases.injected_s is None:
            return None
        end_s = observer.now_s if phases.removed_s is None else phases.removed_s
        return beside_of(
            Where(self._observer.admin_url, self._observer.api_url),
            _watched(observer, phases, 0.0),
            _watched(self._observer, phases, self._ahead_s),
            (phases.injected_s, end_s),
        )


async def opened_control(
    admin_url: str, subject: Subject, beginning: Observer, stack: AsyncExitStack
) -> Control:
    """Begin to watch a second relay, until `stack` ends; `beginning` has the clock of the run.

    ConfigError where it is the first itself, a stranger's, or does not answer.
    """
    api_url = await asyncio.to_thread(_tier_of, admin_url, subject)
    observer = await stack.enter_async_context(Observer(admin_url, api_url))
    await observer.ready()
    return Control(observer, beginning)


def _tier_of(admin_url: str, subject: Subject) -> str:
    with RelayAdmin(admin_url, allowed=subject.allowed) as admin:
        if admin.url == subject.admin_url:
            raise ConfigError(f"{OPTION} {admin_url}: that is the target itself; name another relay")
        try:
            tiers = admin.map().tiers
        except AdminFailed as error:
            raise ConfigError(f"{OPTION} {admin_url}: {error}") from error
    if not tiers:
        raise ConfigError(f"{OPTION} {admin_url}: it tells of no tier, so nothing can be received there")
    return tiers[0].url


def _watched(observer: Observer, phases: Phases, ahead_s: float) -> Watched:
    found = tuple(each.at_s for each in observer.stream.findings if each.at_s is not None)
    return Watched(observed=observer.observed(phases), stream_findings=found, ahead_s=ahead_s)
