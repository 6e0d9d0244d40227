"""A process that is named for the relay or a node is that one, or nothing is done to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sprint.core.chaos.wiring import key_of
from sprint.core.errors import ConfigError
from sprint.tools.chaos import opening
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.named_processes import refuse_stranger, refuse_strangers
from tests.integration.chaos_scene import ChaosScene


@pytest.fixture(name="sleeper")
def a_sleeper() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_process_that_listens_at_an_address_is_told_from_one_that_does_not(sleeper: int, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        try:
            listener.bind((host, 0))
        except OSError:
            pytest.skip(f"there is no {host} here")
        address = f"{host}:{listener.getsockname()[1]}"
        with pytest.raises(ConfigError, match="it listens not at"):
            refuse_stranger(os.getpid(), address, "--relay-pid")
        listener.listen()
        refuse_stranger(os.getpid(), address, "--relay-pid")
        refuse_stranger(os.getpid(), "", "--upstream-pid")
        told = f"--relay-pid {sleeper}: it listens not at .*, where process {os.getpid()} does; nothing"
        with pytest.raises(ConfigError, match=told):
            refuse_stranger(sleeper, address, "--relay-pid")
        with pytest.raises(ConfigError, match="at no port of its own"):
            refuse_stranger(sleeper, "", "--upstream-pid")


def test_a_pid_that_is_not_the_relays_or_the_nodes_was_killed_for_it(tmp_path: Path, sleeper: int) -> None:
    with ChaosScene(tmp_path) as scene:
        options = options_of(Given(target=scene.admin_url))
        with RelayAdmin(scene.admin_url) as admin:
            relay = admin.map()
        key = key_of(relay.sources[0])
        refuse_strangers(msgspec.structs.replace(options, relay_pid=scene.relay_pid), relay)
        refuse_strangers(msgspec.structs.replace(options, upstream_pids={key: scene.devnet_pid}), relay)
        for named in (
            {"relay_pid": sleeper},
            {"upstream_pids": {key: sleeper}},
            {"relay_pid": scene.devnet_pid},
        ):
            with pytest.raises(ConfigError, match=r"-pid .*: it listens not at 127\.0\.0\.1:"):
                opening._wiring(msgspec.structs.replace(options, **named), relay, relay.tiers[0].url)
