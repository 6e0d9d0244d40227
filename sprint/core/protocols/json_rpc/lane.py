"""One of a session's lanes: what is asked on it, which request is under way, and when it is over."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import StrEnum
from functools import partial
from typing import TypeVar

import msgspec

from sprint.core.errors import SprintError
from sprint.core.protocols.announcements import Announcement
from sprint.core.protocols.json_rpc.batching import Batching
from sprint.core.protocols.json_rpc.calls import Answer, Call
from sprint.core.protocols.json_rpc.jobs import Steps
from sprint.core.protocols.json_rpc.results import Publishing


class Ready(msgspec.Struct, frozen=True):
    """The node is of the right chain; requests may be made from here on."""

    user_agent: str
    height: int


class PublishingTold(msgspec.Struct, frozen=True):
    """What the node publishes over ZMQ, None where it does not say."""

    publishing: Publishing | None


RpcEvent = Ready | PublishingTold | Announcement
Result = TypeVar("Result")
Finish = Callable[[float], list[RpcEvent]]


class Lane(StrEnum):
    """The lanes of a session, in the order in which their requests are sent.

    `TIP` greets the node, then hears of new tips. It is last, as a wait takes a thread of the node's.
    """

    HEADERS = "headers"
    BODIES = "bodies"
    TIP = "tip"


class RpcRequest(msgspec.Struct, frozen=True):
    """The body of a POST, and how many bytes its answer may have at most."""

    body: bytes
    answer_size_max: int


class LaneState:
    """A job and the calls that it waits for, which may take several requests.

    `sent`: `under_way` of them are so, since `sent_at`, until `deadline`.
    `not_before` holds the next request back. `lost` and `busy` count, since the last good answer, the
    connections that were lost over a request and the refusals of a node that has too much to do.
    """

    def __init__(self, name: Lane) -> None:
        self.name = name
        self.calls: Sequence[Call] = ()
        self.under_way: Sequence[Call] = ()
        self.sent = False
        self.sent_at = 0.0
        self.deadline = 0.0
        self.not_before = 0.0
        self.lost = 0
        self.busy = 0
        self._first_id = 0
        self._answers: list[Answer] = []
        self._job: Generator[Sequence[Call], Sequence[Answer], Finish] | None = None

    def __repr__(self) -> str:
        state = "idle" if self.idle else "sent" if self.sent else "waiting"
        return f"LaneState({self.name}, {state}, {len(self.calls)} calls)"

    @property
    def idle(self) -> bool:
        return self._job is None

    @property
    def first_id(self) -> int:
        return self._first_id

    def start(self, job: Steps[Result], finish: Callable[[Result, float], list[RpcEvent]]) -> None:
        """Begin a job, which has a call to make first. `finish` makes events of its result."""
        self._job = _then(job, finish)
        self.calls = next(self._job)

    def request(
        self, batching: Batching, first_id: int, now: float, timeout_s: float, answer_size_max: int
    ) -> RpcRequest:
        """Write the next of the calls as a request that is now under way."""
        self.sent, self.sent_at, self.deadline, self._first_id = True, now, now + timeout_s, first_id
        answered = len(self._answers)
        self.under_way = self.calls[answered : answered + batching.calls_max]
        return RpcRequest(batching.encode(self.under_way, first_id), answer_size_max)

    def answered(self, answers: Sequence[Answer], now: float) -> list[RpcEvent]:
        """Go on with the job once all its calls are answered. What the job raises ends it."""
        self.lost = self.busy = 0
        self._answers += answers
        if len(self._answers) < len(self.calls):
            return []
        answers, self._answers = self._answers, []
        job = self._job
        if job is None:
            return []
        try:
            self.calls = job.send(answers)
        except StopIteration as done:
            self.drop()
            finish: Finish = done.value
            return finish(now)
        except SprintError:
            self.drop()
            raise
        return []

    def drop(self) -> None:
        """End the job without a result."""
        self._job, self.calls, self.under_way, self.sent = None, (), (), False
        self._answers = []


def _then(
    job: Steps[Result], finish: Callable[[Result, float], list[RpcEvent]]
) -> Generator[Sequence[Call], Sequence[Answer], Finish]:
    result = yield from job
    return partial(finish, result)
