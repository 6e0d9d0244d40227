"""Makes the pictures of the monitor's page in docs/images.

    python -m tests.integration.monitor_page_pictures [FOLDER]

They show the demonstration that `sprint cb-monitor` runs without a relay, when some of its troubles have
come. With a folder all sizes go there, to be looked at.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

from sprint.tools.monitor.demo import Demo
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.service import served
from sprint.tools.net import bind
from tests.integration.browser import DESKTOP, PHONE, TABLET, chromium, opened
from tests.integration.real_servers import HOST

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
# A source was tried in vain and isn't again until all pictures are taken, another is held closed, and those
# that are well have a score: in the first or second round of the demonstration's troubles.
PICTURED_ONCE = """() => {
  const tried = document.querySelector("#worst li.is-open .first")?.textContent;
  const told = document.querySelector("#worst li.is-open .when")?.textContent;
  const waits = /follows in (\\d+ min|[7-9] s|\\d\\d s)/.test(told);
  const held = document.querySelector("#counts li.is-withheld b").textContent !== "0";
  const scores = [...document.querySelectorAll(".line.is-closed:not([hidden]) .health")];
  return tried && waits && held && scores.filter((each) => Number(each.textContent)).length >= 6;
}"""
PICTURED_S_MAX = 200.0
PICTURES = (
    ("monitor-page.png", DESKTOP, "light", False),
    ("monitor-page-detail.png", (1280, 1000), "dark", True),
    ("monitor-page-tablet.png", TABLET, "dark", False),
    ("monitor-page-phone.png", PHONE, "light", False),
    ("monitor-page-phone-detail.png", PHONE, "dark", True),
)
KEPT = ("monitor-page.png", "monitor-page-detail.png", "monitor-page-phone.png")


class DemoService(threading.Thread):
    """The demonstration and its monitor on a free port, until `ended` is set."""

    def __init__(self) -> None:
        super().__init__(name="demo", daemon=True)
        self.bound = bind(HOST, 0)
        self.url = f"http://{HOST}:{self.bound.getsockname()[1]}"
        self.started = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        async with Demo() as demo, Monitor(targets=(demo.target,), demo=True) as monitor:
            feed = FleetFeed(monitor)
            async with served(feed, self.bound):
                self.started.set()
                await asyncio.to_thread(self.ended.wait)
            feed.stop()


def make(folder: Path, names: tuple[str, ...]) -> None:
    """Take the pictures of these names."""
    service = DemoService()
    service.start()
    service.started.wait()
    with chromium() as browser:
        with opened(browser, service.url) as page:
            page.wait_for_function(PICTURED_ONCE, timeout=PICTURED_S_MAX * 1000)
        for name, size, scheme, detailed in PICTURES:
            if name not in names:
                continue
            with opened(browser, service.url, size, scheme=scheme) as page:
                page.locator(".spark").first.wait_for(state="attached")
                if detailed:
                    page.locator("#worst .name").first.click()
                    page.locator("#detail-evidence tr").first.wait_for()
                    page.wait_for_timeout(1_500)
                page.screenshot(path=str(folder / name))
                print(folder / name)
    service.ended.set()
    service.join()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]), tuple(picture[0] for picture in PICTURES))
    else:
        make(IMAGES, KEPT)
