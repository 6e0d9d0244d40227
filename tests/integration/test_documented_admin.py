"""The page on taking a node out: each of its commands does what the page says, on a relay with such nodes."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx

from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

PAGE = Path(__file__).resolve().parents[2] / "docs/howto/take-a-node-out.md"
COMMANDS = re.findall(r"^\$ (curl .*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
ADMIN_URL = "http://127.0.0.1:8081"
THIRD_PORT = ":19446"
CHAIN = "litecoin-regtest"
TIMEOUT_S = 20.0


def test_each_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN) as node:
        sources = [
            part for name in ("core-1", "core-2") for part in ("--source", f"{name}@{node.source_url}")
        ]
        with RelayProcess(tmp_path, *sources, "--data-dir", str(tmp_path / "data")) as relay:
            wait_until(lambda: states(relay) == {"core-1": "ready", "core-2": "ready"}, "both are ready")
            pause, resume, add, remove, force_open, reset, history = COMMANDS
            assert run(relay, node, pause)["source"]["state"] == "paused"
            assert states(relay)["core-2"] == "paused"
            assert run(relay, node, resume)["changed"] is True
            assert run(relay, node, add)["source"]["name"] == "core-3"
            assert run(relay, node, remove) == {"removed": "core-2", "warning": None}
            wait_until(lambda: states(relay) == {"core-1": "ready", "core-3": "ready"}, "core-3 stands in")
            assert run(relay, node, force_open)["breaker"]["state"] == "force_open"
            wait_until(lambda: states(relay)["core-1"] == "waiting", "its connection is closed")
            assert run(relay, node, reset)["breaker"]["state"] == "closed"
            wait_until(lambda: states(relay)["core-1"] == "ready", "it is back")
            told = run(relay, node, history)["transitions"]
            said = [row["evidence"]["text"] for row in told if row["evidence"]["detector"] == "operator"]
            assert said == ["operator via admin API: is it missed?", "operator via admin API"]


def states(relay: RelayProcess) -> dict[str, str]:
    listed = httpx.get(f"{relay.serving.admin}/api/sources", trust_env=False).json()["sources"][CHAIN]
    return {source["name"]: source["state"] for source in listed}


def run(relay: RelayProcess, node: DevnetProcess, command: str) -> dict[str, Any]:
    """Run a command of the page, with this relay's port and this node's in the place of the page's."""
    assert ADMIN_URL in command
    here = command.replace(ADMIN_URL, str(relay.serving.admin)).replace(THIRD_PORT, f":{node.port}")
    done = subprocess.run(shlex.split(here), capture_output=True, timeout=TIMEOUT_S, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    assert "code" not in told, told
    return told
