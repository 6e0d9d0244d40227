"""What a generator process is told and what it tells: messages over its stdin and stdout.

Each is its length in four bytes, the highest first, and so many bytes of MessagePack. The parent sends an
`Assignment`, then `Start` when all generators have said `Ready`, and perhaps `Stop`. An end of stdin means
that the parent has gone: the generator ends at once.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.errors import ProtocolError
from sprint.core.kernels.tiers import REFERENCE
from sprint.core.loadtest.plan import Plan
from sprint.tools.loadtest.request_template import RequestForm
from sprint.tools.loadtest.target_url import TargetUrl

MESSAGE_SIZE_MAX = 64 * 1024 * 1024  # a cell is some tens of kilobytes
_LENGTH_SIZE = 4

Message = TypeVar("Message")


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """How TLS is spoken: files of certificates to trust, of our own one and its key; empty for none."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    verifies: bool = True


class HttpWork(msgspec.Struct, frozen=True, kw_only=True, tag="http"):
    """Requests to a URL; `forms` take turns. They go to an address and port, which may be a proxy's.

    `one_request_each`: a connection is closed after its first answer.
    """

    url: TargetUrl
    address: str
    port: int
    forms: tuple[RequestForm, ...]
    trust: Trust = Trust()
    one_request_each: bool = False


class ServiceWork(msgspec.Struct, frozen=True, kw_only=True, tag="service"):
    """Calls of a simulated service through a breaker."""

    breaker: str
    policy: Policy
    failure_rate: float
    latency_ms_min: float
    latency_ms_max: float


class StreamWork(msgspec.Struct, frozen=True, kw_only=True, tag="stream"):
    """WebSockets that are held. `hello` is sent on each once it is open, if there is one.

    A message that begins with `ignores` is no delivery, as an answer to the hello isn't.
    """

    url: TargetUrl
    address: str
    port: int
    connections: int
    headers: tuple[tuple[str, str], ...] = ()
    hello: str = ""
    ignores: str = ""
    trust: Trust = Trust()


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One generator's part: the process-th of `plan.processes`. `seed` is of its random numbers."""

    plan: Plan
    process: int
    work: HttpWork | ServiceWork | StreamWork
    timeout_ns: int
    seed: int
    interval_s: float


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Begin at this moment of the monotonic clock."""

    at_ns: int


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Send no more, and tell what was done."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """All is prepared. `kernels` is the form of histogram that it records with."""

    kernels: str = REFERENCE


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """What was done since the one before, as cells of the recorder; the last one has `ended`."""

    cells: list[bytes]
    elapsed_ns: int
    in_flight: int
    connections: int
    states: dict[str, str]
    cpu_s: float
    memory_bytes: int
    said: list[str] = []
    ended: bool = False


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The generator could not run."""

    reason: str


ToGenerator = Start | Stop
FromGenerator = Ready | Progress | Failed

_encoder = msgspec.msgpack.Encoder()


def framed(message: Assignment | ToGenerator | FromGenerator) -> bytes:
    """Return a message with its length before it."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_LENGTH_SIZE, "big") + body


async def read_framed(
    reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[Message]
) -> Message | None:
    """Return the next message; None at the end, also amid a message. ProtocolError where it isn't one."""
    try:
        size = int.from_bytes(await reader.readexactly(_LENGTH_SIZE), "big")
        if size > MESSAGE_SIZE_MAX:
            raise ProtocolError(f"a message of {size} bytes between generators, limit {MESSAGE_SIZE_MAX}")
        body = await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"a message of {size} bytes between generators is none: {error}") from error
