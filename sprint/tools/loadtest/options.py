"""What a load test is asked for beside its plan, and which of the targets that makes."""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.duration import SECOND_NS
from sprint.core.errors import ConfigError
from sprint.core.faultproxy.toxics import Toxic
from sprint.core.loadtest.faults import fields_of
from sprint.core.loadtest.plan import Plan
from sprint.core.loadtest.verdict import Threshold
from sprint.tools.loadtest.assignment import Trust
from sprint.tools.loadtest.request_template import RequestForm

DEMO = "demo"
TIMEOUT_DEFAULT_NS = 10 * SECOND_NS
TIMEOUT_NS_MIN = SECOND_NS // 100
TIMEOUT_NS_MAX = 300 * SECOND_NS
CONNECTIONS_MAX = 10_000
LATENCY_MS_MAX = 300_000.0
LATENCY_MS_MIN_DEFAULT = 1.0  # of the simulated service
LATENCY_MS_MAX_DEFAULT = 20.0
WEBSOCKET_SCHEMES = ("ws://", "wss://")
FAILURE_RATE_OF_FAILING = 0.5
FAILING_SCENARIOS = ("gradual-failure", "recovery")

Profile = Literal["", "relay"]


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One load test. `connections` above 0 holds so many WebSockets in the place of sending requests.

    `faults` are on the way to a target; `chaos` without a target lets the simulated service fail.
    """

    plan: Plan
    policy: Policy
    tier: str
    form: RequestForm
    profile: Profile = ""
    connections: int = 0
    failure_rate: float = 0.0
    latency_ms_min: float = LATENCY_MS_MIN_DEFAULT
    latency_ms_max: float = LATENCY_MS_MAX_DEFAULT
    timeout_ns: int = TIMEOUT_DEFAULT_NS
    chaos: bool = False
    faults: tuple[Toxic, ...] = ()
    trust: Trust = Trust()
    seed: int = 0
    thresholds: tuple[Threshold, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether WebSockets are held, in the place of requests being sent."""
        return self.connections > 0 or self.plan.target.startswith(WEBSOCKET_SCHEMES)

    @property
    def has_one_request_each(self) -> bool:
        """Whether each request has a connection of its own: a share of connections is then one of requests.

        Where all connections have all faults there is no need for it, and what goes wrong with connections
        that are kept can be seen.
        """
        on_all = bool(self.faults) and all(fault.toxicity == 1 for fault in self.faults)
        return self.chaos and not self.holds and not on_all

    @property
    def shown(self) -> dict[str, str]:
        """The options that shape the load, by name."""
        rows = {"tier": self.tier, "seed": str(self.seed), "timeout": f"{self.timeout_ns / SECOND_NS:g}s"}
        if self.plan.target:
            rows |= {"method": self.form.method}
        else:
            rows |= {"latency": f"{self.latency_ms_min:g}-{self.latency_ms_max:g}ms"}
        if self.failure_rate:
            rows |= {"failure_rate": f"{self.failure_rate:g}"}
        if self.profile:
            rows |= {"profile": self.profile}
        if self.chaos:
            rows |= {"chaos": "; ".join(map(_written, self.faults)) or "yes"}
        if self.connections:
            rows |= {"connections": str(self.connections)}
        return rows


def _written(fault: Toxic) -> str:
    """Return a fault as `--fault` takes it."""
    figures = (f"{name}={value}" for name, value in fields_of(fault).items() if name not in {"name", "kind"})
    return f"{fault.kind}:{','.join(figures)}"


def failure_rate_of(given: float | None, scenario: str) -> float:
    """Return the failure rate that was asked for, or the scenario's own."""
    if given is None:
        return FAILURE_RATE_OF_FAILING if scenario in FAILING_SCENARIOS else 0.0
    if not 0.0 <= given <= 1.0:
        raise ConfigError(f"--failure-rate {given:g}: it is a share from 0 to 1, as 0.1 for one in ten")
    return given


def check_latencies(latency_ms_min: float, latency_ms_max: float) -> None:
    """Refuse latencies that can't be; they are in milliseconds."""
    if not 0.0 <= latency_ms_min <= latency_ms_max <= LATENCY_MS_MAX:
        raise ConfigError(
            f"--latency-min {latency_ms_min:g} --latency-max {latency_ms_max:g}: want "
            f"0 <= min <= max <= {LATENCY_MS_MAX:g} ms"
        )


def check_timeout(timeout_ns: int) -> None:
    """Refuse a timeout that can't be."""
    if not TIMEOUT_NS_MIN <= timeout_ns <= TIMEOUT_NS_MAX:
        raise ConfigError(f"--timeout {timeout_ns / SECOND_NS:g}s: it is from 10ms to 300s")


def check_connections(connections: int, plan: Plan) -> None:
    """Refuse a number of WebSockets that can't be held."""
    if not 1 <= connections <= CONNECTIONS_MAX:
        raise ConfigError(f"--connections {connections:,}: from 1 to {CONNECTIONS_MAX:,} WebSockets")
    if not plan.target:
        raise ConfigError("--connections needs a target: --target ws://host:port/path, or --target demo")
