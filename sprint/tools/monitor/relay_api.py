"""One relay's admin API over HTTP, as the monitor asks and tells it.

What a relay refuses is raised in its own words, with its own code; one that can't be asked as `RelayLost`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from sprint import __version__
from sprint.core.errors import ConfigError, RequestError, UpstreamError
from sprint.tools.web.problems import PROBLEMS

TIMEOUT_S = 3.0
# A whole answer is no longer than so many times that: who sends a byte at a time is no relay.
ANSWER_TIMEOUTS_MAX = 5
ANSWER_SIZE_MAX = 32 * 1024 * 1024
SAID_LENGTH_MAX = 500
USER_AGENT = f"sprint-monitor/{__version__}"
WHERE = "name the admin listener of a relay, as http://127.0.0.1:8081"

Kind = TypeVar("Kind")


class RelayLost(UpstreamError):
    """A relay that gives no answer, or one that is no relay's."""

    code = "relay_lost"


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    detail: str = ""


class RelayApi:
    """A client of one relay's admin listener, `http://HOST:PORT` or `https://HOST:PORT`."""

    def __init__(self, url: str, *, tls: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self.url = checked_url(url)
        secure = self.url.startswith("https:")
        self.tls = tls if secure else None
        self._answer_s_max = ANSWER_TIMEOUTS_MAX * timeout_s
        self._client = httpx.AsyncClient(
            base_url=self.url,
            verify=self.tls or secure,
            trust_env=False,
            timeout=timeout_s,
            headers={"User-Agent": USER_AGENT},
        )

    def __repr__(self) -> str:
        return f"RelayApi({self.url})"

    async def close(self) -> None:
        """Close its connections. May be called again."""
        await self._client.aclose()

    async def get(self, path: str, kind: type[Kind]) -> Kind:
        """Return an answer, read as `kind`."""
        return self._read(path, await self._answer("GET", path), kind)

    async def send(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object; return the object that is answered. RequestError where it is refused."""
        answer = await self._answer(method, path, msgspec.json.encode(body))
        return self._read(path, answer, dict[str, Any])

    async def _answer(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        said = bytearray()
        try:
            async with (
                asyncio.timeout(self._answer_s_max),
                self._client.stream(method, path, content=body, headers=headers) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    said += piece
                    if len(said) > ANSWER_SIZE_MAX:
                        raise RelayLost(f"{self.url}{path}: an answer over {ANSWER_SIZE_MAX} bytes")
        except TimeoutError as error:
            raise RelayLost(f"{self.url}{path}: no whole answer in {self._answer_s_max:g} s") from error
        except httpx.ConnectError as error:
            raise RelayLost(f"{self.url}: nobody answers there ({error}); {WHERE}") from error
        except httpx.TimeoutException as error:
            timeout_s = self._client.timeout.read or TIMEOUT_S
            raise RelayLost(f"{self.url}{path}: no answer in {timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise RelayLost(f"{self.url}{path}: {type(error).__name__}: {error}; {WHERE}") from error
        if not answer.is_success:
            raise _refusal(f"{self.url}{path}", answer.status_code, bytes(said))
        return bytes(said)

    def _read(self, path: str, answer: bytes, kind: type[Kind]) -> Kind:
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError as error:
            raise RelayLost(f"{self.url}{path}: not a relay's answer ({error}); {WHERE}") from error


def breaker_path(name: str, part: str = "") -> str:
    """Return the path of a breaker, its name percent-encoded."""
    return f"/api/breakers/{quote(name, safe='')}{part}"


def checked_url(url: str) -> str:
    """Return a URL without a slash at its end. ConfigError where it is no admin listener's."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it checks it
    except ValueError as error:
        raise ConfigError(f"{url!r}: {error}; {WHERE}") from error
    unwanted = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or unwanted:
        raise ConfigError(f"{url!r}: want http://HOST:PORT; {WHERE}")
    return f"{parts.scheme}://{parts.netloc}"


def _refusal(url: str, status: int, body: bytes) -> RequestError | RelayLost:
    """Return what a relay refuses, in its words; an answer that is no problem of a relay's is none of one."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    if problem.code not in PROBLEMS or PROBLEMS[problem.code].status != status:
        return RelayLost(f"{url}: answered {status}; {WHERE}")
    return RequestError(problem.code, problem.detail[:SAID_LENGTH_MAX])
