"""The monitor's page where its service refuses or is gone: it asks again, and not with every frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.integration.browser import LOST_CONNECTION, chromium, opened
from tests.integration.monitored_breakers import MonitoredBreakers

pytestmark = pytest.mark.real("chromium")

NAMES = tuple(f"source:litecoin:{number}" for number in range(3))
FRAMES = 40
# Each of these frames draws the table anew.
FRAMES_DRAWN = """async (frames) => {
  for (let each = 0; each < frames; each += 1) {
    document.getElementById("scroller").dispatchEvent(new Event("scroll"));
    await new Promise(requestAnimationFrame);
  }
}"""
# How often a page of events that looks with every frame has asked a service that is gone.
LOOKED = """async (looks) => {
  const { Past } = await import(`${location.origin}/page/past.js`);
  let asked = 0;
  const whole = window.fetch;
  window.fetch = async () => { asked += 1; throw new TypeError("gone"); };
  const past = new Past(() => undefined);
  for (let each = 0; each < looks; each += 1) {
    past.look();
    await new Promise(requestAnimationFrame);
  }
  past.forget();
  past.look();
  window.fetch = whole;
  return asked;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_figures_that_were_refused_were_asked_for_again_with_every_frame(browser: Browser) -> None:
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.fulfill(status=404, json={"detail": "no such path"})

    with (
        MonitoredBreakers(*NAMES) as scene,
        opened(browser, scene.url, expected=("404", *LOST_CONNECTION)) as page,
    ):
        expect(page.locator("#connection")).to_have_text("live")
        page.route("**/metrics*", refuse)
        scene.stop_service()
        scene.start_service()
        expect(page.locator("#lost")).to_be_hidden()
        page.evaluate(FRAMES_DRAWN, FRAMES)
        assert len(refused) == len(NAMES), refused


def test_events_of_a_service_that_is_gone_were_asked_for_with_every_frame(browser: Browser) -> None:
    with MonitoredBreakers(*NAMES) as scene, opened(browser, scene.url, bypass_csp=True) as page:
        assert page.evaluate(LOOKED, FRAMES) == 2, "once, and at once after a new connection"
