"""Applies settings to a target: reads what is there, writes that down, changes, and reads back.

What was there goes into the journal before anything is changed, all of it in one write that is on the disk
first. Nothing is raised for a refusal: it is an outcome, and the rest goes on.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from sprint.core.errors import StoreFailing, UpstreamError
from sprint.core.optimize.plan import NOT_FROM_OUTSIDE, TargetKind
from sprint.core.optimize.remedy import refusal
from sprint.core.optimize.setting import SO_ALREADY, Entry, Outcome, Process, Refusal, Setting, Value
from sprint.tools.optimize.actuators import SYSTEM_ACTUATORS
from sprint.tools.optimize.actuators.actuator import Actuator
from sprint.tools.optimize.drift import look_again
from sprint.tools.optimize.guard import let_overrun_kill, step_down_on_overrun
from sprint.tools.optimize.journal import journal_folder_default, locked, write_journal
from sprint.tools.optimize.restoring import host_keys_held, put_back, restore_all
from sprint.tools.optimize.threads import is_of_kernel, lives, process_of, threads_of

__all__ = ["Applied", "Target", "apply", "journal_folder_default", "restore_all"]

# A real-time policy without its guard could wedge the machine.
NEEDS = {"scheduler": "realtime_guard"}
UNGUARDED = "not without its guard: realtime_guard was not applied"
NO_JOURNAL = "nothing that outlasts this process is changed without a journal"
THREAD_ROUNDS_MAX = 5
_NOT_THERE = frozenset({errno.ENOSYS, errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.ENXIO})


class Target(msgspec.Struct, frozen=True):
    """Whom settings are for: this process, or another that runs. `process` can't be taken for another."""

    kind: TargetKind
    process: Process

    @property
    def pid(self) -> int:
        return self.process.pid

    @classmethod
    def of_self(cls) -> Target:
        """Return this process."""
        return cls("self", _there(os.getpid()))

    @classmethod
    def of_process(cls, pid: int) -> Target:
        """Return another process, or this one by its id. UpstreamError where there is none, or no program."""
        if is_of_kernel(pid):
            raise UpstreamError(f"process {pid} is a thread of the kernel's own: name one of a program")
        return cls("self" if pid == os.getpid() else "process", _there(pid))


