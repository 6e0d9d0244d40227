"""Fault proxies for a user's relay: a process of them, and the detours that lead its sources through.

    with Detours(admin.map()) as detours:
        numbers = detours.open(faults, ["litecoin-regtest:alice"], ttl_s=60)
        detours.proxies         # of `litecoin-regtest:alice-chaos`, which faults can be put on now

For each chosen source a proxy is started in front of its address, the relay is given `NAME-chaos` by way of
it, and, once that is ready, the source itself is paused. That is a fault in the journal as any other: undone,
the source is resumed and the other one removed. The proxies end with this process however it ends.

The other one has the source's address and provider alone: its login, a path behind the host, `topics` and
`mempool` are not told by the relay. So a source that is logged in to can't be led through by this.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, Self
from urllib.parse import quote

import httpx

from sprint.core.chaos.faults import Fault, SourceDetour
from sprint.core.chaos.topology import DependencyMap, MappedSource
from sprint.core.chaos.wiring import NotPossible, ProxyInTheWay, key_of
from sprint.core.errors import ConfigError
from sprint.core.faultproxy.codec import proxy_of
from sprint.core.faultproxy.targets import check_target
from sprint.tools.embedded.child import Child
from sprint.tools.embedded.folder import OwnedFolder

SUFFIX = "-chaos"
DETOURS_MAX = 64
ASK_TIMEOUT_S = 5.0
NAME_LENGTH_MAX = 64
KIND = "detour"
# What a source's URL as it is shown says enough of to be reached by another address.
SCHEMES = ("p2p", "rpc", "zmq")


class FaultDoor(Protocol):
    """What puts faults on: `FaultKeeper`."""

    def inject(self, fault: Fault, kind: str, target: str, says: str, ttl_s: float = 60.0) -> int: ...


class FaultProxies:
    """A process of fault proxies, one for each address. ChildFailed where it doesn't come to run."""

    def __init__(self, targets: Sequence[str], *, allowed: Collection[str] = (), seed: str = "0") -> None:
        command = [sys.executable, "-m", "sprint.tools.faultproxy", "--until-eof", "--seed", seed]
        for index, target in enumerate(targets):
            command += ["--proxy", f"{_proxy_name(index)}={target}"]
        for each in allowed:
            command += ["--allow-target", each]
        with ExitStack() as stack:
            folder = stack.enter_context(OwnedFolder())
            self.child = stack.enter_context(Child("the fault proxy", command, folder=folder.path))
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"FaultProxies({self.control_url})"

    @property
    def control_url(self) -> str:
        return str(self.child.first_line["control"])

    def address(self, index: int) -> str:
        """Return where the proxy of a target listens."""
        listening: dict[str, Any] = self.child.first_line["proxies"]
        return str(listening[_proxy_name(index)])

    def in_the_way(self, index: int) -> ProxyInTheWay:
        """Return what toxics are told to."""
        return ProxyInTheWay(self.control_url, _proxy_name(index))

    def close(self) -> None:
        """End it. May be called again."""
        self._stack.close()


class Detours:
    """Detours of one relay's sources."""

    def __init__(self, relay: DependencyMap, *, allowed: Collection[str] = (), seed: str = "0") -> None:
        self._relay = relay
        self._allowed = allowed
        self._seed = seed
        self._stack = ExitStack()
        self.proxies: dict[str, ProxyInTheWay] = {}

    def __repr__(self) -> str:
        return f"Detours({', '.join(self.proxies)})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, faults: FaultDoor, keys: Sequence[str], ttl_s: float) -> list[int]:
        """Lead these sources (`CHAIN:NAME`) through proxies; return the faults' numbers.

        NotPossible names all sources that can't be led so, and why, before anything is done. A fault that
        can't be put on leaves those before it; undo all of them.
        """
        sources = [self._found(key) for key in dict.fromkeys(keys)]
        if not 1 <= len(sources) <= DETOURS_MAX:
            raise ConfigError(f"{len(sources)} sources to lead through proxies, want 1 to {DETOURS_MAX}")
        self._refuse(sources)
        addresses = [each.address for each in sources]
        proxies = FaultProxies(addresses, allowed=self._allowed, seed=self._seed)
        self._stack.callback(proxies.close)
        numbers = []
        for index, source in enumerate(sources):
            numbers.append(self._lead(faults, source, proxies.address(index), ttl_s))
            self.proxies[f"{key_of(source)}{SUFFIX}"] = proxies.in_the_way(index)
        return numbers

    def close(self) -> None:
        """End the proxies. Undo the faults before: the sources would stand behind nothing."""
        self._stack.close()

    def _refuse(self, sources: Sequence[MappedSource]) -> None:
        reasons = {key_of(each): lack_of(each, self._relay) for each in sources}
        for each in sources:
            if not reasons[key_of(each)]:
                _check_address(each, self._allowed)
                reasons[key_of(each)] = login_lack(each)
        lacks = [f"{key}: {reason}" for key, reason in reasons.items() if reason]
        if lacks:
            raise NotPossible(f"no detour for {'; '.join(lacks)}")

    def _found(self, key: str) -> MappedSource:
        known = {key_of(each): each for each in self._relay.sources}
        if key not in known:
            raise ConfigError(f"source {key!r}: the relay has {', '.join(sorted(known)) or 'none'}")
        return known[key]

    def _lead(self, faults: FaultDoor, source: MappedSource, address: str, ttl_s: float) -> int:
        fault = SourceDetour(
            admin_url=self._relay.admin_url,
            chain=source.chain,
            source=source.name,
            by=f"{source.name}{SUFFIX}",
            url=detour_url(source, address),
        )
        says = f"{source.name} is led through a fault proxy at {address}"
        return faults.inject(fault, KIND, source.breaker, says, ttl_s)


