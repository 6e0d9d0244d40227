"""`sprint optimize apply` and `restore`: on the running relay, a process, or a command to be started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sprint.cli import exits
from sprint.cli.optimize_asking import admin_url_of, asked_by, option_layers
from sprint.cli.optimize_output import SHAPES, level_said, print_json, print_rows, remarks, say
from sprint.cli.optimize_saving import check_saving, save_level
from sprint.cli.settings import load_settings
from sprint.core.errors import ConfigError
from sprint.core.optimize.asked import Asked
from sprint.core.optimize.decide import missing, verdict
from sprint.core.optimize.irq import irq_lines
from sprint.core.optimize.levels import LevelName, lower_level
from sprint.core.optimize.plan import TargetKind, plan
from sprint.core.optimize.setting import Outcome
from sprint.core.optimize.told import Row, Told, rows_of
from sprint.tools.optimize.applying import Applied, Target, apply, journal_folder_default, restore_all
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.status import NoRelay, RelayTuning, read_interrupts, untried_rows
from sprint.tools.runtime import clock

if TYPE_CHECKING:
    from sprint.tools.optimize.starting import Started

FALLBACK = "--fallback"


class Wish(NamedTuple):
    """The options of `apply`."""

    level: str | None
    fields: tuple[str, ...]
    rt_priority: int | None
    command: tuple[str, ...]
    pid: int | None
    admin_url: str | None
    fallback: bool
    strict: bool
    dry_run: bool
    save: bool
    irq: bool
    config: Path | None
    json_output: bool


class Applying:
    """One `apply`. ConfigError where the options contradict each other."""

    def __init__(self, wish: Wish) -> None:
        given = [
            name
            for name, value in (
                ("--pid", wish.pid),
                ("--admin-url", wish.admin_url),
                ("COMMAND", wish.command),
            )
            if value
        ]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} name different targets; keep one of them")
        self._wish = wish
        options = option_layers(wish.level, wish.fields, wish.rt_priority)
        self._resolved, self._wanted = asked_by(wish.config, options, may_be_new=wish.save)
        if wish.save:
            check_saving(wish.config, self._wanted)
        self._fallback = wish.fallback or self._resolved.config.optimize.fallback

    def run(self) -> int:
        """Do it; return the exit code."""
        wish = self._wish
        if not wish.json_output:
            say(
                level_said(
                    self._wanted.level, self._wanted.level_origin, self._wanted.origins, self._wanted.changes
                )
            )
            for note in self._wanted.notes:
                say(f"note: {note}")
        if wish.irq:
            self._tell_irq()
        if wish.dry_run:
            code = self._would_do()
        elif wish.command:
            code = self._start()
        elif wish.pid is not None:
            code = self._on_process(wish.pid)
        else:
            code = self._on_relay()
        if wish.save and not wish.dry_run and code == exits.DONE:
            save_level(wish.config, self._wanted)
        return code

    def _tell_irq(self) -> None:
        """Print how interrupts would be moved: the commands are the operator's to run."""
        settings = plan(self._wanted.fields, read_facts(self._wish.pid), self._kind)
        pinned = next((each.value for each in settings if each.key == "cpu_affinity"), ())
        cpus = tuple(int(cpu) for cpu in pinned) if isinstance(pinned, tuple) else ()
        for line in irq_lines(read_interrupts(), cpus, read_facts().cpus_allowed):
            say(line)

    @property
    def _kind(self) -> TargetKind:
        return "command" if self._wish.command else "process" if self._wish.pid is not None else "self"

    def _would_do(self) -> int:
        """Print what would be set on the target as it is now."""
        pid = self._wish.pid
        if pid is not None:
            Target.of_process(pid)
        elif not self._wish.command:
            pid = self._relays_pid()
        facts = read_facts(pid) if pid is not None else read_facts()
        rows = untried_rows(self._wanted.fields, facts, self._kind, pid or 0)
        self._print(self._wanted, rows)
        wrong = any(row.state == "denied" or (row.required and row.state == "unsupported") for row in rows)
        return exits.NOT_MET if wrong and self._wish.strict else exits.DONE

    def _relays_pid(self) -> int:
        """Return the running relay's process id; NoRelay says what shows a plan without one."""
        try:
            with RelayTuning(admin_url_of(self._resolved, self._wish.admin_url)) as relay:
                return relay.told().pid
        except NoRelay as error:
            shown = f"sprint optimize status --level {self._wanted.level}"
            raise NoRelay(f"{error}; a plan without a target: {shown}") from error

    def _on_relay(self) -> int:
        """Have the running relay take the level; with --strict its earlier one again where it can't."""
        with RelayTuning(admin_url_of(self._resolved, self._wish.admin_url)) as relay:
            before = relay.told()
            say(f"relay {before.pid} at {relay.url}")
            wanted = self._wanted
            told = relay.order(wanted.level, wanted.changes, wanted.level_origin, fallback=self._fallback)
            wrong = [
                row
                for row in told.settings
                if row.state == "denied" or (row.required and row.state != "applied")
            ]
            if wrong and self._wish.strict:
                self._give_back(relay, before)
        self._print(wanted.at(told.level, told.level_origin), told.settings)
        return self._code(told.level, told.settings, undone="the relay is as it was")

    @staticmethod
    def _give_back(relay: RelayTuning, before: Told) -> None:
        """Give a relay the level that it had; none where its tuning had been taken back."""
        if before.settings:
            relay.order(before.level, before.changes, before.level_origin, fallback=False)
        else:
            relay.take_back()

    def _on_process(self, pid: int) -> int:
        """Set from outside what can be set from outside."""
        target = Target.of_process(pid)

        def once(wanted: Asked) -> Applied:
            return apply(
                plan(wanted.fields, read_facts(pid), "process"),
                target=target,
                journal_folder=journal_folder_default(),
                clock=clock,
            )

        wanted, applied = self._wanted, once(self._wanted)
        while (lower := self._lower(wanted.level, applied.outcomes)) is not None:
            applied.restore()
            wanted = wanted.at(lower, FALLBACK)
            applied = once(wanted)
        if self._wish.strict and verdict(applied.outcomes, strict=True, fallback=False) == "fails":
            applied.restore()
        rows = rows_of(applied.outcomes)
        self._print(wanted, rows)
        return self._code(wanted.level, rows, undone="all is as it was")

    def _start(self) -> int:
        """Start the command under the level; its exit code is ours."""
        wanted = self._permitted(self._wanted)
        if wanted is None:
            return exits.NOT_MET
        with self._started(wanted) as started:
            # Told before the command begins: where it can't be told nothing has run, and what the command
            # prints comes after it.
            rows = rows_of(started.outcomes)
            if self._wish.json_output:
                print_json({"pid": started.pid, "level": wanted.level, "settings": rows})
            else:
                for line in remarks(rows):
                    say(line)
            return started.wait()

    def _permitted(self, wanted: Asked) -> Asked | None:
        """Return the level to start a command under; None where --strict forbids it.

        A command that has begun can't be taken back: what would be refused is known before it starts.
        """
        facts = read_facts()
        while True:
            rows = untried_rows(wanted.fields, facts, "command", 0)
            lacking = [row for row in rows if row.required and row.state in ("denied", "unsupported")]
            lower = lower_level(wanted.level)
            if not (lacking and self._fallback and lower is not None):
                break
            say(f"{wanted.level} requires {', '.join(row.setting for row in lacking)}: {lower} is taken")
            wanted = wanted.at(lower, FALLBACK)
        if self._wish.strict and (lacking or any(row.state == "denied" for row in rows)):
            self._print(wanted, rows)
            say(f"{SHAPES['denied'][0]} --strict: something would be refused; the command is not started")
            return None
        return wanted

    def _started(self, wanted: Asked) -> Started:
        from sprint.tools.optimize.starting import start

        return start(
            list(self._wish.command),
            plan(wanted.fields, read_facts(), "command"),
            journal_folder=journal_folder_default(),
            clock=clock,
        )

    def _lower(self, level: LevelName, outcomes: Sequence[Outcome]) -> LevelName | None:
        """Return the next lower level where what this one requires is missing and that is asked for."""
        if verdict(outcomes, strict=False, fallback=self._fallback) != "lower":
            return None
        lower = lower_level(level)
        if lower is not None and not self._wish.json_output:
            lacking = ", ".join(each.setting.key for each in missing(outcomes))
            say(f"{level} requires {lacking}, which is refused: undone, and {lower} taken")
        return lower

    def _print(self, wanted: Asked, rows: Sequence[Row]) -> None:
        if self._wish.json_output:
            print_json({"level": wanted.level, "level_origin": wanted.level_origin, "settings": rows})
        else:
            print_rows(rows)

    def _code(self, level: str, rows: Sequence[Row], *, undone: str) -> int:
        """Say what came of it, and return the exit code."""
        lacking = [row.setting for row in rows if row.required and row.state != "applied"]
        wrong = [row.setting for row in rows if row.state == "denied"]
        if self._wish.strict and (lacking or wrong):
            names = ", ".join(dict.fromkeys([*lacking, *wrong]))
            say(f"{SHAPES['denied'][0]} --strict: refused: {names}; {undone}")
            return exits.NOT_MET
        if lacking:
            say(f"{level} is not reached: it requires {', '.join(lacking)}; what was granted is kept")
        return exits.DONE


def restore_everything(admin_url: str | None, config: Path | None, *, json_output: bool) -> int:
    """Have the running relay take all back, then put back what any journal has; 1 where it can't be."""
    rows: list[Row] = []
    url = admin_url_of(load_settings(config).resolved, admin_url)
    try:
        with RelayTuning(url) as relay:
            pid = relay.told().pid
            rows += relay.take_back()
        say(f"relay {pid} at {url}: {f'{len(rows)} settings' if rows else 'nothing'} taken back")
    except NoRelay:
        if admin_url is not None:
            raise
    rows += rows_of(restore_all(journal_folder_default()))
    if json_output:
        print_json({"settings": rows})
    elif rows:
        print_rows(rows)
    else:
        print("nothing is to be restored")
    return exits.NOT_MET if any(row.state == "denied" for row in rows) else exits.DONE
