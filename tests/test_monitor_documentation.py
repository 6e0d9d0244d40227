"""The page on the monitor's API against the code: messages, limits and metrics are those that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from sprint.core.monitor.alerts.silences import (
    SILENCE_S_MAX,
    SILENCE_S_MIN,
    SILENCES_MAX,
    WHO_LENGTH_MAX,
    WHY_LENGTH_MAX,
    silence_of,
)
from sprint.core.monitor.board import BREAKERS_MAX, Board, Key, RelaySeen
from sprint.core.monitor.codec import Snapshot
from sprint.core.monitor.fleet import (
    ROWS_PER_PART_MAX,
    FleetAlert,
    FleetDelta,
    FleetMetrics,
    FleetSnapshot,
    FleetTape,
    FleetTransition,
    decode_fleet,
    encode_fleet,
    lay_on,
)
from sprint.core.monitor.happened import TRANSITIONS_MAX
from sprint.core.monitor.history import POINTS_MAX, POINTS_PER_BREAKER_MAX, TRANSITIONS_PER_BREAKER_MAX
from sprint.tools.monitor.alert_desk import VIEWED_MAX, WRITTEN_S_MAX, Desk
from sprint.tools.monitor.alert_endpoints import PAGE_DEFAULT, PAGE_MAX
from sprint.tools.monitor.alert_metrics import AlertMetrics
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.endpoints import REASONS_MAX
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.metrics import BREAKERS_TOLD_MAX, MonitorMetrics
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import HISTORIES_READ_MAX, PING_INTERVAL_S, PING_TIMEOUT_S, RECONNECT_S_MAX
from sprint.tools.monitor.recording import RECORDING_SIZE_MAX, WAITING_SIZE_MAX
from sprint.tools.monitor.service import BODY_SIZE_MAX, PORT_DEFAULT
from tests.core.monitor.rows_for_tests import row_named
from tests.test_documentation import REFERENCE

TEXT = (REFERENCE / "monitor-api.md").read_text(encoding="utf-8")
EXAMPLES = [
    line
    for block in re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_the_messages_of_the_example_follow_on_each_other() -> None:
    messages = [decode_fleet(line) for line in EXAMPLES]
    assert [type(each) for each in messages] == [FleetSnapshot, FleetTransition, FleetDelta, FleetMetrics]
    assert [each.seq for each in messages] == [7, 8, 9, 10]
    board, key = Board(), Key("main", "store")
    for line, message in zip(EXAMPLES, messages, strict=True):
        assert encode_fleet(message).decode() == line, "an example leaves out no field"
        lay_on(board, message, 0.0)
    assert board.rows[key].state == "force_open"
    assert board.rows[key].since == board.transitions(key)[0].at
    assert len(board.points(key)) == 1


def test_each_kind_of_message_has_its_row() -> None:
    kinds = (FleetSnapshot, FleetDelta, FleetTransition, FleetMetrics, FleetAlert, FleetTape)
    assert [f"| `{kind.__struct_config__.tag}` |" in TEXT for kind in kinds] == [True] * len(kinds)


def test_the_limits_that_the_page_names_are_those_of_the_code() -> None:
    mib = 1024 * 1024
    limits = (
        f"its port ({PORT_DEFAULT},",
        f"longer than {BODY_SIZE_MAX // 1024} KiB",
        f"({BREAKERS_MAX:,} are)",
        f"{POINTS_PER_BREAKER_MAX} of one and {POINTS_MAX:,} of all are kept",
        f"{TRANSITIONS_PER_BREAKER_MAX} of one and {TRANSITIONS_MAX:,} of all are kept",
        f"those relays and breakers, {REASONS_MAX} at most",
        f"no ping for {PING_TIMEOUT_S:g} s, so {PING_INTERVAL_S + PING_TIMEOUT_S:g} s after",
        f"again within {RECONNECT_S_MAX:g} s",
        f"of {HISTORIES_READ_MAX} breakers",
        f"{ROWS_PER_PART_MAX} rows each",
        f"behind by {WAITING_SIZE_MAX // mib} MiB",
        f"ends at {RECORDING_SIZE_MAX // mib // 1024} GiB",
        f"of the first {BREAKERS_TOLD_MAX} breakers",
        f"`alerts`, up to {VIEWED_MAX}, `left_out`",
        f"`limit`, {PAGE_DEFAULT} where it isn't given and {PAGE_MAX} at most",
        f"up to {WHO_LENGTH_MAX} characters",
        f"and why, up to {WHY_LENGTH_MAX} |",
        f"from `{SILENCE_S_MIN:g}s` to `{SILENCE_S_MAX / 3_600:g}h`",
        f"Beyond {SILENCES_MAX} silences",
        f"within {WRITTEN_S_MAX:g} s it is 503",
    )
    text = " ".join(TEXT.split())
    assert [said for said in limits if said not in text] == []


def test_each_metric_has_its_row(tmp_path: Path) -> None:
    monitor = Monitor()
    at = "2025-09-05T18:00:00.000Z"
    monitor.board.connected(RelaySeen(name="a", url="", connection="live", since=at))
    row = row_named("store", calls=4, failures=1, health=0.5)
    monitor.board.told("a", Snapshot(seq=1, at=at, breakers=(row,)), 0.0)
    registry = CollectorRegistry()
    registry.register(MonitorMetrics(monitor, FleetFeed(monitor)))
    monitor.alerts = Desk(monitor, AlertStore(tmp_path / "alerts.sqlite"))
    registry.register(AlertMetrics(monitor))
    told = set(re.findall(r"^# TYPE (\w+) ", generate_latest(registry).decode(), re.MULTILINE))
    assert told == set(re.findall(r"^\| `(sprint_\w+)` \|", TEXT, re.MULTILINE))


def test_each_path_has_its_row() -> None:
    paths = set(re.findall(r"^\| `[A-Z]+ ([^`]+)` \|", TEXT, re.MULTILINE))
    assert {f"/api/breakers{end}" for end in ("", "/{name}", "/{name}/metrics", "/{name}/history")} <= paths
    assert {
        "/api/breakers/{name}/state",
        "/api/breakers/{name}/config",
        "/api/alerts",
        "/api/alerts/history",
        "/api/alerts/{id}/acknowledge",
        "/api/silences",
        "/api/silences/{id}",
        "/api/health",
    } <= paths


def test_the_silence_of_the_example_is_taken() -> None:
    body = re.search(r"-d '(\{.*\})'", TEXT)
    assert body is not None
    made = silence_of(json.loads(body[1]), silence_id="1", now_unix_s=0.0, rules=["state"])
    assert (made.breaker, made.until_s) == ("source:bitcoin:*", 7_200.0)
