"""`sprint cb-chaos --serve`: experiments started, watched and stopped over HTTP.

    GET     /api/experiments              which there are, and what each says and needs
    GET     /api/runs                     the runs of this server, the newest first
    POST    /api/runs                     {"experiment": "latency", "duration": "20s", …}: starts one
    GET     /api/runs/{run}               one, with its results so far
    POST    /api/runs/{run}/stop          {}: what it put on comes off, and it ends
    GET     /api/runs/{run}/events        what happens in it, as NDJSON until it ends
    POST    /api/halt                     {}: stops all runs of this machine's user, those of other tools too
    GET     /api/health
    GET     /metrics

One run at a time: two would be each other's fault. Off loopback a key is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from sprint.core.errors import ConfigError, RequestError, SprintError
from sprint.tools.runtime import wall_clock
from sprint.tools.web.access import has_key
from sprint.tools.web.bodies import json_body
from sprint.tools.web.guard import Guard
from sprint.tools.web.http import encode_line_chunk
from sprint.tools.web.outgoing import Outgoing
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Handler, Request, Response, Router, Site, StreamResponse
from sprint.tools.web.server import Listener, TlsFiles, serve

RUNS_KEPT_MAX = 64
PROGRESS_KEPT_MAX = 2_048
BODY_SIZE_MAX = 16 * 1024
CONNECTIONS_MAX = 64
ACCEPTED = 202


class Campaign(Protocol):
    """Some experiments, run one after the other. `results` grows as they end."""

    @property
    def results(self) -> Sequence[Any]:
        """What has come out, as values for JSON."""

    async def run(self) -> Sequence[Any]:
        """Run all of them; what is put on has come off when it returns."""

    def stop(self, reason: str) -> None:
        """Have it end early."""


class Progress(msgspec.Struct, frozen=True):
    """Something that happened in a run; `at` is Unix seconds."""

    at: float
    phase: str
    text: str


Maker = Callable[[dict[str, Any], Callable[[str, str], None]], Campaign]


class ServedRun:
    """One run: its state is `running`, `ended` or `failed`."""

    def __init__(self, number: int, asked: dict[str, Any]) -> None:
        self.number = number
        self.asked = asked
        self.state = "running"
        self.error = ""
        self.started_at = wall_clock()
        self.ended_at: float | None = None
        self.progress: deque[Progress] = deque(maxlen=PROGRESS_KEPT_MAX)
        self.told = 0
        self.campaign: Campaign | None = None
        self.changed = asyncio.Event()

    def tell(self, phase: str, text: str) -> None:
        """Take down what happens, and wake those who watch."""
        self.progress.append(Progress(wall_clock(), phase, text))
        self.told += 1
        self._wake()

    def end(self, error: str = "") -> None:
        """Take down that it is over."""
        self.state = "failed" if error else "ended"
        self.error = error
        self.ended_at = wall_clock()
        self._wake()

    def after(self, number: int) -> list[Progress]:
        """Return what was told after the first `number`, as far as it is kept."""
        missing = self.told - number
        return list(self.progress)[-missing:] if missing else []

    def view(self, *, whole: bool = False) -> dict[str, Any]:
        """Return what the API shows of it."""
        row = {
            "run": self.number,
            "state": self.state,
            "error": self.error or None,
            "asked": self.asked,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "phase": self.progress[-1].phase if self.progress else None,
        }
        if whole:
            row["results"] = [] if self.campaign is None else list(self.campaign.results)
        return row

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class ChaosServer:
    """Answers for the runs. `make` makes a campaign of what was asked.

    `halt` stops those of other tools too, and returns what became of each, as values for JSON.
    """

    def __init__(
        self,
        make: Maker,
        experiments: Callable[[], list[Any]],
        halt: Callable[[], Sequence[Any]],
        key: str = "",
    ) -> None:
        self._make = make
        self._experiments = experiments
        self._halt = halt
        self._key = key
        self._runs: dict[int, ServedRun] = {}
        self._task: asyncio.Task[None] | None = None
        self._count = 0
        self._registry = CollectorRegistry()
        started = Counter("sprint_chaos_runs", "Runs that were started", registry=self._registry)
        self._started = started
        going_on = Gauge("sprint_chaos_running", "1 while a run goes on", registry=self._registry)
        going_on.set_function(lambda: float(self._going_on() is not None))

    def add_to(self, router: Router) -> None:
        """Serve all paths."""
        for method, pattern, handler in (
            ("GET", "/api/experiments", self._list_experiments),
            ("GET", "/api/runs", self._list),
            ("POST", "/api/runs", self._start),
            ("GET", "/api/runs/{run}", self._one),
            ("POST", "/api/runs/{run}/stop", self._stop),
            ("GET", "/api/runs/{run}/events", self._events),
            ("POST", "/api/halt", self._halt_all),
            ("GET", "/api/health", self._health),
            ("GET", "/metrics", self._metrics),
        ):
            router.add(method, pattern, self._keyed(handler))

    async def stop(self) -> None:
        """End the run there is, with all that it put on taken off."""
        self._stop_running("the server ends")
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _stop_running(self, reason: str) -> None:
        for run in self._runs.values():
            if run.state == "running" and run.campaign is not None:
                run.campaign.stop(reason)

    def _keyed(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response | StreamResponse:
            if self._key and not has_key(request, self._key):
                raise RequestError("key_refused", "no key, or another one; send Authorization: Bearer KEY")
            try:
                return await handler(request)
            except ConfigError as error:
                raise RequestError("bad_query", str(error)) from error

        return answer

    async def _list_experiments(self, _: Request) -> Response:
        return _json({"experiments": self._experiments()})

    async def _list(self, _: Request) -> Response:
        return _json({"runs": [run.view() for run in reversed(self._runs.values())]})

    async def _start(self, request: Request) -> Response:
        asked = await json_body(request)
        running = self._going_on()
        if running is not None:
            raise RequestError("run_going_on", f"run {running.number} goes on; stop it, or wait for its end")
        run = ServedRun(self._count + 1, asked)
        run.campaign = self._make(asked, run.tell)
        self._count += 1
        self._started.inc()
        self._runs[run.number] = run
        while len(self._runs) > RUNS_KEPT_MAX:
            del self._runs[next(iter(self._runs))]
        self._task = asyncio.create_task(_run(run, run.campaign))
        return _json({"run": run.view()}, ACCEPTED)

    async def _one(self, request: Request) -> Response:
        return _json({"run": self._find(request).view(whole=True)})

    async def _stop(self, request: Request) -> Response:
        run = self._find(request)
        await json_body(request)
        changed = run.state == "running"
        if changed and run.campaign is not None:
            run.campaign.stop("stopped over the API")
        return _json({"changed": changed, "run": run.view()})

    async def _events(self, request: Request) -> StreamResponse:
        run = self._find(request)

        async def stream(outgoing: Outgoing) -> None:
            told = 0
            while not outgoing.ended.is_set():
                changed = run.changed
                for each in run.after(told):
                    outgoing.send(encode_line_chunk(msgspec.json.encode(each)))
                told = run.told
                if run.state != "running":
                    outgoing.send(encode_line_chunk(msgspec.json.encode(run.view(whole=True))))
                    return
                await _first(changed.wait(), outgoing.ended.wait())

        return StreamResponse(stream, _last_words)

    async def _halt_all(self, request: Request) -> Response:
        await json_body(request)
        self._stop_running("halted")
        return _json({"halted": await asyncio.to_thread(self._halt)})

    async def _health(self, _: Request) -> Response:
        going_on = self._going_on()
        return _json({"status": "ok", "run": None if going_on is None else going_on.number})

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self._registry), content_type=CONTENT_TYPE_LATEST)

    def _going_on(self) -> ServedRun | None:
        return next((run for run in self._runs.values() if run.state == "running"), None)

    def _find(self, request: Request) -> ServedRun:
        word = request.parameters["run"]
        run = self._runs.get(int(word)) if word.isascii() and word.isdigit() and len(word) <= 9 else None
        if run is None:
            raise RequestError("not_found", f"no run {word[:16]!a}; `GET /api/runs` lists them")
        return run


async def serve_chaos(
    server: ChaosServer, bound: socket.socket, host: str, tls: TlsFiles | None = None
) -> Listener:
    """Serve on a bound socket; `host` is how it is called beside its loopback names."""
    router = Router()
    add_problems(router)
    server.add_to(router)
    scheme = "https" if tls else "http"
    guard = Guard(bound.getsockname()[1], host, scheme=scheme, body_size_max=BODY_SIZE_MAX)
    return await serve(Site(router, guard, connections_max=CONNECTIONS_MAX), bound, tls)


async def _run(run: ServedRun, campaign: Campaign) -> None:
    error = "a mistake of the tool's own ended it; its trace is on the server's stderr"
    try:
        await campaign.run()
        error = ""
    except SprintError as failed:
        error = str(failed)
    finally:
        # Whatever it was, the next run must not wait for this one.
        if error:
            run.tell("failed", error)
        run.end(error)


async def _first(*waits: Awaitable[object]) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


def _last_words(cursor: str) -> bytes:
    return encode_line_chunk(msgspec.json.encode({"error": "slow", "after": cursor}))


def _json(answer: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status)
