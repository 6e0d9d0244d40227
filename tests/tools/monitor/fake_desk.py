"""An alerts' desk without rules: some alerts, and what was asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sprint.core.errors import SprintError
from tests.tools.monitor.fakes import ago

OPEN = "source:litecoin-regtest:alice is open: 3 failures in a row"
ALERTS: tuple[dict[str, Any], ...] = (
    {
        "id": "state/north/source:litecoin-regtest:alice@1", "rule": "state", "relay": "north", "text": OPEN,
        "breaker": "source:litecoin-regtest:alice", "level": "warning", "at": ago(14), "resolved_at": None,
        "acknowledged_at": None, "acknowledged_by": "", "silenced": None, "escalates_at": ago(-14_386),
        "escalated_to": None,
    },
    {
        "id": "relay/south@1", "rule": "relay", "relay": "south", "breaker": "",
        "text": "relay south is lost",
        "level": "emergency", "at": ago(900), "resolved_at": ago(840), "acknowledged_at": ago(880),
        "acknowledged_by": "anna", "silenced": None, "escalates_at": None, "escalated_to": None,
    },
)  # fmt: skip
SILENCE = {
    "id": "3f2a91c0", "rule": "*", "relay": "south", "breaker": "source:*", "from": ago(60),
    "until": ago(-7_140), "by": "anna", "why": "new disk",
}  # fmt: skip


class FakeDesk:
    """Keeps what an operator says in place of doing it."""

    def __init__(self, *alerts: dict[str, Any]) -> None:
        self.alerts = list(alerts)
        self.ended: list[str] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.silenced: list[Mapping[str, Any]] = []
        self.refuses: SprintError | None = None

    def view(self) -> dict[str, Any]:
        """Return all as `GET /api/alerts` does."""
        return {"alerts": self.alerts, "silences": self.silences(), "sinks": [], "left_out": 0}

    def silences(self) -> list[dict[str, Any]]:
        """Return the silence, until it was ended."""
        return [] if self.ended or not self.alerts else [SILENCE]

    async def acknowledge(self, alert_id: str, who: str) -> dict[str, Any]:
        """Keep who has it in hand."""
        if self.refuses is not None:
            raise self.refuses
        self.acknowledged.append((alert_id, who))
        for alert in self.alerts:
            if alert["id"] == alert_id:
                alert.update(acknowledged_at=ago(0), acknowledged_by=who, escalates_at=None)
        return {"changed": True}

    async def silence(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a silence."""
        if self.refuses is not None:
            raise self.refuses
        self.silenced.append(fields)
        return {"silence": {}}

    async def end_silence(self, silence_id: str) -> dict[str, Any]:
        """Keep which was ended."""
        self.ended.append(silence_id)
        return {"silence": SILENCE}
