"""Experiments against an embedded relay of a given policy, and what its recommendations change at it.

    with ScoredRelay(EmbeddedOptions(shadow=True)) as relay:
        result = relay.run("errors", duration_s=6.0)
        relay.apply(result.advice)
        assert relay.run("errors", duration_s=6.0).score.points > result.score.points

Each policy that is compared has a name in `POLICIES`, with what it is made of.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from sprint.core.chaos.advice import Advice
from sprint.core.chaos.experiment import Activity, Experiment, Pauses, PythonProvider
from sprint.core.chaos.radius_limit import RadiusLimit
from sprint.core.chaos.result import Result
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.campaign import Planned, plan_one
from sprint.tools.chaos.embedded import EmbeddedOptions, EmbeddedStack
from sprint.tools.chaos.experiment_run import ExperimentRun, RunOptions
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.observer import Observer
from sprint.tools.chaos.subject import Subject
from tests.integration.real_servers import HOST

PACKAGED = Path(__file__).parents[2] / "sprint" / "core" / "breaker" / "policies.toml"
# What is laid over a tier's figures for sources as packaged, and the default that a tier has without that.
_WITHOUT_CALLEES: dict[str, Any] = {
    "slow_rate_max": 0.7,
    "adaptive": {"enabled": False},
    "latency": {"enabled": False},
    "health": {"opens_below": 0.5},
    "recovery": {"enabled": False},
    "half_open_calls": 1,
}


def tier_figures(tier: str) -> dict[str, Any]:
    """Return a tier's own figures for sources, without those that sources have of their own.

    Of several trials a source would never make the second, so there is one.
    """
    figures = tomllib.loads(PACKAGED.read_text(encoding="utf-8"))[tier]
    laid = dict(_WITHOUT_CALLEES)
    for name, value in figures.items():
        known = laid.get(name)
        laid[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    return {**laid, "half_open_calls": 1}


def policies() -> dict[str, EmbeddedOptions]:
    """Return what is compared. `free` and `enterprise` as served, and with the tiers' bare figures."""
    return {
        "off": EmbeddedOptions(shadow=True),
        "free, bare": EmbeddedOptions(tier="free", breakers=tier_figures("free")),
        "enterprise, bare": EmbeddedOptions(tier="enterprise", breakers=tier_figures("enterprise")),
        "free": EmbeddedOptions(tier="free"),
        "enterprise": EmbeddedOptions(tier="enterprise"),
    }


def slow_probe(seconds: float) -> bool:
    """Ask for so long, whatever else happens."""
    time.sleep(seconds)
    return True


class Made:
    """An experiment that runs once, in whatever thread `run` is called."""

    def __init__(self, planned: Planned, subject: Subject, options: RunOptions) -> None:
        self._planned, self._subject, self._options = planned, subject, options
        self._run = self._of(planned.document)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _of(self, document: Experiment) -> ExperimentRun:
        return ExperimentRun(self._subject, document, self._options, lambda _phase, _text: None)

    def ask_for_long(self, seconds: float) -> None:
        """Have it ask something for so long after its fault is on; before `run`."""
        provider = PythonProvider(module=__name__, func=slow_probe.__name__, arguments={"seconds": seconds})
        document = self._planned.document
        put_on = [each for each in document.method if each.type == "action"][:1]
        slow = Activity(type="probe", name="is slow", provider=provider)
        put_on = [msgspec.structs.replace(each, pauses=Pauses()) for each in put_on]
        self._run = self._of(msgspec.structs.replace(document, method=(*put_on, slow)))

    def run(self) -> Result:
        """Run it to its end."""
        return asyncio.run(self._ran())

    def stop(self, reason: str) -> None:
        """Have it end early, from another thread."""
        self._run.stop(reason)

    def call(self, done: Callable[[], None]) -> None:
        """Do something on the loop of the run, while it goes on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(done)

    @property
    def observer(self) -> Observer:
        """What the run looks with, once it has begun."""
        observer = self._run.observer
        assert observer is not None
        return observer

    async def _ran(self) -> Result:
        self._loop = asyncio.get_running_loop()
        planned = self._planned
        return await self._run.run(planned.relay, planned.predicted, planned.exceeded)


class ScoredRelay:
    """A stack of its own, with a journal folder of its own, until it is left."""

    def __init__(self, options: EmbeddedOptions) -> None:
        self._ends = contextlib.ExitStack()
        self.folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory()))
        self.stack = self._ends.enter_context(EmbeddedStack(options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def journals(self) -> list[Path]:
        """Return the journals of runs that put something on."""
        return sorted(self.folder.glob("*.ndjson"))

    def run(
        self, experiment: str, duration_s: float, *, seed: int = 0, source: str = "", beside: str = ""
    ) -> Result:
        """Run one experiment, at a source `CHAIN:NAME` or one of the seed's; return what came of it."""
        sources = (source,) if source else ()
        return self.made(experiment, duration_s, seed=seed, source=sources, beside=beside).run()

    def made(
        self, experiment: str, duration_s: float, *, seed: int = 0, source: tuple[str, ...] = (), **more: Any
    ) -> Made:
        """Return one experiment that is planned and not begun; `more` are fields of its `RunOptions`."""
        given = Given(experiment=(experiment,), duration=f"{duration_s:g}s", seed=seed, source=source)
        subject = self._subject()
        planned = plan_one(experiment, subject, options_of(given), RadiusLimit())
        return Made(
            planned,
            subject,
            RunOptions(
                experiment=experiment,
                recovery_s_max=5.0,
                recovery_judged=True,
                journal_folder=self.folder,
                **more,
            ),
        )

    def all_ready(self) -> bool:
        with RelayAdmin(self.stack.admin_url) as admin:
            return all(one.usable for one in admin.map().sources)

    def _subject(self) -> Subject:
        ports = {
            chain: devnet.first_line["nodes"][0]["rpc_port"] for chain, devnet in self.stack.devnets.items()
        }
        return Subject(
            admin_url=self.stack.admin_url,
            api_url=self.stack.api_url,
            wiring=self.stack.wiring(),
            embedded=True,
            nodes={chain: f"http://{HOST}:{port}" for chain, port in ports.items()},
        )

    def apply(self, advice: Sequence[Advice]) -> dict[str, Any]:
        """Lay what is recommended for sources over each of their breakers, through the admin API."""
        figures: dict[str, Any] = {}
        for each in advice:
            path = each.setting.split(".")
            if path[:2] == ["breakers", "source"]:
                place = figures
                for name in path[2:-1]:
                    place = place.setdefault(name, {})
                place[path[-1]] = tomllib.loads(f"value = {each.proposed}")["value"]
        rows = httpx.get(f"{self.stack.admin_url}/api/breakers", trust_env=False).json()["breakers"]
        for row in rows:
            if figures and row["name"].startswith("source:"):
                url = f"{self.stack.admin_url}/api/breakers/{quote(row['name'], safe='')}/config"
                httpx.put(url, json=figures, trust_env=False).raise_for_status()
        return figures
