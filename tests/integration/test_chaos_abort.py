"""Whatever stops a run, its fault is off soon after, the run says why, and all is well again.

Real runs against an embedded relay. Each test prints how long it took from the cause until the fault proxy
had no toxic any more; docs/explanation/faults-are-undone.md tells these times.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sprint.core.chaos.abort import AbortLimits
from sprint.core.chaos.observation import BlockSeen
from sprint.core.chaos.radius_limit import limit_of
from sprint.core.chaos.result import Result, decode_result
from sprint.tools.chaos.campaign import Campaign, exit_code_of
from sprint.tools.chaos.embedded import EmbeddedOptions
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.rollback import rollback
from tests.integration.chaos_scene import pids_with
from tests.integration.chaos_scores import ScoredRelay
from tests.integration.real_servers import wait_until

CHAIN = "litecoin-regtest"
ALICE = f"{CHAIN}:alice"
# Longer than any test may take: what ends a run here is never its own end.
DURATION_S = 300.0
OFF_WITHIN_S = 2.0
# With a limit of a second on what lasts: a sample of a silent relay takes two seconds, and it takes two of
# them to know for how long; a store is told as failing when it has been tried again.
LASTING_OFF_WITHIN_S = 7.0
KEEPER = "sprint.tools.chaos.keeper"


@pytest.fixture(scope="module")
def relay() -> Iterator[ScoredRelay]:
    with ScoredRelay(EmbeddedOptions()) as made:
        yield made


class Stopped:
    """A run in a thread of its own: waits until its fault is on, and then for what stops it."""

    def __init__(self, relay: ScoredRelay, *, asks_for_s: float = 0.0, **options: Any) -> None:
        self._relay = relay
        self.made = relay.made("latency", DURATION_S, source=(ALICE,), **options)
        if asks_for_s:
            self.made.ask_for_long(asks_for_s)
        self._results: list[Result] = []
        self._thread = threading.Thread(target=lambda: self._results.append(self.made.run()))
        self._thread.start()
        wait_until(lambda: bool(toxics(relay)), "the fault is on")

    def by(
        self,
        cause: Callable[[], object],
        afterwards: Callable[[], object] = lambda: None,
        within_s: float = OFF_WITHIN_S,
    ) -> Result:
        """Do what stops it, and `afterwards` take that back; return what the run says."""

        def ended() -> Result:
            afterwards()
            self._thread.join(60.0)
            return self._results[0]

        try:
            return stopped_by(self._relay, cause, ended, within_s)
        finally:
            self.made.stop("the test is over")


def stopped_by(
    relay: ScoredRelay,
    cause: Callable[[], object],
    ended: Callable[[], Result],
    within_s: float = OFF_WITHIN_S,
) -> Result:
    """Do what stops a run, wait until its fault is off and it has ended; look whether it took long."""
    begun_s = time.monotonic()
    cause()
    wait_until(lambda: not toxics(relay), "the fault is off")
    took_s = time.monotonic() - begun_s
    result = ended()
    print(f"{result.reason}: off after {took_s:.2f} s")
    assert took_s < within_s
    assert result.verdict == "aborted"
    assert result.exit_code == 1
    assert result.left_behind == ()
    assert all(each.gone for each in result.gone)
    return result


def toxics(relay: ScoredRelay) -> list[str]:
    proxies = httpx.get(f"{relay.stack.control_url}/api/proxies", trust_env=False).json()["proxies"]
    return [toxic["name"] for proxy in proxies for toxic in proxy["toxics"]]


def test_somebody_stops_it(relay: ScoredRelay) -> None:
    run = Stopped(relay)
    result = run.by(lambda: run.made.stop("interrupted"))
    assert result.reason.startswith("interrupted")


def test_one_that_is_stopped_before_anything_was_put_on_is_aborted_and_not_met(relay: ScoredRelay) -> None:
    made, before = relay.made("latency", DURATION_S, source=(ALICE,)), relay.journals()
    made.stop("interrupted")
    result = made.run()
    assert (result.verdict, result.reason) == ("aborted", "interrupted, before anything was put on")
    assert relay.journals() == before


def test_a_fault_comes_off_at_once_though_a_probe_is_asked_for_long(relay: ScoredRelay) -> None:
    run = Stopped(relay, asks_for_s=2 * OFF_WITHIN_S)
    run.by(lambda: run.made.stop("interrupted amid a probe"))


def latency_and_bandwidth(relay: ScoredRelay, folder: Path, duration_s: float) -> Given:
    return Given(
        experiment=("latency", "bandwidth"),
        target=relay.stack.admin_url,
        proxy=(f"{ALICE}={relay.stack.control_url}/{CHAIN}.alice",),
        source=(ALICE,),
        duration=f"{duration_s:g}s",
        journal_dir=str(folder),
    )


def test_who_halts_all_runs_ends_the_experiments_to_come_too(relay: ScoredRelay, tmp_path: Path) -> None:
    campaign = Campaign(
        options_of(latency_and_bandwidth(relay, tmp_path, DURATION_S)), lambda _phase, _text: None
    )
    thread = threading.Thread(target=lambda: asyncio.run(campaign.run()))
    thread.start()
    wait_until(lambda: bool(toxics(relay)), "the first fault is on")
    rollback(tmp_path, halt=True)
    thread.join(60.0)
    assert [(each.experiment, each.verdict) for each in campaign.results] == [
        ("latency", "aborted"),
        ("bandwidth", "aborted"),
    ]
    assert campaign.results[1].reason.endswith("before it began")
    assert toxics(relay) == []


def test_a_stop_amid_recovery_was_told_as_met_and_the_experiments_to_come_left_out(
    relay: ScoredRelay, tmp_path: Path
) -> None:
    campaign: Campaign

    def stop_amid_recovery(phase: str, _text: str) -> None:
        if phase == "recovery":
            campaign.stop("interrupted")

    campaign = Campaign(options_of(latency_and_bandwidth(relay, tmp_path, 1.0)), stop_amid_recovery)
    asyncio.run(campaign.run())
    assert [(each.experiment, each.verdict, each.reason) for each in campaign.results] == [
        ("latency", "aborted", "interrupted, while it recovered"),
        ("bandwidth", "aborted", "interrupted, before it began"),
    ]
    assert exit_code_of(campaign.results, ("latency", "bandwidth")) == 1


@pytest.mark.soak
def test_the_relay_gives_no_answer(relay: ScoredRelay) -> None:
    run = Stopped(relay, limits=AbortLimits(unanswered_s_max=1.0, subscriber_losses_max=None))
    pid = relay.stack.relay_pid
    result = run.by(
        lambda: os.kill(pid, signal.SIGSTOP), lambda: os.kill(pid, signal.SIGCONT), LASTING_OFF_WITHIN_S
    )
    assert "has not answered for" in result.reason
    wait_until(relay.all_ready, "all sources are ready again")


def test_a_block_is_lost(relay: ScoredRelay) -> None:
    run = Stopped(relay)

    def lose() -> None:
        observer = run.made.observer
        last = observer.blocks[-1]
        ahead = BlockSeen(observer.now_s, CHAIN, last.position + 50, "f" * 64, "e" * 64, last.height + 50)
        run.made.call(lambda: observer.stream.add(ahead))

    assert "is not whole" in run.by(lose).reason


@pytest.mark.soak
def test_more_is_hit_than_is_allowed(relay: ScoredRelay) -> None:
    run = Stopped(relay, limit=limit_of("sources=1"))

    def order(action: str) -> None:
        for name in ("bob", "carol"):
            url = f"{relay.stack.admin_url}/api/sources/{CHAIN}/{name}/state"
            httpx.post(url, json={"action": action, "reason": "maintenance"}).raise_for_status()

    result = run.by(lambda: order("pause"), lambda: order("resume"))
    assert "more was hit than is allowed" in result.reason
    wait_until(relay.all_ready, "all sources are ready again")


def test_the_keeper_is_killed(relay: ScoredRelay) -> None:
    run = Stopped(relay)
    journal = relay.journals()[-1]

    def kill() -> None:
        (pid,) = [pid for pid in pids_with(KEEPER) if pid in pids_with(journal.name)]
        os.kill(pid, signal.SIGKILL)

    assert "the tool itself failed" in run.by(kill).reason


def test_somebody_halts_all_runs(relay: ScoredRelay) -> None:
    run = Stopped(relay)
    result = run.by(lambda: rollback(relay.folder, halt=True))
    assert "told to halt" in result.reason


def test_health_has_been_failing_for_too_long(relay: ScoredRelay) -> None:
    run = Stopped(relay, limits=AbortLimits(failing_s_max=1.0))
    files = [each.stat().st_size for each in relay.stack.data_folder.iterdir()]

    def limit(size: int) -> None:
        resource.prlimit(relay.stack.relay_pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    result = run.by(lambda: limit(max(files)), lambda: limit(resource.RLIM_INFINITY), LASTING_OFF_WITHIN_S)
    assert "health has been failing" in result.reason
    wait_until(relay.all_ready, "all sources are ready again")


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.soak)])
def test_a_signal_comes(relay: ScoredRelay, number: signal.Signals, tmp_path: Path) -> None:
    proxy = f"{ALICE}={relay.stack.control_url}/{CHAIN}.alice"
    command = [sys.executable, "-m", "sprint.cli.main", "cb-chaos", "--experiment", "latency", "--json"]
    command += ["--target", relay.stack.admin_url, "--proxy", proxy, "--source", ALICE]
    command += ["--duration", f"{DURATION_S:g}s", "--journal-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tool:
        wait_until(lambda: bool(toxics(relay)), "the fault is on")

        try:
            stopped_by(relay, lambda: tool.send_signal(number), lambda: decode_result(tool.communicate()[0]))
        finally:
            tool.kill()
    assert tool.returncode == 1
    assert pids_with(str(tmp_path)) == []
