"""Makes what a generator's requests go to out of its assignment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from sprint.core.errors import ConfigError
from sprint.core.loadtest.scenario import failure_rate_at
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.loadtest.assignment import Assignment, HttpWork, ServiceWork
from sprint.tools.loadtest.generating import Target
from sprint.tools.loadtest.http_generator import HttpGenerator, Limits, Place
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.request_template import RequestTemplate
from sprint.tools.loadtest.simulated_service import Service, ServiceLimits, SimulatedTarget
from sprint.tools.loadtest.target_url import TargetUrl

Random = Callable[[], float]


class RunTarget(Target, Protocol):
    """What also tells how it is."""

    @property
    def connections(self) -> int: ...
    @property
    def states(self) -> Mapping[str, str]: ...
    def begin(self, started_ns: int) -> None: ...


def target_of(assignment: Assignment, outcomes: Outcomes, rng: Random) -> RunTarget:
    """Return the target of an assignment; ConfigError where a certificate cannot be read."""
    work = assignment.work
    plan = assignment.plan
    workers_max = share_of(plan.workers, assignment.process, plan.processes)
    if isinstance(work, ServiceWork):
        rate = partial(failure_rate_at, plan.scenario)
        service = Service(
            work.latency_ms_min,
            work.latency_ms_max,
            lambda elapsed_s: rate(elapsed_s / plan.duration_s, work.failure_rate),
        )
        return SimulatedTarget(
            CircuitBreaker(work.breaker, work.policy, rng=rng),
            service,
            outcomes,
            ServiceLimits(workers_max, assignment.timeout_ns),
            rng,
        )
    if not isinstance(work, HttpWork):
        raise ConfigError(f"no generator for {type(work).__name__}")
    tls = tls_context(work.ca_file, verifies=work.verifies, url=work.url)
    return HttpGenerator(
        Place(work.url, work.address, work.port, tls),
        [RequestTemplate(form, work.url, os.urandom) for form in work.forms],
        outcomes,
        Limits(workers_max, assignment.timeout_ns, work.forms[0].method == "HEAD", work.one_request_each),
    )


def share_of(whole: int, process: int, processes: int) -> int:
    """Return a process's share of so many, at least one."""
    return max(1, (whole - process + processes - 1) // processes)


def tls_context(ca_file: str, *, verifies: bool, url: TargetUrl) -> ssl.SSLContext | None:
    """Return what TLS is spoken by, if it is; ConfigError where the file of certificates can't be read."""
    if not url.is_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--tls-ca {ca_file}: {error}") from error
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
