"""What an operator changed over the admin API, and a config that is read again: who of the two is heard."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import wait_until_delivered

CHAIN = "litecoin-regtest"
ONE = f"source:{CHAIN}:one"


class Operated:
    """A relay on a config with the sources `one` and `two`, which are one node; and an operator's client."""

    def __init__(self, relay: RelayProcess, path: Path, node: DevnetProcess, client: httpx.Client) -> None:
        self.relay = relay
        self.node = node
        self.client = client
        self._path = path
        self._reloads = 0

    def reload(self, *names: str, provider: str = "mine", more: str = "") -> None:
        """Write a config with these sources and have it read."""
        written(self._path, self.node, *names, provider=provider, more=more)
        self._reloads += 1
        os.kill(self.relay.pid, signal.SIGHUP)
        wait_until(lambda: self._read_again() >= self._reloads, "the config is read again")

    def sources(self) -> dict[str, str]:
        listed = self.client.get("/api/sources").json()["sources"][CHAIN]
        return {source["name"]: source["state"] for source in listed}

    def wait_for(self, states: dict[str, str]) -> None:
        wait_until(lambda: self.sources() == states, f"sources are {states}")

    def tell(self, source: str, action: str) -> dict[str, Any]:
        told: dict[str, Any] = self.client.post(
            f"/api/sources/{CHAIN}/{source}/state", json={"action": action}
        ).json()
        return told

    def config(self) -> dict[str, Any]:
        told: dict[str, Any] = self.client.get(f"/api/breakers/{quote(ONE, safe='')}/config").json()
        return told

    def _read_again(self) -> int:
        log = (json.loads(line) for line in self.relay.stderr_path.read_text().splitlines())
        return sum(line["message"] == "config read again" for line in log)


def written(path: Path, node: DevnetProcess, *names: str, provider: str = "mine", more: str = "") -> Path:
    sources = "".join(
        f"[[chains.{CHAIN}.sources]]\nname = '{name}'\nurl = 'p2p://127.0.0.1:{node.port}'\n"
        f"provider = '{provider}'\n"
        for name in names
    )
    fresh = path.with_suffix(".new")
    # A reload is told of here; one by the watch as well would be counted for it.
    fresh.write_text(sources + "[features]\nwatch_config = false\n" + more)
    fresh.replace(path)
    return path


@contextmanager
def operated(folder: Path) -> Iterator[Operated]:
    with DevnetProcess(CHAIN) as node:
        path = written(folder / "sprint.toml", node, "one", "two")
        arguments = ("--config", str(path), "--data-dir", str(folder / "data"))
        with (
            RelayProcess(folder, *arguments) as relay,
            httpx.Client(base_url=str(relay.serving.admin), trust_env=False, timeout=20.0) as client,
        ):
            made = Operated(relay, path, node, client)
            made.wait_for({"one": "ready", "two": "ready"})
            yield made


def closing_code(watcher: ClientConnection) -> int | None:
    """Read to the end; return what the connection was closed with."""
    for _ in watcher:
        pass
    return watcher.close_code


def test_a_reload_leaves_sources_as_the_operator_has_them_unless_it_is_about_them(tmp_path: Path) -> None:
    with operated(tmp_path) as each:
        added = f"three@{each.node.source_url}"
        assert each.client.post("/api/sources", json={"source": added}).status_code == 201
        assert each.client.delete(f"/api/sources/{CHAIN}/two").status_code == 200
        each.wait_for({"one": "ready", "three": "ready"})
        assert each.tell("one", "pause")["changed"]
        each.reload("one", "two", more="[tiers.turbo]\nrank = 9\n")
        assert each.sources() == {"one": "paused", "three": "ready"}
        each.reload("one", "two", "three", provider="other", more="[tiers.turbo]\nrank = 9\n")
        each.wait_for({"one": "ready", "two": "ready", "three": "ready"})
        providers = {
            source["name"]: source["provider"]
            for source in each.client.get("/api/sources").json()["sources"][CHAIN]
        }
        assert providers == {"one": "other", "two": "other", "three": "other"}
        wait_until_delivered(each.relay.url, CHAIN, each.node.mine(1)[-1])


def test_a_reload_leaves_figures_laid_over_unless_it_changes_that_breakers(tmp_path: Path) -> None:
    with operated(tmp_path) as each:
        put = each.client.put(f"/api/breakers/{quote(ONE, safe='')}/config", json={"failures_to_open": 7})
        assert put.status_code == 200
        each.reload("one", "two", more="[breakers.store]\nfailures_to_open = 4\n")
        told = each.config()
        assert (told["config"]["failures_to_open"], told["laid_over"]["fields"]) == (
            7,
            {"failures_to_open": 7},
        )
        each.reload("one", "two", more="[breakers.source]\nfailures_to_open = 5\n")
        told = each.config()
        assert (told["config"]["failures_to_open"], told["laid_over"]) == (5, None)


def test_an_operators_word_outlives_a_pause_and_a_restart_tells_watchers_and_forgets_all(
    tmp_path: Path,
) -> None:
    with operated(tmp_path) as each:
        state = f"/api/breakers/{quote(ONE, safe='')}/state"
        each.client.post(state, json={"action": "force_open"})
        each.tell("one", "pause")
        each.tell("one", "resume")
        each.wait_for({"one": "waiting", "two": "ready"})
        each.tell("two", "pause")
        url = str(each.relay.serving.admin).replace("http", "ws", 1) + "/ws"
        with connect(url, proxy=None) as watcher:
            assert b"snapshot" in watcher.recv(20.0, decode=False)
            assert each.relay.terminate() == 0
            assert closing_code(watcher) == 1001
        path = tmp_path / "sprint.toml"
        arguments = ("--config", str(path), "--data-dir", str(tmp_path / "data"))
        with (
            RelayProcess(tmp_path, *arguments) as again,
            httpx.Client(base_url=str(again.serving.admin), trust_env=False) as client,
        ):
            restarted = Operated(again, path, each.node, client)
            restarted.wait_for({"one": "ready", "two": "ready"})
            assert client.get(state.removesuffix("/state")).json()["state"] == "closed"
