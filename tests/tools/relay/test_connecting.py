"""A source between gate and breaker: closed when that opens, tried when it lets a trial through."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from msgspec.structs import replace

from sprint.core.breaker.policy import BackoffPolicy
from sprint.core.errors import UpstreamError
from sprint.core.relay.gate import WAIT_NEEDED_MAX_S, SourceGate
from sprint.core.relay.lateness import Late
from sprint.core.relay.source_url import parse_source
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.sources import connecting
from sprint.tools.relay.sources.connecting import STANDS_STILL, STOPS, ConnectingSource, Connection
from sprint.tools.relay.sources.guard import SourceGuard
from sprint.tools.runtime import clock
from tests.tools.relay.serving import until

WAIT_S = 10.0
# Of a length that a test waits for; the gate's own first wait is a quarter of a second.
BACKOFF = BackoffPolicy(base_s=0.3, multiplier=2.0, longest_s=0.6, jitter="none")


class FakeConnection:
    """A connection that ends when it is told to."""

    user_agent, misbehaved, concerns_provider, syncing = "", False, False, ""

    def __init__(self, source: FakeSource) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ready_at: float | None = clock()
        self.faults: Counter[str] = Counter()
        self._source = source

    def awaited_s(self, now: float) -> float:
        return 0.0 * now

    def abort(self, reason: str = STOPS) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
            self._source.heard.put_nowait(reason)


class FakeSource(ConnectingSource):
    """A source of fake connections. `heard` tells of each attempt and of how its connection was ended."""

    def __init__(self, breaker: CircuitBreaker) -> None:
        super().__init__(parse_source("n@litecoin:regtest=p2p://127.0.0.1:1"), cast("Any", self))
        self.guard = SourceGuard(breaker)
        self.chain = "litecoin-regtest"
        self.needs_sources = self.paused = False
        self.tell: Callable[[], object] = lambda: None
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.refuses = False
        self.meanwhile: Callable[[], object] = lambda: None

    @property
    def gate(self) -> SourceGate:
        return self._gate

    @property
    def connection(self) -> Connection | None:
        return self._connection

    @contextmanager
    def heeded(self, changed: Callable[[], object]) -> Iterator[None]:
        self.tell = changed
        yield

    def pause(self, *, paused: bool) -> None:
        """Let the store stand still, or go on."""
        self.paused = paused
        self.tell()

    async def open(self) -> Connection:
        self.heard.put_nowait("open")
        self.meanwhile()
        if self.refuses:
            raise UpstreamError("nobody is there")
        return FakeConnection(self)

    async def next(self) -> str:
        async with asyncio.timeout(WAIT_S):
            return await self.heard.get()


def run(scene: Callable[[FakeSource, CircuitBreaker], Awaitable[None]]) -> None:
    """Run a source under the relay's own breaker, with another that serves beside it."""

    async def main() -> None:
        breakers = RelayBreakers("turbo")
        breakers.source("litecoin-regtest", parse_source("other@litecoin:regtest=p2p://127.0.0.1:2"))
        source_spec = parse_source("n@litecoin:regtest=p2p://127.0.0.1:1")
        breaker = breakers.source("litecoin-regtest", source_spec)
        breaker.adopt(replace(breaker.policy, backoff=BACKOFF))
        source = FakeSource(breaker)
        task = asyncio.create_task(source.run())
        try:
            await scene(source, breaker)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def fall_silent(source: FakeSource) -> None:
    source.guard.answered("getheaders")
    for seconds in (4.0, 8.0, 12.0):
        source.guard.late(Late("getheaders", seconds), needed=False)


def test_when_its_breaker_opens_the_connection_is_closed_and_says_why() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        assert await source.next() == "open"
        fall_silent(source)
        why = "its breaker is open: 3 failures in a row, limit 3: no answer to getheaders for 12 s"
        assert (source.view().state, source.view().reason) == ("waiting", why)
        assert await source.next() == why
        opened_at = clock()
        assert await source.next() == "open"
        assert clock() - opened_at > BACKOFF.base_s / 2
        assert breaker.state == "half_open"
        source.guard.answered("getheaders")
        assert breaker.explain().state == "closed"

    run(scene)


