"""The page on how faults come off says what the code does: its journal reads, its figures are the code's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sprint.core.chaos.faults import TTL_S_MAX
from sprint.core.chaos.journal import FAULTS_PER_RUN_MAX, Line, encode_line, read_journal
from sprint.core.chaos.undo import FILE_NAME_START, TABLE_NAME_START
from sprint.tools.chaos import hogs, injecting, journal_file, keeper, rollback, taking_off

PAGE = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "faults-are-undone.md"
TEXT = PAGE.read_text("utf-8")


def test_the_journal_shown_is_one_and_written_so() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    known = read_journal(shown.encode())
    assert known.run is not None
    assert known.ended
    lines: list[Line] = [known.run, known.planned[1], known.injected[1], known.undone[1]]
    assert shown.encode().startswith(b"".join(map(encode_line, lines)))


@pytest.mark.parametrize(
    "said",
    [
        f"within {keeper.LOOK_S:g} s",
        f"the keeper {keeper.UNDO_TRIES_MAX} times",
        f"taken off twice, {taking_off.IN_FLIGHT_S:g} s apart",
        f"by itself {injecting.TOXIC_GRACE_S:g} s after its time",
        f"what\nit doesn't take off in {rollback.HALT_WAIT_S_MAX:g} s",
        f"A run has {FAULTS_PER_RUN_MAX} faults at most",
        f"a folder keeps {journal_file.JOURNALS_KEPT_MAX} journals",
        f"what is free but {hogs.RESERVE_MIB * 1024:g} KiB",
        f"{hogs.RESERVE_BESIDE_JOURNAL_MIB:g} MiB stay",
        f"{hogs.DESCRIPTORS_SHARE_MAX:.0%} of the hard limit".replace("%", " %"),
        f"`{FILE_NAME_START}`",
        f"`{TABLE_NAME_START}`",
        f"${journal_file.FOLDER_VARIABLE}",
    ],
)
def test_figures_and_names_are_those_of_the_code(said: str) -> None:
    assert said in TEXT


def test_figures_that_stand_as_words_are_those_of_the_code() -> None:
    assert (TTL_S_MAX, taking_off.PASSES_MAX, hogs.CORES_FACTOR_MAX, hogs.MEMORY_SHARE_MAX) == (
        3600,
        3,
        2,
        0.5,
    )
    for said in (
        "an hour at most",
        "by the tool three times",
        "two for each core",
        "half of what is available",
    ):
        assert said in TEXT
