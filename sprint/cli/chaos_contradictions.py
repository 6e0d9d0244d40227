"""Which options of `sprint cb-chaos` cannot stand together: told before anything is done.

One command does one thing. An option that means nothing for that thing is refused and not passed over: who
gave it meant something by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sprint.core.errors import ConfigError

# What a command may do in the place of running experiments, by the name of its option's parameter.
DEEDS = ("rollback", "halt", "map_form", "export", "dry_run", "serve")
_SPELT = {"map_form": "--map", "form": "--format", "json_output": "--json"}
_TIMES = ("schedule", "cron", "every", "runs")
_OF_THE_RUN = (*_TIMES, "form", "output")
_OF_THE_SERVER = ("host", "port", "tls_cert", "tls_key")
# What taking off looks at: journals, and who may be told to undo.
_OF_TAKING_OFF = frozenset({"rollback", "halt", "journal_dir", "config", "quiet"})


def check_together(asked: Mapping[str, Any]) -> None:
    """Raise ConfigError for options that contradict each other; one that wasn't given is None or False."""
    given = [name for name, value in asked.items() if value is not None and value is not False]
    deeds = [name for name in DEEDS if name in given]
    # Whoever halts takes off what is left as well.
    if len(deeds) > 1 and deeds != ["rollback", "halt"]:
        raise ConfigError(
            f"{' and '.join(map(spelt, deeds))}: a command does one of them; leave the others out"
        )
    if deeds:
        _check_deed(deeds[-1], given)
    else:
        _refuse(given, _OF_THE_SERVER, "that is of --serve, which isn't given")
        _check_run(asked)


def spelt(name: str) -> str:
    """Return an option as it is written on the command line."""
    return _SPELT.get(name, f"--{name.replace('_', '-')}")


def _check_deed(deed: str, given: list[str]) -> None:
    if deed in {"rollback", "halt"}:
        beside = [name for name in given if name not in _OF_TAKING_OFF]
        _refuse(given, beside, f"{spelt(deed)} goes by the journals alone; it takes --journal-dir")
        return
    _refuse(given, _OF_THE_RUN, f"with {spelt(deed)} no experiment is run by this command")
    if deed != "serve":
        _refuse(given, _OF_THE_SERVER, "that is of --serve, which isn't given")
    if deed in {"export", "serve"}:
        _refuse(given, ("json_output",), f"{spelt(deed)} prints no result")


def _check_run(asked: Mapping[str, Any]) -> None:
    form = asked["form"]
    if asked["json_output"] and asked["output"] is None and form not in {None, "json"}:
        raise ConfigError(
            f"--json and --format {form}: stdout takes one form; write the other one by --output FILE"
        )
    comes_again = any(asked[name] is not None for name in ("cron", "every"))
    if asked["runs"] is not None and not comes_again:
        raise ConfigError("--runs: it ends a schedule that comes again; say when, by --cron or --every")


def _refuse(given: list[str], names: Any, why: str) -> None:
    found = [spelt(name) for name in names if name in given]
    if found:
        raise ConfigError(f"{', '.join(found)}: {why}")