def test_where_no_other_source_is_left_a_trial_does_not_wait_for_the_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "LOOK_AGAIN_S", 0.05)

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        breaker.adopt(replace(breaker.policy, backoff=replace(BACKOFF, base_s=600.0, longest_s=600.0)))
        assert await source.next() == "open"
        fall_silent(source)
        assert "its breaker is open" in await source.next()
        source.needs_sources = True
        assert await source.next() == "open"
        assert breaker.explain().because.text.endswith("by need")

    run(scene)


def test_held_open_by_an_operator_it_is_closed_and_not_tried_until_it_is_released() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        assert await source.next() == "open"
        breaker.force_open("the rack is moved")
        assert await source.next() == "its breaker is held open: the rack is moved"
        source.needs_sources = True
        breaker.force_close("not yet")
        breaker.force_open("it is still moved")
        await asyncio.sleep(0)
        assert source.heard.empty()
        assert source.view().state == "waiting"
        breaker.release()
        assert await source.next() == "open"

    run(scene)


def test_a_word_from_another_thread_is_heard() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        assert await source.next() == "open"
        await asyncio.to_thread(breaker.force_open, "from a thread")
        assert await source.next() == "its breaker is held open: from a thread"

    run(scene)


def test_a_connection_that_comes_about_after_its_breaker_opened_is_closed_at_once() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        source.meanwhile = lambda: breaker.force_open("meanwhile")
        assert await source.next() == "open"
        assert await source.next() == "its breaker is held open: meanwhile"

    run(scene)


def test_refusals_open_it_and_the_gate_and_the_breaker_are_both_waited_for() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        source.refuses = True
        for _ in range(3):
            assert await source.next() == "open"
        await until(lambda: breaker.state == "open")
        assert source.view().reason == "its breaker is open: 3 failures in a row, limit 3: nobody is there"
        assert source.view().retry_in_s > 0.0
        source.refuses = False
        assert await source.next() == "open"
        await until(lambda: source.view().state == "ready")

    run(scene)


def test_while_the_store_stands_still_nothing_is_tried_and_once_it_goes_on_it_is_tried_at_once() -> None:
    """Each attempt at a node that shook hands and hung up had been two more events for a full store."""

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        assert await source.next() == "open"
        source.pause(paused=True)
        cast("FakeConnection", source.connection).abort("it hung up")
        assert await source.next() == "it hung up"
        await until(lambda: source.view().state == "waiting")
        assert source.view().notes == (STANDS_STILL,)
        source.gate.bring_forward()
        for _ in range(3):
            breaker.reset("an operator may say what he likes")
            await asyncio.to_thread(lambda: None)
            assert source.heard.empty()
        source.pause(paused=False)
        assert await source.next() == "open"
        assert source.view().notes == ()

    run(scene)


def test_a_connection_that_ends_while_the_store_stands_still_is_not_held_against_its_source() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        assert await source.next() == "open"
        source.pause(paused=True)
        cast("FakeConnection", source.connection).abort("nobody had read of it for an hour")
        await until(lambda: source.view().state == "waiting")
        assert breaker.explain().totals.get("failure", 0) == 0
        assert breaker.explain().totals["cancelled"] == 1

    run(scene)


async def go_on_trial(source: FakeSource, breaker: CircuitBreaker) -> None:
    """Open a source's breaker, and have it connect again; the trial lasts half a second."""
    breaker.adopt(replace(breaker.policy, trial_lease_s=0.5, half_open_longest_s=0.5))
    assert await source.next() == "open"
    fall_silent(source)
    assert "its breaker is open" in await source.next()
    assert await source.next() == "open"


