"""The relay profile looks at a relay as its requests will: with the same login and the same headers."""

from __future__ import annotations

import asyncio

import msgspec

from sprint.tools import runtime
from sprint.tools.loadtest.assignment import Trust
from sprint.tools.loadtest.relay_profile import relay_forms
from sprint.tools.loadtest.request_template import request_form
from sprint.tools.loadtest.target_url import parse_url
from tests.tools.loadtest.small_server import SmallServer

LOGIN = b"Authorization: Basic am9lOnMzY3JldA=="  # joe:s3cret


def relay(server: SmallServer, transport: asyncio.Transport, request: bytes) -> None:
    """Answer as a relay of one chain whose newest block is of height 7."""
    if LOGIN.lower() not in request.lower():
        transport.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        return
    is_chains = request.startswith(b"GET /api/v1/chains ")
    body = msgspec.json.encode({"chains": [{}]} if is_chains else {"bitcoin": {"height": 7}})
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


def asked(*headers: str, login: str = "joe:s3cret@") -> list[bytes]:
    """Return the requests that looked at the relay."""

    async def main() -> list[bytes]:
        async with SmallServer(relay) as server:
            url = parse_url(server.url.replace("//", f"//{login}"))
            forms = await relay_forms(url, request_form("", headers, None), Trust())
            assert any(form.path == "/api/v1/bitcoin/block/7" for form in forms)
            return server.requests

    return runtime.run(main())


def test_a_login_in_the_url_is_shown_to_the_relay_when_it_is_looked_at() -> None:
    """The relay's 401 was told as no relay being there, though the run's own requests had the login."""
    assert all(LOGIN in request for request in asked())


def test_a_header_that_is_given_stands_in_the_place_of_the_login() -> None:
    requests = asked(LOGIN.decode(), login="other:one@")
    assert all(request.lower().count(b"authorization:") == 1 for request in requests)


def test_headers_are_sent_as_often_as_they_are_given_and_filled_in() -> None:
    """Of two with one name the last alone was sent, and one beyond ASCII ended in a traceback."""
    for request in asked("X-Tag: one", "X-Tag: two", "X-Name: Jos\u00e9 {n}"):
        assert [request.count(line) for line in (b"X-Tag: one\r\n", b"X-Tag: two\r\n")] == [1, 1]
        assert b"X-Name: Jos\xe9 0\r\n" in request
