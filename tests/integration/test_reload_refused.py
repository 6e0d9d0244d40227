"""A bad file changes nothing in a relay that runs, and its log names the file, the key and the reason.

One table of what can be wrong with a file; one relay is told of all of it, one after the other.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
SOURCES = f"[[chains.{CHAIN}.sources]]\n"
FIRST = f"chains.{CHAIN}.sources.0"
LOG_KEYS = ["time", "level", "logger", "message"]
# What is in the file, and what the log must say after the file's name.
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "cut off": (
        b"[relay\n",
        "not valid TOML: Expected ']' at the end of a table declaration (at line 1, col",
    ),
    "a table twice": (
        b"[log]\n[log]\n",
        "not valid TOML: Cannot declare ('log',) twice (at line 2, column 5)",
    ),
    "not text": (b"\xff[log]\n", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    "too long": (b"#" * ((1 << 20) + 1), "1048577 bytes, limit 1048576"),
    "no source left": (b"", "chains.NAME.sources: none is left of the 1 that run, want at least 1"),
    "unknown section": (b"[realy]\n", "unknown key realy; did you mean relay?"),
    "unknown key": (
        b"[relay]\ndurabilty = 1\n",
        "unknown key relay.durabilty; did you mean relay.durability?",
    ),
    "wrong kind": (b"[tiers.turbo]\nrank = 'high'\n", "tiers.turbo.rank = 'high': Expected `int`, got `str`"),
    "out of range": (
        b"[tiers.turbo]\ncoalescing_window_ms = -1\n",
        "tiers.turbo.coalescing_window_ms = -1: Expected `float` >= 0.0",
    ),
    "no such word": (b"[log]\nlevel = 'loud'\n", "log.level = 'loud': Invalid enum value 'loud'"),
    "no such tier": (b"[tiers.gold]\nrank = 3\n", "tiers.gold: no such tier; there are free, developer,"),
    "no such chain": (b"[chains.dogecone]\nquorum = 1\n", "[chains.dogecone]: chain 'dogecone': there are "),
    "no such scheme": (
        f"{SOURCES}url = 'tcp://h:1'\n".encode(),
        f"{FIRST}: source url 'tcp://h:1': scheme 'tcp'",
    ),
    "no url": (f"{SOURCES}name = 'x'\n".encode(), f"{FIRST}: no url; want url ="),
    "no such topic": (
        f"{SOURCES}url = 'zmq://h:1'\ntopics = ['block']\n".encode(),
        "unknown topic 'block'; there is hashblock, rawblock, sequence",
    ),
    "two sources of one name": (
        2 * f"{SOURCES}name = 'x'\nurl = 'p2p://h:1'\n".encode(),
        f"chains.{CHAIN}.sources.1: two sources are called 'x'",
    ),
    "one chain twice": (
        b"[chains.ltc-regtest]\nquorum = 1\n[chains.litecoin-regtest]\nquorum = 1\n",
        "[chains.ltc-regtest] and [chains.litecoin-regtest] are one chain; keep one of them",
    ),
    "a secret in what is wrong": (
        f"{SOURCES}url = 'rpc://user:hidden@127.0.0.1'\n".encode(),
        f"{FIRST}: source url 'rpc://…@127.0.0.1': no port",
    ),
}


def test_every_kind_of_bad_file_changes_nothing_and_is_named_with_key_and_reason(tmp_path: Path) -> None:
    good = "[features]\nwatch_config = false\n[tiers.turbo]\nrank = 9\n"
    path = tmp_path / "sprint.toml"
    with DevnetProcess(CHAIN) as node:
        path.write_text(f"{good}{SOURCES}name = 'one'\nurl = 'p2p://127.0.0.1:{node.port}'\n")
        with RelayProcess(tmp_path, "--config", str(path), "--data-dir", str(tmp_path / "data")) as relay:
            wait_until(lambda: source_states(relay) == {"one": "ready"}, "the source is ready")
            for kind, (content, reason) in BAD_FILES.items():
                path.write_bytes(content)
                log = log_of_reload(relay)
                assert "config kept as it was" in log, kind
                assert f'"file":"{path}"' in log, kind
                assert reason in log, kind
                assert "hidden" not in log
                assert source_states(relay) == {"one": "ready"}, kind
            metrics = httpx.get(f"{relay.serving.metrics}/metrics", trust_env=False).text
            assert f'sprint_config_reloads_total{{outcome="kept"}} {float(len(BAD_FILES))}' in metrics
            assert 'outcome="applied"' not in metrics
            lines = [json.loads(line) for line in relay.stderr_path.read_text().splitlines()]
            assert [line for line in lines if list(line)[: len(LOG_KEYS)] != LOG_KEYS] == []


def test_a_swapped_link_is_a_changed_file_and_one_that_hangs_is_none(tmp_path: Path) -> None:
    """Kubernetes mounts a ConfigMap so: the file is a link through `..data`, which is swapped whole."""
    path, link = tmp_path / "sprint.toml", tmp_path / "..data"
    with DevnetProcess(CHAIN) as node:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            text = f"{SOURCES}name = '{name}'\nurl = 'p2p://127.0.0.1:{node.port}'\n"
            (tmp_path / name / path.name).write_text(text)
        link.symlink_to("one")
        path.symlink_to("..data/sprint.toml")
        with RelayProcess(tmp_path, "--config", str(path), "--data-dir", str(tmp_path / "data")) as relay:
            wait_until(lambda: source_states(relay) == {"one": "ready"}, "the first source is ready")
            (tmp_path / "..fresh").symlink_to("two")
            (tmp_path / "..fresh").rename(link)
            wait_until(lambda: source_states(relay) == {"two": "ready"}, "the second source is ready")
            link.unlink()
            assert "No such file" in log_of_reload(relay)
            assert source_states(relay) == {"two": "ready"}
            link.symlink_to("one")
            log_of_reload(relay)
            wait_until(lambda: source_states(relay) == {"one": "ready"}, "the file is back")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPRINT_CONFIG", raising=False)


def log_of_reload(relay: RelayProcess) -> str:
    """Have the config read again and return what the log says of it."""
    before = relay.stderr_path.stat().st_size

    def said() -> str:
        return relay.stderr_path.read_bytes()[before:].decode()

    os.kill(relay.pid, signal.SIGHUP)
    wait_until(lambda: "config kept" in said() or "config read" in said(), "the config is read again")
    return said()


def source_states(relay: RelayProcess) -> dict[str, str]:
    listed = httpx.get(f"{relay.serving.admin}/api/sources", trust_env=False).json()["sources"][CHAIN]
    return {source["name"]: source["state"] for source in listed}
