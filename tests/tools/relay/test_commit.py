"""Commits are handed over in order once they are in; intake pauses while they cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.relay.commit import COMMITS_IN_FLIGHT_MAX, Committer
from sprint.tools.store import CallThrough, CommitDone

WAIT_S = 5.0


class HeldStore:
    """A store that commits when the test says so."""

    def __init__(self) -> None:
        self.in_flight_max = COMMITS_IN_FLIGHT_MAX * 2
        self.waiting: list[Commit] = []
        self.done: CommitDone | None = None

    @property
    def in_flight(self) -> int:
        return len(self.waiting)

    def start(self, done: CommitDone, through: CallThrough | None = None) -> None:
        self.done = done

    def submit(self, commit: Commit) -> None:
        if len(self.waiting) >= self.in_flight_max:
            raise StoreError(f"{len(self.waiting)} commits wait, limit {self.in_flight_max}")
        self.waiting.append(commit)

    def finish(self, count: int, error: StoreError | None = None) -> None:
        assert self.done is not None
        commits = self.waiting[:count]
        if error is None:
            del self.waiting[:count]
        self.done(commits, error)


class Bench:
    def __init__(self) -> None:
        self.store = HeldStore()
        self.handed_over: list[str] = []
        self.calls = 0
        self.arrived = asyncio.Event()
        self.pauses: list[bool] = []
        self.committer = Committer(self.store, self._committed, self._pause)
        self.committer.start()

    def _committed(self, commits: Sequence[Commit]) -> None:
        self.handed_over += [commit.chain for commit in commits]
        self.calls += 1
        self.arrived.set()

    def _pause(self, *, paused: bool) -> None:
        self.pauses.append(paused)


def on_a_loop(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Bench())

    asyncio.run(main())


async def turn() -> None:
    """Let what was called back from the writer thread run."""
    await asyncio.sleep(0)


def test_nothing_is_handed_over_before_it_is_committed() -> None:
    async def scene(bench: Bench) -> None:
        for name in ("a", "b", "c"):
            bench.committer.submit(Commit(name))
        await turn()
        assert bench.handed_over == []
        bench.store.finish(2)
        await asyncio.wait_for(bench.arrived.wait(), WAIT_S)
        assert bench.handed_over == ["a", "b"]

    on_a_loop(scene)


def test_commits_of_one_turn_reach_the_store_together_when_it_is_over() -> None:
    """A header's transaction, begun at once, took the processor from its block, which came right behind."""

    async def scene(bench: Bench) -> None:
        bench.committer.submit(Commit("header"))
        assert bench.store.waiting == []
        bench.committer.submit(Commit("block"))
        await turn()
        assert [commit.chain for commit in bench.store.waiting] == ["header", "block"]

    on_a_loop(scene)


def test_what_is_in_waits_a_moment_for_what_is_on_its_way_and_goes_out_with_it() -> None:
    async def scene(bench: Bench) -> None:
        for name in ("header", "block", "next"):
            bench.committer.submit(Commit(name))
        await turn()
        bench.store.finish(1)
        await turn()
        assert bench.handed_over == []
        bench.store.finish(1)
        await turn()
        assert (bench.handed_over, bench.calls) == (["header", "block"], 1)
        bench.store.finish(1)
        await turn()
        assert bench.handed_over == ["header", "block", "next"]

    on_a_loop(scene)


def test_what_is_in_goes_out_at_once_where_nothing_is_on_its_way_or_the_store_refuses() -> None:
    async def scene(bench: Bench) -> None:
        bench.committer.submit(Commit("alone"))
        await turn()
        bench.store.finish(1)
        await turn()
        assert bench.handed_over == ["alone"]
        bench.committer.submit(Commit("in"))
        bench.committer.submit(Commit("refused"))
        await turn()
        bench.store.finish(1)
        bench.store.finish(1, StoreFailing("disk full"))
        await turn()
        assert bench.handed_over == ["alone", "in"]
        assert bench.committer.failing == "disk full"

    on_a_loop(scene)


