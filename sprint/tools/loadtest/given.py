"""The options of a load test as they are given, on the command line or in a file, and what they make."""

from __future__ import annotations

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.duration import parse_duration_ns
from sprint.core.errors import ConfigError
from sprint.core.faultproxy.toxics import Toxic
from sprint.core.loadtest.faults import parse_faults, reset_fault
from sprint.core.loadtest.plan import (
    DURATION_DEFAULT_NS,
    PROCESSES_MAX,
    RATE_PER_S_DEFAULT,
    WORKERS_MAX,
    Asked,
    Plan,
    make_plan,
    parse_stage,
)
from sprint.core.loadtest.verdict import parse_threshold
from sprint.tools.loadtest.assignment import Trust
from sprint.tools.loadtest.options import (
    DEMO,
    LATENCY_MS_MAX_DEFAULT,
    LATENCY_MS_MIN_DEFAULT,
    WEBSOCKET_SCHEMES,
    LoadOptions,
    check_connections,
    check_latencies,
    check_timeout,
    failure_rate_of,
)
from sprint.tools.loadtest.request_template import request_form
from sprint.tools.loadtest.target_url import parse_url
from sprint.tools.loadtest.tls import tls_context
from sprint.tools.loadtest.together import check_together

TIER_DEFAULT = "business"
RATE_OF_A_PROCESS = 20_000  # requests a second that one generator makes with ease
SEED_LIMIT = 1 << 62
SECTION = "loadtest"  # of a config file
_PROFILES = ("", "relay")


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options by their names; None is one that was not given.

    `processes` None takes as many as the rate wants.
    """

    target: str = ""
    profile: str = ""
    rps: int | None = None
    duration: str | None = None
    stage: tuple[str, ...] = ()
    pattern: str | None = None
    scenario: str | None = None
    workers: int | None = None
    processes: int | None = None
    method: str = ""
    header: tuple[str, ...] = ()
    data: str | None = None
    timeout: str = "10s"
    connections: int | None = None
    failure_rate: float | None = None
    latency_min: float | None = None
    latency_max: float | None = None
    tier: str | None = None
    chaos: bool = False
    fault: tuple[str, ...] = ()
    threshold: tuple[str, ...] = ()
    seed: int = 0
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_insecure: bool = False


def options_of(given: Given, tier: str, policy: Policy, *, cpus: int) -> LoadOptions:
    """Check everything and return what is to be run; ConfigError with option, value and limit."""
    _check_values(given)
    check_together(msgspec.structs.asdict(given))
    timeout_ns = parse_duration_ns(given.timeout, option="--timeout")
    check_timeout(timeout_ns)
    latency_ms_min = LATENCY_MS_MIN_DEFAULT if given.latency_min is None else given.latency_min
    latency_ms_max = LATENCY_MS_MAX_DEFAULT if given.latency_max is None else given.latency_max
    check_latencies(latency_ms_min, latency_ms_max)
    plan = _plan_of(given, cpus)
    failure_rate = failure_rate_of(given.failure_rate, plan.scenario)
    return LoadOptions(
        plan=plan,
        policy=policy,
        tier=tier,
        form=request_form(given.method, given.header, given.data),
        profile="relay" if given.profile == "relay" else "",
        connections=given.connections or 0,
        failure_rate=failure_rate,
        latency_ms_min=latency_ms_min,
        latency_ms_max=latency_ms_max,
        timeout_ns=timeout_ns,
        chaos=given.chaos or bool(given.fault),
        faults=_faults(given, failure_rate),
        trust=_trust_of(given),
        seed=given.seed,
        thresholds=tuple(parse_threshold(text) for text in given.threshold),
    )


def _check_values(given: Given) -> None:
    """Refuse values that can't be of options that are looked at by themselves."""
    if given.profile not in _PROFILES:
        raise ConfigError(f"--profile {given.profile!r}: there is relay")
    if not 0 <= given.seed < SEED_LIMIT:
        raise ConfigError(f"--seed {given.seed}: a whole number from 0 to 2^62 - 1")
    if given.target and given.target != DEMO:
        parse_url(given.target)


def _plan_of(given: Given, cpus: int) -> Plan:
    """Return the plan, with as many generators as its rate wants where nothing was said of them."""
    plan = make_plan(
        Asked(
            target=given.target,
            rate_per_s=RATE_PER_S_DEFAULT if given.rps is None else given.rps,
            duration_ns=DURATION_DEFAULT_NS if given.duration is None else parse_duration_ns(given.duration),
            pattern=given.pattern,
            scenario=given.scenario or "standard",
            stages=tuple(parse_stage(text) for text in given.stage),
            workers=WORKERS_MAX if given.workers is None else given.workers,
            processes=1 if given.processes is None else given.processes,
        )
    )
    if given.connections is not None:
        check_connections(given.connections, plan)
    if given.processes is None and given.target and not given.connections:
        plan = msgspec.structs.replace(plan, processes=processes_for(plan.rate_per_s, cpus))
    if given.connections or given.target.startswith(WEBSOCKET_SCHEMES):
        plan = msgspec.structs.replace(plan, rate_per_s=0, segments=())  # what is held is not asked
    return plan


def _trust_of(given: Given) -> Trust:
    trust = Trust(
        ca_file=given.tls_ca,
        certificate_file=given.tls_cert,
        key_file=given.tls_key,
        verifies=not given.tls_insecure,
    )
    if trust != Trust():
        tls_context(trust)  # so that a file that can't be used is told before anything is started
    return trust


def _faults(given: Given, failure_rate: float) -> tuple[Toxic, ...]:
    """Return the faults before a target: those that are named, or of `--chaos` alone that of resets."""
    if given.fault and not given.target:
        raise ConfigError(
            f"--fault {given.fault[0]!r} needs a target, before which the fault proxy stands: --target URL, "
            "or --target demo; in process there are --failure-rate, --latency-min and --latency-max"
        )
    if given.fault:
        # A rate is checked by then; none given means all connections.
        return parse_faults(given.fault, given.failure_rate)
    return (reset_fault(failure_rate),) if given.chaos and given.target and failure_rate else ()


def processes_for(rate_per_s: int, cpus: int) -> int:
    """Return how many generators a rate wants, no more than there are processors."""
    return max(1, min(-(-rate_per_s // RATE_OF_A_PROCESS), cpus, PROCESSES_MAX))
