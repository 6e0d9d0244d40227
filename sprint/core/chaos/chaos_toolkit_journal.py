"""A result as the Chaos Toolkit writes its own: for programs that read such a journal.

Source: chaostoolkit-lib 1.44, `chaoslib.run` and `chaoslib.types.Journal`. What it has no field for is left
out: our own record says more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from sprint.core.chaos.result import ActivityDone, Result, Verdict

# The toolkit's words: `failed` is a steady state that did not hold at the begin.
STATUS: dict[Verdict, str] = {
    "met": "completed",
    "not_met": "completed",
    "aborted": "interrupted",
    "could_not_run": "failed",
}


def encode_journal(result: Result) -> bytes:
    """Return a result as a journal; where the experiment never came to a document its title stands for it."""
    end_s = result.phases.ended_s
    journal = {
        "chaoslib-version": "",
        "platform": result.environment.platform,
        "node": "",
        "experiment": result.document or {"title": result.title, "description": result.description},
        "start": _moment(result, 0.0),
        "status": STATUS[result.verdict],
        "deviated": _deviated(result.activities),
        "steady_states": {
            "before": _steady(result, "before"),
            "after": _steady(result, "after"),
            "during": [],
        },
        "run": [_activity(result, each) for each in result.activities if each.phase == "method"],
        "rollbacks": [_activity(result, each) for each in result.activities if each.phase == "rollback"],
        "end": None if end_s is None else _moment(result, end_s),
        "duration": None if end_s is None else end_s - result.phases.began_s,
    }
    return msgspec.json.format(msgspec.json.encode(journal), indent=2) + b"\n"


def _deviated(activities: Iterable[ActivityDone]) -> bool:
    return any(each.phase == "after" and each.tolerated is False for each in activities)


def _steady(result: Result, phase: str) -> dict[str, Any] | None:
    probes = [each for each in result.activities if each.phase == phase]
    if not probes:
        return None
    return {
        "steady_state_met": all(each.tolerated is not False and not each.error for each in probes),
        "probes": [_activity(result, each) | {"tolerance_met": each.tolerated} for each in probes],
    }


def _activity(result: Result, one: ActivityDone) -> dict[str, Any]:
    return {
        "activity": _as_written(result, one),
        "output": one.output,
        "status": "failed" if one.error else "succeeded",
        "exception": [one.error] if one.error else None,
        "start": _moment(result, one.begun_s),
        "end": _moment(result, one.ended_s),
        "duration": one.ended_s - one.begun_s,
    }


def _as_written(result: Result, one: ActivityDone) -> dict[str, Any]:
    """Return an activity as the document has it."""
    document = result.document
    in_phase = {
        "method": document.get("method", ()),
        "rollback": document.get("rollbacks", ()),
    }.get(one.phase, document.get("steady-state-hypothesis", {}).get("probes", ()))
    bare = {"type": one.type, "name": one.name, "tolerance": one.tolerance}
    return next((dict(each) for each in in_phase if each.get("name") == one.name), bare)


def _moment(result: Result, at_s: float) -> str:
    """Return a moment of the run as the toolkit writes it: RFC 3339 in UTC."""
    begin = datetime.fromisoformat(result.environment.started_at)
    return (begin + timedelta(seconds=at_s - result.phases.began_s)).isoformat()
