"""What every kind of source shows of itself, and what the relay asks of each."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Protocol

import msgspec

from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.relay.source_url import SourceSpec

SourceState = Literal["connecting", "syncing", "ready", "waiting", "blocked", "paused"]


class SourceView(msgspec.Struct, frozen=True):
    """What `/status` says of a source. Counters are since the relay's start.

    `blocked`: it misbehaved and is shut out; it is tried again in `retry_in_s`, as one that is `waiting` is,
    which is infinite while an operator holds its breaker open.
    `syncing`: it is connected and well, and its node is still in its initial block download.
    `paused`: an operator said so; it is tried when it is resumed.
    `awaited_s` is how long the block is waited for that was asked of it first, 0 where none is.
    `faults` counts by kind what it sent that was not as it should be, also what costs it nothing.
    `compact` counts its compact blocks: `received`, `rebuilt`, of these `rebuilt_after_asking` for
    transactions, `round_trips` that was asked, `asked_whole` after all, `transactions_missing`, and
    `bytes_saved` against whole blocks.
    `notes` say what to know of it although it is usable. `requests` counts those over JSON-RPC by lane:
    `headers`, `bodies`, and `tip`, which polls. `published` counts a publisher's `messages` and
    `messages_lost`.
    """

    name: str
    url: str
    provider: str
    state: SourceState
    reason: str
    user_agent: str
    connects: int
    blocks_received: int
    retry_in_s: float
    awaited_s: float
    faults: dict[str, int]
    compact: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    requests: dict[str, int] = {}
    published: dict[str, int] = {}


class Source(Protocol):
    """One upstream of a chain. `run` is a task: it connects again and again until it is cancelled."""

    @property
    def spec(self) -> SourceSpec: ...

    async def run(self) -> None: ...

    def view(self) -> SourceView: ...

    def faults(self) -> Counter[str]:
        """Count by kind what was wrong in all connections so far."""


class Probe(msgspec.Struct, frozen=True):
    """What reaching a source once has found. `note` says what to know of it; `ok` where nothing is odd.

    `publishing` is what a node that was asked says that it publishes over ZMQ.
    """

    user_agent: str
    height: int | None
    note: str
    latency_ms: float
    publishing: Publishing | None = None
