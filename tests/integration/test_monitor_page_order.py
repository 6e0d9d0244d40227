"""The order of the page's alerts as they change, in a real Chromium, and what it shows of sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.integration.browser import chromium, opened
from tests.integration.monitored_breakers import MonitoredBreakers

pytestmark = pytest.mark.real("chromium")

# The alerts' ids in the order that the page keeps them in, once each of these was told.
TOLD = """async (told) => {
  const { Fleet } = await import(`${location.origin}/page/fleet.js`);
  const fleet = new Fleet();
  for (const alert of told) fleet.on_alert({ alert });
  return fleet.alerts.map((each) => each.id);
}"""
CELLS = """async (source) => {
  const { relaysList } = await import(`${location.origin}/page/lists.js`);
  const relay = { name: "north", connection: "live", since: "2025-09-05T18:55:07Z", url: "" };
  relay.sources = { bitcoin: [source] };
  const [card] = relaysList({ relays: new Map([["north", relay]]), now: () => 0 });
  return [...card.querySelectorAll("tbody td")].map((cell) => cell.textContent);
}"""  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def alert(number: int, resolved_at: str | None = None) -> dict[str, object]:
    return {"id": f"a{number}", "at": f"2025-09-05T18:55:0{number}Z", "resolved_at": resolved_at}


def test_an_alert_that_is_over_came_to_stand_above_those_that_hold_when_it_changed(browser: Browser) -> None:
    with MonitoredBreakers("store") as scene, opened(browser, scene.url, bypass_csp=True) as page:
        over = alert(3, "2025-09-05T18:56:00Z")
        assert page.evaluate(TOLD, [alert(1), alert(3), alert(2), over]) == ["a2", "a1", "a3"]


def test_the_page_shows_as_much_of_a_source_as_the_terminal(browser: Browser) -> None:
    standing = {"height": 2931204, "behind_blocks": 0, "lag_ms": None, "score": 100}
    source = {"name": "a", "state": "ready", "reason": "", "standing": standing, "notes": ["pruned"]}
    source["breaker"] = {"state": "closed", "reason": "closed since the start"}
    with MonitoredBreakers("store") as scene, opened(browser, scene.url, bypass_csp=True) as page:
        told = page.evaluate(CELLS, source)
    assert told[2:] == ["2,931,204", "0", "\N{EN DASH}", "100", "closed since the startpruned"]
