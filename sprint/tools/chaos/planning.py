"""Says what would be done, and to whom, without doing it: the dry run, the map, a document to keep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from sprint.core.chaos.experiment import Activity, PythonProvider
from sprint.core.chaos.experiment_codec import document_of
from sprint.core.chaos.radius_limit import limit_of
from sprint.core.chaos.topology import DependencyMap
from sprint.core.chaos.topology_text import map_dot, map_text, radius_text
from sprint.core.chaos.wiring import NotPossible
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.campaign import Planned, checked_names, plan_one
from sprint.tools.chaos.experiment_file import experiment_text
from sprint.tools.chaos.given import ChaosOptions
from sprint.tools.chaos.opening import opened_subject, planned_subject

ARGUMENTS_LEFT_OUT = frozenset({"ttl_s", "target"})


async def relay_map(options: ChaosOptions) -> DependencyMap:
    """Return what hangs on what at the relay."""
    async with AsyncExitStack() as stack:
        subject = (await opened_subject(options, stack))()
        with RelayAdmin(subject.admin_url, allowed=subject.allowed) as admin:
            return await asyncio.to_thread(admin.map)


def map_in_form(relay: DependencyMap, form: str) -> str:
    """Return a map as `text`, as `json` or as `dot`."""
    if form == "json":
        return msgspec.json.format(msgspec.json.encode(relay), indent=2).decode()
    return map_dot(relay) if form == "dot" else map_text(relay)


async def dry_run(options: ChaosOptions, *, to_keep: bool = False) -> list[Planned | tuple[str, str]]:
    """Return each experiment as it would be run, or its name and why it can't be.

    `to_keep`: the documents are to be run by others, so that no detour can be made for them.
    """
    found: list[Planned | tuple[str, str]] = []
    limit, names = limit_of(options.max_blast_radius), checked_names(options)
    async with AsyncExitStack() as stack:
        subject = await (
            opened_subject(options, stack) if to_keep else planned_subject(options, stack, names)
        )
        for name in names:
            try:
                found.append(await asyncio.to_thread(plan_one, name, subject(), options, limit))
            except NotPossible as error:
                found.append((name, str(error)))
    return found


def dry_run_text(planned: Sequence[Planned | tuple[str, str]]) -> str:
    """Return what would happen to whom."""
    return "\n\n".join(_text(each) for each in planned)


def dry_run_json(planned: Sequence[Planned | tuple[str, str]]) -> str:
    """Return the same as JSON: a list with the document of each, and whom it would reach."""
    return msgspec.json.format(msgspec.json.encode([_row(each) for each in planned]), indent=2).decode()


def any_can_run(planned: Sequence[Planned | tuple[str, str]]) -> bool:
    """Tell whether one of them would be run."""
    return any(isinstance(each, Planned) and not each.exceeded for each in planned)


def document_text(planned: Sequence[Planned | tuple[str, str]]) -> str:
    """Return the document of one experiment for `chaos run`. NotPossible where it can't be run here."""
    (one,) = planned
    if isinstance(one, tuple):
        raise NotPossible(one[1])
    return experiment_text(one.document)


def _row(planned: Planned | tuple[str, str]) -> dict[str, Any]:
    if isinstance(planned, tuple):
        return {"experiment": planned[0], "possible": False, "why_not": planned[1]}
    return {
        "experiment": planned.name,
        "possible": not planned.exceeded,
        "why_not": planned.exceeded,
        "blast_radius": planned.predicted,
        "not_known_of": planned.unknown,
        "document": document_of(planned.document),
    }


def _text(planned: Planned | tuple[str, str]) -> str:
    if isinstance(planned, tuple):
        return f"{planned[0]}\n  cannot be run: {planned[1]}"
    lines = [planned.document.title, f"  {planned.document.description}"]
    lines += ["  steady state:"]
    lines += [f"    {each.name}: {_tolerated(each.tolerance)}" for each in planned.document.hypothesis.probes]
    lines += ["  method:", *(f"    {_step(each)}" for each in planned.document.method)]
    lines += ["  rollback:", *(f"    {_step(each)}" for each in planned.document.rollbacks)]
    lines += ["  blast radius:", *(f"    {each}" for each in radius_text(planned.predicted).splitlines())]
    if planned.unknown:
        lines += [f"    not known of: {', '.join(planned.unknown)}"]
    if planned.exceeded:
        lines += [f"  it would not be run: {planned.exceeded}"]
    return "\n".join(lines)


def _tolerated(tolerance: Any) -> str:
    if isinstance(tolerance, bool):
        return "yes" if tolerance else "no"
    match tolerance:
        case {"type": "range", "range": [least, most]}:
            return f"{least} to {most}"
        case _:
            return str(tolerance)


def _step(activity: Activity) -> str:
    provider = activity.provider
    told = ""
    if isinstance(provider, PythonProvider):
        arguments = {k: v for k, v in provider.arguments.items() if k not in ARGUMENTS_LEFT_OUT}
        told = f" ({', '.join(f'{key}={value}' for key, value in arguments.items())})"
    after = f", then {activity.pauses.after:g} s" if isinstance(activity.pauses.after, float | int) else ""
    waits = after if activity.pauses.after else ""
    return f"{activity.type} {activity.name}{told}{waits}"
