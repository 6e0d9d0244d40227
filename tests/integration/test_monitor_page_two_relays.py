"""The monitor's page of two relays that have breakers of the same name: everything says whose it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser, expect

from sprint.tools.monitor.alerts_given import AlertsGiven, alerting
from tests.integration.browser import chromium, opened
from tests.integration.real_servers import wait_until
from tests.tools.monitor.relay_stand_in import RelayStandIn, serving, watched

pytestmark = pytest.mark.real("chromium")

STORE = "store"
WAIT_S = 20.0


class TwoRelays(threading.Thread):
    """`main` and `edge`, each with a breaker `store`, and a monitor of both, until it is ended."""

    def __init__(self, folder: Path) -> None:
        super().__init__(name="two relays", daemon=True)
        self.url = ""
        self.relays: dict[str, RelayStandIn] = {}
        self._alerts = AlertsGiven(file=str(folder / "alerts.sqlite"))
        self._ready = threading.Event()
        self._end = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    def __enter__(self) -> Self:
        self.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join(WAIT_S)

    def state(self, relay: str) -> str:
        return self.relays[relay].registry.get(STORE, STORE).state

    async def _serve(self) -> None:
        async with (
            RelayStandIn("main", (STORE,)) as main,
            RelayStandIn("edge", (STORE,)) as edge,
            watched(main, edge) as monitor,
            alerting(monitor, self._alerts),
            serving(monitor) as (url, _),
        ):
            self.url, self.relays = url, {"main": main, "edge": edge}
            self._ready.set()
            await asyncio.to_thread(self._end.wait)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_of_two_breakers_of_one_name_an_order_an_event_and_an_alert_did_not_say_whose_they_are(
    browser: Browser, tmp_path: Path
) -> None:
    with TwoRelays(tmp_path) as both, opened(browser, both.url) as page:
        page.locator(".line:not([hidden])", has_text="edge").locator(".name").click()
        page.keyboard.press("o")
        dialog = page.get_by_role("dialog", name="Force open: store of edge")
        dialog.get_by_label("Reason").fill("a test")
        dialog.get_by_role("button", name="Force open").click()
        wait_until(lambda: both.state("edge") == "force_open", "the breaker of edge is forced open")
        assert both.state("main") == "closed"
        expect(page.locator("#notice")).to_have_text("Force open: store of edge.")
        expect(page.locator("#worst .name")).to_have_text("store of edge")
        page.keyboard.press("Escape")
        page.keyboard.press("2")
        expect(page.locator("#events-list .name").first).to_have_text("store of edge")
        page.keyboard.press("3")
        alert = page.locator("#alerts-list li").first
        expect(alert.locator(".name")).to_have_text("store of edge")
        alert.get_by_role("button", name="Acknowledge…").click()
        expect(page.locator("#alert-about")).to_contain_text("edge: ")
