"""Probes of experiments: what is asked of a relay and of ports, by plain functions.

They put nothing on and change nothing. `api_url` is a tier's port (8080), `admin_url` the admin listener
(8081). What doesn't answer raises, which is a probe that failed; what answers is for the tolerance to judge.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from sprint.core.errors import UpstreamError
from sprint.tools.client.sync_client import Client

REQUEST_TIMEOUT_S = 5.0
ANSWER_SIZE_MAX = 4 * 1024 * 1024
LOOK_EVERY_S = 0.1
WITHIN_S_MAX = 600.0
# An HTTP server answers it. A peer-to-peer one hangs up: the first 24 bytes should be a message's header, and
# are none. Either is a round trip.
GREETING = b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def relay_ready(api_url: str) -> bool:
    """Tell whether a relay says that it can serve."""
    return _get(api_url, "/api/v1/ready").status_code == httpx.codes.OK


def health_status(admin_url: str) -> str:
    """Return a relay's health: ok, degraded or failing."""
    return str(_answer(admin_url, "/api/health")["status"])


def sources_ready(admin_url: str, chain: str) -> int:
    """Return how many sources of a chain are ready."""
    rows = _answer(admin_url, "/api/sources")["sources"].get(chain)
    if rows is None:
        raise UpstreamError(f"{admin_url}: the relay has no chain {chain!r}")
    return sum(row["state"] == "ready" for row in rows)


def breaker_state(admin_url: str, breaker: str) -> str:
    """Return the state of a breaker."""
    answer = _answer(admin_url, f"/api/breakers/{quote(breaker, safe='')}")
    return str(answer.get("breaker", answer)["state"])


def head_height(api_url: str, chain: str) -> int:
    """Return the height of the newest block that was delivered; -1 where there is none."""
    head = _answer(api_url, f"/api/v1/chains/{quote(chain, safe='')}/status").get("head")
    return -1 if head is None else int(head["height"])


def chain_advances(api_url: str, chain: str, within_s: float = 10.0) -> bool:
    """Tell whether the newest block of a chain is another one within a time."""
    deadline = time.monotonic() + _bounded_s(within_s)
    first = _head(api_url, chain)
    while _head(api_url, chain) == first:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(LOOK_EVERY_S, left_s))
    return True


def events_delivered(api_url: str, chain: str, within_s: float = 10.0) -> bool:
    """Tell whether a subscriber is handed a new block of a chain within a time."""
    with Client(api_url) as client:
        stream = client.events([chain], ["block"], start="latest")
        # The stream waits and reconnects for as long as it is open; the time ends it.
        timer = threading.Timer(_bounded_s(within_s), stream.close)
        timer.daemon = True
        timer.start()
        try:
            return next(iter(stream), None) is not None
        finally:
            timer.cancel()
            stream.close()


def connects(host: str, port: int, within_s: float = 2.0) -> bool:
    """Tell whether a port takes connections."""
    try:
        with socket.create_connection((host, port), timeout=_bounded_s(within_s)):
            return True
    except OSError:
        return False


def round_trip_ms(host: str, port: int, within_s: float = 5.0) -> float:
    """Return the time from connecting to the answer to a request, or to the hang-up, whatever is first.

    `within_s` in milliseconds where nothing comes, and where the port takes no connection.
    """
    limit_s = _bounded_s(within_s)
    began = time.perf_counter()
    with contextlib.suppress(TimeoutError, ConnectionResetError, BrokenPipeError):
        try:
            connection = socket.create_connection((host, port), timeout=limit_s)
        except OSError:
            return limit_s * 1_000
        with connection:
            connection.sendall(GREETING)
            connection.settimeout(max(limit_s - (time.perf_counter() - began), LOOK_EVERY_S))
            connection.recv(1)
    return round((time.perf_counter() - began) * 1_000, 3)


def _head(api_url: str, chain: str) -> Any:
    head = _answer(api_url, f"/api/v1/chains/{quote(chain, safe='')}/status").get("head")
    return None if head is None else head["hash"]


def _get(url: str, path: str) -> httpx.Response:
    try:
        with httpx.Client(timeout=REQUEST_TIMEOUT_S, trust_env=False, verify=_certificates()) as client:
            return client.get(url.rstrip("/") + path)
    except httpx.HTTPError as error:
        where = urlsplit(url).netloc or url
        raise UpstreamError(f"{where} gives no answer to {path}: {type(error).__name__}: {error}") from error


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return what servers are known by, read once: it takes longer than the request, and some ask often."""
    return ssl.create_default_context()


def _answer(url: str, path: str) -> dict[str, Any]:
    response = _get(url, path)
    if response.status_code != httpx.codes.OK or len(response.content) > ANSWER_SIZE_MAX:
        said = response.text[:200]
        raise UpstreamError(
            f"{url}{path} answers {response.status_code} with {said!r}; is it a relay's port?"
        )
    try:
        answer = response.json()
    except ValueError as error:
        raise UpstreamError(f"{url}{path} answers no JSON; is it a relay's port?") from error
    if not isinstance(answer, dict):
        raise UpstreamError(f"{url}{path} answers {type(answer).__name__}, no object; is it a relay's port?")
    return answer


def _bounded_s(within_s: float) -> float:
    """Return a time to wait that ends."""
    return min(max(within_s, LOOK_EVERY_S), WITHIN_S_MAX)
