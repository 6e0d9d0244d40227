"""A running relay reads its config again: sources and tiers change under load, and nobody is dropped."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from sprint.core.model import SourceStatusData, SourceStatusEvent
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import LineReader, Listener, blocks_of, kinds_of

CHAIN = "litecoin-regtest"
INTERVAL_MS = 40.0


def written(path: Path, *nodes: tuple[str, DevnetProcess], more: str = "") -> Path:
    sources = "".join(
        f"[[chains.{CHAIN}.sources]]\nname = '{name}'\nurl = 'p2p://127.0.0.1:{node.port}'\n"
        for name, node in nodes
    )
    # As an editor does it: a new file in the old one's place.
    fresh = path.with_suffix(".new")
    fresh.write_text(sources + more)
    fresh.replace(path)
    return path


def started(folder: Path, path: Path, **options: object) -> RelayProcess:
    arguments = ("--config", str(path), "--data-dir", str(folder / "data"))
    return RelayProcess(folder, *arguments, **options)  # type: ignore[arg-type]


def source_names(relay: RelayProcess) -> list[str]:
    assert relay.serving.admin is not None
    listed = httpx.get(f"{relay.serving.admin}/api/sources", trust_env=False).json()["sources"][CHAIN]
    return sorted(source["name"] for source in listed if source["state"] == "ready")


def policy_of(relay: RelayProcess, source: str) -> dict[str, Any]:
    """The figures that the breaker of a source goes by."""
    name = quote(f"source:{CHAIN}:{source}", safe="")
    told = httpx.get(f"{relay.serving.admin}/api/breakers/{name}/config", trust_env=False).json()
    config: dict[str, Any] = told["config"]
    return config


def hang_up(relay: RelayProcess) -> None:
    os.kill(relay.pid, signal.SIGHUP)


def test_sources_and_tiers_change_under_load_and_no_subscriber_is_dropped(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN, interval_ms=INTERVAL_MS) as old, DevnetProcess(CHAIN) as new:
        path = written(tmp_path / "sprint.toml", ("old", old))
        with started(tmp_path, path) as relay, LineReader(relay.url) as lines, Listener(relay.url) as events:
            events.wait_for_block(old.mine(1)[-1])
            more = "[tiers.turbo]\nrank = 9\ncoalescing_window_ms = 5\n"
            written(path, ("old", old), ("new", new), more=more)
            hang_up(relay)
            wait_until(lambda: source_names(relay) == ["new", "old"], "the new source is ready")
            written(path, ("again", old), ("new", new), more=more)
            hang_up(relay)
            wait_until(lambda: source_names(relay) == ["again", "new"], "the old source has gone")
            last = old.mine(1)[-1]
            events.wait_for_block(last)
            lines.wait_for_block(last)
            assert relay.running
            # One connection saw it all: a stream of lines doesn't come back by itself.
            assert lines.error is None
            upto = blocks_of(lines.events).index(last) + 1
            assert blocks_of(lines.events)[:upto] == blocks_of(events.events)[:upto]
            said = [event.data for event in events.events if isinstance(event, SourceStatusEvent)]
            assert SourceStatusData("old", "lost", "the config no longer names it") in said
            assert "reorg" not in kinds_of(events.events)


def test_a_changed_file_is_read_without_being_told(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN) as one, DevnetProcess(CHAIN) as two:
        path = written(tmp_path / "sprint.toml", ("one", one))
        with started(tmp_path, path) as relay:
            wait_until(lambda: source_names(relay) == ["one"], "the first source is ready")
            written(path, ("one", one), ("two", two))
            wait_until(lambda: source_names(relay) == ["one", "two"], "the second source is ready")


def test_a_bad_file_changes_nothing_and_names_key_and_reason(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN) as one, DevnetProcess(CHAIN) as two:
        path = written(tmp_path / "sprint.toml", ("one", one))
        with started(tmp_path, path) as relay:
            wait_until(lambda: source_names(relay) == ["one"], "the source is ready")
            written(path, ("two", two), more="[log]\nlevel = 'loud'\n")
            hang_up(relay)
            wait_until(lambda: "config kept as it was" in relay.stderr(), "the refusal is logged")
            assert "log.level = 'loud': Invalid enum value 'loud'" in relay.stderr()
            assert source_names(relay) == ["one"]
            path.unlink()
            hang_up(relay)
            wait_until(lambda: "No such file" in relay.stderr(), "the missing file is logged")
            assert source_names(relay) == ["one"]


def test_breakers_figures_change_while_the_relay_runs_and_a_bad_one_refuses_the_whole_file(
    tmp_path: Path,
) -> None:
    with DevnetProcess(CHAIN) as one, DevnetProcess(CHAIN) as two:
        path = written(tmp_path / "sprint.toml", ("one", one))
        with started(tmp_path, path) as relay:
            wait_until(lambda: source_names(relay) == ["one"], "the source is ready")
            more = (
                "[breakers.source]\nfailures_to_open = 4\n"
                f'[breakers."source:{CHAIN}:one".backoff]\nlongest_s = 9\n'
            )
            written(path, ("one", one), more=more)
            hang_up(relay)
            wait_until(lambda: policy_of(relay, "one")["failures_to_open"] == 4, "the figures are taken in")
            assert policy_of(relay, "one")["backoff"]["longest_s"] == 9
            named = f'"breakers.\\"source:{CHAIN}:one\\".backoff.longest_s, breakers.source.failures_to_open"'
            # They are taken in before it is logged that they are.
            wait_until(lambda: f'"applied":{named}' in relay.stderr(), "the keys are named")
            written(path, ("two", two), more=more + "[breakers.store.backoff]\nlongest_s = 0.1\n")
            hang_up(relay)
            wait_until(lambda: "config kept as it was" in relay.stderr(), "the refusal is logged")
            said = "breakers.store.backoff.longest_s = 0.1 is below backoff.base_s = 0.5"
            assert f"{path}: {said}" in relay.stderr()
            assert source_names(relay) == ["one"]
            assert policy_of(relay, "one")["failures_to_open"] == 4


def test_what_needs_a_restart_is_named_and_flags_stay_over_the_file(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN) as one:
        path = written(tmp_path / "sprint.toml", ("one", one))
        with started(tmp_path, path) as relay:
            more = (
                "[relay]\ndurability = 'disk'\n[log]\nlevel = 'debug'\nformat = 'text'\n"
                "[[chains.bitcoin-regtest.sources]]\nurl = 'p2p://127.0.0.1:1'\n"
            )
            written(path, ("one", one), more=more)
            hang_up(relay)
            wait_until(lambda: "bitcoin-regtest.sources.p2p:127.0.0.1:1" in relay.stderr(), "it is named")
            said = relay.stderr()
            assert '"applied":"log.level"' in said
            assert '"key":"relay.durability","reason":"it is read at the start only"' in said
            assert '"reason":"its chain isn\'t followed since the start"' in said
            assert "log.format" not in said
            assert relay.serving.metrics is not None
            metrics = httpx.get(f"{relay.serving.metrics}/metrics", trust_env=False).text
            assert 'sprint_config_reloads_total{outcome="applied"} 1.0' in metrics
            assert "sprint_config_restart_needed 2.0" in metrics


def test_a_relay_whose_terminal_was_closed_ends_and_does_not_reload(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sprint.cli.main", "relay", "--demo", "--tier", "free", "--port", "0"]
    stderr = (tmp_path / "stderr").open("wb")
    with stderr, subprocess.Popen(
        [*command, "--admin-port", "0", "--metrics-port", "0", "--log-format", "json"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True, cwd=tmp_path,
    ) as relay:  # fmt: skip
        try:
            os.close(theirs)
            assert relay.stdout is not None
            assert b"serving" in relay.stdout.readline()
            os.kill(relay.pid, signal.SIGHUP)
            log = tmp_path / "stderr"
            wait_until(lambda: b"config read again" in log.read_bytes(), "a SIGHUP of somebody reloads")
            os.close(ours)
            os.kill(relay.pid, signal.SIGHUP)
            assert relay.wait(20.0) == 129
        finally:
            relay.kill()
