"""The monitor's page in Chromium with 1,000 breakers that change 200 times a second: frames, tasks and keys.

    python -m tests.bench.bench_monitor_page [--seconds S]

By the browser's own trace: a frame's work is the main thread's time for scripts, styles, layout and paint of
one frame. Relay, monitor and browser share this machine's cores.
"""

from __future__ import annotations

import argparse

from playwright.sync_api import expect

from tests.bench.figures import environment, percentile
from tests.bench.rows import skip, tell
from tests.integration.browser import chromium, opened
from tests.integration.monitored_breakers import MonitoredBreakers
from tests.integration.real_servers import CHROMIUM_PATH
from tests.integration.test_monitor_page_load import (
    BREAKERS,
    CHANGES_PER_S,
    KEY_ANSWERED,
    changing,
    frame_work_ms,
    traced,
)

SECONDS = 15.0
SEED = 20_250_905
KEYS = 40
FRAME = "monitor's page: a frame's work on the main thread, p95"
LONGEST = "monitor's page: the longest frame's work"
FRAMES = "monitor's page: frames with something new"
KEY = "monitor's page: a key answered, p95"


def main() -> None:
    parser = argparse.ArgumentParser(description="The monitor's page under load")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    seconds = parser.parse_args().seconds
    print(environment())
    if not CHROMIUM_PATH.exists():
        for name in (FRAME, LONGEST, FRAMES, KEY):
            skip(name, "no Chromium here")
        return
    measure(seconds)
    print(environment())


def measure(seconds: float) -> None:
    """Trace the page for so long, then press keys; tell what was found."""
    names = [f"source:litecoin:node-{number:04}" for number in range(BREAKERS)]
    with chromium() as browser, MonitoredBreakers(*names) as scene, opened(browser, scene.url) as page:
        expect(page.locator("#counts")).to_contain_text(f"{BREAKERS}closed")
        with changing(scene, SEED):
            events = traced(page, seconds * 1000)
            keys_ms = [float(page.evaluate(KEY_ANSWERED)) for _ in range(KEYS)]
    work_ms = frame_work_ms(events)
    tasks_ms = [each.get("tdur", 0) / 1000.0 for each in events if each["name"] == "RunTask"]
    per_s = len(work_ms) / seconds
    shown = f"{BREAKERS:,} breakers, {CHANGES_PER_S} changes/s"
    spread = ", ".join(f"p{share * 100:g} {percentile(work_ms, share):.1f}" for share in (0.5, 0.95, 0.99))
    print(
        f"{shown}, {seconds:g} s: {per_s:.1f} frames/s; a frame's work {spread}, most {max(work_ms):.1f} ms"
    )
    print(f"tasks of the main thread: p99 {percentile(tasks_ms, 0.99):.1f}, most {max(tasks_ms):.1f} ms")
    tell(FRAME, percentile(work_ms, 0.95), ours=shown)
    tell(LONGEST, max(work_ms), ours=shown)
    tell(FRAMES, per_s, ours=shown)
    tell(KEY, percentile(keys_ms, 0.95), ours=f"{KEYS} keys, {shown}")


if __name__ == "__main__":
    main()