def test_a_store_that_stands_still_does_not_use_up_the_time_of_a_source_on_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A trial that was connected when the disk was full had been given up as undecided."""
    monkeypatch.setattr(connecting, "LOOK_AGAIN_S", 0.05)

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        await go_on_trial(source, breaker)
        source.pause(paused=True)
        ends_at = clock() + 1.0
        await until(lambda: clock() > ends_at)
        assert breaker.explain().state == "half_open"
        source.pause(paused=False)
        source.guard.answered("getheaders")
        assert breaker.explain().state == "closed"

    run(scene)


def test_a_trial_that_hangs_after_the_store_goes_on_comes_to_an_end_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "LOOK_AGAIN_S", 0.05)

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        await go_on_trial(source, breaker)
        source.pause(paused=True)
        source.pause(paused=False)
        await until(lambda: breaker.explain().state == "open")
        assert "no verdict of 1 trials" in breaker.explain().because.text

    run(scene)


@pytest.mark.parametrize("word", ["reset", "release"])
def test_an_operators_word_has_it_tried_at_once_whatever_it_had_to_wait_for(word: str) -> None:
    """The wait between attempts, up to 30 s, had gone on after `reset`."""

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        source.refuses = True
        assert await source.next() == "open"
        for _ in range(8):
            source.gate.record("failed", held_s=0.0, now=clock(), jitter=0.0)
        if word == "release":
            breaker.force_open("it is moved")
        assert source.view().retry_in_s > 25.0
        source.refuses = False
        breaker.reset("mended") if word == "reset" else breaker.release("mended")
        assert await source.next() == "open"

    run(scene)


def test_an_operators_word_on_its_breaker_does_not_let_a_liar_in() -> None:
    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        source.refuses = True
        assert await source.next() == "open"
        await until(lambda: source.view().retry_in_s > 0.0)
        source.gate.record("misbehaved", held_s=0.0, now=clock(), jitter=0.0)
        breaker.reset("mended")
        await asyncio.to_thread(lambda: None)
        assert source.view().retry_in_s > 5.0
        assert source.heard.empty()

    run(scene)


def test_once_the_last_other_source_is_lost_one_that_waits_is_told_and_tried() -> None:
    """It had looked for that every 5 s only, and then waited for its own 30 s."""

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        breaker.adopt(replace(breaker.policy, backoff=replace(BACKOFF, base_s=600.0, longest_s=600.0)))
        source.refuses = True
        for _ in range(3):
            assert await source.next() == "open"
        for _ in range(10):  # turns of the loop, in which it hears of its breaker and lies down
            await asyncio.sleep(0)
        assert breaker.state == "open"
        for _ in range(8):  # as after many trials in vain, the last of them a while ago
            source.gate.record("failed", held_s=0.0, now=clock() - WAIT_NEEDED_MAX_S, jitter=0.0)
        assert source.view().retry_in_s > 500.0
        source.refuses, source.needs_sources = False, True
        asked_at = clock()
        source.tell()
        assert await source.next() == "open"
        assert clock() - asked_at < connecting.LOOK_AGAIN_S / 2

    run(scene)


def test_while_it_is_tried_it_says_so_and_not_that_it_was_not_or_that_its_breaker_is_open() -> None:
    seen: list[tuple[str, str]] = []

    async def scene(source: FakeSource, breaker: CircuitBreaker) -> None:
        def look() -> None:
            view = source.view()
            seen.append((view.state, view.reason))

        assert (source.view().state, source.view().reason) == ("waiting", "not tried yet")
        source.meanwhile = look
        assert await source.next() == "open"
        breaker.force_open("the rack is moved")
        assert await source.next() == "its breaker is held open: the rack is moved"
        breaker.release()
        assert await source.next() == "open"
        await until(lambda: breaker.state == "half_open")

    run(scene)
    assert seen == [
        ("connecting", "being tried for the first time"),
        ("connecting", "being tried; before: its breaker was held open: the rack is moved"),
    ]
