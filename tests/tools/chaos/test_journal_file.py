"""The journal on a disk: what is not safely on it was never said, and nobody waits for its lock for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.chaos.journal import Ended, Injected, Planned, Run, Undone, encode_line
from sprint.core.chaos.undo import ProcessName, RemoveToxic, Undo
from sprint.core.errors import ConfigError, StoreFailing, UndoFailed
from sprint.tools.chaos import journal_file
from sprint.tools.chaos.journal_file import JournalFile, default_folder, journals_in
from sprint.tools.chaos.rollback import rollback
from sprint.tools.chaos.taking_off import take_all_off, take_off

# A pid is below 2^22 (proc(5)): this one was never given out.
GONE = ProcessName(2**22 + 1, 1)
RUN = Run("run", 0.0, GONE)


@pytest.fixture(autouse=True)
def _nothing_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprint.tools.chaos.taking_off.IN_FLIGHT_S", 0.0)
    monkeypatch.setattr("sprint.tools.chaos.taking_off.PASS_PAUSE_S", 0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[JournalFile]:
    with JournalFile.create(tmp_path, "run", RUN) as made:
        yield made


def planned(number: int) -> Planned:
    return Planned(
        number, "latency", "node", "", 0.0, 1.0, (RemoveToxic("http://127.0.0.1:1", "node", str(number)),)
    )


def taking(on: set[str]) -> Callable[[Undo], str]:
    """An undoer that takes off what is on, and finds it gone the second time."""

    def undoer(one: Undo) -> str:
        assert isinstance(one, RemoveToxic)
        if one.toxic not in on:
            return "gone"
        on.discard(one.toxic)
        return ""

    return undoer


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 40), st.integers(0, 400))
def test_a_rollback_leaves_nothing_on_wherever_the_tool_was_cut_off(
    tmp_path_factory: pytest.TempPathFactory, steps: int, torn: int
) -> None:
    folder = tmp_path_factory.mktemp("journals")
    on: set[str] = set()
    with JournalFile.create(folder, "run", RUN) as journal:
        _tool(journal, on, steps)
        next_line = encode_line(planned(99))
        with journal.path.open("ab") as file:
            file.write(next_line[: min(torn, len(next_line) - 1)])
        (found,) = rollback(folder, undoer=taking(on))
        assert (on, found.state, found.remains) == (set(), "ended", ())
        known = journal.read()
        assert (known.ended, known.open()) == (True, [])
    assert rollback(folder, undoer=taking(on)) == []


def _tool(journal: JournalFile, on: set[str], steps: int) -> None:
    """Go so many steps of putting faults on in turn, each taken off after the next one is on."""
    for move in _moves(journal, on):
        if steps == 0:
            return
        move()
        steps -= 1


def _moves(journal: JournalFile, on: set[str]) -> Iterator[Callable[[], None]]:
    for number in range(1, 9):
        yield partial(journal.add, planned(number))
        yield partial(on.add, str(number))
        yield partial(journal.add, Injected(number, 1.0))
        if number > 1:
            yield partial(on.discard, str(number - 1))
            yield partial(journal.add, Undone(number - 1, 2.0, "tool"))


def test_a_line_that_was_cut_short_is_written_over(journal: JournalFile) -> None:
    with journal.path.open("ab") as file:
        file.write(encode_line(planned(1))[:-1])
    assert journal.read().planned == {}
    journal.add(planned(2))
    assert list(journal.read().planned) == [2]


def test_the_line_is_on_the_disk_before_add_returns(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    real = os.fsync

    def syncing(descriptor: int) -> None:
        synced.append(journal.path.read_bytes())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", syncing)
    journal.add(planned(1))
    assert synced == [journal.path.read_bytes()]


def test_what_a_disk_refuses_to_sync_was_not_said(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(_: int) -> None:
        raise OSError(28, "No space left on device")

    before = journal.path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refusing)
        with pytest.raises(StoreFailing, match="No space left on device; nothing is put on without it"):
            journal.add(planned(1))
    assert journal.path.read_bytes() == before


def test_one_fault_is_taken_off_once_by_two_who_both_want_to(journal: JournalFile) -> None:
    on = {"1"}
    with JournalFile(journal.path) as other:
        journal.add(planned(1))
        journal.add(Injected(1, 1.0))
        take_off(journal, 1, "tool", taking(on))
        take_off(other, 1, "keeper", taking(on))
    assert journal.read().undone[1].by == "tool"
    assert journal.path.read_bytes().count(b'"undone"') == 1


def test_what_arrives_after_its_undo_as_its_sender_was_killed_comes_off_too(journal: JournalFile) -> None:
    on: set[str] = set()
    on_its_way = ["1"]

    def undoer(one: Undo) -> str:
        said = taking(on)(one)
        on.update(on_its_way)
        on_its_way.clear()
        return said

    journal.add(planned(1))
    take_off(journal, 1, "keeper", undoer)
    assert on == set()
    assert journal.read().undone[1].by == "keeper"


def test_a_fault_comes_off_even_while_a_stopped_process_holds_the_journal(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file.JournalFile.locked.__wrapped__, "__defaults__", (0.05,))  # type: ignore[attr-defined]
    on = {"1"}
    journal.add(planned(1))
    with JournalFile(journal.path) as other, other.locked() as held:
        assert held
        with pytest.raises(UndoFailed, match="taken off while another held the journal"):
            take_off(journal, 1, "keeper", taking(on))
        assert on == set()
    take_off(journal, 1, "keeper", taking(on))
    assert journal.read().undone[1].says == "gone"


def test_what_cannot_be_taken_off_is_named_and_the_rest_comes_off(journal: JournalFile) -> None:
    on = {"1", "3"}

    def undoer(one: Undo) -> str:
        if one == planned(2).undo[0]:
            raise UndoFailed("it does not answer")
        return taking(on)(one)

    for number in (1, 2, 3):
        journal.add(planned(number))
    (remaining,) = take_all_off(journal, "tool", undoer=undoer)
    assert (remaining.number, remaining.says, on) == (2, "it does not answer", set())
    (found,) = rollback(journal.path.parent, undoer=undoer)
    assert (found.state, found.remains) == ("remains", ("fault 2: latency on node: it does not answer",))
    assert journal.read().stuck[2].by == "rollback"


def test_newest_faults_come_off_first(journal: JournalFile) -> None:
    seen: list[str] = []

    def undoer(one: Undo) -> str:
        assert isinstance(one, RemoveToxic)
        seen.append(one.toxic)
        return ""

    for number in (1, 2, 3):
        journal.add(planned(number))
        journal.add(Injected(number, 1.0))
    assert take_all_off(journal, "tool", undoer=undoer) == []
    assert seen == ["3", "2", "1"]


def test_a_journal_that_cannot_be_read_is_named_and_the_others_are_rolled_back(tmp_path: Path) -> None:
    JournalFile.create(tmp_path, "b", RUN).close()
    (tmp_path / "a.ndjson").write_bytes(b"no journal\n")
    first, second = rollback(tmp_path)
    assert (first.run, first.state) == ("a", "unreadable")
    assert first.remains[0].startswith("line 1: ")
    assert (second.run, second.state) == ("b", "ended")
    assert rollback(tmp_path / "nowhere") == []


def test_the_oldest_journals_go_but_never_one_that_has_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "JOURNALS_KEPT_MAX", 3)
    for name in "abcdef":
        with JournalFile.create(tmp_path, name, RUN) as made:
            if name != "b":
                made.add(Ended(1.0))
    assert [path.stem for path in journals_in(tmp_path)] == ["b", "d", "e", "f"]


def test_a_journal_is_its_owners_alone_and_never_a_link(tmp_path: Path, journal: JournalFile) -> None:
    assert journal.path.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link.ndjson"
    link.symlink_to(journal.path)
    with pytest.raises(StoreFailing, match="symbolic links"):
        JournalFile(link)
    with pytest.raises(StoreFailing, match="exists"):
        JournalFile.create(tmp_path, "run", RUN)


def test_the_folder_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPRINT_CHAOS_JOURNAL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "sprint" / "chaos"
    monkeypatch.setenv("SPRINT_CHAOS_JOURNAL", "/srv/journals")
    assert default_folder() == Path("/srv/journals")


FULL_DISK = """
import sys
from pathlib import Path
from sprint.core.chaos.faults import Hog
from sprint.core.errors import StoreFailing
from sprint.tools.chaos.faults import FaultKeeper
folder = Path(sys.argv[1])
faults = FaultKeeper(folder)
filler = (folder / "filler").open("wb", buffering=0)
for size in (4096, 1):
    try:
        while True:
            filler.write(bytes(size))
    except OSError:
        pass
before = faults.journal.path.read_bytes()
room = 4096 - len(before) % 4096
said = ""
try:
    faults.inject(Hog("memory", 1.0), "memory", "here", "x" * (room + 100))
except StoreFailing as error:
    said = str(error)
assert "No space left on device; nothing is put on without it" in said, said
assert faults.journal.path.read_bytes() == before
assert not faults.on() and not faults._hogs
(folder / "filler").unlink()
assert faults.close() == []
print("nothing was put on")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system of its own wants root")
def test_a_full_disk_under_the_journal_means_that_nothing_is_put_on(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, FULL_DISK],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "nothing was put on\n", done.stderr


def test_a_journal_that_grew_over_its_limit_is_refused(
    journal: JournalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(journal.path.read_bytes())
    monkeypatch.setattr(journal_file, "SIZE_MAX", size + len(encode_line(planned(1))))
    journal.add(planned(1))
    with pytest.raises(ConfigError, match="begin another run"):
        journal.add(planned(2))
