"""A relay's admin API as cb-chaos reads it: the dependency map, a sample of how all is, its chains' heights.

    with RelayAdmin("http://127.0.0.1:8081") as admin:
        relay = admin.map()
        sample = admin.sample(at_s=0.0)

It puts no fault on. Blocking; no answer of it is longer than ANSWER_SIZE_MAX.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from sprint.core.chaos.map_codec import map_of
from sprint.core.chaos.observation import Sample
from sprint.core.chaos.sampling import AdminAnswers, sample_of
from sprint.core.chaos.topology import DependencyMap
from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.faultproxy.codec import Address
from sprint.core.faultproxy.targets import check_target

TIMEOUT_S = 5.0
ANSWER_SIZE_MAX = 32 * 1024 * 1024
PIECE_SIZE = 64 * 1024
PORTS = {"http": 80, "https": 443}
WHERE = "name the admin listener, as --target http://127.0.0.1:8081"


class AdminFailed(UpstreamError):
    """A relay's admin API that gives no answer, or another one than a relay's."""

    code = "admin"


class RelayAdmin:
    """A client of one relay's admin listener. ConfigError where it is neither on loopback nor `allowed`."""

    def __init__(
        self, admin_url: str, *, allowed: Collection[str] = (), timeout_s: float = TIMEOUT_S
    ) -> None:
        self.url = checked_url(admin_url, allowed)
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=timeout_s)

    def __repr__(self) -> str:
        return f"RelayAdmin({self.url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. May be called again."""
        self._client.close()

    def map(self) -> DependencyMap:
        """Return what hangs on what. AdminFailed says what the place is not."""
        try:
            return map_of(self.url, self._answers())
        except msgspec.DecodeError as error:
            raise AdminFailed(f"{self.url} is no relay's admin listener ({error}); {WHERE}") from error

    def sample(self, at_s: float) -> Sample:
        """Return how all is at `at_s`; one that says so where the relay gives no answer."""
        try:
            return sample_of(at_s, self._answers(), self.heights())
        except (AdminFailed, msgspec.DecodeError):
            return Sample(at_s, answered=False)

    def health(self) -> dict[str, Any]:
        """Return the relay's health."""
        return msgspec.json.decode(self._answer("/api/health"), type=dict[str, Any])

    def devnet_chains(self) -> frozenset[str]:
        """Return the chains that the relay runs a devnet of itself; it takes no further sources of them."""
        try:
            told = msgspec.json.decode(self._answer("/api/devnet"), type=dict[str, dict[str, Any]])
            return frozenset(map(str, told.get("nodes", ())))
        except (AdminFailed, msgspec.DecodeError):
            return frozenset()

    def heights(self) -> dict[str, int]:
        """Return the newest block of each chain that a tier of the relay tells of; empty without a tier."""
        listeners = self.health().get("listeners", [])
        if not listeners:
            return {}
        url = f"{listeners[0]['url']}/api/v1/chains"
        chains = msgspec.json.decode(self._answer(url), type=dict[str, list[dict[str, Any]]])["chains"]
        return {row["chain"]: row["height"] for row in chains if row["height"] is not None}

    def _answers(self) -> AdminAnswers:
        return AdminAnswers(
            *(self._answer(path) for path in ("/api/health", "/api/sources", "/api/breakers"))
        )

    def _answer(self, path: str) -> bytes:
        """Return a body; AdminFailed where there is none, by what hinders it."""
        said = bytearray()
        try:
            with self._client.stream("GET", path) as answer:
                for piece in answer.iter_bytes(PIECE_SIZE):
                    said += piece
                    if len(said) > ANSWER_SIZE_MAX:
                        raise AdminFailed(f"{self.url}{path}: over {ANSWER_SIZE_MAX} bytes")
                status = answer.status_code
        except httpx.ConnectError as error:
            raise AdminFailed(
                f"{self.url}: nobody listens there ({error}); start the relay, or {WHERE}"
            ) from error
        except httpx.TimeoutException as error:
            raise AdminFailed(f"{self.url}{path}: no answer in {self._client.timeout.read:g} s") from error
        except httpx.HTTPError as error:
            raise AdminFailed(f"{self.url}{path}: {type(error).__name__}: {error}; {WHERE}") from error
        if status == httpx.codes.NOT_FOUND:
            raise AdminFailed(f"{self.url} has no {path}, {_what_it_is(self._client)}; {WHERE}")
        if status != httpx.codes.OK:
            raise AdminFailed(f"{self.url}{path}: answered {status}")
        return bytes(said)


def checked_url(url: str, allowed: Collection[str] = ()) -> str:
    """Return a URL without a path. ConfigError where it is none, or goes to a stranger."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{url!r}: {error}; {WHERE}") from error
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError(f"{url!r}: want http://HOST:PORT; {WHERE}")
    check_target(Address(parts.hostname, port or PORTS[parts.scheme]), allowed)
    return f"{parts.scheme}://{parts.netloc}"


def _what_it_is(client: httpx.Client) -> str:
    """Say what else of a relay's a place is: the likeliest mistake is another one of its ports."""
    try:
        if client.get("/api/v1/version").is_success:
            return "so it is the port of a tier"
        if client.get("/metrics").is_success:
            return "so it is the metrics' port"
    except httpx.HTTPError:
        pass
    return "so it is no relay"
