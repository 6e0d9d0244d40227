"""A campaign is guarded from its first moment on: --halt before a fault, a second run, no keeper."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from sprint.core.chaos.faults import SourceDetour
from sprint.core.chaos.result import Result
from sprint.core.errors import ConfigError
from sprint.tools.chaos.campaign import Campaign
from sprint.tools.chaos.embedded import EmbeddedOptions
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.journal_file import journals_in
from sprint.tools.chaos.rollback import rollback
from tests.integration.chaos_scene import pids_with
from tests.integration.chaos_scores import ScoredRelay
from tests.integration.real_servers import wait_until

CHAIN = "litecoin-regtest"
KEEPER = "sprint.tools.chaos.keeper"
# Longer than any test may take: what ends a run here is never its own end.
LONG = "300s"
END_S_MAX = 90.0


@pytest.fixture(scope="module")
def relay() -> Iterator[ScoredRelay]:
    with ScoredRelay(EmbeddedOptions()) as made:
        yield made


class CampaignThread:
    """A campaign in a thread of its own; `at` has something done when a phase is told."""

    def __init__(
        self,
        relay: ScoredRelay,
        folder: Path,
        *names: str,
        at: dict[str, Callable[[], object]],
        limit: str = "",
    ) -> None:
        given = Given(
            experiment=names,
            target=relay.stack.admin_url,
            duration=LONG,
            journal_dir=str(folder),
            max_blast_radius=limit,
        )
        self._at = at
        self.told: list[tuple[str, str]] = []
        self.campaign = Campaign(options_of(given), self._tell)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.campaign.run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.campaign.stop("the test is over")
        self._thread.join(END_S_MAX)

    def results(self) -> list[Result]:
        self._thread.join(END_S_MAX)
        assert not self._thread.is_alive()
        return self.campaign.results

    def phases(self) -> list[str]:
        return [phase for phase, _ in self.told]

    def _tell(self, phase: str, text: str) -> None:
        self.told.append((phase, text))
        if phase in self._at:
            self._at.pop(phase)()


def sources(relay: ScoredRelay) -> dict[str, str]:
    rows = httpx.get(f"{relay.stack.admin_url}/api/sources", trust_env=False).json()["sources"][CHAIN]
    return {row["name"]: row["state"] for row in rows}


@pytest.mark.parametrize("phase", ["opening", "steady"])
def test_halt_missed_a_run_that_had_not_come_to_its_faults_and_it_put_them_on(
    relay: ScoredRelay, tmp_path: Path, phase: str
) -> None:
    with CampaignThread(
        relay, tmp_path, "force-open", "force-close", at={phase: lambda: rollback(tmp_path, halt=True)}
    ) as run:
        assert [each.verdict for each in run.results()] == ["aborted", "aborted"]
        assert all("told to halt" in each.reason for each in run.campaign.results)
        assert "method" not in run.phases()
    assert list(journals_in(tmp_path)) == []


def test_a_second_run_at_a_relay_was_not_refused_and_both_told_nonsense(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    with CampaignThread(relay, tmp_path / "a", "latency", at={}) as run:
        wait_until(lambda: "method" in run.phases(), "the first run has come to its faults")
        between = sources(relay)
        for folder, said in (
            ("a", "what both do would be told as the relay"),
            ("b", r"-chaos stands in for it already"),
        ):
            given = Given(
                experiment=("latency",), target=relay.stack.admin_url, journal_dir=str(tmp_path / folder)
            )
            second = Campaign(options_of(given), lambda _phase, _text: None)
            with pytest.raises(ConfigError, match=said):
                asyncio.run(second.run())
            assert second.results == []
        assert sources(relay) == between
    wait_until(lambda: set(sources(relay).values()) == {"ready"}, "the sources are as before")
    assert set(sources(relay)) == {"alice", "bob", "carol", "dave"}


def test_the_keeper_of_detours_was_killed_and_the_run_was_met_all_the_same(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    def kill() -> None:
        # The oldest journal of a keeper is that of the detours: they are made before the experiment's.
        (journal, *_) = [path for path in journals_in(tmp_path) if b'"detour"' in path.read_bytes()]
        for pid in pids_with(f"{KEEPER}\0{journal}"):
            os.kill(pid, signal.SIGKILL)

    with CampaignThread(relay, tmp_path, "latency", at={"method": kill}) as run:
        (result,) = run.results()
    assert (result.verdict, result.exit_code) == ("aborted", 1)
    assert "the keeper" in result.reason
    assert "ended with -9" in result.reason
    wait_until(lambda: set(sources(relay).values()) == {"ready"}, "the sources are as before")
    assert set(sources(relay)) == {"alice", "bob", "carol", "dave"}


def test_the_relay_was_changed_for_an_experiment_whose_blast_radius_is_not_allowed(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    with CampaignThread(relay, tmp_path, "latency", at={}, limit="sources=0") as run:
        (result,) = run.results()
    assert result.reason.startswith("nothing was put on")
    assert "detour" not in run.phases()


def test_a_source_of_somebody_else_was_removed_by_a_detour_that_could_not_be_made(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    before = sources(relay)
    fault = SourceDetour(relay.stack.admin_url, CHAIN, "alice", "bob", "p2p://127.0.0.1:1")
    with FaultKeeper(tmp_path) as faults:
        with pytest.raises(ConfigError, match="source bob is there already, not by this run"):
            faults.inject(fault, "detour", f"source:{CHAIN}:alice", "by way of bob")
        assert faults.on() == []
    assert sources(relay) == before
