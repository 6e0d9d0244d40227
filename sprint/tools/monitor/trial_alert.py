"""An alert for a test: sent to each sink at once, without rules and outbox, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.errors import UpstreamError
from sprint.core.monitor.alerts.standing import Alert
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.monitor.sinks.sink import Sink


async def send_test(sinks: Sequence[Sink]) -> list[tuple[str, str]]:
    """Return for each sink what it is, and why it failed; nothing where it has confirmed."""
    at = rfc3339(runtime.wall_clock())
    alert = Alert(
        id=f"test//@{at}",
        rule="test",
        relay="",
        breaker="",
        level="info",
        level_highest="info",
        change="raised",
        number=1,
        at=at,
        changed_at=at,
        text="a test by `sprint cb-monitor --test-alert`; nothing is wrong",
    )
    return [(f"{sink.kind} at {sink.where}", await _sent(sink, alert)) for sink in sinks]


async def _sent(sink: Sink, alert: Alert) -> str:
    try:
        await sink.send([alert])
    except UpstreamError as error:
        return str(error)
    finally:
        await sink.close()
    return ""
