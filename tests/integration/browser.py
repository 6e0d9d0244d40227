"""A real Chromium for tests of the monitor's page, and what it must never do.

`opened(browser, url)` gives a page; leaving it fails the test where the page has said something in its
console, raised an error, or asked another host for anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

from tests.integration.real_servers import AXE_PATH, CHROMIUM_PATH, HOST

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE {HOST}",
)
WAIT_MS = 20_000
DESKTOP = (1280, 800)
TABLET = (800, 900)
PHONE = (390, 844)
# What a browser itself says of a connection that is down; the page says it in its own words.
LOST_CONNECTION = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "WebSocket connection to")
AXE_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium with nothing that asks other hosts."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM_PATH), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened(
    browser: Browser,
    url: str,
    size: tuple[int, int] = DESKTOP,
    *,
    scheme: Any = "light",
    bypass_csp: bool = False,
    expected: tuple[str, ...] = (),
    key: str = "",
    rows: bool = True,
) -> Iterator[Page]:
    """Open a page in a profile of its own. What its console may say contains one of `expected`.

    With a `key` it is signed in, and a certificate that signs itself is taken. Without `rows` no breaker is
    waited for.
    """
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(
        viewport=viewport, color_scheme=scheme, bypass_csp=bypass_csp, ignore_https_errors=bool(key)
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"raised: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    try:
        page.goto(url)
        if key:
            page.get_by_label("Key, as it was started with").fill(key)
            page.keyboard.press("Enter")
        if rows:
            page.locator(".line:not([hidden])").first.wait_for()
        yield page
    finally:
        context.close()
    unexpected = [each for each in said if not any(part in each for part in expected)]
    assert unexpected == [], unexpected
    own = urlsplit(url).netloc
    assert [each for each in asked if urlsplit(each).netloc != own and not each.startswith("data:")] == []


def axe_findings(page: Page) -> list[str]:
    """Return what axe-core finds against a page as it is now, a line each. The page needs `bypass_csp`."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=str(AXE_PATH))
    violations: list[dict[str, Any]] = page.evaluate(AXE_RUN)
    return [
        f"{each['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
        for each in violations
        for node in each["nodes"]
    ]
