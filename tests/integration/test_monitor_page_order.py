"""The order of the page's alerts as they change, in a real Chromium, and what it shows of sources."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.integration.browser import PHONE, chromium, opened
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


NAMES = """async (names) => {
  const { nameParts } = await import(`${location.origin}/page/words.js`);
  return names.map(nameParts);
}"""
# Each of these is two code units to a browser.
PAIRS = "a" + "\N{MATHEMATICAL SCRIPT CAPITAL X}" * 20
# How high the row of a source is, in px, on the page of relays.
TALL = """async (state) => {
  const { relaysList } = await import(`${location.origin}/page/lists.js`);
  const standing = { height: 2931204, behind_blocks: 0, lag_ms: 40.44, score: 100 };
  const breaker = { state: "closed", reason: "closed since the start" };
  const sources = { litecoin: [{ name: "node", state, reason: "", standing, breaker }] };
  const relay = { name: "north", connection: "live", since: "2025-09-05T18:55:07Z", url: "", sources };
  const fleet = { relays: new Map([["north", relay]]), now: () => 0 };
  document.getElementById("relays-list").replaceChildren(...relaysList(fleet));
  return document.querySelector("#relays-list tbody tr").getBoundingClientRect().height;
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


def test_two_breakers_of_one_chain_were_cut_to_the_same_name(browser: Browser) -> None:
    names = [f"source:litecoin-regtest-of-the-north:{end}" for end in ("node", "other")]
    with MonitoredBreakers(*names) as scene, opened(browser, scene.url, bypass_csp=True) as page:
        for each in page.locator(".line:not([hidden]) .name").all():
            end = each.locator("span").last
            assert end.evaluate("each => each.scrollWidth <= each.clientWidth")
            assert end.evaluate("each => each.getBoundingClientRect().right") <= 380
            assert each.locator("span").first.evaluate("each => each.scrollWidth > each.clientWidth")
        for name in names:
            assert page.get_by_role("button", name=name, exact=True).count() == 1
        told = page.evaluate(NAMES, ["source:btc:alice", "store", "x" * 40, "a:" + "b" * 20, "", PAIRS])
    ends = ["alice", "store", "x" * 16, "b" * 16, "", PAIRS[-16:]]
    assert [end for _, end in told] == ends
    assert [begin + end for begin, end in told][2] == "x" * 40
    with MonitoredBreakers("store") as scene, opened(browser, scene.url, PHONE) as page:
        end = page.locator(".line:not([hidden]) .name span").last
        assert end.evaluate("each => each.scrollWidth <= each.clientWidth"), "a short name has room"


def test_an_alert_that_goes_up_tomorrow_was_told_as_one_that_does_so_now(browser: Browser) -> None:
    told = "async ([at, now]) => (await import(`${location.origin}/page/words.js`)).dayTime(at, now)"
    now_ms = 1_757_098_507_000  # 2025-09-05T18:55:07Z
    with MonitoredBreakers("store") as scene, opened(browser, scene.url, bypass_csp=True) as page:
        assert page.evaluate(told, ["2025-09-05T18:55:07.000Z", now_ms]) == "18:55:07"
        assert page.evaluate(told, ["2025-09-06T18:55:07.000Z", now_ms]) == "2025-09-06 18:55:07"


def test_on_a_phone_the_sources_of_a_relay_were_broken_letter_by_letter(browser: Browser) -> None:
    with MonitoredBreakers("store") as scene, opened(browser, scene.url, PHONE, bypass_csp=True) as page:
        page.evaluate("location.hash = 'relays'")
        tall = page.evaluate(TALL, "waiting")
        assert tall < 40, f"a row of two words is {tall} px high"
