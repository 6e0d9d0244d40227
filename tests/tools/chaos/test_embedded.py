"""The embedded stack: it serves, comes back when its relay is killed, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from sprint.core.errors import ConfigError
from sprint.tools.chaos.embedded import CHAINS, EmbeddedOptions, EmbeddedStack
from sprint.tools.embedded.child import ChildFailed, environment
from tests.integration.real_servers import wait_until
from tests.tools.embedded.test_child import gone

CHAIN = CHAINS[0]
OWNER = """
import json, time
from sprint.tools.chaos.embedded import EmbeddedOptions, EmbeddedStack
stack = EmbeddedStack(EmbeddedOptions())
pids = [stack.relay_pid, stack.proxy.pid, *(devnet.pid for devnet in stack.devnets.values())]
print(json.dumps({"pids": pids, "folder": str(stack.data_folder.parent)}), flush=True)
time.sleep(600)
"""


def asked(url: str, path: str) -> dict[str, Any]:
    answer = httpx.get(url + path)
    assert answer.is_success, answer.text
    return dict(answer.json())


def states(stack: EmbeddedStack) -> dict[str, str]:
    listed = asked(stack.admin_url, "/api/sources")["sources"][CHAIN]
    return {each["name"]: each["state"] for each in listed}


def height(stack: EmbeddedStack) -> int:
    head = asked(stack.api_url, f"/api/v1/chains/{CHAIN}/status")["head"]
    return 0 if head is None else int(head["height"])


def all_ready(stack: EmbeddedStack) -> bool:
    return states(stack) == dict.fromkeys(("alice", "bob", "carol", "dave"), "ready")


def test_all_sources_are_ready_as_soon_as_the_stack_is_there() -> None:
    with EmbeddedStack(EmbeddedOptions()) as stack:
        assert all_ready(stack)


def test_a_relay_that_is_killed_is_back_on_its_ports_and_data_and_nothing_is_left_at_the_end() -> None:
    with EmbeddedStack(EmbeddedOptions(block_interval_ms=200)) as stack:
        wait_until(lambda: all_ready(stack), "all sources are ready")
        before, urls, killed = height(stack), (stack.admin_url, stack.api_url), stack.relay_pid
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: stack.relay_pid != killed, "another relay runs")
        wait_until(lambda: all_ready(stack), "all sources are ready again")
        wait_until(lambda: height(stack) > before, "the chain goes on")
        assert (stack.admin_url, stack.api_url) == urls
        pids = [stack.relay_pid, stack.proxy.pid, *(each.pid for each in stack.devnets.values())]
        folder = stack.data_folder.parent
    assert all(gone(pid) for pid in pids)
    assert not folder.exists()


def test_each_source_goes_through_its_proxy_to_a_node_with_a_control_of_its_own() -> None:
    with EmbeddedStack(EmbeddedOptions(tier="free", shadow=True, breakers={"failures_to_open": 7})) as stack:
        wait_until(lambda: all_ready(stack), "all sources are ready")
        wiring = stack.wiring()
        proxies = asked(stack.control_url, "/api/proxies")["proxies"]
        listening = {each["name"]: each["listen"] for each in proxies}
        sources = {each["name"]: each for each in asked(stack.admin_url, "/api/sources")["sources"][CHAIN]}
        for name, source in sources.items():
            key = f"{CHAIN}:{name}"
            assert source["url"].partition("://")[2] == listening[wiring.proxies[key].proxy]
            node = asked(wiring.devnets[key], f"/api/devnet/{CHAIN}")
            target = node["listeners"]["rpc" if name == "dave" else "p2p"].partition("://")[2]
            assert {each["target"] for each in proxies if each["name"] == wiring.proxies[key].proxy} == {
                target
            }
        assert len(set(wiring.devnets.values())) == 3
        assert sources["dave"]["provider"] == sources["alice"]["provider"] != sources["bob"]["provider"]
        policy = asked(stack.admin_url, f"/api/breakers/source:{CHAIN}:bob/config")["config"]
        assert (policy["shadow"], policy["failures_to_open"]) == (True, 7)


@pytest.mark.parametrize("chains", [(), ("litecoin-regtest", "bitcoin")])
def test_a_chain_that_there_is_no_devnet_of_is_refused(chains: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"want of litecoin-regtest, bitcoin-regtest, dogecoin-regtest"):
        EmbeddedStack(EmbeddedOptions(chains=chains))


def test_a_figure_that_the_relay_refuses_is_told_in_its_words() -> None:
    with pytest.raises(ChildFailed, match="failures_to_open"):
        EmbeddedStack(EmbeddedOptions(breakers={"failures_to_open": -1}))


def test_the_stack_does_not_outlive_a_tool_that_was_killed_while_a_part_was_stopped() -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as owner:
        assert owner.stdout is not None
        told = json.loads(owner.stdout.readline())
        assert not any(gone(pid) for pid in told["pids"])
        os.kill(told["pids"][0], signal.SIGSTOP)
        owner.kill()
    wait_until(lambda: all(gone(pid) for pid in told["pids"]), "all parts are gone", timeout_s=30.0)
    wait_until(lambda: not Path(told["folder"]).exists(), "the folder is removed")
