"""Alerts on a real relay with a real litecoind: a node that stops is posted at once, and so is its return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.rows import TransitionRow
from sprint.tools import runtime
from sprint.tools.monitor.alert_desk import Clocks, Desk
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from sprint.tools.monitor.sinks.webhook import Webhook
from tests.integration.real_servers import Litecoind
from tests.integration.relay_process import RelayProcess
from tests.integration.test_monitor_litecoind import BREAKER, within
from tests.tools.monitor.alert_receivers import HttpReceiver, http_receiver

POSTED_WITHIN_S = 0.25


def hurried() -> float:
    """A clock five times as fast: only how soon it is told that all is well hangs on it."""
    return runtime.clock() * 5.0


def posted(receiver: HttpReceiver) -> list[tuple[dict[str, Any], float]]:
    """Return what was posted of the node's state, each with when it came."""
    bodies = zip(receiver.received.all(), receiver.received.at_s, strict=False)
    alerts = [(alert, at_s) for (_, body), at_s in bodies for alert in msgspec.json.decode(body)["alerts"]]
    return [
        (alert, at_s) for alert, at_s in alerts if (alert["rule"], alert["breaker"]) == ("state", BREAKER)
    ]


@pytest.mark.real("litecoind")
def test_a_node_that_stops_is_posted_within_a_quarter_of_a_second_and_its_return_too(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    litecoind, other = litecoind_factory(), litecoind_factory()
    # Of a chain's sources the last one stays in use, so that its breaker would not open.
    other.connect_to(litecoind)

    async def scene(relay: RelayProcess, receiver: HttpReceiver) -> None:
        key, opened = Key("main", BREAKER), list[TransitionRow]()

        def take(happened: Happened) -> None:
            if happened.transition.to_state == "open":
                opened.append(happened.transition)

        store = AlertStore(tmp_path / "alerts.sqlite")
        monitor = Monitor(targets=(Target("main", str(relay.serving.admin)),))
        desk = Desk(monitor, store, [Webhook(receiver.url, b"secret")], clocks=Clocks(hurried))
        async with monitor, desk:
            monitor.listen(take)
            await within(lambda: key in monitor.board.rows, "the relay is heard")
            await asyncio.to_thread(litecoind.stop)
            await within(lambda: posted(receiver), "the open breaker is posted")
            await asyncio.to_thread(litecoind.start)
            await within(lambda: monitor.board.rows[key].state == "closed", "the breaker is closed again")
            await within(lambda: posted(receiver)[-1][0]["change"] == "resolved", "its end is posted")
        (first, at_s), *_, (last, _) = posted(receiver)
        late_s = at_s - datetime.fromisoformat(opened[0].at).timestamp()
        print(f"posted {late_s * 1000:.1f} ms after the relay's transition; {len(posted(receiver))} in all")
        assert (first["level"], first["change"], first["number"]) == ("critical", "raised", 1)
        assert late_s < POSTED_WITHIN_S
        assert last["id"] == first["id"]

    sources = ("--source", f"node@{litecoind.source_url}", "--source", f"other@{other.source_url}")
    with (
        http_receiver() as receiver,
        RelayProcess(tmp_path / "relay", *sources, "--data-dir", str(tmp_path / "data")) as relay,
    ):
        asyncio.run(scene(relay, receiver))
