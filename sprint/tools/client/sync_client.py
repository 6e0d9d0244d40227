"""The blocking face of the client: the same names as `async_client`, on threads.

One thread reads a stream; any thread may close it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Literal, Self

import httpx
from websockets.sync.client import ClientConnection, connect

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


class Client:
    """A relay's blocks and events.

        with Client() as client:
            for event in client.events(["bitcoin"], start="earliest"):
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
        sleep: Callable[[float], object] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.address = parse_address(url)
        self.settings = settings or ClientSettings()
        self.cursor: str | tuple[str, ...] | None = None
        self._clock = clock
        self._sleep = sleep
        self._uniform = uniform
        self._streams: set[EventStream] = set()
        self._http = httpx.Client(
            timeout=self.settings.request_timeout_s,
            headers={"User-Agent": USER_AGENT},
            trust_env=self.address.proxied,
        )

    def __repr__(self) -> str:
        return f"Client({self.address.http!r}, cursor={self.cursor!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the event streams and the connections kept for requests."""
        for stream in tuple(self._streams):
            stream.close()
        self._http.close()

    def latest(self, chain: str) -> BlockAnswer:
        """Return the newest block of a chain, by its id, name or alias."""
        return self._get(BlockAnswer, chain_path(chain, "latest"))

    def block(self, chain: str, hash_or_height: str | int) -> BlockAnswer:
        """Return one delivered block."""
        return self._get(BlockAnswer, chain_path(chain, "block", str(hash_or_height)))

    def chains(self) -> tuple[ChainAnswer, ...]:
        """Return the chains that the relay serves."""
        return self._get(ChainsAnswer, f"{API}/chains").chains

    def status(self, chain: str) -> Json:
        """Return one chain's head, sources, anchor and log."""
        return self._get(Json, chain_path("chains", chain, "status"))

    def health(self) -> Json:
        """Return the relay's `status` and the parts it comes from."""
        return self._get(Json, f"{API}/health")

    def version(self) -> VersionAnswer:
        """Return the relay's version."""
        return self._get(VersionAnswer, f"{API}/version")

    def events(
        self,
        chains: Sequence[str] | str | None = None,
        types: Sequence[str] | str | None = None,
        start: str | Sequence[str] = "latest",
        *,
        on_expired: Literal["skip"] | None = None,
        on_foreign: Literal["earliest"] | None = None,
    ) -> EventStream:
        """Iterate over events, across disconnects, each once and in order.

        `start` is "latest", "earliest", a cursor, or a list of cursors, one for each of `chains`.
        `on_expired="skip"` takes a `gap` event where the cursor is older than what is kept;
        `on_foreign="earliest"` reads a new log from its start. Without them CursorExpired and
        CursorForeign are raised.
        """
        subscription = make_subscription(chains, types, start, on_expired, on_foreign)
        resume = Resume(subscription, self.settings, self._uniform)
        stream = EventStream(self.address, resume, self._clock, self._sleep, self._moved)
        self._streams.add(stream)
        return stream

    def _moved(self, stream: EventStream) -> None:
        self.cursor = stream.cursor if stream.cursor is not None else self.cursor
        if stream.closed:
            self._streams.discard(stream)

    def _get(self, kind: type[Answer], path: str) -> Answer:
        url = self.address.http + path
        body = bytearray()
        try:
            with self._http.stream("GET", url) as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > ANSWER_SIZE_MAX:
                        raise ClientError(f"{url}: answer over {ANSWER_SIZE_MAX} bytes", code="too_big")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            text = str(error) or type(error).__name__
            raise ClientError(f"{url}: {text}; is the relay running?", code="unreachable") from error
        return read_answer(kind, response.status_code, bytes(body), url)


class EventStream:
    """The events of one subscription."""

    def __init__(
        self,
        address: Address,
        resume: Resume,
        clock: Callable[[], float],
        sleep: Callable[[float], object] | None,
        moved: Callable[[EventStream], None],
    ) -> None:
        self._address = address
        self._resume = resume
        self._clock = clock
        self._stop = threading.Event()
        self._sleep = sleep or self._stop.wait
        self._moved = moved  # called when `cursor` may have changed, and at the end
        self._connection: ClientConnection | None = None
        self._opened = ExitStack()  # closes the connection
        self._retry_at: float | None = None

    def __repr__(self) -> str:
        return f"EventStream({self._address.websocket!r}, {self._resume!r})"

    @property
    def cursor(self) -> str | tuple[str, ...] | None:
        """The place after the last event handed out: what to give a new stream as `start`."""
        return self._resume.cursor

    @property
    def closed(self) -> bool:
        return self._stop.is_set()

    @property
    def log_id(self) -> str | None:
        """The relay's log, once it has answered."""
        return self._resume.log_id

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        try:
            while not self.closed:
                event = self._step()
                if event is not None:
                    return event
        except SprintError:
            self.close()
            raise
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop. A thread that waits for the next event sees the end of the stream."""
        self._stop.set()
        self._moved(self)
        self._disconnect()

    def _step(self) -> Event | None:
        """Connect or take one message; an event if that gave one."""
        if self._connection is None:
            outcome: Event | Loss | None = self._connect()
        else:
            outcome = self._receive(self._connection)
        if self.closed:
            self._disconnect()
            return None
        if isinstance(outcome, Loss):
            self._disconnect()
            now = self._clock()
            self._retry_at = now + self._resume.lost(outcome, now)
            return None
        self._moved(self)
        return outcome

    def _connect(self) -> Loss | None:
        if self._retry_at is not None:
            self._sleep(max(0.0, self._retry_at - self._clock()))
            self._retry_at = None
        options = connect_options(self._address, self._resume.settings)
        try:
            self._connection = self._opened.enter_context(connect(self._address.websocket, **options))
        except LOSSES as error:
            return loss_of(error, self._address)
        self._resume.connected(self._clock())
        return None

    def _receive(self, connection: ClientConnection) -> Event | Loss | None:
        wait_s = self._resume.answer_wait_s(self._clock())
        try:
            if (request := self._resume.outgoing()) is not None:
                connection.send(request)
            message = connection.recv(timeout=wait_s)
        except TimeoutError:
            return self._resume.overdue()
        except LOSSES as error:
            return loss_of(error, self._address)
        return self._resume.receive(message, self._clock())

    def _disconnect(self) -> None:
        self._connection = None
        with suppress(*LOSSES):
            self._opened.close()