def detour_url(source: MappedSource, address: str) -> str:
    """Return chain and URL of a source by another address, of the same provider, as that is one node."""
    scheme, _, _ = source.url.partition("://")
    label, dash, network = source.chain.partition("-")
    chain = f"{label}:{network}" if dash else label
    return f"{chain}={scheme}://{address}?provider={quote(source.provider, safe='')}"


def lack_of(source: MappedSource, relay: DependencyMap) -> str:
    """Say why a source can't be led through a proxy, and what would work; empty where it can."""
    scheme, _, address = source.url.partition("://")
    if not source.usable:
        return "it is not usable now; a detour would tell nothing"
    if scheme not in SCHEMES:
        return f"{scheme} is checked by its host's name, which a proxy has not; {_by_hand(address)}"
    if ":" not in address:
        return "its address is not fixed: the relay finds nodes by DNS seeds; name one with --source"
    if len(source.name) + len(SUFFIX) > NAME_LENGTH_MAX:
        most = NAME_LENGTH_MAX - len(SUFFIX)
        return f"its name has {len(source.name)} characters, {most} at most for a detour"
    if f"{key_of(source)}{SUFFIX}" in _keys(relay.sources):
        return f"{source.name}{SUFFIX} is there already, left by another run; undo that with --rollback"
    return ""


def lack_now(source: MappedSource, relay: DependencyMap, allowed: Collection[str]) -> str:
    """Say why a source can't be led through a proxy, its node asked too. Blocking."""
    if lack := lack_of(source, relay):
        return lack
    try:
        _check_address(source, allowed)
    except ConfigError as error:
        return str(error)
    return login_lack(source)


def login_lack(source: MappedSource) -> str:
    """Ask a JSON-RPC node whether it wants a login; empty where it does not, or is no such node."""
    scheme, _, address = source.url.partition("://")
    if scheme != "rpc":
        return ""
    call = {"method": "getblockcount", "params": [], "id": 1}
    try:
        answer = httpx.post(f"http://{address}/", json=call, timeout=ASK_TIMEOUT_S, trust_env=False)
    except httpx.HTTPError as error:
        return f"its node gives no answer ({type(error).__name__}: {error})"
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return f"its node wants a login, which the relay tells nobody; {_by_hand(address)}"
    if answer.status_code == httpx.codes.NOT_FOUND:
        return f"its node is behind a path, which the relay tells nobody; {_by_hand(address)}"
    return ""


def _check_address(source: MappedSource, allowed: Collection[str]) -> None:
    check_target(proxy_of({"name": "node", "target": source.address}).target, allowed)


def _by_hand(address: str) -> str:
    command = f"python -m sprint.tools.faultproxy --proxy node={address}"
    return f"start `{command}`, have the relay's config name its address, and name it here with --proxy"


def _keys(sources: Iterable[MappedSource]) -> set[str]:
    return {key_of(each) for each in sources}


def _proxy_name(index: int) -> str:
    """Return the name of a proxy; a source's own may have characters that a proxy's may not."""
    return f"detour-{index}"
