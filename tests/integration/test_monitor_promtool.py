"""Prometheus' own linter has nothing to say against the metrics of a monitor at work."""

from __future__ import annotations

import asyncio
import subprocess

import httpx
import pytest

from tests.integration.real_servers import PROMTOOL_PATH
from tests.tools.monitor.relay_stand_in import ALICE, RelayStandIn, serving, until, watched


@pytest.mark.real("promtool")
def test_metrics_of_a_monitor_at_work_pass_the_linter_of_prometheus() -> None:
    async def scene() -> bytes:
        async with RelayStandIn() as relay, watched(relay) as monitor, serving(monitor) as (url, _):
            relay.fail()
            await until(lambda: monitor.board.rows[relay.alice].state == "open", "it is open")
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{url}/metrics")).content

    text = asyncio.run(scene())
    assert f'sprint_monitor_breaker_state{{breaker="{ALICE}",relay="main",state="open"}} 1.0'.encode() in text
    checked = subprocess.run(
        [str(PROMTOOL_PATH), "check", "metrics"], input=text, capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
