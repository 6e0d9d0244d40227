"""Where a proxy may connect to: loopback, and what the caller has listed. No stranger is disturbed."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import Address

LOCALHOST = "localhost"


def check_target(target: Address, allowed: Collection[str]) -> None:
    """Raise ConfigError where a target is neither on loopback nor in `allowed`, as `host:port` or as `host`.

    A name other than localhost is never taken for loopback: what it resolves to may change.
    """
    if is_loopback(target.host) or str(target) in allowed or target.host in allowed:
        return
    listed = ", ".join(sorted(allowed)) or "nothing"
    raise ConfigError(
        f"target: {target} is not on loopback, and the allow list has {listed}; want 127.0.0.1, ::1,"
        " localhost, or a target that is allowed when the proxy's process is started"
    )


def is_loopback(host: str) -> bool:
    """Tell whether a host is localhost or a loopback address."""
    if host == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
