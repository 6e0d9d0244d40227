"""`sprint optimize status`, `check`, `recommend`: what is set, what the host permits, what would be good."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sprint.cli import exits
from sprint.cli.optimize_asking import admin_url_of, asked_by, option_layers
from sprint.cli.optimize_output import level_said, print_findings, print_json, print_rows, say
from sprint.cli.settings import load_settings
from sprint.core.optimize.advice import advise
from sprint.core.optimize.asked import Asked
from sprint.core.optimize.host import HostFacts
from sprint.core.optimize.levels import LEVELS
from sprint.core.optimize.stats import EQUALS
from sprint.core.optimize.told import Row, Told
from sprint.tools.optimize.bench.kept import read_result, result_path_default
from sprint.tools.optimize.facts import read_facts
from sprint.tools.optimize.status import NoRelay, RelayTuning, untried_rows


def show_status(
    level: str | None,
    fields: Sequence[str] | None,
    config: Path | None,
    admin_url: str | None,
    *,
    json_output: bool,
) -> int:
    """Show the running relay's settings, or without one what the level would change here."""
    resolved, wanted = asked_by(config, option_layers(level, fields or ()))
    relay = _relay_at(admin_url_of(resolved, admin_url), must=admin_url is not None)
    facts = read_facts(relay.pid if relay is not None else None)
    rows = untried_rows(wanted.fields, facts, "self", os.getpid())
    if json_output:
        print_json(_status(relay, facts, wanted, rows))
        return exits.DONE
    if relay is not None and level is None and not fields:
        print(
            f"relay {relay.pid}: {level_said(relay.level, relay.level_origin, relay.origins, relay.changes)}"
        )
        print_rows(relay.settings)
        print_findings(relay.findings)
    else:
        print(level_said(wanted.level, wanted.level_origin, wanted.origins, wanted.changes))
        print("no relay answers; a process started now would find:" if relay is None else "it would find:")
        print_rows(rows)
    print("\n".join(_levels_said(facts)))
    return exits.DONE


def _relay_at(url: str, *, must: bool) -> Told | None:
    """Return what the relay there says; None where none answers and nobody named the place."""
    try:
        with RelayTuning(url) as relay:
            return relay.told()
    except NoRelay:
        if must:
            raise
        return None


def _status(relay: Told | None, facts: HostFacts, wanted: Asked, rows: Sequence[Row]) -> dict[str, Any]:
    """Return all of the status for a machine. `stats` is null where no relay runs; `equals` names each."""
    return {
        "relay": relay,
        "level": wanted.level,
        "level_origin": wanted.level_origin,
        "changes": wanted.changes,
        "origins": wanted.origins,
        "notes": wanted.notes,
        "settings": rows,
        "host": msgspec.to_builtins(facts),
        "levels": {name: _of_level(name, facts) for name in LEVELS},
        "stats": dict.fromkeys(EQUALS) if relay is None else relay.stats,
        "equals": EQUALS,
    }


def _of_level(name: Any, facts: HostFacts) -> dict[str, list[str]]:
    """Return the settings of a level by what would become of them here."""
    states: dict[str, list[str]] = {"would change": [], "kept": [], "denied": [], "unsupported": []}
    for row in untried_rows(LEVELS[name].fields, facts, "self", os.getpid()):
        states[row.state].append(row.setting)
    return states


def _levels_said(facts: HostFacts) -> list[str]:
    """Return what each level would change here, a line each."""
    lines = ["", "On this host, for a process like this one:"]
    for name in LEVELS:
        states = _of_level(name, facts)
        counts = ", ".join(f"{len(keys)} {state}" for state, keys in states.items() if keys)
        lines.append(f"  {name:10} {counts}")
        if states["denied"]:
            lines.append(f"             denied: {', '.join(states['denied'])}")
    return lines


def show_check(admin_url: str | None, config: Path | None, *, json_output: bool) -> int:
    """Check the running relay; exit code 1 where something has failed."""
    url = admin_url_of(load_settings(config).resolved, admin_url)
    with RelayTuning(url) as relay:
        told = relay.told()
    if json_output:
        print_json({"pid": told.pid, "level": told.level, "health": told.health, "findings": told.findings})
    else:
        print_findings(told.findings)
    return exits.NOT_MET if told.health == "failed" else exits.DONE


def show_advice(config: Path | None, *, json_output: bool) -> int:
    """Say which level is good here, and why."""
    _, wanted = asked_by(config, ())
    path = result_path_default()
    measured = read_result(path)
    advice = advise(read_facts(), measured)
    if json_output:
        print_json(advice)
        return exits.DONE
    print(f"{advice.level}: {LEVELS[advice.level].is_for}")
    for reason in advice.reasons:
        print(f"  {reason}")
    for name, reasons in advice.against.items():
        print(f"not {name}: {'; '.join(reasons)}")
    for remedy in advice.remedies:
        print(f"permitted by {remedy}")
    if wanted.level != advice.level:
        say(f"asked for is {wanted.level}, from {wanted.level_origin}")
    return exits.DONE
