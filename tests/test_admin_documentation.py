"""The page on the admin API against the code: each field has its row, each example is taken or told so."""

from __future__ import annotations

import re

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.monitor.codec import (
    Delta,
    Message,
    Metrics,
    Snapshot,
    TransitionTold,
    applied,
    decode,
    encode,
    row_fields,
)
from sprint.core.monitor.history import POINTS_PER_BREAKER_MAX, TRANSITIONS_PER_BREAKER_MAX
from sprint.core.monitor.orders import ACTIONS, OPERATOR, REASON_LENGTH_MAX, order_of
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow
from sprint.core.relay.source_url import parse_source
from sprint.tools.breaker_api.feed import METRICS_INTERVAL_S, POINTS_PER_MESSAGE_MAX
from sprint.tools.relay.admin_api import BODY_SIZE_MAX, REASONS_MAX
from sprint.tools.relay.admin_sources import ACTIONS as SOURCE_ACTIONS
from sprint.tools.relay.live_sources import SOURCES_MAX, made_of
from tests.test_documentation import REFERENCE

TEXT = (REFERENCE / "admin-api.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)


def under(heading: str) -> str:
    """The text under a heading of any level, up to the next heading."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def names(heading: str) -> set[str]:
    """The names in the first cells of the tables under a heading; a cell may have several."""
    return {name for cell in _ROW.findall(under(heading)) for name in re.findall(r"`([^`]+)`", cell)}


def examples(heading: str) -> list[str]:
    """The lines of JSON under a heading."""
    blocks = re.findall(r"^```json\n(.*?)^```", under(heading), flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def fields(record: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(record)}


def test_each_field_of_what_is_shown_has_its_row() -> None:
    assert names("Breakers") == fields(BreakerRow)
    assert names("Figures over time") == fields(MetricsPoint)
    assert names("Transitions") == fields(TransitionRow)
    assert names("Orders") == set(ACTIONS)
    kinds = {str(kind.__struct_config__.tag) for kind in (Snapshot, Delta, TransitionTold, Metrics)}
    assert names("Watching") == kinds
    assert set(SOURCE_ACTIONS) <= set(re.findall(r"[a-z]+", under("Sources")))


def test_the_messages_of_the_example_follow_on_each_other() -> None:
    messages: list[Message] = [decode(line) for line in examples("Watching")]
    assert [type(each) for each in messages] == [Snapshot, TransitionTold, Delta, Metrics]
    assert [each.seq for each in messages] == [41, 42, 43, 44]
    snapshot, transition, delta, metrics = messages
    assert isinstance(snapshot, Snapshot)
    assert isinstance(transition, TransitionTold)
    assert isinstance(delta, Delta)
    assert isinstance(metrics, Metrics)
    laid = applied({row.name: row_fields(row) for row in snapshot.breakers}, delta)
    row = msgspec.convert(laid["store"], BreakerRow)
    told = transition.transition
    assert (row.state, row.since, row.evidence) == (told.to_state, told.at, told.evidence)
    assert metrics.points["store"].state == row.state
    for line, message in zip(examples("Watching"), messages, strict=True):
        assert msgspec.json.decode(line) == msgspec.json.decode(encode(message)), (
            "an example leaves out no field"
        )


def test_the_bodies_of_the_examples_are_taken() -> None:
    order, laid, *of_sources = (
        msgspec.json.decode(line)
        for heading in ("Orders", "Changing a breaker's figures", "Sources")
        for line in examples(heading)
    )
    assert order_of(order).action == "force_open"
    assert policy_with(Policy(), laid).backoff.longest_s == 60.0
    add, pause = of_sources
    assert parse_source(made_of(add)).name == "carol"
    assert order_of(pause, SOURCE_ACTIONS).action == "pause"


def test_the_limits_that_the_page_names_are_those_of_the_code() -> None:
    limits = {
        f"longer than {BODY_SIZE_MAX // 1024} KiB": TEXT,
        f"up to {REASON_LENGTH_MAX} characters": under("Orders"),
        f"`{OPERATOR}: its disk is": " ".join(under("Orders").split()),
        f'"interval_s": {METRICS_INTERVAL_S}': under("Figures over time"),
        f"newest {POINTS_PER_BREAKER_MAX} are kept": under("Figures over time"),
        f"newest {TRANSITIONS_PER_BREAKER_MAX} are kept": under("Transitions"),
        f"{POINTS_PER_MESSAGE_MAX} in a message": under("Watching"),
        f"there are {SOURCES_MAX} sources at most": under("Sources"),
        f"why, {REASONS_MAX} at most": under("Health"),
    }
    assert [said for said, text in limits.items() if said not in text] == []