class Applied:
    """What came of an apply, and its way back. One owner, no locks."""

    def __init__(
        self,
        outcomes: Sequence[Outcome],
        entries: Sequence[Entry],
        journal: Path | None,
        target: Target,
        actuators: Mapping[str, Actuator],
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.target = target
        self._entries = tuple(entries)
        self._journal = journal
        self._actuators = actuators
        self._restored: tuple[Outcome, ...] | None = None

    def restore(self) -> tuple[Outcome, ...]:
        """Put everything back, the last first. A second call does nothing and says the same."""
        if self._restored is None:
            with contextlib.ExitStack() as stack:
                # Who holds the lock for so long is stuck: what is to be put back can't wait for it.
                with contextlib.suppress(StoreFailing):
                    if self._journal is not None:
                        stack.enter_context(locked(self._journal.parent))
                self._restored = self._put_back()
        return self._restored

    def _put_back(self) -> tuple[Outcome, ...]:
        held = (
            frozenset(host_keys_held(self._journal.parent, self._journal)) if self._journal else frozenset()
        )
        outcomes = tuple(put_back(self._entries, self._actuators, held))
        if self.target.kind == "self":
            let_overrun_kill()
        if self._journal and not any(outcome.state == "denied" for outcome in outcomes):
            self._journal.unlink(missing_ok=True)
        return outcomes

    def drift(self) -> tuple[Outcome, ...]:
        """Read again what was applied; return each outcome as it is now, `drifted` where it is another."""
        return look_again(self.outcomes, self.target.process, self._actuators)


def apply(
    settings: Sequence[Setting],
    *,
    target: Target,
    journal_folder: Path | None,
    clock: Callable[[], float],
    actuators: Mapping[str, Actuator] = SYSTEM_ACTUATORS,
) -> Applied:
    """Apply settings in their order; `clock` gives seconds. Never raises for a refusal.

    Without a journal folder nothing is changed that outlasts this process.

    Settings of the calling thread (memory policy) and of the main one (scheduler, timer slack) are the same
    thread's only where this is called in the main one.
    """
    run = _Run(target, actuators, clock)
    journal_path, said = None, ""
    with contextlib.ExitStack() as stack:
        try:
            if journal_folder is not None:
                stack.enter_context(locked(journal_folder))
        except StoreFailing as error:
            said = str(error)
        prepared = [run.prepare(setting, number) for number, setting in enumerate(settings)]
        if journal_folder is None:
            said = NO_JOURNAL
        elif not said:
            journal_path, said = _write_down(run, prepared, journal_folder)
        for one in prepared:
            run.carry_out(one, said)
    outcomes = [one.outcome for one in prepared if one.outcome is not None]
    changed = [entry for one in prepared if one.changed for entry in one.entries]
    if target.kind == "self" and any(_is_applied(outcome, "scheduler") for outcome in outcomes):
        step_down_on_overrun()
    return Applied(outcomes, changed, journal_path, target, actuators)


class _Prepared:
    """A setting on its way: what there was to read, until there is an outcome."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.entries: list[Entry] = []
        self.before: Value | None = None
        self.outcome: Outcome | None = None
        self.changed = False


class _Run:
    """One apply."""

    def __init__(self, target: Target, actuators: Mapping[str, Actuator], clock: Callable[[], float]) -> None:
        self.target = target
        self._actuators = actuators
        self._clock = clock
        self._applied: set[str] = set()
        self.held: dict[str, Entry] = {}

    def actuator(self, key: str) -> Actuator:
        return self._actuators[key]

    def holder(self) -> Process:
        """With whose end this is over: this process's, or another's that goes on under its settings."""
        return self.target.process if self.target.kind == "process" else _there(os.getpid())

    def prepare(self, setting: Setting, number: int) -> _Prepared:
        """Read what is there; an outcome already where it can't be set."""
        one = _Prepared(setting)
        said = self._why_not(setting)
        if said:
            one.outcome = Outcome(setting=setting, state="unsupported", says=said)
            return one
        actuator = self.actuator(setting.key)
        try:
            for place, process in enumerate(self._whose(actuator)):
                before = actuator.read(process.pid if process else self.target.pid)
                one.before = before if place == 0 else one.before
                if actuator.held or not actuator.meets(setting.value, before):
                    one.entries.append(_entry(number, setting, process, before))
        except OSError as error:
            one.outcome = _refused(setting, error, None)
            return one
        wrong = [entry for entry in one.entries if not actuator.valid(entry.before)]
        if wrong:
            said = f"{wrong[0].before!r} is there now, and could not be put back"
            one.outcome = Outcome(setting=setting, state="unsupported", before=one.before, says=said)
        return one

    def carry_out(self, one: _Prepared, journal_said: str) -> None:
        """Change, read back, and say what became of it."""
        if one.outcome is not None:
            return
        began = self._clock()
        actuator = self.actuator(one.setting.key)
        if NEEDS.get(one.setting.key, "") not in {"", *self._applied} and one.entries:
            one.outcome = Outcome(setting=one.setting, state="denied", before=one.before, says=UNGUARDED)
        elif journal_said and one.entries and self._needs_journal(actuator):
            one.outcome = Outcome(setting=one.setting, state="denied", before=one.before, says=journal_said)
        else:
            one.outcome = self._change(one, actuator)
        took_ms = (self._clock() - began) * 1000.0
        one.outcome = msgspec.structs.replace(one.outcome, took_ms=took_ms)
        if one.outcome.state == "applied":
            self._applied.add(one.setting.key)

    def _needs_journal(self, actuator: Actuator) -> bool:
        """Whether what is changed outlasts this process: then not without a journal."""
        return actuator.lasting and (actuator.host or self.target.kind != "self")

    def _change(self, one: _Prepared, actuator: Actuator) -> Outcome:
        setting = one.setting
        try:
            for entry in one.entries:
                self._write(entry, actuator)
            found, wrong = self._read_back(setting, actuator)
            for _ in range(THREAD_ROUNDS_MAX):
                if wrong is None or actuator.threads != "all":
                    break
                # A thread that was made meanwhile has it from one that wasn't changed yet.
                self._change_rest(setting, actuator)
                found, wrong = self._read_back(setting, actuator)
        except OSError as error:
            put_back(one.entries, self._actuators)
            return _refused(setting, error, one.before)
        if wrong is not None:
            put_back(one.entries, self._actuators)
            said = f"written, but read back as {wrong!r}"
            return Outcome(setting=setting, state="denied", before=one.before, found=wrong, says=said)
        one.changed = bool(one.entries)
        says = "" if one.entries else SO_ALREADY
        return Outcome(setting=setting, state="applied", before=one.before, found=found, says=says)

    def _write(self, entry: Entry, actuator: Actuator) -> None:
        """Change it for one thread; one that has ended meanwhile needs nothing."""
        try:
            actuator.write(entry.process.pid if entry.process else self.target.pid, entry.wanted)
        except OSError as error:
            gone = entry.process is not None and not lives(entry.process)
            if not gone or entry.process == self.target.process:
                raise OSError(error.errno or 0, error.strerror or str(error)) from error

    def _change_rest(self, setting: Setting, actuator: Actuator) -> None:
        for thread in threads_of(self.target.pid):
            self._write(_entry(0, setting, thread, setting.value), actuator)

    def _read_back(self, setting: Setting, actuator: Actuator) -> tuple[Value | None, Value | None]:
        """Return what is read now, and what of it is not as wanted: of any thread, also of one made since."""
        first: Value | None = None
        for process in self._whose(actuator):
            try:
                found = actuator.read(process.pid if process else self.target.pid)
            except OSError:
                if process is not None and not lives(process) and process != self.target.process:
                    continue
                raise
            first = found if first is None else first
            if not actuator.meets(setting.value, found):
                return first, found
        return first, None

    def _whose(self, actuator: Actuator) -> list[Process | None]:
        if actuator.host:
            return [None]
        if actuator.threads == "all":
            return [*threads_of(self.target.pid)]
        return [self.target.process]

    def _why_not(self, setting: Setting) -> str:
        if setting.unsupported:
            return setting.unsupported
        actuator = self._actuators.get(setting.key)
        if actuator is None:
            return "nothing in this program sets it here"
        if actuator.inside and self.target.kind != "self":
            return NOT_FROM_OUTSIDE
        return ""


def _write_down(run: _Run, prepared: list[_Prepared], folder: Path) -> tuple[Path | None, str]:
    """Write the undo of all that will be changed; return where, or why it could not be.

    A host's setting that is still as another run has changed it undoes to what was there before that one,
    also if that one was killed: whoever ends last puts it back, and it is that.
    """
    held = host_keys_held(folder, None, dead_too=True)
    for number, one in enumerate(prepared):
        key = one.setting.key
        if one.outcome is None and key in held and one.before == held[key].wanted:
            one.entries = [_entry(number, one.setting, None, held[key].before)]
    open_ones = [one for one in prepared if one.outcome is None and run.actuator(one.setting.key).lasting]
    entries = [entry for one in open_ones for entry in one.entries]
    if not entries:
        return None, ""
    try:
        return write_journal(folder, entries, run.holder()), ""
    except StoreFailing as error:
        return None, str(error)


def _entry(number: int, setting: Setting, process: Process | None, before: Value) -> Entry:
    return Entry(number=number, key=setting.key, process=process, before=before, wanted=setting.value)


def _refused(setting: Setting, error: OSError, before: Value | None) -> Outcome:
    number = error.errno or 0
    why: Refusal = refusal(setting.key, number, setting.value)
    return Outcome(
        setting=setting, state="unsupported" if number in _NOT_THERE else "denied",
        before=before, refusal=why, says=error.strerror or str(error),
    )  # fmt: skip


def _is_applied(outcome: Outcome, key: str) -> bool:
    return outcome.setting.key == key and outcome.state == "applied"


def _there(pid: int) -> Process:
    found = process_of(pid)
    if found is None:
        raise UpstreamError(f"process {pid}: there is none")
    return found
