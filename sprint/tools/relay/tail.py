"""Follows a running relay's events for a person at a terminal; the client resumes by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sprint.core.errors import ClientError, CursorForeign, CursorUnknown
from sprint.core.model import Event
from sprint.core.relay.event_log import parse_cursor
from sprint.tools.client import Client, ClientSettings

# Where a relay serves unless it was told otherwise, cheapest tier first.
DEFAULT_URLS = ("http://127.0.0.1:8080", "http://127.0.0.1:8082", "http://127.0.0.1:9000")
PROBE_TIMEOUT_S = 2.0


def follow(
    url: str,
    chains: Sequence[str] | None,
    types: Sequence[str] | None,
    start: str,
    new_log: Callable[[str], None],
) -> Iterator[Event]:
    """Yield events without an end. ClientError where no relay answers at first; later losses are resumed.

    A relay that comes back with another log, as one without a data folder does, is followed from that log's
    start; `new_log` is told its id before its first event.
    """
    with (
        Client(url) as client,
        client.events(chains or None, types or None, start, on_foreign="earliest") as events,
    ):
        known: str | None = None
        for event in events:
            if events.log_id is not None and events.log_id != known:
                if known is not None or _is_foreign(start, events.log_id):
                    new_log(events.log_id)
                known = events.log_id
            yield event


def _is_foreign(start: str, log_id: str) -> bool:
    try:
        parse_cursor(start, log_id)
    except CursorForeign:
        return True
    except CursorUnknown:
        pass  # "latest", "earliest"; a cursor that is none was refused by the relay
    return False


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
