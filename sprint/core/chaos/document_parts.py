"""The parts that all named experiments are made of: steady state, activities, the time a fault is held.

The method holds its faults for the duration by the pause after its last injection, so that `chaos run` does
the same as our own runner. Then it asks each target's breaker what it did, and the rollback takes all off.
Each fault has a time to live a little beyond that, should nobody come to take it off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sprint.core.chaos.experiment import Activity, Experiment, Hypothesis, Pauses, PythonProvider
from sprint.core.chaos.faults import TTL_S_MAX
from sprint.core.chaos.topology import MappedSource
from sprint.core.chaos.wiring import Request
from sprint.core.errors import ConfigError

ACTIONS = "sprint.tools.chaos.actions"
PROBES = "sprint.tools.chaos.probes"
# What the method takes beside its pauses: requests, probes that wait for an answer that doesn't come.
TTL_MARGIN_S = 60.0
SOURCES_MAX = 256
SEEN_MAX = 4
SEEN_WITHIN_S = 2.0


def action(
    name: str, func: str, *, after_s: float = 0.0, background: bool = False, **arguments: Any
) -> Activity:
    """Return a call of one of our actions; `after_s` is waited before it."""
    provider = PythonProvider(module=ACTIONS, func=func, arguments=arguments)
    pauses = Pauses(before=after_s)
    return Activity(type="action", name=name, provider=provider, pauses=pauses, background=background)


def probe(name: str, func: str, tolerance: Any = None, **arguments: Any) -> Activity:
    """Return a call of one of our probes."""
    provider = PythonProvider(module=PROBES, func=func, arguments=arguments)
    return Activity(type="probe", name=name, provider=provider, tolerance=tolerance)


def ttl_s(request: Request) -> float:
    """Return how long a fault may last at most. ConfigError where the experiment is to last longer."""
    most = TTL_S_MAX - TTL_MARGIN_S
    if not 0 < request.wishes.duration_s <= most:
        raise ConfigError(f"duration {request.wishes.duration_s:g} s; want more than 0, {most:g} at most")
    return request.wishes.duration_s + TTL_MARGIN_S


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What an experiment does, in words and in calls.

    `seen` are probes that are not the injector's; SEEN_MAX of them are asked, as each takes its time.
    `held` False where the injections themselves last as long as the experiment.
    """

    says: str
    injections: Sequence[Activity]
    seen: Sequence[Activity] = ()
    breakers: Sequence[str] = ()
    held: bool = True


def experiment_of(request: Request, plan: Plan) -> Experiment:
    """Return the whole: the faults, what is seen of them, the time they last, the breakers' answer."""
    *first, last = (*plan.injections, *plan.seen[:SEEN_MAX])
    after_s = request.wishes.duration_s if plan.held else 0.0
    last = msgspec.structs.replace(last, pauses=Pauses(before=last.pauses.before, after=after_s))
    asked = tuple(
        probe(f"what {each} did", "breaker_state", admin_url=request.relay.admin_url, breaker=each)
        for each in sorted({each for each in plan.breakers if each})
    )
    return Experiment(
        title=f"{request.name}: {request.says}",
        description=plan.says,
        hypothesis=_steady_state(request),
        method=(*first, last, *asked),
        rollbacks=(action("take off all faults", "undo_all"),),
        tags=("sprint", request.name),
    )


def round_trip(source: MappedSource) -> Activity:
    """Return a probe of the way that the relay itself takes to a source."""
    host, _, port = source.address.rpartition(":")
    return probe(
        f"round trip to {source.chain}:{source.name}",
        "round_trip_ms",
        host=host.strip("[]"),
        port=int(port),
        within_s=SEEN_WITHIN_S,
    )


def _steady_state(request: Request) -> Hypothesis:
    """The relay serves, and each chain that has a source gets blocks and hands them on."""
    within_s = request.wishes.blocks_within_s
    probes = [probe("the relay is ready", "relay_ready", tolerance=True, api_url=request.api_url)]
    for chain in sorted({each.chain for each in request.relay.sources}):
        some = {"type": "range", "range": [1, SOURCES_MAX]}
        where = {"admin_url": request.relay.admin_url, "chain": chain}
        probes.append(probe(f"{chain} has a source", "sources_ready", tolerance=some, **where))
        if within_s > 0:
            asked = {"api_url": request.api_url, "chain": chain, "within_s": within_s}
            probes.append(probe(f"{chain} advances", "chain_advances", tolerance=True, **asked))
            probes.append(probe(f"{chain} is delivered", "events_delivered", tolerance=True, **asked))
    return Hypothesis(
        title="The relay is ready, and each chain advances and is delivered", probes=tuple(probes)
    )
