"""Prometheus' own linter has nothing to say against the metrics of a monitor at work."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import httpx
import pytest

from sprint.tools.monitor.alert_desk import Desk
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.sinks.webhook import Webhook
from tests.integration.real_servers import PROMTOOL_PATH
from tests.tools.monitor.relay_stand_in import ALICE, RelayStandIn, serving, until, watched


@pytest.mark.real("promtool")
def test_metrics_of_a_monitor_at_work_pass_the_linter_of_prometheus(tmp_path: Path) -> None:
    async def scene() -> bytes:
        # Nobody listens on port 9; two URLs at one host are one series.
        nobody = [Webhook("http://127.0.0.1:9/a"), Webhook("http://127.0.0.1:9/b")]
        store = AlertStore(tmp_path / "alerts.sqlite")
        async with (
            RelayStandIn() as relay,
            watched(relay) as monitor,
            Desk(monitor, store, nobody) as desk,
            serving(monitor) as (url, _),
            httpx.AsyncClient(trust_env=False) as client,
        ):
            monitor.alerts = desk
            relay.fail()
            await until(lambda: monitor.board.rows[relay.alice].state == "open", "it is open")
            await until(lambda: all(sender.waiting for sender in desk.senders), "an alert waits")
            await desk.silence({"breaker": ALICE, "for": "1h", "by": "anna", "why": "a new disk"})
            return (await client.get(f"{url}/metrics")).content

    text = asyncio.run(scene())
    for line in (
        'sprint_monitor_alerts{level="critical",state="silenced"} 1.0',
        'sprint_monitor_alerts{level="critical",state="acknowledged"} 0.0',
        'sprint_monitor_alert_changes_total{change="raised"}',
        "sprint_monitor_silences 1.0",
        'sprint_monitor_alert_sink_messages_total{kind="webhook",outcome="sent",sink="127.0.0.1:9"} 0.0',
        'sprint_monitor_alert_sink_waiting{kind="webhook",sink="127.0.0.1:9"} 2.0',
    ):
        assert text.count(line.encode()) == 1, line
    assert f'sprint_monitor_breaker_state{{breaker="{ALICE}",relay="main",state="open"}} 1.0'.encode() in text
    checked = subprocess.run(
        [str(PROMTOOL_PATH), "check", "metrics"], input=text, capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
