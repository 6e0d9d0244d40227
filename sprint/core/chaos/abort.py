"""When a run is stopped before its end: a pure look at the newest that was seen."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chaos.observation import Sample, SubscriberLoss
from sprint.core.chaos.stream_check import Finding


class AbortLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may go through. None: that is no reason to stop.

    An experiment that ends the relay itself allows for losses of the subscriber and for no answers.
    """

    failing_s_max: float | None = 30.0
    unanswered_s_max: float | None = 10.0
    subscriber_losses_max: int | None = 0
    stream_broken: bool = True


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The newest that was seen. `radius_exceeded`: which limit of the blast radius was passed, or nothing.

    `samples` are those of the last `failing_s_max` at least, oldest first. `tool_error` is what went wrong
    with the tool itself.
    """

    samples: Sequence[Sample] = ()
    finding: Finding | None = None
    losses: Sequence[SubscriberLoss] = ()
    radius_exceeded: str = ""
    tool_error: str = ""


def reason_to_abort(limits: AbortLimits, moment: Moment) -> str | None:
    """Return why the run is to be stopped, the gravest reason first; None where it goes on."""
    if moment.tool_error:
        return f"the tool itself failed: {moment.tool_error}"
    if limits.stream_broken and moment.finding is not None:
        return f"the stream of {moment.finding.chain} is not whole: {moment.finding.text}"
    if moment.radius_exceeded:
        return f"more was hit than is allowed: {moment.radius_exceeded}"
    return _of_subscriber(limits, moment) or _of_samples(limits, moment)


def _of_subscriber(limits: AbortLimits, moment: Moment) -> str | None:
    final = next((each for each in moment.losses if each.final), None)
    if final is not None:
        return f"the subscriber can't come back: {final.reason}"
    most = limits.subscriber_losses_max
    if most is not None and len(moment.losses) > most:
        return (
            f"the subscriber was dropped {len(moment.losses)} times, limit {most}: {moment.losses[-1].reason}"
        )
    return None


def _of_samples(limits: AbortLimits, moment: Moment) -> str | None:
    silent_s = _lasting_s(moment.samples, answered=False)
    if limits.unanswered_s_max is not None and silent_s > limits.unanswered_s_max:
        return f"the relay has not answered for {silent_s:.1f} s, limit {limits.unanswered_s_max:g} s"
    failing_s = _lasting_s(moment.samples, answered=True)
    if limits.failing_s_max is not None and failing_s > limits.failing_s_max:
        return f"health has been failing for {failing_s:.1f} s, limit {limits.failing_s_max:g} s"
    return None


def _lasting_s(samples: Sequence[Sample], *, answered: bool) -> float:
    """Return for how long, up to the newest sample, all have been unanswered, or failing."""
    begun_s: float | None = None
    for each in reversed(samples):
        if each.answered is not answered or (answered and each.health != "failing"):
            break
        begun_s = each.at_s
    return 0.0 if begun_s is None else samples[-1].at_s - begun_s
