"""Actions make the faults that they say, through one keeper, and take off what they put on, no more."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from sprint.core.chaos.faults import BreakerOrder, DevnetFault, Fault, Hog, PacketLoss, SourcePause, Toxic
from sprint.core.errors import ConfigError
from sprint.tools.chaos import actions
from sprint.tools.chaos.faults import FaultKeeper

PROXY = "http://127.0.0.1:1"
ADMIN = "http://127.0.0.1:2"


class StandIn:
    """Keeps what it is told, as the real one would."""

    def __init__(self) -> None:
        self.told: list[tuple[Fault, str, str, float]] = []
        self.on: dict[int, Fault] = {}
        self.remaining: list[str] = []

    def inject(self, fault: Fault, kind: str, target: str, says: str, ttl_s: float) -> int:
        assert says
        self.told.append((fault, kind, target, ttl_s))
        self.on[len(self.told)] = fault
        return len(self.told)

    def undo(self, number: int) -> None:
        self.on.pop(number, None)

    def undo_all(self) -> list[str]:
        self.on.clear()
        return self.remaining


@pytest.fixture
def keeper() -> Iterator[StandIn]:
    stand_in = StandIn()
    with actions.use_keeper(cast("FaultKeeper", stand_in)):
        yield stand_in


def test_each_action_makes_its_fault(keeper: StandIn) -> None:
    calls: list[tuple[Any, Fault, str, str]] = [
        (
            actions.add_toxic(PROXY, "a", "latency", {"latency_ms": 5}, "upstream", 0.5, target="source:x:a"),
            Toxic(PROXY, "a", {"kind": "latency", "latency_ms": 5, "direction": "upstream", "toxicity": 0.5}),
            "latency",
            "source:x:a",
        ),
        (actions.add_toxic(PROXY, "a", "down"), Toxic(PROXY, "a", {"kind": "down"}), "down", "proxy:a"),
        (
            actions.order_breaker(ADMIN, "store", "force_open"),
            BreakerOrder(ADMIN, "store", "force_open"),
            "force_open",
            "breaker:store",
        ),
        (actions.pause_source(ADMIN, "x", "a"), SourcePause(ADMIN, "x", "a"), "pause_source", "source:x:a"),
        (actions.hog("disk", 5, "/srv"), Hog("disk", 5, "/srv"), "hog_disk", "machine"),
        (
            actions.show_devnet_fault(ADMIN, "x", "stall", 3),
            DevnetFault(ADMIN, "x", "stall", 3),
            "stall",
            "devnet:x",
        ),
        (actions.drop_packets(80, 0.5), PacketLoss(80, 0.5), "packet_loss", "port:80"),
    ]
    for number, (told, fault, kind, target) in enumerate(calls, start=1):
        assert told["fault"] == number
        assert keeper.told[number - 1] == (fault, kind, target, actions.TTL_S)


def test_of_a_disk_all_but_so_much_is_taken(keeper: StandIn, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free / 2**20
    actions.hog("disk", 1.0, str(tmp_path), left_mib=free - 100.0)
    actions.hog("disk", 1.0, str(tmp_path))
    amounts = [fault.amount for fault, _, _, _ in keeper.told if isinstance(fault, Hog)]
    # Others write to this disk meanwhile.
    assert amounts[0] == pytest.approx(100.0, abs=90.0)
    assert amounts[1] == 1.0
    with pytest.raises(ConfigError, match="want an absolute path of a folder that is there"):
        actions.hog("disk", 1.0, "nowhere", left_mib=1.0)


def test_what_is_taken_off_is_what_was_put_on_there(keeper: StandIn) -> None:
    actions.add_toxic(PROXY, "a", "stall")
    actions.add_toxic(PROXY, "b", "stall")
    actions.order_breaker(ADMIN, "store", "force_open")
    actions.pause_source(ADMIN, "x", "a")
    actions.pause_source(ADMIN, "x", "b")
    actions.remove_toxics(PROXY, "a")
    actions.release_breaker(ADMIN, "other")
    actions.resume_source(ADMIN, "x", "b")
    assert list(keeper.on) == [2, 3, 4]
    actions.release_breaker(ADMIN, "store")
    assert list(keeper.on) == [2, 4]


def test_undo_all_raises_where_something_remains(keeper: StandIn) -> None:
    actions.add_toxic(PROXY, "a", "stall")
    assert actions.undo_all()["says"] == "faults put on: 1; on still: none"
    keeper.remaining = ["fault 1"]
    with pytest.raises(ConfigError, match="on still: "):
        actions.undo_all()


def test_bursts_are_each_taken_off_and_as_many_as_the_time_has(keeper: StandIn) -> None:
    told = actions.lose_in_bursts(PROXY, "a", share=0.5, period_s=0.02, lasts_s=0.1)
    assert told["says"].startswith("5 of 5 bursts")
    assert [kind for _, kind, _, _ in keeper.told] == ["packet_loss"] * 5
    assert keeper.on == {}


def test_bursts_over_a_long_time_are_no_more_than_their_limit() -> None:
    keeper, stopping = StandIn(), threading.Event()
    stopping.set()
    with actions.use_keeper(cast("FaultKeeper", keeper), stopping):
        told = actions.lose_in_bursts(PROXY, "a", share=0.5, period_s=0.2, lasts_s=3_600)
    assert told["says"] == "0 of 60 bursts of 30 s on proxy a"
    assert keeper.told == []


def test_undo_all_ends_bursts_that_are_under_way(keeper: StandIn) -> None:
    said: list[str] = []

    def lose() -> None:
        said.append(actions.lose_in_bursts(PROXY, "a", share=0.1, period_s=0.05, lasts_s=3.0)["says"])

    thread = threading.Thread(target=lose)
    thread.start()
    while not keeper.told:
        thread.join(0.001)
    actions.undo_all()
    thread.join(10.0)
    assert said
    assert not said[0].startswith("60 of")
    assert keeper.on == {}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (
            lambda: actions.order_breaker(ADMIN, "store", cast("Any", "shut")),
            "want force_open or force_close",
        ),
        (lambda: actions.hog(cast("Any", "luck"), 1), "want cpu, memory, descriptors or disk"),
        (lambda: actions.lose_in_bursts(PROXY, "a", share=1.0), "share 1 of"),
        (lambda: actions.kill_process(os.getpid(), {"command": []}), "want command, folder, address"),
        (lambda: actions.freeze_process(1), "never touched"),
        (lambda: actions.limit_descriptors(os.getpid(), 1 << 30), "which leaves it no more"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_put_on(keeper: StandIn, call: Any, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        call()
    assert keeper.told == []
