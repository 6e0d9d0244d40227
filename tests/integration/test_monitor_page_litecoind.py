"""The monitor's page on a real relay with a real litecoind: a node that stops, one that is back, an order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from sprint.tools.monitor.probe import Target
from tests.integration.browser import chromium, opened
from tests.integration.monitored_breakers import RELAY, MonitoredBreakers
from tests.integration.real_servers import Litecoind, wait_until
from tests.integration.relay_breakers import RelayBreakers
from tests.integration.relay_process import RelayProcess

pytestmark = [pytest.mark.real("chromium"), pytest.mark.real("litecoind")]

BREAKER = "source:litecoin-regtest:node"
SHOWN_MS_MAX = 250.0
OPEN_WAIT_MS = 40_000
RELAYS_WAIT_MS = 20_000  # the monitor asks a relay for its sources every few seconds
BACK_WAIT_MS = 60_000
# When the sentence on top first says that it is open, by the clock that the relay has too.
TAKE_TIME = """() => {
    window.shownAt = null;
    new MutationObserver(() => {
        const text = document.querySelector("#worst").textContent;
        if (window.shownAt === null && text.includes(" is open: ")) window.shownAt = Date.now();
    }).observe(document.querySelector("#headline"), {subtree: true, childList: true, characterData: true});
}"""


def test_a_node_that_stops_is_on_the_page_within_250_ms_and_an_order_there_takes_effect_in_the_relay(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    litecoind, other = litecoind_factory(), litecoind_factory()
    # Of a chain's sources the last one stays in use, so that its breaker would not open.
    other.connect_to(litecoind)
    sources = ("--source", f"node@{litecoind.source_url}", "--source", f"other@{other.source_url}")
    with (
        RelayProcess(tmp_path, *sources, "--data-dir", str(tmp_path / "data")) as relay,
        RelayBreakers(relay) as breakers,
    ):
        wait_until(lambda: breakers.source("node")["state"] == "ready", "the source is ready")
        assert relay.serving.admin is not None
        target = Target(RELAY, relay.serving.admin)
        with (
            MonitoredBreakers(target=target) as scene,
            chromium() as browser,
            opened(browser, scene.url) as page,
        ):
            page.evaluate(TAKE_TIME)
            litecoind.stop()
            top = page.locator("#worst li").first
            expect(top).to_contain_text(f"{BREAKER} is open: ", timeout=OPEN_WAIT_MS)
            opening = next(each for each in breakers.history(BREAKER) if each["to"] == "open")
            shown_ms = (
                page.evaluate("window.shownAt") - datetime.fromisoformat(opening["at"]).timestamp() * 1000
            )
            print(f"on the page {shown_ms:.0f} ms after the relay's own transition")
            assert shown_ms <= SHOWN_MS_MAX

            litecoind.start()
            expect(page.locator("#worst li")).to_have_count(0, timeout=BACK_WAIT_MS)
            page.get_by_role("button", name=BREAKER, exact=True).click()
            page.locator("#detail").get_by_role("button", name="Force open…").click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_label("Reason").fill("its disk is replaced")
            dialog.get_by_role("button", name="Force open").click()
            told = breakers.wait_for_state(BREAKER, "force_open", 10.0)
            assert told["reason"] == "operator via admin API: its disk is replaced"
            expect(page.locator("#detail-why")).to_have_text(told["reason"])
            page.keyboard.press("Escape")
            page.keyboard.press("4")
            expect(page.locator("#relays-list")).to_contain_text("litecoin-regtest")
            expect(page.locator("#relays-list table")).to_contain_text("forced open", timeout=RELAYS_WAIT_MS)
