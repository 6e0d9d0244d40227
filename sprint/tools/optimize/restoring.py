"""Puts back what a journal says was there, the last change first; also after a crash, also on another day.

What may be put back: keys that have an actuator, values that it takes, on threads that are still the same
ones, in the same boot of the kernel. Everything else is told and left alone. A host's setting that is neither
what was set nor what was there was set by somebody else since: theirs stays.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sprint.core.errors import StoreFailing
from sprint.core.optimize.journal import Journal
from sprint.core.optimize.remedy import refusal
from sprint.core.optimize.setting import Entry, Outcome, Process, Refusal, Setting, State, Value
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.journal import journals_in, locked, read_file
from sprint.tools.optimize.threads import boot_id, group_of, lives, threads_of

# The key of an outcome that is about a journal itself.
JOURNAL_KEY = "journal"
WHY = "as it was before"
# The worst first: what a setting of many threads is, where they differ.
_WORST: tuple[State, ...] = ("denied", "drifted", "unsupported", "applied")


class _Result(msgspec.Struct, frozen=True):
    """What became of one entry."""

    state: State
    found: Value | None = None
    refusal: Refusal | None = None
    says: str = ""


def restore_all(
    journal_folder: Path,
    *,
    dead_only: bool = False,
    actuators: Mapping[str, Actuator] = SYSTEM_ACTUATORS,
) -> tuple[Outcome, ...]:
    """Put back all that any run of this user has changed; with `dead_only`, of runs that have ended.

    Never raises for what can't be put back: an outcome says so, and its journal stays for another try. States
    are those of what is restored: `applied` is read back as before, `unsupported` has nothing left to be
    put back to (the process ended, the host was started anew), `drifted` is somebody else's by now.
    """
    if not journal_folder.is_dir():
        return ()
    try:
        with locked(journal_folder):
            return tuple(_restore_folder(journal_folder, actuators, dead_only=dead_only))
    except StoreFailing as error:
        return (_told("denied", str(error)),)


def put_back(
    entries: Sequence[Entry], actuators: Mapping[str, Actuator], others: frozenset[str] = frozenset()
) -> list[Outcome]:
    """Put entries back, the last first, one outcome for each setting.

    `others` are the host's settings that another run still holds: it undoes them when it ends.
    """
    groups = itertools.groupby(reversed(entries), key=lambda entry: entry.key)
    return [_put_back_setting(key, list(group), actuators.get(key), others) for key, group in groups]


def host_keys_held(folder: Path, own: Path | None, *, dead_too: bool = False) -> dict[str, Entry]:
    """Return the host's settings that other runs which live have changed, with what the oldest undoes to.

    With `dead_too` also what runs left behind that were killed.
    """
    held: dict[str, Entry] = {}
    for path in journals_in(folder):
        try:
            journal = read_file(path)
        except StoreFailing:
            continue
        header = journal.header
        if path == own or header is None or header.boot_id != boot_id():
            continue
        if not (dead_too or lives(header.holder)):
            continue
        held.update({entry.key: entry for entry in journal.entries if entry.process is None})
    return held


def _restore_folder(folder: Path, actuators: Mapping[str, Actuator], *, dead_only: bool) -> Iterator[Outcome]:
    for path in journals_in(folder):
        try:
            journal = read_file(path)
        except StoreFailing as error:
            yield _told("denied", str(error))
        else:
            yield from _restore_file(path, journal, actuators, dead_only=dead_only)


def _restore_file(
    path: Path, journal: Journal, actuators: Mapping[str, Actuator], *, dead_only: bool
) -> Iterator[Outcome]:
    if dead_only and journal.header is not None and lives(journal.header.holder):
        return
    for said in journal.unreadable:
        yield _told("denied", f"{path}: {said}; not undone: look at the file, then delete it")
    if journal.torn:
        yield _told("unsupported", f"{path}: its last line was torn by a crash; no change was made for it")
    done: list[Outcome] = []
    if journal.header is not None and journal.header.boot_id != boot_id():
        yield _told("unsupported", f"{path}: of an earlier boot, which ended all that it set")
    else:
        others = frozenset(host_keys_held(path.parent, path)) if dead_only else frozenset()
        done = put_back(journal.entries, actuators, others)
    yield from done
    if not journal.unreadable and not any(outcome.state == "denied" for outcome in done):
        path.unlink(missing_ok=True)


def _put_back_setting(
    key: str, entries: list[Entry], actuator: Actuator | None, others: frozenset[str]
) -> Outcome:
    """Put one setting back, on all threads that it was changed for, and on those made since."""
    first = entries[-1]
    setting = Setting(
        key=key, value=first.before, scope="host" if first.process is None else "process", why=WHY
    )
    if actuator is None:
        return Outcome(
            setting=setting, state="denied", says=f"{key!r}: no setting of this program; left alone"
        )
    if first.process is None and key in others:
        return Outcome(
            setting=setting,
            state="applied",
            says="another run holds it as well, and puts it back when it ends",
        )
    results = [_put_back_entry(entry, actuator) for entry in entries]
    results += [_put_back_entry(entry, actuator) for entry in _made_since(entries, actuator)]
    worst = min(results, key=lambda result: _WORST.index(result.state))
    return Outcome(
        setting=setting, state=worst.state, before=first.wanted,
        found=worst.found, refusal=worst.refusal, says=worst.says,
    )  # fmt: skip


def _put_back_entry(entry: Entry, actuator: Actuator) -> _Result:
    if actuator.host != (entry.process is None):
        return _Result("denied", says=f"{entry.key}: names a process for the host, or none for a process")
    if not actuator.valid(entry.before):
        return _Result(
            "denied", says=f"{entry.key}: {_short(entry.before)} is no value it can be put back to"
        )
    if entry.process is None:
        return _put_back_host(entry, actuator)
    if not lives(entry.process):
        return _Result("unsupported", says="the process or thread has ended, and its settings with it")
    pid = entry.process.pid
    if actuator.inside and group_of(pid) != os.getpid():
        return _Result(
            "denied", says=f"only process {group_of(pid)} itself can put it back; it does when it ends"
        )
    return _written(entry, actuator, pid)


def _put_back_host(entry: Entry, actuator: Actuator) -> _Result:
    try:
        found = actuator.read(0)
    except OSError as error:
        return _refused(entry, error)
    if not actuator.held and found not in {entry.before, entry.wanted}:
        return _Result("drifted", found, says=f"somebody has set it to {found} since: left alone")
    return _written(entry, actuator, 0)


def _written(entry: Entry, actuator: Actuator, pid: int) -> _Result:
    """Write back, and read whether it is so. A thread that ends meanwhile has nothing left to be put back."""
    try:
        if actuator.held or actuator.read(pid) != entry.before:
            actuator.write(pid, entry.before)
        found = actuator.read(pid)
    except OSError as error:
        return _refused(entry, error)
    if found != entry.before and not actuator.held:
        said = f"written back, but read as {_short(found)}"
        return _Result("denied", found, refusal(entry.key, errno.EPERM, entry.before), said)
    return _Result("applied", found)


def _refused(entry: Entry, error: OSError) -> _Result:
    if error.errno in {errno.ESRCH, errno.ENOENT} and entry.process is not None:
        return _Result("unsupported", says="the process or thread has ended, and its settings with it")
    why = refusal(entry.key, error.errno or 0, entry.before)
    return _Result("denied", refusal=why, says=error.strerror or str(error))


def _made_since(entries: list[Entry], actuator: Actuator) -> list[Entry]:
    """Return entries for threads that were made after the change: they have it from who made them."""
    if actuator.threads != "all":
        return []
    known = {entry.process for entry in entries}
    main = next(
        (entry for entry in entries if entry.process and lives(entry.process) and _is_main(entry)), None
    )
    if main is None or main.process is None:
        return []
    since: list[Process] = [thread for thread in threads_of(main.process.pid) if thread not in known]
    return [msgspec.structs.replace(main, process=thread) for thread in since]


def _is_main(entry: Entry) -> bool:
    return entry.process is not None and group_of(entry.process.pid) == entry.process.pid


def _told(state: State, says: str) -> Outcome:
    setting = Setting(key=JOURNAL_KEY, value="", scope="host", why=WHY)
    return Outcome(setting=setting, state=state, says=says)


def _short(value: Value) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
