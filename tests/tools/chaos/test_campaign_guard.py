"""What a campaign's guard sees, and what it keeps from beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sprint.core.errors import ConfigError, FaultError
from sprint.tools.chaos.campaign_guard import DETOURS_OVER, HALTED, CampaignGuard
from sprint.tools.chaos.journal_file import journals_in
from sprint.tools.chaos.rollback import halt_all, rollback

RELAY = "http://127.0.0.1:8081"


class MadeUpKeeper:
    """A keeper of detours that are on, until a test has them off, or has it die."""

    def __init__(self) -> None:
        self.detours, self.dead, self.halted = ["alice", "bob"], False, False

    def on(self) -> list[str]:
        return self.detours

    def check(self) -> None:
        if self.dead:
            raise FaultError("the keeper (pid 7) ended with -9")


def watched(guard: CampaignGuard) -> MadeUpKeeper:
    keeper: Any = MadeUpKeeper()
    guard.watch(keeper)
    made: MadeUpKeeper = keeper
    return made


@pytest.mark.parametrize("same", [RELAY, f"{RELAY}/", "http://localhost:8081", "http://[::1]:8081"])
def test_a_relay_has_one_campaign_however_its_address_is_written(tmp_path: Path, same: str) -> None:
    with CampaignGuard(tmp_path, RELAY):
        with pytest.raises(ConfigError, match=r"what both do would be told as the relay's"):
            CampaignGuard(tmp_path, same)
        with CampaignGuard(tmp_path, "http://127.0.0.1:8082"), CampaignGuard(tmp_path, ""):
            assert len(journals_in(tmp_path)) == 3
    with CampaignGuard(tmp_path, same):
        assert len(journals_in(tmp_path)) == 1
    assert journals_in(tmp_path) == []


def test_all_campaigns_are_halted_though_they_have_no_fault_and_stay_so(tmp_path: Path) -> None:
    with CampaignGuard(tmp_path, RELAY) as one, CampaignGuard(tmp_path, "") as other:
        assert (one.reason_to_stop(), other.reason_to_stop()) == ("", "")
        assert [each.state for each in rollback(tmp_path)] == ["running", "running"]
        assert len(halt_all(tmp_path)) == 2
        assert (one.reason_to_stop(), other.stopped) == (HALTED, "")
        assert (other.reason_to_stop(), other.stopped) == (HALTED, HALTED)
    assert list(tmp_path.glob("*.halt")) == []


def test_detours_that_are_off_before_the_end_stop_a_campaign(tmp_path: Path) -> None:
    with CampaignGuard(tmp_path, RELAY) as guard:
        keeper = watched(guard)
        assert guard.reason_to_stop() == ""
        keeper.detours = ["alice"]
        assert guard.reason_to_stop() == DETOURS_OVER


def test_detours_that_a_halt_took_off_are_told_as_that(tmp_path: Path) -> None:
    with CampaignGuard(tmp_path, RELAY) as guard:
        keeper = watched(guard)
        keeper.detours, keeper.halted = [], True
        assert guard.reason_to_stop() == HALTED


def test_a_keeper_of_detours_that_died_is_named(tmp_path: Path) -> None:
    with CampaignGuard(tmp_path, RELAY) as guard:
        watched(guard).dead = True
        assert guard.reason_to_stop() == "the tool itself failed: the keeper (pid 7) ended with -9"
