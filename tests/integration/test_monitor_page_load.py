"""A thousand breakers that change 200 times a second: the page stays smooth, by the browser's own trace."""

from __future__ import annotations

import asyncio
import contextlib
import random
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.integration.browser import chromium, opened
from tests.integration.monitored_breakers import MonitoredBreakers

pytestmark = [pytest.mark.real("chromium"), pytest.mark.alone]

BREAKERS = 1_000
CHANGES_PER_S = 200
TRACED_MS = 6_000
LINES_MAX = 60
# A frame at 60 Hz has 16.7 ms. Measured is the main thread's own time, as other work shares the cores.
FRAME_WORK_P95_MS_MAX = 16.0
TASK_P99_MS_MAX = 50.0
KEY_MS_MAX = 100.0
# Of 25 that the page makes of what it is told.
FRAMES_PER_S_MIN = 15.0
SHARES = (0.5, 0.95, 0.99)
CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline"
# Work of a page's main thread for one frame: scripts of the frame, styles, layout, paint.
FRAME_PARTS = ("FireAnimationFrame", "UpdateLayoutTree", "Layout", "PrePaint", "Paint", "Commit")
KEY_ANSWERED = """() => new Promise((done) => {
    const before = document.querySelector('.line[aria-current] .name')?.textContent;
    const began = performance.now();
    const look = () => {
        const now = document.querySelector('.line[aria-current] .name')?.textContent;
        if (now !== before) done(performance.now() - began); else requestAnimationFrame(look);
    };
    document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}));
    requestAnimationFrame(look);
})"""


async def change_for_ever(scene: MonitoredBreakers, seed: int) -> None:
    """Have breakers forced open and reset, so many a second."""
    rng = random.Random(seed)
    breakers = list(scene.registry)
    loop = asyncio.get_running_loop()
    began, changed = loop.time(), 0
    while True:
        await asyncio.sleep(0.02)
        while changed < (loop.time() - began) * CHANGES_PER_S:
            breaker = rng.choice(breakers)
            if breaker.state == "closed":
                breaker.force_open("a test")
            else:
                breaker.reset("a test")
            changed += 1


@contextlib.contextmanager
def changing(scene: MonitoredBreakers, seed: int) -> Iterator[None]:
    work = scene.begin(change_for_ever(scene, seed))
    try:
        yield
    finally:
        work.cancel()


def traced(page: Page, for_ms: float = TRACED_MS) -> list[dict[str, Any]]:
    """Let the page go on for a while; return the events of its main thread."""
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    complete: list[bool] = []
    session.on("Tracing.tracingComplete", lambda _: complete.append(True))
    session.send("Tracing.start", {"transferMode": "ReportEvents", "categories": CATEGORIES})
    page.wait_for_timeout(for_ms)
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(50)
    frames = [each for each in events if each["name"] == "FireAnimationFrame"]
    assert frames, "the page has drawn no frame"
    thread = statistics.mode((each["pid"], each["tid"]) for each in frames)
    return [each for each in events if (each["pid"], each["tid"]) == thread and each.get("ph") == "X"]


def frame_work_ms(events: list[dict[str, Any]]) -> list[float]:
    """Return the main thread's work of each frame: what begins between one frame's scripts and the next's."""
    parts = sorted((each for each in events if each["name"] in FRAME_PARTS), key=lambda each: each["ts"])
    frames: list[float] = []
    for each in parts:
        if each["name"] == "FireAnimationFrame":
            frames.append(0.0)
        if frames:
            frames[-1] += each.get("tdur", 0) / 1000.0
    return frames


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def spread(values_ms: list[float]) -> str:
    shares = ", ".join(
        f"p{share:.0%}".rstrip("%") + f" {percentile(values_ms, share):.2f}" for share in SHARES
    )
    return f"{shares}, longest {max(values_ms):.2f} ms"


def test_a_thousand_breakers_that_change_200_times_a_second_keep_the_page_smooth(seed: int) -> None:
    names = [f"source:litecoin:node-{number:04}" for number in range(BREAKERS)]
    with chromium() as browser, MonitoredBreakers(*names) as scene, opened(browser, scene.url) as page:
        expect(page.locator("#counts")).to_contain_text(f"{BREAKERS}closed")
        with changing(scene, seed):
            events = traced(page)
            keys_ms = [page.evaluate(KEY_ANSWERED) for _ in range(10)]
            lines = page.locator(".line").count()
    work_ms = frame_work_ms(events)
    tasks_ms = [each.get("tdur", 0) / 1000.0 for each in events if each["name"] == "RunTask"]
    per_s = len(work_ms) / (TRACED_MS / 1000.0)
    print(f"seed {seed}: {per_s:.1f} frames a second with work; {lines} rows drawn")
    print(f"a frame's work: {spread(work_ms)}; tasks: {spread(tasks_ms)}; a key: {spread(keys_ms)}")
    assert lines <= LINES_MAX
    assert percentile(work_ms, 0.95) <= FRAME_WORK_P95_MS_MAX
    assert percentile(tasks_ms, 0.99) <= TASK_P99_MS_MAX
    assert per_s >= FRAMES_PER_S_MIN
    assert statistics.median(keys_ms) <= KEY_MS_MAX
