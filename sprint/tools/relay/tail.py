"""Follows a running relay's events for a person at a terminal; the client resumes by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sprint.core.errors import ClientError
from sprint.core.model import Event
from sprint.tools.client import Client, ClientSettings

# Where a relay serves unless it was told otherwise, cheapest tier first.
DEFAULT_URLS = ("http://127.0.0.1:8080", "http://127.0.0.1:8082", "http://127.0.0.1:9000")
PROBE_TIMEOUT_S = 2.0


def follow(
    url: str, chains: Sequence[str] | None, types: Sequence[str] | None, start: str
) -> Iterator[Event]:
    """Yield events without an end. ClientError where no relay answers at first; later losses are resumed."""
    with Client(url) as client, client.events(chains or None, types or None, start) as events:
        yield from events


def running_relay(asked: str | None) -> str:
    """Return the address asked for, or the first of the default ones, at which a relay answers."""
    urls = DEFAULT_URLS if asked is None else (asked,)
    for url in urls:
        with Client(url, settings=ClientSettings(request_timeout_s=PROBE_TIMEOUT_S)) as client:
            try:
                client.version()
            except ClientError:
                continue
            return url
    raise ClientError(
        f"no relay answers at {', '.join(urls)}; start one with `sprint relay`, or give its --url",
        code="unreachable",
    )
