"""The monitor's page in a real Chromium: what it shows, takes and refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.browser import DESKTOP, LOST_CONNECTION, PHONE, axe_findings, chromium, opened
from tests.integration.monitored_breakers import RELAY, MonitoredBreakers
from tests.integration.real_servers import wait_until

pytestmark = pytest.mark.real("chromium")

ALICE = "source:litecoin:alice"
BOB = "source:litecoin:bob"
STORE = "store"
WHY = "3 failures in a row, limit 3: OSError: connection refused"
LOST = "Connection to the monitor lost. What is shown is as it was at"
HOSTILE = "<img src=x onerror=alert(1)>"
FOREIGN_SCRIPTS = (
    "document.body.setAttribute('onclick', 'window.broken = 1'); document.body.click();",
    "document.body.innerHTML += '<img src=x onerror=window.broken=1>';",
    "const s = document.createElement('script'); s.text = 'window.broken = 1'; document.head.append(s);",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def scene() -> Iterator[MonitoredBreakers]:
    with MonitoredBreakers(ALICE, BOB, STORE) as made:
        yield made


def test_a_breaker_that_opens_is_on_top_with_why_since_when_and_what_next(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url) as page:
        expect(page.locator("#all-well")).to_have_text("All 3 breakers let calls through.")
        scene.fail(BOB)
        headline = page.locator("#worst li").first
        expect(headline).to_contain_text(f"{BOB} is open: {WHY}")
        expect(headline).to_contain_text(re.compile(r"Since [\d:]{8} UTC \(\d s\)\. Nothing is let"))
        expect(headline).to_contain_text(re.compile(r"a trial call follows in (\d+ s|1 min \d+ s)\."))
        first = page.locator(".line[aria-rowindex='2']")
        expect(first).to_contain_text(BOB)
        expect(first.locator(".state")).to_have_text("open")
        expect(page.locator("#announce")).to_contain_text(f"{BOB} is open")
        expect(page).to_have_title("1 open · cb-monitor")
        scene.breaker(BOB).reset("a test")
        expect(page.locator("#all-well")).to_have_text("All 3 breakers let calls through.")


def test_an_order_is_given_only_after_it_was_confirmed_and_takes_effect_in_the_relay(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url) as page:
        page.get_by_role("button", name=ALICE, exact=True).click()
        detail = page.locator("#detail")
        detail.get_by_role("button", name="Force open…").click()
        dialog = page.get_by_role("dialog", name=f"Force open: {ALICE}")
        expect(dialog).to_contain_text("No call is let through any more")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        assert scene.breaker(ALICE).state == "closed"

        page.keyboard.press("o")
        dialog.get_by_label("Reason").fill("its disk is replaced")
        dialog.get_by_role("button", name="Force open").click()
        wait_until(lambda: scene.breaker(ALICE).state == "force_open", "the breaker is forced open")
        expect(page.locator("#notice")).to_have_text(f"Force open: {ALICE}.")
        expect(page.locator("#detail-why")).to_have_text("operator via admin API: its disk is replaced")
        expect(page.locator("#detail-state")).to_have_text("forced open")

        detail.get_by_role("button", name="Release…").click()
        page.get_by_role("dialog").get_by_role("button", name="Release").click()
        wait_until(lambda: scene.breaker(ALICE).state == "open", "the breaker is released")


def test_what_is_wrong_can_be_told_to_it_where_it_is_said(browser: Browser, scene: MonitoredBreakers) -> None:
    scene.fail(BOB)
    with opened(browser, scene.url) as page:
        offered = page.locator("#worst li").first.get_by_role("button")
        expect(offered).to_have_text([BOB, "Force open…", "Force closed…", "Reset…", "Detail"])
        page.get_by_role("button", name=f"Reset… {BOB}").click()
        page.get_by_role("dialog", name=f"Reset: {BOB}").get_by_role("button", name="Reset").click()
        wait_until(lambda: scene.breaker(BOB).state == "closed", "the breaker is reset")
        expect(page.locator("#all-well")).to_have_text("All 3 breakers let calls through.")


def test_a_monitor_that_only_reads_offers_no_orders(browser: Browser) -> None:
    with MonitoredBreakers(ALICE, BOB, read_only=True) as scene, opened(browser, scene.url) as page:
        scene.fail(BOB)
        expect(page.locator("#worst li").first.get_by_role("button")).to_have_text([BOB, "Detail"])
        page.get_by_role("button", name=ALICE, exact=True).click()
        expect(page.locator("#detail-orders")).to_contain_text("--read-only")
        expect(page.get_by_role("button", name="Change figures…")).to_have_count(0)
        for key in "oe":
            page.keyboard.press(key)
            expect(page.locator("#notice")).to_contain_text("--read-only")
        assert page.get_by_role("dialog").count() == 0


def test_the_detail_names_the_algorithm_that_decided_and_all_eight_have_a_row(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    scene.fail(ALICE)
    with opened(browser, scene.url) as page:
        page.locator("#worst .name").click()
        expect(page.locator("#detail-evidence tr")).to_have_count(9)
        decided = page.locator("#detail-evidence tr", has=page.locator(".decided"))
        expect(decided).to_have_count(1)
        expect(decided).to_contain_text("3 failures in a row")
        expect(page.locator("#detail-transitions li").first).to_contain_text("open: 3 failures in a row")
        expect(page.locator("#detail-charts svg[aria-label^='States:']")).to_have_attribute(
            "aria-label", re.compile(r"closed from .*, open from ")
        )
        page.locator("summary").click()
        expect(page.locator("#detail-policy")).to_contain_text("backoff.base_s")


def test_a_filter_shows_what_its_words_mean_and_says_which_word_it_does_not_know(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    scene.breaker(BOB).force_open("a test")
    with opened(browser, scene.url) as page:
        rows = page.locator(".line:not([hidden])")
        page.keyboard.press("/")
        for text, names in (
            ("litecoin", {ALICE, BOB}),
            ("state:open", {BOB}),
            ("litecoin -state:open", {ALICE}),
            ("kind:store", {STORE}),
            ("calls>0", set()),
        ):
            page.locator("#filter").fill(text)
            expect(rows).to_have_count(len(names))
            # The page draws some moments after; two filters in a row may show as many rows.
            for name in names:
                expect(page.locator(".line:not([hidden]) .name", has_text=name)).to_have_count(1)
        expect(page.locator("#nothing")).to_be_visible()
        page.locator("#filter").fill("state:opne")
        expect(page.locator("#filter-said")).to_contain_text("state:opne: want one of open,")
        page.keyboard.press("Escape")
        expect(rows).to_have_count(3)


def test_the_keyboard_alone_reaches_every_breaker_and_letters_that_are_typed_are_no_keys(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url) as page:
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(page.locator(".line[aria-current]")).to_contain_text(BOB)
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        expect(page.locator("#detail-name")).to_have_text(ALICE)
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()
        expect(page.get_by_role("button", name=ALICE, exact=True)).to_be_focused()
        page.keyboard.press("/")
        page.keyboard.type("jo?4")
        expect(page.locator("#filter")).to_have_value("jo?4")
        assert page.get_by_role("dialog").count() == 0
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("4")
        expect(page.locator("#relays-list")).to_contain_text(RELAY)


def test_a_page_whose_monitor_is_restarted_says_so_and_shows_what_happened_meanwhile(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url, expected=LOST_CONNECTION) as page:
        expect(page.locator("#connection")).to_have_text("live")
        scene.stop_service()
        expect(page.locator("#lost")).to_contain_text(LOST)
        expect(page.locator(".line:not([hidden])")).to_have_count(3)
        scene.fail(STORE)
        scene.start_service()
        expect(page.locator("#connection")).to_have_text("live")
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#announce")).to_contain_text("Connected to the monitor again.")
        expect(page.locator("#worst")).to_contain_text(f"{STORE} is open")


def test_rows_of_a_relay_that_is_lost_stay_and_are_told_as_not_seen(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url) as page:
        scene.stop_relay()
        expect(page.locator(".line.unseen")).to_have_count(3)
        expect(page.locator(".line.unseen .why").first).to_contain_text("not seen: its relay is not reached")
        page.keyboard.press("4")
        expect(page.locator(".relay-card.lost")).to_contain_text("Not reached since")


def test_of_many_changes_at_once_a_screen_reader_is_told_how_many(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    with opened(browser, scene.url) as page:
        told = page.evaluate(
            """async () => {
                const { Speaker } = await import("/page/speaker.js");
                const row = (state) => ({ state, shadow: false, withheld: null, failures: 0 });
                const rows = new Map([["a", row("open")], ["b", row("closed")]]);
                const region = document.createElement("p");
                const speaker = new Speaker(region, { rows });
                const told = [];
                for (const count of [1, 2, 3]) {
                    for (let each = 0; each < count; each += 1) speaker.say(`${each} is open.`);
                    speaker.speak();
                    told.push(region.textContent);
                }
                return told;
            }"""
        )
        assert told == ["0 is open.", "0 is open. 1 is open.", "3 changes; not closed now: 1."]


def test_on_a_phone_nothing_is_cut_off_and_an_order_can_be_given(
    browser: Browser, scene: MonitoredBreakers
) -> None:
    scene.fail(BOB)
    with opened(browser, scene.url, PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        first = page.locator(".line[aria-rowindex='2']")
        for part in (".name", ".state", ".why", ".next"):
            expect(first.locator(part).first).to_be_in_viewport()
        first.locator(".name").click()
        expect(page.locator("#detail-next")).to_be_in_viewport()
        assert page.locator("#detail").evaluate("each => each.scrollWidth <= each.clientWidth")
        page.locator("#detail").get_by_role("button", name="Reset…").click()
        page.get_by_role("dialog").get_by_role("button", name="Reset").click()
        wait_until(lambda: scene.breaker(BOB).state == "closed", "the breaker is reset")


def test_what_a_relay_says_is_text_and_a_script_in_the_page_does_not_run(browser: Browser) -> None:
    refused = ("Content Security Policy", "TrustedHTML", "TrustedScript")
    with MonitoredBreakers(HOSTILE) as scene, opened(browser, scene.url, expected=refused) as page:
        scene.fail(HOSTILE, why=HOSTILE)
        expect(page.locator("#worst .name")).to_have_text(HOSTILE)
        expect(page.locator("#worst .what")).to_contain_text(HOSTILE)
        assert page.locator("img").count() == 0
        for attempt in FOREIGN_SCRIPTS:
            page.evaluate(f"() => {{ try {{ {attempt} }} catch {{}} }}")
            assert page.evaluate("window.broken === undefined"), attempt


@pytest.mark.real("axe-core")
@pytest.mark.parametrize(("scheme", "size"), [("dark", DESKTOP), ("light", PHONE)], ids=["dark", "phone"])
def test_axe_finds_nothing_on_any_page_in_dark_and_in_light_on_a_phone(
    browser: Browser, scene: MonitoredBreakers, scheme: str, size: tuple[int, int]
) -> None:
    scene.fail(BOB)
    scene.breaker(STORE).force_open("a test")
    with opened(browser, scene.url, size, scheme=scheme, bypass_csp=True) as page:
        found = axe_findings(page)
        page.locator("#worst .name").first.click()
        expect(page.locator("#detail-evidence tr")).to_have_count(9)
        found += axe_findings(page)
        page.keyboard.press("r")
        found += axe_findings(page)
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        for place in ("events", "alerts", "relays"):
            page.evaluate(f"location.hash = '{place}'")
            expect(page.locator(f"#page-{place}")).to_be_visible()
            found += axe_findings(page)
        assert found == []
