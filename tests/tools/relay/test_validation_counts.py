"""What was judged, as metrics: by chain, refusals by check, and rising as the pipeline goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from sprint.core.relay.tally import Refusal, Tally
from sprint.tools.relay.validation_counts import ValidationCounts


def test_counts_follow_the_tally_and_refusals_stand_by_their_check() -> None:
    tally = Tally()
    book = SimpleNamespace(proving_bodies={b"a", b"b"})
    pipeline = SimpleNamespace(state=SimpleNamespace(tally=tally, book=book))
    chains: Any = {"bitcoin": SimpleNamespace(intake=SimpleNamespace(pipeline=pipeline))}
    registry = CollectorRegistry()
    registry.register(ValidationCounts(chains))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {"chain": "bitcoin", **labels})

    assert value("sprint_blocks_failed_total") == 0
    assert value("sprint_validation_errors_total", check="merkle_root") is None
    tally.refuse_block(Refusal(bytes(32), "a", "merkle_root", "not it"))
    tally.refuse_header(Refusal(bytes(32), "a", "difficulty", "too easy"))
    tally.blocks_accepted += 3
    tally.verdicts_known += 1
    assert value("sprint_blocks_failed_total") == 1
    assert value("sprint_headers_failed_total") == 1
    assert value("sprint_blocks_processed_total") == 3
    assert value("sprint_verdict_hits_total") == 1
    assert value("sprint_validation_errors_total", check="merkle_root") == 1
    assert value("sprint_validation_errors_total", check="difficulty") == 1
    assert value("sprint_blocks_in_work") == 2
