"""Runs activities of an experiment: a Python function, a request, a command; in order, with pauses.

    runs = run_activities(experiment.method, Running(stopping=event))

A method ends at an action that failed, as what follows would not be the experiment any more; rollbacks are
done to the last, whatever fails. What is in the background runs in a thread of its own, and is waited for.
Source of how each provider works: chaoslib's `run_python_activity` and its like for requests and commands.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import threading
import time
from collections.abc import Collection, Sequence
from typing import Any, Literal

import msgspec

from sprint.core.chaos.experiment import (
    Activity,
    HttpProvider,
    Hypothesis,
    ProcessProvider,
    PythonProvider,
)
from sprint.core.chaos.tolerance import within
from sprint.core.errors import ConfigError, SprintError
from sprint.tools.chaos.outside import command, request

BACKGROUND_WAIT_S_MAX = 600.0
ERROR_LENGTH_MAX = 500

_logger = logging.getLogger("sprint.chaos")


class ActivityRun(msgspec.Struct, frozen=True, kw_only=True):
    """How an activity went. Times are of the monotonic clock; `tolerance_met` is None where none was set."""

    type: Literal["probe", "action"]
    name: str
    status: Literal["succeeded", "failed"]
    began_s: float
    ended_s: float
    output: Any = None
    error: str = ""
    tolerance_met: bool | None = None


class Running:
    """What activities run with. `stopping` ends pauses; nothing of a method begins once it is set.

    A method sets it where one of its actions failed. Requests go to loopback and to the hosts of `allowed`.
    `configuration` is handed to functions that have a parameter of that name, as the toolkit does.
    """

    def __init__(
        self,
        *,
        allowed: Collection[str] = (),
        configuration: dict[str, Any] | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.allowed = frozenset(allowed)
        self.configuration = configuration or {}
        self.stopping = stopping or threading.Event()

    def __repr__(self) -> str:
        return f"Running(stopping={self.stopping.is_set()})"


def run_activity(activity: Activity, running: Running) -> ActivityRun:
    """Run one activity, without its pauses; what it raises is in the answer, under the activity's name."""
    began_s = time.monotonic()
    output, error = None, ""
    try:
        output = _done(activity, running)
    except SprintError as failed:
        error = f"{activity.name}: {failed}"
    except Exception as failed:
        # A stranger's function may raise anything, and a rollback behind it must be done all the same.
        _logger.exception("activity %r failed", activity.name)
        error = f"{activity.name}: {type(failed).__name__}: {failed}"
    met = None if activity.tolerance is None else not error and within(activity.tolerance, output)
    return ActivityRun(
        type=activity.type,
        name=activity.name,
        status="failed" if error else "succeeded",
        began_s=began_s,
        ended_s=time.monotonic(),
        output=output,
        error=error[:ERROR_LENGTH_MAX],
        tolerance_met=met,
    )


def run_activities(
    activities: Sequence[Activity], running: Running, *, to_the_last: bool = False
) -> tuple[ActivityRun, ...]:
    """Run activities in their order; return how each went that was begun, in that order.

    `to_the_last`: rollbacks, which neither a failure nor a stop keeps from being done.
    """
    made: dict[int, ActivityRun] = {}
    threads: list[threading.Thread] = []
    for number, activity in enumerate(activities):
        if running.stopping.is_set() and not to_the_last:
            break
        if activity.background:
            threads.append(_in_background(number, activity, running, made, to_the_last=to_the_last))
            continue
        _with_pauses(number, activity, running, made, to_the_last=to_the_last)
        if _ends_the_method(activity, made.get(number)) and not to_the_last:
            running.stopping.set()
            break
    deadline = time.monotonic() + BACKGROUND_WAIT_S_MAX
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return tuple(made[number] for number in sorted(made))


def run_hypothesis(hypothesis: Hypothesis, running: Running) -> tuple[ActivityRun, ...]:
    """Ask all probes of the steady state; it holds where each `tolerance_met` is true."""
    return tuple(run_activity(each, running) for each in hypothesis.probes)


def _with_pauses(
    number: int, activity: Activity, running: Running, made: dict[int, ActivityRun], *, to_the_last: bool
) -> None:
    pauses = activity.pauses
    if _waited(pauses.before, running, to_the_last=to_the_last):
        made[number] = run_activity(activity, running)
        # A fault that isn't on is not held either.
        if to_the_last or not _ends_the_method(activity, made[number]):
            _waited(pauses.after, running, to_the_last=to_the_last)


def _ends_the_method(activity: Activity, run: ActivityRun | None) -> bool:
    """Tell whether an activity, or a stop before it began, leaves nothing to go on with."""
    return run is None or (activity.type == "action" and run.status == "failed")


def _waited(pause_s: float | str, running: Running, *, to_the_last: bool) -> bool:
    """Wait; tell whether to go on. A stopped rollback doesn't wait, and goes on."""
    stopped = running.stopping.wait(_seconds(pause_s)) if pause_s else running.stopping.is_set()
    return to_the_last or not stopped


def _in_background(
    number: int, activity: Activity, running: Running, made: dict[int, ActivityRun], *, to_the_last: bool
) -> threading.Thread:
    thread = threading.Thread(
        target=_with_pauses,
        args=(number, activity, running, made),
        kwargs={"to_the_last": to_the_last},
        name=f"chaos-{number}",
        daemon=True,
    )
    thread.start()
    return thread


def _done(activity: Activity, running: Running) -> Any:
    match activity.provider:
        case PythonProvider():
            return _called(activity.provider, running)
        case HttpProvider():
            return request(activity.provider, running.allowed)
        case ProcessProvider():
            return command(activity.provider)


def _called(provider: PythonProvider, running: Running) -> Any:
    try:
        function = getattr(importlib.import_module(provider.module), provider.func)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{provider.module}.{provider.func}: {error}; is it installed here?") from error
    arguments = dict(provider.arguments)
    if "configuration" in inspect.signature(function).parameters:
        arguments["configuration"] = dict(running.configuration)
    return function(**arguments)


def _seconds(pause_s: float | str) -> float:
    if isinstance(pause_s, str):
        raise ConfigError(f"pause {pause_s}: resolve the experiment's patterns before it is run")
    return pause_s
