"""Options that cannot stand together: one of them would do nothing, and the report would be of another load.

What is said is that of the command line; in a file the same options have no dashes before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sprint.core.errors import ConfigError
from sprint.tools.loadtest.options import FAILING_SCENARIOS, WEBSOCKET_SCHEMES

_OF_A_TARGET = ("profile", "method", "header", "data", "tls_ca", "tls_cert", "tls_key", "tls_insecure")
_OF_THE_SERVICE = ("latency_min", "latency_max")
_OF_STAGES = ("rps", "duration")
_OF_REQUESTS = ("rps", "pattern", "stage", "scenario", "method", "workers")


def check_together(given: Mapping[str, Any]) -> None:
    """Refuse options of which one would do nothing beside another; `given` has them all by their names.

    None, an empty text or list and False are of one that was not given. ConfigError names both, and what
    would be right.
    """
    if given["target"]:
        _check_with_target(given)
    else:
        _refuse(
            given, _OF_A_TARGET, "needs a target: --target URL, or --target demo, which is an embedded relay"
        )
    if given["stage"]:
        _refuse(given, _OF_STAGES, "with --stage: stages have theirs, as 30s:100; leave one out")
        if given["scenario"] == "spike":
            raise ConfigError("--scenario spike with --stage: both are a pattern of rates, leave one out")


def _check_with_target(given: Mapping[str, Any]) -> None:
    _refuse(
        given,
        _OF_THE_SERVICE,
        "with a --target: it is of the simulated service, which is loaded without one; "
        "slow answers of a target are made by --fault latency:latency_ms=200",
    )
    _refuse(
        given,
        ("tier",),
        "with a --target: it is of the breaker around the simulated service, which is loaded without one; "
        "a relay has a port for each tier, name that in the URL",
    )
    if given["scenario"] in FAILING_SCENARIOS and (given["fault"] or not given["chaos"]):
        raise ConfigError(
            f"--scenario {given['scenario']} with a --target is how the share of its connections that "
            "--chaos resets goes over time: add --chaos, and leave --fault out"
        )
    if given["failure_rate"] is not None and not given["chaos"] and not given["fault"]:
        raise ConfigError(
            f"--failure-rate {given['failure_rate']:g} with a --target does nothing by itself: --chaos "
            "resets that share of its connections, --fault has other faults on it"
        )
    if given["connections"] or given["target"].startswith(WEBSOCKET_SCHEMES):
        _refuse(given, _OF_REQUESTS, "is of requests, and WebSockets are held here; leave it out")


def _refuse(given: Mapping[str, Any], names: Iterable[str], why: str) -> None:
    for name in names:
        value = given[name]
        if value is None or value is False or value in ("", ()):
            continue
        first = value[0] if isinstance(value, tuple) else value
        shown = "" if value is True else f" {first}"
        raise ConfigError(f"--{name.replace('_', '-')}{shown} {why}")
