"""Prometheus' own linter has nothing to say against the metrics of a relay that has delivered blocks."""

from __future__ import annotations

import asyncio
import re
import subprocess

import pytest
from prometheus_client import generate_latest

from sprint.tools.relay.service import Serving
from tests.integration.real_servers import PROMTOOL_PATH
from tests.integration.relay_metrics import fetch
from tests.test_documentation import section
from tests.tools.relay.test_service import blocks, options, with_a_relay
from tests.tools.relay.test_source_traffic import a_source_of_each_kind, registry_of


@pytest.mark.real("promtool")
def test_metrics_of_a_relay_at_work_pass_the_linter_of_prometheus() -> None:
    async def scene(serving: Serving) -> None:
        await blocks(serving, 3, "chains=litecoin-regtest")
        text = await asyncio.to_thread(fetch, f"{serving.metrics}/metrics")
        for name in ("stage", "relay", "delivery"):
            assert f'sprint_{name}_seconds_count{{chain="litecoin-regtest"'.encode() in text
        assert b'sprint_network_hashes_per_second{chain="litecoin-regtest"}' in text
        assert b'sprint_subscribers{tier="turbo"}' in text
        assert b'sprint_source_connects_total{chain="litecoin-regtest"' in text
        assert b"sprint_event_loop_lag_seconds_count" in text
        assert re.search(
            rb'breaker_state\{breaker="source:litecoin-regtest:[^"]+",state="closed"\} 1\.0', text
        )
        assert b'sprint_breaker_state{breaker="store",state="closed"} 1.0' in text
        assert b"sprint_event_loop_lag_seconds_count 0.0" not in text
        found = set(
            re.findall(r"^# TYPE (sprint_\w+?)(?:_created|_gsum|_gcount)? ", text.decode(), re.MULTILINE)
        )
        assert found - documented() == set(), "metrics without a row in docs/reference/http-api.md"
        checked = await asyncio.to_thread(_check, text)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

    with_a_relay(options(), scene)


@pytest.mark.real("promtool")
def test_metrics_of_sources_of_every_kind_pass_the_linter() -> None:
    text = generate_latest(registry_of(*a_source_of_each_kind()))
    assert b'sprint_compact_saved_bytes_total{chain="bitcoin-regtest",source="p2p"} 1000' in text
    checked = _check(text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.real("promtool")
def test_the_linter_that_is_used_does_refuse() -> None:
    checked = _check(b"# HELP sprint_blocks Blocks\n# TYPE sprint_blocks counter\nsprint_blocks 1\n")
    assert checked.returncode != 0
    assert b"_total" in checked.stdout + checked.stderr


def documented() -> set[str]:
    return set(re.findall(r"`(sprint_[a-z_]+)", section("http-api.md", "Admin and metrics")))


def _check(text: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [PROMTOOL_PATH, "check", "metrics"], input=text, capture_output=True, timeout=30, check=False
    )
