"""The options of a load test as they are given, on the command line or in a file, and what they make."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.config.formats import table_of_json, table_of_toml
from sprint.core.config.yaml_text import table_of_yaml
from sprint.core.errors import ConfigError
from sprint.core.faultproxy.toxics import Toxic
from sprint.core.loadtest.faults import parse_faults, reset_fault
from sprint.core.loadtest.plan import (
    PROCESSES_MAX,
    WORKERS_MAX,
    Asked,
    make_plan,
    parse_duration_ns,
    parse_stage,
)
from sprint.core.loadtest.verdict import parse_threshold
from sprint.tools.loadtest.assignment import Trust
from sprint.tools.loadtest.options import (
    DEMO,
    LoadOptions,
    check_connections,
    check_latencies,
    check_timeout,
    failure_rate_of,
)
from sprint.tools.loadtest.request_template import request_form
from sprint.tools.loadtest.target_url import parse_url
from sprint.tools.loadtest.tls import tls_context

RATE_OF_A_PROCESS = 20_000  # requests a second that one generator makes with ease
CONFIG_SIZE_MAX = 1024 * 1024
SEED_LIMIT = 1 << 62
SECTION = "loadtest"
_PROFILES = ("", "relay")


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options by their names; `processes` 0 takes as many as the rate wants."""

    target: str = ""
    profile: str = ""
    rps: int = 1_000
    duration: str = "30s"
    stage: tuple[str, ...] = ()
    pattern: str | None = None
    scenario: str = "standard"
    workers: int = WORKERS_MAX
    processes: int = 0
    method: str = ""
    header: tuple[str, ...] = ()
    data: str | None = None
    timeout: str = "10s"
    connections: int = 0
    failure_rate: float | None = None
    latency_min: float = 1.0
    latency_max: float = 20.0
    tier: str = "business"
    chaos: bool = False
    fault: tuple[str, ...] = ()
    threshold: tuple[str, ...] = ()
    seed: int = 0
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_insecure: bool = False


def given_of(file: Path | None, flags: Mapping[str, Any]) -> Given:
    """Lay the flags that were given, none of them None, over what a file says; ConfigError where wrong."""
    table = {} if file is None else _table_of(file)
    for key in table:
        if key not in Given.__struct_fields__:
            near = difflib.get_close_matches(key, Given.__struct_fields__, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{file}: unknown key {SECTION}.{key}{hint}")
    try:
        in_file = msgspec.convert(table, Given)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{file}: {SECTION}: {error}") from error
    return msgspec.structs.replace(in_file, **{k: v for k, v in flags.items() if v is not None})


def options_of(given: Given, tier: str, policy: Policy, *, cpus: int) -> LoadOptions:
    """Check everything and return what is to be run; ConfigError with option, value and limit."""
    if given.profile not in _PROFILES:
        raise ConfigError(f"--profile {given.profile!r}: there is relay")
    if not 0 <= given.seed < SEED_LIMIT:
        raise ConfigError(f"--seed {given.seed}: a whole number from 0 to 2^62 - 1")
    timeout_ns = parse_duration_ns(given.timeout, option="--timeout")
    check_timeout(timeout_ns)
    check_latencies(given.latency_min, given.latency_max)
    if given.target and given.target != DEMO:
        parse_url(given.target)
    elif given.profile and not given.target:
        raise ConfigError(f"--profile {given.profile} needs a target: --target URL, or --target demo")
    plan = make_plan(
        Asked(
            target=given.target,
            rate_per_s=given.rps,
            duration_ns=parse_duration_ns(given.duration),
            pattern=given.pattern,
            scenario=given.scenario,
            stages=tuple(parse_stage(text) for text in given.stage),
            workers=given.workers,
            processes=given.processes or 1,
        )
    )
    trust = Trust(
        ca_file=given.tls_ca,
        certificate_file=given.tls_cert,
        key_file=given.tls_key,
        verifies=not given.tls_insecure,
    )
    if trust != Trust():
        tls_context(trust)  # so that a file that can't be used is told before anything is started
    check_connections(given.connections, plan)
    if not given.processes and given.target and not given.connections:
        plan = msgspec.structs.replace(plan, processes=processes_for(plan.rate_per_s, cpus))
    if given.connections or given.target.startswith(("ws://", "wss://")):
        plan = msgspec.structs.replace(plan, rate_per_s=0, segments=())  # what is held is not asked
    failure_rate = failure_rate_of(given.failure_rate, plan.scenario)
    return LoadOptions(
        plan=plan,
        policy=policy,
        tier=tier,
        form=request_form(given.method, given.header, given.data),
        profile="relay" if given.profile == "relay" else "",
        connections=given.connections,
        failure_rate=failure_rate,
        latency_ms_min=given.latency_min,
        latency_ms_max=given.latency_max,
        timeout_ns=timeout_ns,
        chaos=given.chaos or bool(given.fault),
        faults=_faults(given, failure_rate),
        trust=trust,
        seed=given.seed,
        thresholds=tuple(parse_threshold(text) for text in given.threshold),
    )


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


def _table_of(file: Path) -> dict[str, Any]:
    """Read the section of a file in TOML, JSON or YAML; options are spelt with - or _."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--config {file}: {error.strerror or error}") from error
    if len(data) > CONFIG_SIZE_MAX:
        raise ConfigError(f"--config {file}: {len(data)} bytes, limit {CONFIG_SIZE_MAX}")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"--config {file}: not UTF-8: {error}") from error
    suffix = file.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        whole = table_of_yaml(text, str(file))
    else:
        whole = table_of_json(text, str(file)) if suffix == ".json" else table_of_toml(text, str(file))
    section = whole.get(SECTION, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{file}: {SECTION} is not a table")
    return {str(key).replace("-", "_"): value for key, value in section.items()}
