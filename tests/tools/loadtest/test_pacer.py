"""The pacer does what is due at its moment and never before, and lets the loop do all else meanwhile."""

from __future__ import annotations

import asyncio
import itertools
import socket
from functools import partial

import pytest

from sprint.tools import runtime
from sprint.tools.loadtest import pacer as pacer_module
from sprint.tools.loadtest.moments import NS_PER_MS, clock_ns
from sprint.tools.loadtest.pacer import Pacer
from sprint.tools.loadtest.ready_set import ReadySet

GAPS_NS = [100_000, 700_000, 3 * NS_PER_MS, 0, 50 * NS_PER_MS, 0, 0, 1_400_000] * 3


class Moments:
    """Does what is due at each of some moments, and keeps when it was done."""

    def __init__(self) -> None:
        now_ns = clock_ns()
        self.due_ns = [now_ns + sum(GAPS_NS[: place + 1]) for place in range(len(GAPS_NS))]
        self.done_ns: list[int] = []

    def turn(self, now_ns: int) -> int | None:
        while len(self.done_ns) < len(self.due_ns) and self.due_ns[len(self.done_ns)] <= now_ns:
            self.done_ns.append(clock_ns())
        return None if len(self.done_ns) == len(self.due_ns) else self.due_ns[len(self.done_ns)]


LOOPS = [runtime.run, asyncio.run]


@pytest.mark.parametrize("run", LOOPS, ids=["uvloop", "asyncio"])
def test_each_is_done_once_in_order_and_never_early(run: object) -> None:
    moments = Moments()
    ends: list[int] = []

    async def main() -> None:
        ended = asyncio.Event()

        def end() -> None:
            ends.append(clock_ns())
            ended.set()

        Pacer(asyncio.get_running_loop(), moments.turn, end).start()
        await ended.wait()

    assert callable(run)
    run(main())
    assert len(ends) == 1
    assert len(moments.done_ns) == len(GAPS_NS)
    assert all(done >= due for due, done in zip(moments.due_ns, moments.done_ns, strict=True))
    assert moments.done_ns == sorted(moments.done_ns)


def waits_finely(now_ns: int) -> int:
    """Say that nothing is due before 0.4 to 1.4 ms from now: a pacer then does nothing but wait."""
    return now_ns - now_ns % NS_PER_MS + 1_400_000


def test_answers_are_served_at_once_while_it_waits() -> None:
    """A wait that saw nothing but its own moment would have a byte go round a hundred times or two."""
    served = 0

    async def main() -> None:
        answers = ReadySet()
        ends = socket.socketpair()

        def send_back(end: socket.socket, _: int) -> None:
            nonlocal served
            served += 1
            end.send(end.recv(1))

        for end in ends:
            end.settimeout(0)
            answers.add(end.fileno(), partial(send_back, end))
        pacer = Pacer(asyncio.get_running_loop(), waits_finely, lambda: None, answers=answers)
        pacer.start()
        ends[0].send(b"x")
        await asyncio.sleep(0.2)
        pacer.stop()
        answers.close()
        for end in ends:
            end.close()

    runtime.run(main())
    assert served > 800


@pytest.mark.parametrize("run", LOOPS, ids=["uvloop", "asyncio"])
def test_the_loop_has_its_turns_however_much_is_due(run: object) -> None:
    """What is due without end and answers without end must not keep the parent's word from being heard."""
    turns = 0

    async def main() -> None:
        answers = ReadySet()
        near, far = socket.socketpair()
        far.send(b"x")
        answers.add(near.fileno(), lambda _: None)  # stays ready
        pacer = Pacer(asyncio.get_running_loop(), lambda now_ns: now_ns, lambda: None, answers=answers)
        pacer.start()
        nonlocal turns
        for _ in range(20):
            await asyncio.sleep(0)
            turns += 1
        pacer.stop()
        answers.close()
        near.close()
        far.close()

    assert callable(run)
    run(main())
    assert turns == 20


@pytest.mark.parametrize("run", LOOPS, ids=["uvloop", "asyncio"])
def test_answers_are_served_by_the_loop_where_nobody_waits_for_them(run: object) -> None:
    async def main() -> None:
        answers = ReadySet()
        near, far = socket.socketpair()
        came = asyncio.Event()

        def read(_: int) -> None:
            near.recv(1)
            came.set()

        answers.add(near.fileno(), read)
        answers.join(asyncio.get_running_loop())
        far.send(b"x")
        async with asyncio.timeout(10):
            await came.wait()
        answers.close()
        near.close()
        far.close()

    assert callable(run)
    run(main())


class AnswersInTurn(ReadySet):
    """Every second look finds an answer: what a wait says is so."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = self.waits = 0

    def serve(self) -> int:
        self.looks += 1
        return 1

    def wait(self, wait_ns: int) -> bool:
        assert wait_ns > 0
        self.waits += 1
        return self.waits % 2 == 0


def test_what_is_due_is_not_looked_for_with_each_answer_nor_an_answer_where_a_wait_saw_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At low rates a request cost more in looking whether there was something to do than in being sent."""
    ticks = itertools.count(0, 1_000)
    monkeypatch.setattr(pacer_module, "clock_ns", lambda: next(ticks))
    answers, turns, looks_wanted = AnswersInTurn(), 0, 1_000

    async def main() -> None:
        ended = asyncio.Event()

        def turn(now_ns: int) -> int | None:
            nonlocal turns
            turns += 1
            return None if answers.looks > looks_wanted else now_ns + NS_PER_MS

        Pacer(asyncio.get_running_loop(), turn, ended.set, answers=answers).start()
        await ended.wait()

    runtime.run(main())
    answers.close()
    assert turns < looks_wanted / 20
    assert answers.looks < answers.waits


def test_tasks_go_on_at_once_while_it_is_told_of_them() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        near.settimeout(0)
        far.settimeout(0)
        rounds = 0

        async def echo() -> None:
            while True:
                await loop.sock_sendall(far, await loop.sock_recv(far, 1))

        pacer = Pacer(loop, waits_finely, lambda: None, is_restless=lambda: rounds >= 0)
        async with runtime.background(echo()):
            pacer.start()
            begin_ns = clock_ns()
            while clock_ns() - begin_ns < 200 * NS_PER_MS:
                await loop.sock_sendall(near, b"x")
                await loop.sock_recv(near, 1)
                rounds += 1
            pacer.stop()
        near.close()
        far.close()
        return rounds

    assert runtime.run(main()) > 400


def test_stopped_it_does_no_more() -> None:
    async def main() -> None:
        moments = Moments()
        ended: list[str] = []
        pacer = Pacer(asyncio.get_running_loop(), moments.turn, lambda: ended.append("ended"))
        pacer.start()
        pacer.stop()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (moments.done_ns, ended) == ([], [])

    runtime.run(main())


@pytest.mark.parametrize("run", LOOPS, ids=["uvloop", "asyncio"])
def test_an_error_of_a_turn_ends_it_and_is_not_left_to_the_loops_log(run: object) -> None:
    async def main() -> BaseException | None:
        ended = asyncio.Event()

        def turn(now_ns: int) -> int | None:
            raise ZeroDivisionError(now_ns)

        pacer = Pacer(asyncio.get_running_loop(), turn, ended.set)
        pacer.start()
        async with asyncio.timeout(10):
            await ended.wait()
        return pacer.error

    assert callable(run)
    assert isinstance(run(main()), ZeroDivisionError)
