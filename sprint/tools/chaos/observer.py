"""Watches a relay while faults are on: samples of its admin API, its breakers' transitions, its stream.

    async with Observer(admin_url, api_url) as observer:
        await observer.ready()
        …
        observed = observer.observed(phases)

It puts no fault on, and is what the facts of a run rest on. Its own subscriber stands on all chains from the
newest event on, and comes back by its cursor where the relay restarts. All times are seconds since it was
made. What comes over a limit is counted in `left_out`; of samples it keeps fewer then, evenly.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from sprint.core.chaos.observation import (
    BlockSeen,
    Observed,
    Phases,
    Sample,
    SubscriberLoss,
    TransitionSeen,
)
from sprint.core.chaos.sampling import (
    AdminAnswers,
    TransitionRow,
    event_seen,
    sample_of,
    sharing,
    transition_seen,
)
from sprint.core.chaos.stream_check import StreamCheck
from sprint.core.errors import ConfigError, SprintError
from sprint.core.model import Event
from sprint.tools.client import AsyncClient, AsyncEventStream, ClientSettings

SAMPLES_PER_S = 5.0
ANSWER_TIMEOUT_S = 2.0
AGAIN_S = 0.2
READY_TIMEOUT_S = 30.0
# An hour of samples and some; each has a row for each source and breaker.
SAMPLES_MAX = 20_000
SAMPLE_ROWS_MAX = 2_000_000
TRANSITIONS_MAX = 10_000
BLOCKS_MAX = 100_000
LOSSES_MAX = 1_000
WATCH_SIZE_MAX = 16 * 1024 * 1024
TRANSITIONS_KNOWN_MAX = 20_000

# A relay that is down for a while is come back to, as a subscriber of its own would.
SUBSCRIBER = ClientSettings(
    connect_attempts_max=100_000, backoff_longest_s=1.0, connect_timeout_s=2.0, subscribe_timeout_s=5.0
)
_LOST = (httpx.HTTPError, httpx.InvalidURL, OSError, WebSocketException, msgspec.MsgspecError)


Seen = TypeVar("Seen", TransitionSeen, BlockSeen, SubscriberLoss)


class _History(msgspec.Struct):
    transitions: list[TransitionRow]


class _Told(msgspec.Struct):
    """A message of `/ws`; those without a transition tell what a sample shows."""

    transition: TransitionRow | None = None


class _Chain(msgspec.Struct):
    chain: str
    height: int | None = None


class _Chains(msgspec.Struct):
    chains: list[_Chain]


class Observer:
    """One run's eyes. `admin_url` is a relay's admin listener, `api_url` a tier's port."""

    def __init__(
        self,
        admin_url: str,
        api_url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.admin_url, self.api_url = admin_url.rstrip("/"), api_url.rstrip("/")
        self.samples: list[Sample] = []
        self.newest: Sample | None = None
        self.transitions: list[TransitionSeen] = []
        self.blocks: list[BlockSeen] = []
        self.losses: list[SubscriberLoss] = []
        self.left_out: Counter[str] = Counter()
        self.stream = StreamCheck()
        self._clock = clock
        self._began_s, self._began_unix_s = clock(), unix_clock()
        self._rows = 0
        self._known: dict[tuple[str, int, str], None] = {}
        self._subscribed = asyncio.Event()
        self._sampled = asyncio.Event()
        self._watching = asyncio.Event()
        self._moved = asyncio.Event()
        self._lost = self._placed = False
        self._begin_heights: dict[str, int] = {}
        self._stream: AsyncEventStream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._http = httpx.AsyncClient(timeout=ANSWER_TIMEOUT_S, trust_env=False)

    def __repr__(self) -> str:
        return f"Observer({self.admin_url!r}, {len(self.samples)} samples, {len(self.blocks)} blocks)"

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(each) for each in (self._sample(), self._watch(), self._subscribe())
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    @property
    def now_s(self) -> float:
        """The run's clock: seconds since this observer was made."""
        return self._clock() - self._began_s

    async def ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until all three have begun; ConfigError says which has not."""
        parts = {"sample": self._sampled, "watch": self._watching, "subscriber": self._subscribed}
        try:
            async with asyncio.timeout(timeout_s):
                for part in parts.values():
                    await part.wait()
        except TimeoutError as error:
            late = ", ".join(name for name, part in parts.items() if not part.is_set())
            raise ConfigError(
                f"{self.admin_url} and {self.api_url}: no {late} within {timeout_s:g} s; "
                "give a relay's admin URL and a tier's"
            ) from error

    async def caught_up(self, heights: dict[str, int], timeout_s: float) -> bool:
        """Wait until the subscriber has been given blocks up to these heights.

        False where it was not: then the stream's check has what is behind as lost.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._behind(heights):
                    self._moved.clear()
                    await self._moved.wait()
                return True
        for chain, (given, height) in self._behind(heights).items():
            self.stream.fell_behind(self.now_s, chain, given, height)
        return False

    def _behind(self, heights: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return of each chain that is behind the height given and the one that should be."""
        # A chain that was quiet since the subscription stands where it stood then.
        given = self._begin_heights | self.stream.heads()
        return {
            chain: (given[chain], height)
            for chain, height in heights.items()
            if chain in given and given[chain] < height
        }

    def observed(self, phases: Phases) -> Observed:
        """Return all that was seen so far."""
        return Observed(
            phases,
            tuple(self.samples),
            tuple(sorted(self.transitions, key=lambda each: each.at_s)),
            tuple(self.blocks),
            tuple(self.losses),
            dict(self.left_out),
        )

    async def _sample(self) -> None:
        """Take a sample each fifth of a second; one that takes longer has the next one wait."""
        due = self._clock()
        while True:
            sample = await self._one_sample()
            self._keep(sample)
            if sample.answered:
                self._sampled.set()
                self._note_subscribed(sample)
            due = max(due + 1 / SAMPLES_PER_S, self._clock())
            await asyncio.sleep(due - self._clock())

    def _note_subscribed(self, sample: Sample) -> None:
        """Say that the subscriber has begun, and where: by the first sample that was begun after it had."""
        if self._stream is None or self._stream.log_id is None or self._subscribed.is_set():
            return
        if self._placed:
            self._begin_heights = dict(sample.heights)
            self._subscribed.set()
        self._placed = True

    async def _one_sample(self) -> Sample:
        at_s = self.now_s
        paths = ("/api/health", "/api/sources", "/api/breakers")
        try:
            bodies = await asyncio.gather(*(self._get(self.admin_url + path) for path in paths))
            heights = await self._heights()
            return sample_of(at_s, AdminAnswers(*bodies), heights)
        except _LOST:
            return Sample(at_s, answered=False)

    async def _heights(self) -> dict[str, int]:
        """Return each chain's height as the tier says; where it does not answer, as the stream told it."""
        try:
            chains = msgspec.json.decode(
                await self._get(f"{self.api_url}/api/v1/chains"), type=_Chains
            ).chains
        except _LOST:
            return self.stream.heads()
        return {each.chain: each.height for each in chains if each.height is not None}

    async def _get(self, url: str) -> bytes:
        answer = await self._http.get(url)
        return answer.raise_for_status().content

    def _keep(self, sample: Sample) -> None:
        sample = sharing(sample, self.newest if self.newest and self.newest.answered else None)
        self.newest = sample
        self.samples.append(sample)
        self._rows += len(sample.sources) + len(sample.breakers)
        if len(self.samples) > SAMPLES_MAX or self._rows > SAMPLE_ROWS_MAX:
            kept = self.samples[::2]
            self.left_out["samples"] += len(self.samples) - len(kept)
            self.samples = kept
            self._rows = sum(len(each.sources) + len(each.breakers) for each in kept)

    async def _watch(self) -> None:
        """Hear of each transition at once; what a lost connection missed is read afterwards."""
        url = f"ws{self.admin_url.removeprefix('http')}/ws"
        while True:
            with suppress(*_LOST):
                async with connect(url, proxy=None, max_size=WATCH_SIZE_MAX, compression=None) as connection:
                    if self._watching.is_set():
                        await self._read_histories()
                    async for message in connection:
                        self._watching.set()
                        told = msgspec.json.decode(message, type=_Told)
                        if told.transition is not None:
                            self._keep_transitions([told.transition], self.now_s)
            await asyncio.sleep(AGAIN_S)

    async def _read_histories(self) -> None:
        names = {each.name for sample in self.samples[-1:] for each in sample.breakers}
        names |= {each.breaker for each in self.transitions}
        for name in sorted(names):
            path = f"/api/breakers/{quote(name, safe='')}/history"
            with suppress(httpx.HTTPStatusError):
                history = msgspec.json.decode(await self._get(self.admin_url + path), type=_History)
                self._keep_transitions(history.transitions, None)

    def _keep_transitions(self, rows: Sequence[TransitionRow], at_s: float | None) -> None:
        """Keep those that are new, and not from before the run; without a time by the relay's clock."""
        for row in rows:
            key = (row.breaker, row.number, row.at)
            when_s = datetime.fromisoformat(row.at).timestamp() - self._began_unix_s if at_s is None else at_s
            if key in self._known or when_s < 0:
                continue
            self._known[key] = None
            if len(self._known) > TRANSITIONS_KNOWN_MAX:
                del self._known[next(iter(self._known))]
            self._keep_or_count(
                self.transitions, transition_seen(when_s, row), TRANSITIONS_MAX, "transitions"
            )

    async def _subscribe(self) -> None:
        async with AsyncClient(self.api_url, settings=SUBSCRIBER, sleep=self._wait_again) as client:
            stream = client.events(start="latest", on_expired="skip")
            self._stream = stream
            try:
                async for event in stream:
                    self._lost = False
                    self._take(event)
            except SprintError as error:
                self._note_loss(f"{type(error).__name__}: {error}", final=True)

    async def _wait_again(self, wait_s: float) -> None:
        """Stand in for the client's sleep: it is called where a connection was lost, before the next try."""
        if not self._lost and self._subscribed.is_set():
            self._lost = True
            self._note_loss("its connection was lost", final=False)
        await asyncio.sleep(wait_s)

    def _note_loss(self, reason: str, *, final: bool) -> None:
        loss = SubscriberLoss(self.now_s, reason, final)
        self._keep_or_count(self.losses, loss, LOSSES_MAX, "subscriber losses")

    def _take(self, event: Event) -> None:
        seen = event_seen(self.now_s, event)
        self.stream.add(seen)
        self._moved.set()
        if isinstance(seen, BlockSeen):
            self._keep_or_count(self.blocks, seen, BLOCKS_MAX, "blocks")

    def _keep_or_count(self, kept: list[Seen], one: Seen, limit: int, name: str) -> None:
        if len(kept) < limit:
            kept.append(one)
        else:
            self.left_out[name] += 1
