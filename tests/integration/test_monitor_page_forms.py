"""The monitor's page in a real Chromium: figures, alerts, what happened before, recordings, and the key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sprint.tools.monitor.alerts_given import AlertsGiven
from sprint.tools.web.access import Access
from sprint.tools.web.server import TlsFiles
from tests.integration.browser import axe_findings, chromium, opened
from tests.integration.monitored_breakers import RELAY, MonitoredBreakers
from tests.integration.real_servers import wait_until
from tests.integration.replay_service import ReplayService
from tests.tools.certificates import self_signed
from tests.tools.monitor.test_replaying import recording

pytestmark = [pytest.mark.real("chromium"), pytest.mark.real("axe-core")]

ALICE = "source:litecoin:alice"
BOB = "source:litecoin:bob"
STORE = "store"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def scene() -> Iterator[MonitoredBreakers]:
    with MonitoredBreakers(ALICE, BOB, STORE) as made:
        yield made


def test_figures_are_laid_over_after_the_changes_were_shown_and_taken_back_again(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url, bypass_csp=True) as page:
        page.get_by_role("button", name=ALICE, exact=True).click()
        page.keyboard.press("e")
        dialog = page.get_by_role("dialog", name=f"Figures of {ALICE}")
        field = dialog.get_by_label("failures_to_open")
        expect(field).to_have_value("3")
        expect(field).to_have_accessible_description("a whole number 1 to 1,000,000, or none")
        assert axe_findings(page) == []
        field.fill("7")
        dialog.get_by_label("base_s").fill("2.5")
        page.keyboard.press("Enter")
        expect(page.locator("#figures-changes li")).to_have_text(
            ["failures_to_open: 3 → 7", "backoff.base_s: 60 → 2.5"]
        )
        assert scene.breaker(ALICE).policy.failures_to_open == 3
        assert axe_findings(page) == []
        dialog.get_by_role("button", name="Lay over").click()
        expect(page.locator("#notice")).to_have_text(f"Figures of {ALICE} are laid over.")
        policy = scene.breaker(ALICE).policy
        assert (policy.failures_to_open, policy.backoff.base_s) == (7, 2.5)
        page.locator("summary").click()
        expect(page.locator("#detail-policy")).to_contain_text('"failures_to_open":7')

        page.get_by_role("button", name="Change figures…").click()
        expect(dialog.locator(".laid")).to_have_count(2)
        dialog.get_by_label("base_s").fill("")
        page.keyboard.press("Enter")
        expect(page.locator("#figures-changes li")).to_have_text(["backoff.base_s: 2.5 is taken back"])
        dialog.get_by_role("button", name="Back").click()
        dialog.get_by_role("button", name="Take all back…").click()
        expect(page.locator("#figures-changes li")).to_have_count(2)
        dialog.get_by_role("button", name="Lay over").click()
        expect(page.locator("#notice")).to_contain_text("as the config has them again")
        assert scene.breaker(ALICE).policy.failures_to_open == 3


def test_a_figure_that_cannot_be_is_refused_at_its_field_and_in_the_relays_words(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url, expected=("400 (Bad Request)",)) as page:
        page.get_by_role("button", name=ALICE, exact=True).click()
        page.get_by_text("Policy: all figures").click()
        page.get_by_role("button", name="Change figures…").click()
        dialog = page.get_by_role("dialog")
        for label, text, words in (
            (
                "failures_to_open",
                "many",
                'failures_to_open: "many"; want a whole number 1 to 1,000,000, or none',
            ),
            ("failure_rate_max", "1.5", 'failure_rate_max: "1.5"; want above 0, up to 1, or none'),
        ):
            field = dialog.get_by_label(label)
            before = field.input_value()
            field.fill(text)
            page.keyboard.press("Enter")
            expect(page.locator("#figures-said")).to_have_text(f"Not done: {words}")
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(field).to_be_focused()
            field.fill(before)
        dialog.get_by_label("half_open_calls").fill("2")
        page.keyboard.press("Enter")
        dialog.get_by_role("button", name="Lay over").click()
        expect(page.locator("#figures-said")).to_contain_text(
            "half_open_calls = 2; want 1: a source makes one"
        )
        assert scene.breaker(ALICE).policy.half_open_calls == 1


def test_what_happened_before_the_page_was_opened_is_read_a_page_at_a_time(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    for number in range(65):
        scene.breaker(BOB).force_open(f"round {number}")
        scene.breaker(BOB).reset("a test")
    with opened(browser, scene.url) as page:
        page.keyboard.press("2")
        shown = page.locator("#events-list li")
        expect(shown).to_have_count(100)
        expect(shown.nth(1)).to_contain_text("round 64")
        page.get_by_role("button", name="Show older").click()
        expect(shown).to_have_count(130)
        expect(shown.last).to_contain_text("round 0")
        expect(page.get_by_role("button", name="Show older")).to_be_hidden()
        scene.fail(ALICE)
        expect(shown).to_have_count(131)
        expect(shown.first).to_contain_text(ALICE)
        page.keyboard.press("1")
        page.get_by_role("button", name=BOB, exact=True).click()
        rows = page.locator("#detail-transitions li")
        expect(rows).to_have_count(50)
        page.get_by_role("button", name="Show earlier transitions").click()
        expect(rows).to_have_count(100)
        page.get_by_role("button", name="Show earlier transitions").click()
        expect(rows).to_have_count(130)


def test_an_alert_is_acknowledged_and_silenced_and_the_silence_is_ended(
    browser: Browser, tmp_path: Path
) -> None:
    given = AlertsGiven(file=str(tmp_path / "alerts.sqlite"))
    refused = ("400 (Bad Request)",)
    with (
        MonitoredBreakers(BOB, alerts=given) as scene,
        opened(browser, scene.url, bypass_csp=True, expected=refused) as page,
    ):
        page.keyboard.press("3")
        expect(page.locator("#alerts-list")).to_have_text("No alert.")
        scene.fail(BOB)
        alert = page.locator("#alerts-list li").first
        expect(alert).to_contain_text(BOB)
        expect(alert).to_contain_text("unless it is acknowledged")
        expect(alert).to_contain_text("rule state")
        assert axe_findings(page) == []
        alert.get_by_role("button", name="Acknowledge…").click()
        dialog = page.get_by_role("dialog", name="Acknowledge?")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text("Not done: by")
        dialog.get_by_label("Who you are").fill("anna")
        assert axe_findings(page) == []
        dialog.get_by_role("button", name="Acknowledge").click()
        expect(alert).to_contain_text("acknowledged by anna")
        expect(alert.get_by_role("button", name="Acknowledge…")).to_have_count(0)

        alert.get_by_role("button", name="Silence…").click()
        silencing = page.get_by_role("dialog", name="Silence?")
        expect(silencing.get_by_label("Who you are")).to_have_value("anna")
        silencing.get_by_label("Why nobody").fill("a new disk")
        assert axe_findings(page) == []
        silencing.get_by_role("button", name="Silence").click()
        silence = page.locator("#silences-list li")
        expect(silence).to_contain_text(f"{BOB} of {RELAY} by rule state: a new disk")
        expect(alert).to_contain_text("by anna: a new disk")
        silence.get_by_role("button", name="End…").click()
        page.get_by_role("dialog").get_by_role("button", name="End silence").click()
        expect(silence).to_have_count(0)
        expect(alert.get_by_role("button", name="Silence…")).to_be_visible()


def test_a_replay_says_what_it_is_and_goes_by_its_own_time(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(recording())
    with ReplayService(path) as service, opened(browser, service.url) as page:
        tape = page.locator("#tape")
        expect(tape).to_contain_text(f"▶ REPLAY of {path} at 2025-09-05 18:55:07 UTC, paused")
        service.turn(lambda replay: replay.jump(65.0))
        expect(tape).to_contain_text("at 2025-09-05 18:56:12 UTC, paused")
        page.keyboard.press("2")
        expect(page.locator("#events-list li")).to_have_count(3)
        page.keyboard.press("1")
        page.get_by_role("button", name=STORE, exact=True).click()
        expect(page.locator("#detail-transitions li")).to_have_count(3)
        service.turn(lambda replay: replay.jump(-40.0))
        expect(page.locator("#detail-transitions li")).to_have_count(1)
        service.turn(lambda replay: replay.change_speed(2))
        service.turn(lambda replay: replay.pause())
        expect(tape).to_contain_text("\u00d74")


def test_what_is_recorded_is_said_with_its_file(browser: Browser, tmp_path: Path) -> None:
    with MonitoredBreakers(BOB) as scene, opened(browser, scene.url) as page:
        expect(page.locator("#tape")).to_be_hidden()
        path = scene.record(tmp_path)
        expect(page.locator("#tape")).to_have_text(f"● REC: what happens is recorded in {path}")
        scene.stop_recording()
        expect(page.locator("#tape")).to_be_hidden()


def test_a_monitor_with_a_key_shows_nothing_until_it_is_given_and_again_when_it_is_taken_back(
    browser: Browser, tmp_path: Path
) -> None:
    files = self_signed(tmp_path)
    access = Access("127.0.0.1", "k" * 32, TlsFiles(str(files.certificate), str(files.key)))
    refused = "401 (Unauthorized)"
    with (
        MonitoredBreakers(ALICE, access=access) as scene,
        opened(browser, scene.url, bypass_csp=True, expected=(refused,), key=access.key) as page,
    ):
        expect(page.locator("#connection")).to_have_text("live")
        page.get_by_role("button", name=ALICE, exact=True).click()
        page.get_by_role("button", name="Force open…").click()
        page.get_by_role("dialog").get_by_role("button", name="Force open").click()
        wait_until(lambda: scene.breaker(ALICE).state == "force_open", "the breaker is forced open")
        page.get_by_role("button", name="Sign out").click()
        dialog = page.get_by_role("dialog", name="This monitor asks for its key")
        expect(dialog).to_be_visible()
        expect(page.locator(".line:not([hidden])")).to_have_count(0)
        dialog.get_by_label("Key").fill("another")
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog).to_contain_text("that is not the key")
        page.keyboard.press("Escape")
        expect(dialog).to_be_visible()
        assert axe_findings(page) == []
