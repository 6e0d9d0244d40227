"""Reads a relay's events and blocks: `Client` blocks, `AsyncClient` runs on asyncio; the same names on both.

`resume` decides what happens after a disconnect, `transport` and `answers` map the wire to this package's
records and errors, and the two faces do what those say.
"""

from __future__ import annotations

from sprint.tools.client.answers import BlockAnswer, ChainAnswer, VersionAnswer
from sprint.tools.client.async_client import AsyncClient, AsyncEventStream
from sprint.tools.client.resume import ClientSettings
from sprint.tools.client.sync_client import Client, EventStream

__all__ = [
    "AsyncClient",
    "AsyncEventStream",
    "BlockAnswer",
    "ChainAnswer",
    "Client",
    "ClientSettings",
    "EventStream",
    "VersionAnswer",
]
