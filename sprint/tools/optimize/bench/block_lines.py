"""A relay's blocks as lines of its NDJSON stream, read by blocking calls in the thread that times them.

A WebSocket of the client library is read in a thread of its own, and how late that one is woken would be in
each figure.
"""

from __future__ import annotations

import http.client
from typing import Self
from urllib.parse import urlsplit

from sprint.core.errors import UpstreamError
from sprint.core.model import BlockEvent, decode_event

TIMEOUT_S = 30.0
LINE_SIZE_MAX = 1 << 20
_HEARTBEAT = b'{"type":"heartbeat"}'


class BlockLines:
    """The blocks of a chain from the relay's first on; each is waited for up to `TIMEOUT_S`."""

    def __init__(self, url: str, chain: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 0, timeout=TIMEOUT_S
        )
        self._connection.request("GET", f"/api/v1/events?chains={chain}&types=block&from=earliest")
        self._response = self._connection.getresponse()
        if self._response.status != http.client.OK:
            self.close()
            raise UpstreamError(f"{url}: the event stream was answered with {self._response.status}")

    def __repr__(self) -> str:
        return f"BlockLines({self._connection.host}:{self._connection.port})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def next_hash(self) -> str:
        """Return the hash of the next block; UpstreamError where the stream ends."""
        try:
            line = self._response.readline(LINE_SIZE_MAX)
            while line.strip() == _HEARTBEAT:
                line = self._response.readline(LINE_SIZE_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamError(f"the relay's event stream broke: {error}") from error
        event = decode_event(line) if line else None
        if not isinstance(event, BlockEvent):
            raise UpstreamError(f"the relay's event stream gave no block but {line[:200]!r}")
        return event.data.hash

    def read_to(self, wanted: str) -> None:
        """Read on to a block: what comes next is of what comes after it."""
        while self.next_hash() != wanted:
            pass
