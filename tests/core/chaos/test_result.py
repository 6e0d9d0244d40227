"""A result goes through JSON whole, its schema is the published one, and its verdict is what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprint.core.chaos import result as result_module
from sprint.core.chaos.observation import Phases
from sprint.core.chaos.result import (
    EXIT_CODES,
    ActivityDone,
    GoneCheck,
    decode_result,
    encode_result,
    result_schema,
)
from sprint.core.chaos.timeline import LANES_MAX, timeline_of
from sprint.core.chaos.verdict import Judged, verdict_of
from sprint.core.errors import ConfigError
from tests.core.chaos.results import ACTIVITIES, result
from tests.core.chaos.run_stories import CHAIN, REMOVED_S, Story, breaker, facts, fault, observed

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "chaos-result.schema.json"


@pytest.mark.parametrize(
    "story", [Story(), Story(steady_s=None, closes_s=None, false_opens=2, chain_stops=True)]
)
def test_a_result_goes_through_json_whole(story: Story) -> None:
    made = result(story)
    assert decode_result(encode_result(made)) == made


def test_a_result_of_a_run_that_never_began_goes_through_json_too() -> None:
    bare = result(
        dependencies=None, predicted=None, observed=None, facts=None, score=None, phases=Phases(0.0),
        verdict="could_not_run",
    )  # fmt: skip
    assert decode_result(encode_result(bare)) == bare


def test_the_published_schema_is_that_of_the_code() -> None:
    assert msgspec.json.decode(SCHEMA.read_bytes()) == result_schema()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"version": 2}', b"\xff"])
def test_what_is_no_result_is_refused_by_the_name_of_its_file(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"run\.json: no result"):
        decode_result(data, "run.json")


def test_a_file_above_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_module, "RESULT_SIZE_MAX", 10)
    with pytest.raises(ConfigError, match="11 bytes, the limit of a result is 10"):
        decode_result(b" " * 11)


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, "met", "held again 1.00 s after"),
        ({"facts": facts(Story(steady_s=None))}, "not_met", "did not come back"),
        ({"facts": facts(Story(steady_s=REMOVED_S + 5.1))}, "not_met", "took 5.10 s, 5 s are allowed"),
        ({"facts": facts(Story(steady_s=REMOVED_S + 5.1)), "sla_judged": False}, "met", "5.10 s"),
        ({"facts": facts(Story(blocks_lost=1))}, "not_met", "the stream is not whole"),
        ({"left_behind": ["toxic x"]}, "not_met", "a fault is left: toxic x"),
        ({"gone": [GoneCheck(fault=1, gone=False, says="process 7 is stopped")]}, "not_met", "is on still"),
        ({"aborted": "health failing"}, "aborted", "health failing"),
        ({"could_not": "no relay there"}, "could_not_run", "no relay there"),
    ],
)
def test_a_verdict_says_what_happened(changes: dict[str, Any], verdict: str, words: str) -> None:
    judged: dict[str, Any] = {"activities": ACTIVITIES, "facts": facts(Story())} | changes
    found, reason = verdict_of(Judged(**judged))
    assert found == verdict
    assert words in reason


@pytest.mark.parametrize(
    ("phase", "verdict"), [("before", "could_not_run"), ("after", "not_met"), ("method", "not_met")]
)
def test_a_probe_that_does_not_hold_counts_by_its_phase(phase: Any, verdict: str) -> None:
    failed = ActivityDone(
        phase=phase, type="probe", name="ready", begun_s=0, ended_s=1, output=False, tolerated=False
    )
    found, reason = verdict_of(Judged(activities=[failed], facts=facts(Story())))
    assert found == verdict
    assert "ready gave False" in reason


def test_a_fault_that_was_refused_says_nothing_of_the_relay_unless_more_went_wrong() -> None:
    refused = ActivityDone(
        phase="method", type="action", name="take 9 MiB", begun_s=0, ended_s=1, error="at most 7 MiB"
    )
    none_on = msgspec.structs.replace(facts(Story()), faults=())
    found, reason = verdict_of(Judged(activities=[refused], facts=none_on))
    assert found == "could_not_run"
    assert reason == "no fault was put on: during the run take 9 MiB gave 'at most 7 MiB'"
    assert verdict_of(Judged(activities=[refused], facts=facts(Story())))[0] == "not_met"
    lost = msgspec.structs.replace(facts(Story(blocks_lost=1)), faults=())
    assert verdict_of(Judged(activities=[refused], facts=lost))[0] == "not_met"


def test_the_exit_code_follows_the_verdict() -> None:
    codes = {verdict: result(verdict=verdict).exit_code for verdict in EXIT_CODES}
    assert codes == {"met": 0, "not_met": 1, "aborted": 1, "could_not_run": 3}


def test_a_timeline_has_each_state_with_its_times() -> None:
    line = timeline_of(observed(Story()), [fault(Story())])
    lanes = {(lane.kind, lane.name): lane.spans for lane in line.lanes}
    states = [(span.from_s, span.to_s, span.state) for span in lanes["breaker", breaker("alice")]]
    assert states == [(0.0, 24.0, "closed"), (24.0, 42.0, "open"), (42.0, 60.0, "closed")]
    assert [span.state for span in lanes["source", f"{CHAIN}:bob"]] == ["ready"]
    (on,) = lanes["fault", f"freeze {breaker('alice')}"]
    assert (on.from_s, on.to_s) == (10.0, 40.0)
    assert sum(line.delivered[0].counts) == 59


def test_a_relay_that_gave_no_answer_shows_in_every_lane() -> None:
    line = timeline_of(observed(Story(unanswered=3)), [])
    assert all("no answer" in {span.state for span in lane.spans} for lane in line.lanes)


def test_of_too_many_lanes_those_that_changed_are_kept() -> None:
    seen = observed(Story())
    many = tuple(
        msgspec.structs.replace(
            each,
            breakers=(
                *(msgspec.structs.replace(each.breakers[1], name=f"b{n}") for n in range(LANES_MAX)),
                *each.breakers,
            ),
        )
        for each in seen.samples
    )
    line = timeline_of(msgspec.structs.replace(seen, samples=many), [])
    assert len(line.lanes) == LANES_MAX
    assert line.lanes_left_out == 7
    assert breaker("alice") in {lane.name for lane in line.lanes}
