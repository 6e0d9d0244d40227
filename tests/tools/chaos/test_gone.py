"""Who takes a fault off and who looks whether it is off know the same undos, and ask who shows it."""

from __future__ import annotations

import typing
from pathlib import Path

import httpx
import pytest

from sprint.core.chaos.fault_spans import fault_spans
from sprint.core.chaos.faults import DevnetFault, names_of, undo_of
from sprint.core.chaos.journal import Planned
from sprint.core.chaos.topology import BlastRadius
from sprint.core.chaos.undo import EndDevnetFault, Undo
from sprint.core.errors import UndoFailed
from sprint.tools.chaos import gone, undoing
from sprint.tools.chaos.faults import FaultKeeper
from sprint.tools.chaos.gone import check_gone
from sprint.tools.chaos.undoing import undo
from tests.integration.devnet_process import DevnetProcess

CHAIN = "litecoin-regtest"


def test_each_undo_can_be_done_and_looked_at() -> None:
    kinds = set(typing.get_args(Undo))
    assert set(undoing._ACTS) == kinds
    assert set(gone._LOOKS) == kinds


def planned(fault: DevnetFault) -> Planned:
    undo = undo_of(fault, names_of("20261122T010203-7f3a", 1, fault))
    return Planned(1, fault.fault, "devnet", "", 0.0, 1.0, undo)


def test_a_devnet_fault_is_not_declared_gone_while_its_node_shows_it(tmp_path: Path) -> None:
    with DevnetProcess(CHAIN, beside=True, control=True) as devnet:
        url = f"http://127.0.0.1:{devnet.addresses['control_port']}"
        behind, drip = DevnetFault(url, CHAIN, "clock_behind"), DevnetFault(url, CHAIN, "drip")
        with FaultKeeper(tmp_path) as faults:
            number = faults.inject(behind, "clock_behind", "devnet", "")
            faults.inject(DevnetFault(url, CHAIN, "fork"), "fork", "devnet", "")
            shown = check_gone(planned(behind))
            assert (shown.gone, "shows clock_behind: it ends by itself in " in shown.says) == (False, True)
            faults.undo(number)
            told = httpx.get(f"{url}/api/devnet/{CHAIN}", trust_env=False).json()
            assert told["faults"] == []
            assert check_gone(planned(behind)).gone
        spans = fault_spans(faults.journal.read(), 0.0, BlastRadius())
        assert [(each.kind, each.removed_by) for each in spans] == [
            ("clock_behind", "tool"),
            ("fork", "itself"),
        ]
    assert check_gone(planned(drip)).gone


def test_a_devnet_that_can_not_end_its_fault_is_no_reason_to_call_it_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def old(method: str, *_: object) -> undoing.Answer:
        found = {"faults": [{"fault": "stall", "amount": 9, "left_s": 7.25}]}
        return undoing.Answer(200, found) if method == "GET" else undoing.Answer(404, {})

    monkeypatch.setattr(undoing, "asked", old)
    one = EndDevnetFault("http://127.0.0.1:1", CHAIN, "stall")
    with pytest.raises(UndoFailed, match=r"can't end stall: it ends by itself in 7\.2 s"):
        undo(one)
    assert not check_gone(planned(DevnetFault(one.control_url, CHAIN, "stall"))).gone
