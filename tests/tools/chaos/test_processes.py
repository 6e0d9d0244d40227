"""A limit of descriptors leaves a process as many as it is told to, whatever it has open."""

from __future__ import annotations

import errno
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.tools.chaos import actions
from sprint.tools.chaos.processes import descriptor_limit, descriptor_limit_leaving, name_of, nth_free

WAIT_S = 10.0
# It has a gap amid what it has open, and keeps what it opens for each line that it reads.
OPENER = """
import os, sys
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(6)]
os.close(kept[2])
print("ready", flush=True)
for _ in sys.stdin:
    try:
        print(os.open("/dev/null", os.O_RDONLY), flush=True)
    except OSError as error:
        print(-error.errno, flush=True)
"""


def number(opener: subprocess.Popen[str]) -> int:
    """Have it open a file; its number, or minus the error's."""
    assert opener.stdin is not None
    assert opener.stdout is not None
    opener.stdin.write("\n")
    opener.stdin.flush()
    return int(opener.stdout.readline())


@pytest.mark.parametrize("spare", [0, 1, 3])
def test_a_process_opens_as_many_as_were_left_to_it_gaps_among_them(
    spare: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRINT_CHAOS_JOURNAL", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as opener:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
        before = descriptor_limit(name_of(opener.pid))
        actions.limit_descriptors(opener.pid, spare)
        assert [number(opener) > 0 for _ in range(spare)] == [True] * spare
        assert number(opener) == -errno.EMFILE
        actions.undo_all()
        assert number(opener) > 0
        assert descriptor_limit(name_of(opener.pid)) == before
        name = name_of(opener.pid)
        with pytest.raises(ConfigError, match="which leaves it no more"):
            actions.limit_descriptors(opener.pid, 1 << 21)
        opener.kill()
        opener.wait(WAIT_S)
        assert descriptor_limit_leaving(name, 1) is None


@given(st.sets(st.integers(0, 40)), st.integers(0, 60))
def test_the_number_at_a_place_is_that_of_counting(taken: set[int], place: int) -> None:
    free = (number for number in itertools.count() if number not in taken)
    assert nth_free(taken, place) == next(itertools.islice(free, place, None))


def test_a_large_spare_took_half_a_minute_to_be_counted_to() -> None:
    assert nth_free({0, 1, 2, 7}, 1 << 60) == (1 << 60) + 4
