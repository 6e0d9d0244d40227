"""Tunes the relay that it runs in: at the start, on an operator's word, and back at the end.

    attendant = OptimizeAttendant(asked, fallback=False, journal_folder=journal_folder_default())
    RelayService(options, attendants=(attendant,))

The relay calls it by a hook that knows nothing of tuning. What is refused is told and lived without. On the
admin listener it serves:

GET     /api/optimize     the level, each setting, the process' figures and what is wrong
PUT     /api/optimize     {"level": "turbo", "changes": {"nice": 0}, "fallback": false, "origin": "anna"}
DELETE  /api/optimize     takes all of it back
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from prometheus_client import CollectorRegistry

from sprint.core.errors import RequestError, SprintError
from sprint.core.optimize import linux
from sprint.core.optimize.asked import Asked, Layer, asked
from sprint.core.optimize.decide import missing, refused, verdict
from sprint.core.optimize.health import Finding, findings, gravest
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS, lower_level
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Outcome
from sprint.core.optimize.stats import stats_of
from sprint.core.optimize.told import Told, rows_of
from sprint.tools.breaker_api.endpoints import only_query
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.applying import Applied, Target, apply, restore_all
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.idle_collector import IdleCollector
from sprint.tools.optimize.measuring import Measuring, Pauses, figures_of, runtime_of
from sprint.tools.optimize.metrics import OnTime, OptimizeMetrics
from sprint.tools.optimize.process_memory import ProcessMemory
from sprint.tools.optimize.python_runtime import PythonRuntime
from sprint.tools.runtime import clock, log_fields
from sprint.tools.web.router import Request, Response, Router

PATH = "/api/optimize"
FIELDS_OF_ORDER = ("level", "changes", "fallback", "origin")
ORIGIN_LENGTH_MAX = 80
log = logging.getLogger(__name__)


class Place(Protocol):
    """What a relay shows to who attends it."""

    @property
    def registry(self) -> CollectorRegistry: ...

    @property
    def router(self) -> Router: ...

    @property
    def gc_pauses(self) -> Pauses: ...

    @property
    def on_time(self) -> Callable[[], Mapping[str, OnTime]]: ...


class OptimizeAttendant:
    """Attends one relay. `fallback`: where something required is refused, take the next lower level."""

    name = "optimize"

    def __init__(self, wanted: Asked, *, fallback: bool, journal_folder: Path) -> None:
        self._wanted = self.asked = wanted
        self._fallback = fallback
        self._journal_folder = journal_folder
        self._memory = ProcessMemory()
        self._trim = linux.malloc_trim
        self._collector = IdleCollector(self._memory, clock, self._trim)
        self._runtime = PythonRuntime(self._collector, self._trim)
        self._applied: Applied | None = None
        self.facts = HostFacts()
        self.measuring: Measuring | None = None
        self._outcomes: tuple[Outcome, ...] = ()

    def attend(self, place: Place) -> None:
        """Add what the admin listener answers, and metrics."""
        self.measuring = Measuring(self._memory, place.gc_pauses, clock)
        place.router.add_answer(PATH, self._tell)
        place.router.add("PUT", PATH, self._order)
        place.router.add("DELETE", PATH, self._take_back)
        place.registry.register(OptimizeMetrics(self, place.on_time))

    def serving(self) -> None:
        """Put back what a relay that was killed has left, and tune this one."""
        self._restore_what_was_left()
        if self.measuring is not None:
            self.measuring.start()
        self._apply(self._wanted)

    def warm(self) -> None:
        """Leave what the warm-up has made out of later collections, where start-up's things are."""
        if any(each.setting.key == "gc_freeze" and each.state == "applied" for each in self._outcomes):
            self._runtime.freeze()

    def health(self) -> Mapping[str, Any]:
        """Return the part of the relay's health."""
        found = self.findings()
        return {
            "status": gravest(found),
            "level": self.asked.level,
            "reasons": [finding.says for finding in found if finding.word != "ok"],
        }

    def stopped(self) -> None:
        """Restore all, and stop what runs on the loop. May be called again."""
        self._restore()
        self._collector.close()
        if self.measuring is not None:
            self.measuring.stop()
        self._memory.close()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of each setting, as it was looked at last."""
        return self._outcomes

    @property
    def asked_collections(self) -> int:
        return self._collector.asked

    @property
    def level_number(self) -> int:
        return list(LEVELS).index(self.asked.level)

    @property
    def holds(self) -> bool:
        """Tell whether all that the level requires is applied."""
        return self._applied is not None and not missing(self._outcomes)

    def findings(self) -> tuple[Finding, ...]:
        """Return how the relay is: level, time in the collector, tasks, memory."""
        measuring = self.measuring
        if measuring is None:
            return ()
        if self._applied is None:
            return (Finding("level", "failed", f"{self.asked.level} is not applied: it was taken back"),)
        found = findings(self.asked.level, self._outcomes, gc_share=measuring.gc_share, tasks=measuring.tasks)
        if not self._collector.over_limit:
            return found
        limit = self._collector.limit_bytes
        return (*found, Finding("memory", "alert", f"{self._memory.resident_bytes:,} bytes, limit {limit:,}"))

    def told(self) -> Told:
        """Return all that is told of this relay's tuning; each setting is read back for it."""
        if self._applied is not None:
            self._outcomes = self._applied.drift()
        found = self.findings()
        return Told(
            pid=os.getpid(),
            level=self.asked.level,
            level_origin=self.asked.level_origin,
            origins=self.asked.origins,
            changes=self.asked.changes,
            settings=rows_of(self._outcomes),
            findings=found,
            health=gravest(found),
            stats=self._stats(),
            runtime=self._runtime_told(),
            notes=self.asked.notes,
        )

    def _stats(self) -> dict[str, Any]:
        if self.measuring is None:
            return {}
        figures = msgspec.structs.replace(
            figures_of(self.measuring),
            cpus=self.facts.cpus,
            worker_threads=self._runtime.worker_threads or None,
            optimal_threads=self.facts.cpus * self.asked.fields.threads_per_cpu,
            may_be_real_time=self.facts.may("sys_nice") or self.facts.limits.get("rtprio", (0, 0))[0] != 0,
            asked_collections=self._collector.asked,
            applied=self.holds,
            level=self.asked.level,
            level_number=self.level_number,
        )
        return stats_of(figures)

    def _runtime_told(self) -> dict[str, Any]:
        given = self._runtime.preallocated
        told: dict[str, Any] = {} if self.measuring is None else runtime_of(self.measuring)
        told["gc_frozen"] = self._runtime.frozen_objects
        return told | {"preallocated": None if given is None else given._asdict()}

    def _apply(self, wanted: Asked) -> None:
        """Apply a level, and with `fallback` the next lower as long as something required is refused."""
        self.facts = read_facts()
        while True:
            settings = plan(wanted.fields, self.facts, "self")
            self._applied = apply(
                settings,
                target=Target.of_self(),
                journal_folder=self._journal_folder,
                clock=clock,
                actuators={**SYSTEM_ACTUATORS, **self._runtime.actuators()},
            )
            self.asked, self._outcomes = wanted, self._applied.outcomes
            lower = lower_level(wanted.level)
            says = verdict(self._outcomes, strict=False, fallback=self._fallback)
            if says != "lower" or lower is None:
                break
            lacking = ", ".join(each.setting.key for each in missing(self._outcomes))
            log_fields(
                log, logging.WARNING, "a lower level", refused=wanted.level, requires=lacking, next=lower
            )
            self._restore()
            wanted = wanted.at(lower, f"--fallback: {wanted.level} requires {lacking}")
        self._log()

    def _log(self) -> None:
        lacking, others = missing(self._outcomes), refused(self._outcomes)
        log_fields(
            log,
            logging.WARNING if lacking else logging.INFO,
            "tuned",
            tuning=self.asked.level,
            asked_by=self.asked.level_origin,
            applied=len(self._outcomes) - len(others),
            settings=len(self._outcomes),
            refused=", ".join(_refusal_of(each) for each in others if each.state == "denied") or "none",
        )
        for note in self.asked.notes:
            log_fields(log, logging.WARNING, note)

    def _restore(self) -> tuple[Outcome, ...]:
        """Take back what was applied; what can't be put back is said, and stays in the journal."""
        applied, self._applied = self._applied, None
        if applied is None:
            return ()
        outcomes = applied.restore()
        for each in refused(outcomes):
            log_fields(
                log, logging.WARNING, "not restored", setting=each.setting.key, reason=_refusal_of(each)
            )
        return outcomes

    def _restore_what_was_left(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            try:
                left = restore_all(self._journal_folder, dead_only=True)
            except (SprintError, OSError) as error:
                log_fields(log, logging.WARNING, "the journal of tuning cannot be read", reason=error)
                return
            for each in left:
                log_fields(
                    log, logging.WARNING, "restored after a crash", setting=each.setting.key, state=each.state
                )

    def _tell(self, request: Request) -> Response:
        only_query(request)
        return Response(msgspec.json.encode(self.told()))

    async def _order(self, request: Request) -> Response:
        """Take another level, with the changes given and no others; ConfigError says what would be right."""
        only_query(request)
        body = await request.json_object()
        changes = body.get("changes", {})
        for name in body:
            if name not in FIELDS_OF_ORDER:
                raise RequestError(
                    "bad_query", f"no key {name[:40]!r}; there is {', '.join(FIELDS_OF_ORDER)}"
                )
        if not isinstance(changes, dict) or not isinstance(body.get("fallback", False), bool):
            raise RequestError("bad_query", "changes is an object of fields, fallback is true or false")
        origin = str(body.get("origin", "an operator"))[:ORIGIN_LENGTH_MAX]
        try:
            wanted = asked([Layer(origin, str(body.get("level", self.asked.level)), changes)]).after(
                self.asked
            )
        except SprintError as error:
            raise RequestError("bad_query", str(error)) from error
        self._fallback = body.get("fallback", False)
        self._restore()
        self._apply(wanted)
        return self._tell(request)

    async def _take_back(self, request: Request) -> Response:
        """Restore all; the relay runs on as it would without a level."""
        only_query(request)
        outcomes = self._restore()
        self._outcomes = ()
        return Response(msgspec.json.encode(rows_of(outcomes)))


def _refusal_of(outcome: Outcome) -> str:
    name = outcome.refusal.name if outcome.refusal is not None else outcome.says or outcome.state
    return f"{outcome.setting.key} ({name})"
