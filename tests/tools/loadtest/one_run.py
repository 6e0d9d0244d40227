"""One generator's run in the test's own loop, and what was recorded of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import Segment
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording
from sprint.core.loadtest.schedule import Schedule
from sprint.tools.loadtest.generating import Generating, Part, Target
from sprint.tools.loadtest.http_generator import HttpGenerator, Limits
from sprint.tools.loadtest.moments import clock_ns
from sprint.tools.loadtest.opening import Place
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.request_template import RequestForm, RequestTemplate
from sprint.tools.loadtest.target_url import parse_url

MakeTarget = Callable[[Outcomes], Target]


class OneRun:
    """`segments` are sent to a target; `recording` is what came of it, complete after `run`."""

    def __init__(
        self, segments: tuple[Segment, ...], make: MakeTarget, *, timeout_ns: int = SECOND_NS
    ) -> None:
        self._recorder = Recorder()
        self._outcomes = Outcomes(self._recorder)
        self.target = make(self._outcomes)
        self.recording = Recording(segments)
        self.generating = Generating(Schedule(segments), self.target, self._outcomes, Part(0, 1, timeout_ns))

    async def run(self) -> Recording:
        started_ns = clock_ns()
        self._outcomes.begin(started_ns)
        await self.generating.run(started_ns)
        for cell in self._recorder.cells(clock_ns() - started_ns, last=True):
            self.recording.add(cell)
        self.recording.finish(self.generating.ended_ns - started_ns)
        return self.recording


def for_half_a_second(rate_per_s: int) -> tuple[Segment, ...]:
    return (Segment(SECOND_NS // 2, rate_per_s, rate_per_s),)


def for_a_tenth_of_a_second(rate_per_s: int) -> tuple[Segment, ...]:
    """Where only what becomes of a request matters, not when."""
    return (Segment(SECOND_NS // 10, rate_per_s, rate_per_s),)


def http(
    url: str,
    *forms: RequestForm,
    workers_max: int = 100,
    timeout_ns: int = SECOND_NS,
    one_request_each: bool = False,
    tls: ssl.SSLContext | None = None,
) -> MakeTarget:
    """Return what makes requests to a URL on loopback."""
    target = parse_url(url)
    asked = forms or (RequestForm(),)
    limits = Limits(workers_max, timeout_ns, asked[0].method == "HEAD", one_request_each)
    templates = [RequestTemplate(form, target, bytes) for form in asked]
    return lambda outcomes: HttpGenerator(
        Place(target, "127.0.0.1", target.port, tls), templates, outcomes, limits
    )


def kinds(recording: Recording) -> dict[str, int]:
    return {row.kind: row.count for row in recording.errors()}
