"""The relay's own log of a chain's events: which ones, how loud, and that good news is no warning."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from sprint.core.model import ChainStatusData, GapData, ReorgData, SourceStatusData
from sprint.tools.relay.event_notes import Noted, note
from sprint.tools.relay.proving import Prover
from tests.tools.relay.test_intake import QuietUpstream, intake_of

CHAIN = "bitcoin-regtest"


def noted(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, dict[str, Any]]]:
    return [(r.levelno, r.getMessage(), getattr(r, "fields", {})) for r in caplog.records]


@pytest.mark.parametrize(
    ("data", "level", "message", "fields"),
    [
        (
            ReorgData(7, ("aa",), ("bb", "cc"), 1),
            logging.WARNING,
            "reorg",
            {"fork_height": 7, "removed": 1, "added": 2},
        ),
        (
            GapData(3, 5, "no source has it"),
            logging.WARNING,
            "gap",
            {"from_height": 3, "to_height": 5, "reason": "no source has it"},
        ),
        (ChainStatusData("stalled", "silent"), logging.WARNING, "chain stalled", {"reason": "silent"}),
        (ChainStatusData("recovered", "a block"), logging.INFO, "chain recovered", {"reason": "a block"}),
        (
            SourceStatusData("core-1", "ready", "why"),
            logging.INFO,
            "source ready",
            {"source": "core-1", "reason": "why"},
        ),
        (
            SourceStatusData("core-1", "re-admitted", "why"),
            logging.INFO,
            "source re-admitted",
            {"source": "core-1", "reason": "why"},
        ),
        (
            SourceStatusData("core-1", "lost", "why"),
            logging.WARNING,
            "source lost",
            {"source": "core-1", "reason": "why"},
        ),
        (
            SourceStatusData("core-1", "demoted", "why"),
            logging.WARNING,
            "source demoted",
            {"source": "core-1", "reason": "why"},
        ),
        (
            SourceStatusData("core-1", "blocked", "why"),
            logging.WARNING,
            "source blocked",
            {"source": "core-1", "reason": "why"},
        ),
    ],
)
def test_each_event_is_one_line_with_its_figures_as_fields(
    data: Noted, level: int, message: str, fields: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    note(CHAIN, data)
    assert noted(caplog) == [(level, message, {"chain": CHAIN, **fields})]


def test_a_source_that_is_shut_out_is_logged_as_blocked_and_its_trial_is_not_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        prover = Prover()
        intake = intake_of(prover, lambda _: None)
        intake.source_ready("n", QuietUpstream())
        intake.source_lost("n", "it lied", blocked=True)
        intake.source_ready("n", QuietUpstream())
        intake.close()
        prover.close()

    caplog.set_level(logging.DEBUG)
    asyncio.run(main())
    # Back, it is on trial: no event yet says so.
    assert [(level, message) for level, message, _ in noted(caplog) if message.startswith("source")] == [
        (logging.DEBUG, "source connected"),
        (logging.INFO, "source ready"),
        (logging.DEBUG, "source disconnected"),
        (logging.WARNING, "source blocked"),
        (logging.DEBUG, "source connected"),
    ]
