"""The proxies of a process by name: made, found, let go, and all faults taken off at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator

from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import ProxySettings, shown
from sprint.tools.faultproxy.proxy import FaultProxy

PROXIES_MAX = 64


class FaultProxies:
    """Some proxies on one event loop. `allowed` are targets beyond loopback, as `host:port` or `host`."""

    def __init__(self, *, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)
        self._proxies: dict[str, FaultProxy] = {}

    def __repr__(self) -> str:
        return f"FaultProxies({', '.join(self._proxies)})"

    def __iter__(self) -> Iterator[FaultProxy]:
        return iter(list(self._proxies.values()))

    def find(self, name: str) -> FaultProxy:
        """Return a proxy; ConfigError where there is none of that name."""
        proxy = self._proxies.get(name)
        if proxy is None:
            there = ", ".join(self._proxies) or "none"
            raise ConfigError(f"no proxy {shown(name)}; there is {there}")
        return proxy

    def create(self, settings: ProxySettings) -> FaultProxy:
        """Make a proxy and have it listen. ConfigError or ListenError where that cannot be."""
        if settings.name in self._proxies:
            raise ConfigError(
                f"name: a proxy {settings.name!r} is there already; delete it, or take another name"
            )
        if len(self._proxies) >= PROXIES_MAX:
            raise ConfigError(f"{len(self._proxies)} proxies, limit {PROXIES_MAX}; delete one first")
        proxy = FaultProxy(settings, allowed=self._allowed)
        proxy.start()
        self._proxies[settings.name] = proxy
        return proxy

    async def delete(self, name: str) -> FaultProxy:
        """Stop a proxy and forget it; its connections are reset. ConfigError where there is none."""
        proxy = self.find(name)
        del self._proxies[name]
        await proxy.stop()
        return proxy

    def reset(self) -> int:
        """Take all faults off all proxies; return how many there were."""
        return sum(proxy.reset() for proxy in self)

    async def stop(self) -> None:
        """Stop all proxies. May be called again."""
        proxies = list(self)
        self._proxies.clear()
        await asyncio.gather(*(proxy.stop() for proxy in proxies))
