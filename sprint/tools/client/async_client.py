"""The asyncio face of the client. What to do after which loss is decided by `resume`; this does it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

from sprint.core.errors import ClientError, SprintError
from sprint.core.model import Event
from sprint.tools.client.answers import (
    ANSWER_SIZE_MAX,
    API,
    Answer,
    BlockAnswer,
    ChainAnswer,
    ChainsAnswer,
    Json,
    VersionAnswer,
    chain_path,
    read_answer,
)
from sprint.tools.client.resume import ClientSettings, Loss, Resume, make_subscription
from sprint.tools.client.transport import (
    LOSSES,
    USER_AGENT,
    Address,
    connect_options,
    loss_of,
    parse_address,
)


class AsyncClient:
    """A relay's blocks and events.

        async with AsyncClient() as client:
            async for event in client.events(["bitcoin"], start="earliest"):
                ...

    `cursor` is the place after the last event that any stream of this client handed out. `clock`, `sleep`
    and `uniform` are for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        settings: ClientSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.address = parse_address(url)
        self.settings = settings or ClientSettings()
        self.cursor: str | tuple[str, ...] | None = None
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform
        self._streams: set[AsyncEventStream] = set()
        self._http = httpx.AsyncClient(
            timeout=self.settings.request_timeout_s,
            headers={"User-Agent": USER_AGENT},
            trust_env=self.address.proxied,
        )

    def __repr__(self) -> str:
        return f"AsyncClient({self.address.http!r}, cursor={self.cursor!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the event streams and the connections kept for requests."""
        for stream in tuple(self._streams):
            await stream.aclose()
        await self._http.aclose()

    async def latest(self, chain: str) -> BlockAnswer:
        """Return the newest block of a chain, by its id, name or alias."""
        return await self._get(BlockAnswer, chain_path(chain, "latest"))

    async def block(self, chain: str, hash_or_height: str | int) -> BlockAnswer:
        """Return one delivered block."""
        return await self._get(BlockAnswer, chain_path(chain, "block", str(hash_or_height)))

    async def chains(self) -> tuple[ChainAnswer, ...]:
        """Return the chains that the relay serves."""
        return (await self._get(ChainsAnswer, f"{API}/chains")).chains

    async def status(self, chain: str) -> Json:
        """Return one chain's head, sources, anchor and log."""
        return await self._get(Json, chain_path("chains", chain, "status"))

    async def health(self) -> Json:
        """Return the relay's `status` and the parts it comes from."""
        return await self._get(Json, f"{API}/health")

    async def version(self) -> VersionAnswer:
        """Return the relay's version."""
        return await self._get(VersionAnswer, f"{API}/version")

    def events(
        self,
        chains: Sequence[str] | str | None = None,
        types: Sequence[str] | str | None = None,
        start: str | Sequence[str] = "latest",
        *,
        on_expired: Literal["skip"] | None = None,
        on_foreign: Literal["earliest"] | None = None,
    ) -> AsyncEventStream:
        """Iterate over events, across disconnects, each once and in order.

        `start` is "latest", "earliest", a cursor, or a list of cursors, one for each of `chains`.
        `on_expired="skip"` takes a `gap` event where the cursor is older than what is kept;
        `on_foreign="earliest"` reads a new log from its start. Without them CursorExpired and
        CursorForeign are raised.
        """
        subscription = make_subscription(chains, types, start, on_expired, on_foreign)
        resume = Resume(subscription, self.settings, self._uniform)
        stream = AsyncEventStream(self.address, resume, self._clock, self._sleep, self._moved)
        self._streams.add(stream)
        return stream

    def _moved(self, stream: AsyncEventStream) -> None:
        self.cursor = stream.cursor if stream.cursor is not None else self.cursor
        if stream.closed:
            self._streams.discard(stream)

    async def _get(self, kind: type[Answer], path: str) -> Answer:
        url = self.address.http + path
        body = bytearray()
        try:
            async with self._http.stream("GET", url) as response:
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > ANSWER_SIZE_MAX:
                        raise ClientError(f"{url}: answer over {ANSWER_SIZE_MAX} bytes", code="too_big")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = str(error) or type(error).__name__
            raise ClientError(f"{url}: {text}; is the relay running?", code="unreachable") from error
        return read_answer(kind, response.status_code, bytes(body), url)


class AsyncEventStream:
    """The events of one subscription. Cancelling a wait for the next event loses nothing."""

    def __init__(
        self,
        address: Address,
        resume: Resume,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        moved: Callable[[AsyncEventStream], None],
    ) -> None:
        self._address = address
        self._resume = resume
        self._clock = clock
        self._sleep = sleep
        self._moved = moved  # called when `cursor` may have changed, and at the end
        self._connection: ClientConnection | None = None
        self._retry_at: float | None = None
        self.closed = False

    def __repr__(self) -> str:
        return f"AsyncEventStream({self._address.websocket!r}, {self._resume!r})"

    @property
    def cursor(self) -> str | tuple[str, ...] | None:
        """The place after the last event handed out: what to give a new stream as `start`."""
        return self._resume.cursor

    @property
    def log_id(self) -> str | None:
        """The relay's log, once it has answered."""
        return self._resume.log_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        try:
            while not self.closed:
                event = await self._step()
                if event is not None:
                    return event
        except SprintError:
            await self.aclose()
            raise
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop. A task that waits for the next event sees the end of the stream."""
        self.closed = True
        self._moved(self)
        await self._disconnect()

    async def _step(self) -> Event | None:
        """Connect or take one message; an event if that gave one."""
        if self._connection is None:
            outcome: Event | Loss | None = await self._connect()
        else:
            outcome = await self._receive(self._connection)
        if self.closed:
            await self._disconnect()
            return None
        if isinstance(outcome, Loss):
            await self._disconnect()
            now = self._clock()
            self._retry_at = now + self._resume.lost(outcome, now)
            return None
        self._moved(self)
        return outcome

    async def _connect(self) -> Loss | None:
        if self._retry_at is not None:
            await self._sleep(max(0.0, self._retry_at - self._clock()))
            self._retry_at = None
        options = connect_options(self._address, self._resume.settings)
        try:
            self._connection = await connect(self._address.websocket, **options)
        except LOSSES as error:
            return loss_of(error, self._address)
        self._resume.connected(self._clock())
        return None

    async def _receive(self, connection: ClientConnection) -> Event | Loss | None:
        wait_s = self._resume.answer_wait_s(self._clock())
        try:
            if (request := self._resume.outgoing()) is not None:
                await connection.send(request)
            async with asyncio.timeout(wait_s):
                message = await connection.recv()
        except TimeoutError:
            return self._resume.overdue()
        except LOSSES as error:
            return loss_of(error, self._address)
        return self._resume.receive(message, self._clock())

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*LOSSES):
                await connection.close()
