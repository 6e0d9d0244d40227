"""The monitor's page where something is not there: a relay, a breaker, alerts, and what a recording lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sprint.tools.monitor.alerts_given import AlertsGiven
from sprint.tools.monitor.probe import Target
from tests.integration.browser import LOST_CONNECTION, PHONE, axe_findings, chromium, opened
from tests.integration.monitored_breakers import RELAY, MonitoredBreakers
from tests.integration.replay_service import ReplayService
from tests.tools.monitor.test_replaying import recording

pytestmark = [pytest.mark.real("chromium"), pytest.mark.real("axe-core")]

ALICE = "source:litecoin:alice"
BOB = "source:litecoin:bob"
STORE = "store"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_of_a_relay_that_is_not_heard_the_sentence_on_top_said_that_all_is_well(browser: Browser) -> None:
    with (
        MonitoredBreakers(ALICE, BOB, STORE) as scene,
        opened(browser, scene.url, bypass_csp=True) as page,
    ):
        scene.fail(BOB)
        expect(page.locator("#worst")).to_contain_text("a trial call follows")
        scene.stop_relay()
        said = page.locator("#lost-relays li")
        expect(said).to_have_text(
            re.compile(rf"^Relay {RELAY} is not heard since [\d:]{{8}} UTC .* tried again")
        )
        expect(page.locator("#headline")).to_have_class("is-open")
        expect(page).to_have_title("1 relay not heard · cb-monitor")
        expect(page.locator("#all-well")).to_be_empty()
        expect(page.locator("#worst")).to_contain_text("Its relay is not heard: this is what it said last.")
        expect(page.locator("#worst")).not_to_contain_text("a trial call follows")
        offered = page.locator("#worst li").first.get_by_role("button")
        expect(offered).to_have_text([BOB, "Detail"])
        page.locator("#worst .name").click()
        expect(page.locator("#detail-orders")).to_have_text(
            "Its relay is not heard: nothing can be told to it."
        )
        page.keyboard.press("Escape")
        expect(page.locator("#counts li.is-unseen")).to_have_text("3not heard")
        expect(page.locator("#counts .is-closed b")).to_have_text("0")
        expect(page.locator("#announce")).to_contain_text(f"Relay {RELAY} is not heard.")
        assert axe_findings(page) == []


def test_a_relay_that_was_never_heard_was_told_as_no_breaker_known_without_a_reason(browser: Browser) -> None:
    nobody = Target(RELAY, "http://127.0.0.1:9")
    with MonitoredBreakers(target=nobody) as scene, opened(browser, scene.url, rows=False) as page:
        expect(page.locator("#lost-relays")).to_contain_text("nobody answers at http://127.0.0.1:9")
        expect(page.locator("#all-well")).to_be_empty()


def test_a_breaker_that_is_gone_while_it_is_looked_at_had_buttons_that_raised(browser: Browser) -> None:
    with MonitoredBreakers(ALICE, STORE) as scene, opened(browser, scene.url) as page:
        scene.breaker(ALICE).force_open("a test")
        page.get_by_role("button", name=ALICE, exact=True).first.click()
        expect(page.locator("#detail-orders button")).not_to_have_count(0)
        scene.registry.remove(ALICE)
        expect(page.locator("#detail-next")).to_have_text("This breaker is no longer there.")
        expect(page.locator("#detail-orders button")).to_have_count(0)
        page.keyboard.press("Escape")
        expect(page.locator(".line:not([hidden])")).to_have_count(1)
        page.keyboard.press("2")
        page.get_by_role("button", name=ALICE, exact=True).first.click()
        expect(page.locator("#notice")).to_have_text(f"{ALICE} is no longer there.")


def test_an_order_that_is_thought_about_told_a_state_that_was_over(browser: Browser) -> None:
    with MonitoredBreakers(BOB) as scene, opened(browser, scene.url) as page:
        page.get_by_role("button", name=BOB, exact=True).click()
        page.keyboard.press("r")
        expect(page.locator("#order-state")).to_contain_text("It is closed now")
        scene.fail(BOB)
        expect(page.locator("#order-state")).to_contain_text("It is open now: 3 failures in a row")


def test_a_breaker_was_not_found_by_the_name_that_it_has(browser: Browser) -> None:
    with MonitoredBreakers(ALICE, BOB, STORE) as scene, opened(browser, scene.url) as page:
        for text, names in ((ALICE, [ALICE]), ("source:litecoin", [ALICE, BOB]), (f"-{ALICE}", [BOB, STORE])):
            page.locator("#filter").fill(text)
            expect(page.locator(".line:not([hidden]) .name")).to_have_text(names)


def test_a_monitor_without_alerts_said_that_there_is_none(browser: Browser, tmp_path: Path) -> None:
    with MonitoredBreakers(BOB) as scene, opened(browser, scene.url) as page:
        page.keyboard.press("3")
        expect(page.locator("#alerts-none")).to_contain_text("No alerts are raised here")
        expect(page.locator("#alerts-list")).to_be_empty()
    given = AlertsGiven(file=str(tmp_path / "alerts.sqlite"))
    with MonitoredBreakers(BOB, alerts=given) as scene, opened(browser, scene.url) as page:
        page.keyboard.press("3")
        expect(page.locator("#alerts-none")).to_be_hidden()
        expect(page.locator("#alerts-sinks")).to_contain_text("Alerts are sent to nobody")


# A desk's alerts on the page, as it would tell them.
SHOWN = """async (alerts) => {
  const { Alerts } = await import(`${location.origin}/page/alerts.js`);
  const { Fleet } = await import(`${location.origin}/page/fleet.js`);
  const fleet = new Fleet();
  fleet.takeAlerts(alerts);
  new Alerts(fleet, {}).render();
}"""


def test_an_emergency_that_is_over_was_grey_on_red(browser: Browser) -> None:
    of = {"relay": RELAY, "breaker": STORE, "rule": "state", "text": "store is open", "silenced": None}
    shown = [
        {**of, "id": f"{level}{over}", "level": level, "at": "2025-09-05T18:55:07Z", "resolved_at": over}
        for level in ("info", "warning", "critical", "emergency")
        for over in (None, "2025-09-05T18:56:07Z")
    ]
    with MonitoredBreakers(STORE) as scene, opened(browser, scene.url, bypass_csp=True) as page:
        page.keyboard.press("3")
        expect(page.locator("#alerts-none")).to_be_visible()
        page.evaluate(SHOWN, shown)
        expect(page.locator("#alerts-list .alert")).to_have_count(len(shown))
        assert axe_findings(page) == []


def test_a_webhook_that_takes_nothing_was_not_seen_on_the_page(browser: Browser, tmp_path: Path) -> None:
    given = AlertsGiven(file=str(tmp_path / "alerts.sqlite"), webhook=("http://127.0.0.1:9/alerts",))
    with (
        MonitoredBreakers(BOB, alerts=given) as scene,
        opened(browser, f"{scene.url}/#alerts", rows=False, bypass_csp=True) as page,
    ):
        scene.fail(BOB)
        said = re.compile(r"webhook at 127\.0\.0\.1:9: 0 sent, \d+ waiting; failing: \w")
        expect(page.locator("#alerts-sinks li")).to_contain_text(said)
        assert axe_findings(page) == []


def test_a_replay_was_told_as_a_monitor_started_with_read_only(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(recording())
    with ReplayService(path) as service, opened(browser, service.url) as page:
        page.get_by_role("button", name=STORE, exact=True).click()
        expect(page.locator("#detail-orders")).to_contain_text("This is a replay: it takes no orders.")
        page.keyboard.press("o")
        expect(page.locator("#notice")).to_contain_text("This is a replay")
        page.keyboard.press("Escape")
        page.keyboard.press("3")
        expect(page.locator("#alerts-list")).to_have_text("No alert so far, in what was recorded.")


def test_a_broken_recording_was_shown_as_one_that_is_at_its_end(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(recording().splitlines(keepends=True)[:4]) + b'{"type": "delta"\n')
    with ReplayService(path) as service, opened(browser, service.url) as page:
        service.turn(lambda replay: replay.jump(600.0))
        expect(page.locator("#tape")).to_contain_text(
            "it can't be shown on, as it is broken there: line 5: no message"
        )
        expect(page.locator("#announce")).to_contain_text("The recording can't be shown on: line 5")


def test_on_a_phone_several_open_breakers_were_told_as_one(browser: Browser) -> None:
    with MonitoredBreakers(ALICE, BOB, STORE) as scene, opened(browser, scene.url, PHONE) as page:
        scene.fail(ALICE)
        scene.fail(BOB)
        expect(page.locator("#worst li")).to_have_count(1)
        expect(page.locator("#more")).to_have_text("and 1 more, in the table below")


def test_a_page_that_lost_its_monitor_was_too_pale_to_be_read(browser: Browser) -> None:
    with (
        MonitoredBreakers(ALICE, BOB) as scene,
        opened(browser, scene.url, bypass_csp=True, expected=LOST_CONNECTION) as page,
    ):
        scene.fail(BOB)
        expect(page.locator("#worst")).to_contain_text(BOB)
        scene.stop_service()
        expect(page.locator("#lost")).to_be_visible()
        assert axe_findings(page) == []
