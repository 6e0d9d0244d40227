"""The pages on breakers say what the code does: diagram, figures, limits, and examples that run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from sprint.core.breaker import group, lane, machine, policy_table, registry
from sprint.tools.breaker import CircuitBreaker, circuit_breaker, listeners
from sprint.tools.relay import breaker_metrics
from tests.breaker_pages import DOCS, MACHINE_PAGE, REFERENCE_PAGE, filled

HOWTO = DOCS / "howto" / "guard-your-own-code.md"


@pytest.mark.parametrize("page", [MACHINE_PAGE, REFERENCE_PAGE], ids=lambda page: page.stem)
def test_what_is_taken_from_the_code_is_as_it_is_now(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(page) == text, "python -m tests.breaker_pages writes it"


def test_the_examples_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", HOWTO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    program = tmp_path / "examples.py"
    program.write_text("\n".join(blocks), encoding="utf-8")
    assert isinstance(runpy.run_path(str(program))["breaker"], CircuitBreaker)


def test_every_face_and_every_limit_is_listed() -> None:
    text = REFERENCE_PAGE.read_text(encoding="utf-8")
    properties = {"name", "state", "policy"}
    for name in dir(CircuitBreaker):
        if not name.startswith("_") and name not in properties:
            assert f"`{name}(" in text, name
    for limit in (
        registry.BREAKERS_MAX,
        group.MEMBERS_MAX,
        policy_table.POLICIES_MAX,
        listeners.LISTENERS_MAX,
        listeners.WAITING_MAX,
        machine.TRANSITIONS_KEPT_MAX,
        circuit_breaker.RECORDED_CALLS_MAX,
        lane.LANE_CALLS_MAX,
        breaker_metrics.BREAKERS_TOLD_MAX,
    ):
        assert f"| {limit:,}" in text, limit