def test_what_was_reported_meanwhile_is_handed_over_in_one_call_and_in_order() -> None:
    async def scene(bench: Bench) -> None:
        for name in ("a", "b", "c"):
            bench.committer.submit(Commit(name))
        await turn()
        bench.store.finish(1)
        bench.store.finish(1, StoreFailing("disk full"))
        bench.store.finish(1)
        bench.store.finish(1)
        await turn()
        assert bench.handed_over == ["a", "b", "c"]
        assert bench.calls == 2
        assert bench.committer.failing is None

    on_a_loop(scene)


def test_flushed_waits_for_the_report_of_a_commit_that_the_store_has_let_go_of() -> None:
    async def scene(bench: Bench) -> None:
        bench.committer.submit(Commit("a"))
        bench.committer.submit(Commit("b"))
        await turn()
        bench.store.finish(1)
        left = bench.store.waiting.pop()
        await turn()
        flushed = asyncio.ensure_future(bench.committer.flushed())
        await turn()
        assert not flushed.done()
        bench.store.waiting.append(left)
        bench.store.finish(1)
        await asyncio.wait_for(flushed, 1)
        assert bench.handed_over == ["a", "b"]

    on_a_loop(scene)


def test_a_failing_store_pauses_intake_and_loses_nothing() -> None:
    async def scene(bench: Bench) -> None:
        bench.committer.submit(Commit("a"))
        await turn()
        bench.store.finish(1, StoreFailing("disk full"))
        await turn()
        assert (bench.handed_over, bench.pauses) == ([], [True])
        assert bench.committer.failing == "disk full"
        bench.store.finish(1)
        await turn()
        assert (bench.handed_over, bench.pauses) == (["a"], [True, False])
        assert bench.committer.failing is None

    on_a_loop(scene)


def test_intake_pauses_at_the_bound_and_resumes_at_half_of_it() -> None:
    async def scene(bench: Bench) -> None:
        for _ in range(COMMITS_IN_FLIGHT_MAX - 1):
            bench.committer.submit(Commit("a"))
        await turn()
        assert bench.pauses == []
        bench.committer.submit(Commit("a"))
        await turn()
        assert bench.pauses == [True]
        bench.store.finish(COMMITS_IN_FLIGHT_MAX // 2)
        await turn()
        assert bench.pauses == [True]
        bench.store.finish(1)
        await turn()
        assert bench.pauses == [True, False]

    on_a_loop(scene)


def test_flushed_waits_for_the_last_commit() -> None:
    async def scene(bench: Bench) -> None:
        bench.committer.submit(Commit("a"))
        bench.committer.submit(Commit("b"))
        await turn()
        waiter = asyncio.ensure_future(bench.committer.flushed())
        bench.store.finish(1)
        await turn()
        assert not waiter.done()
        bench.store.finish(1)
        await waiter
        assert bench.handed_over == ["a", "b"]

    on_a_loop(scene)


def test_a_store_that_fails_between_commits_pauses_intake_until_it_works_again() -> None:
    async def scene(bench: Bench) -> None:
        bench.store.finish(0, StoreFailing("the writer failed"))
        await turn()
        assert bench.pauses == [True]
        assert bench.committer.failing == "the writer failed"
        bench.store.finish(0)
        await turn()
        assert (bench.calls, bench.pauses) == (0, [True, False])
        assert not bench.committer.failing

    on_a_loop(scene)


def test_what_the_store_has_no_room_for_waits_and_follows_in_order() -> None:
    """It was lost, with all that was to follow it, and `flushed` then waited for ever."""

    async def scene(bench: Bench) -> None:
        bench.store.in_flight_max = 2
        for name in ("a", "b", "c", "d", "e"):
            bench.committer.submit(Commit(name))
        await turn()
        assert [commit.chain for commit in bench.store.waiting] == ["a", "b"]
        assert (repr(bench.committer.failing), bench.pauses) == ("'2 commits wait, limit 2'", [True])
        bench.committer.submit(Commit("f"))
        await turn()
        bench.store.finish(1, StoreFailing("disk full"))
        await turn()
        assert bench.handed_over == []
        for _ in range(3):
            bench.arrived.clear()
            bench.store.finish(2)
            await asyncio.wait_for(bench.arrived.wait(), WAIT_S)
        await asyncio.wait_for(bench.committer.flushed(), WAIT_S)
        assert bench.handed_over == ["a", "b", "c", "d", "e", "f"]
        assert (repr(bench.committer.failing), bench.pauses) == ("None", [True, False])

    on_a_loop(scene)
