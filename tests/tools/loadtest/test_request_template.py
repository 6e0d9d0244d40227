"""The bytes of requests: as asked, filled in anew for each, and never more than one request."""

from __future__ import annotations

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.tools.loadtest.request_template import (
    BODY_SIZE_MAX,
    HEADERS_MAX,
    RequestForm,
    RequestTemplate,
    request_form,
)
from sprint.tools.loadtest.target_url import parse_url

URL = parse_url("http://user:word@node.example:8080/a?b=c")


def made(form: RequestForm, number: int = 0) -> bytes:
    return RequestTemplate(form, URL, bytes).request(number)


def test_a_request_says_what_was_asked() -> None:
    request = made(request_form("put", ("X-Key: a b",), '{"a": 1}'))
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"PUT /a?b=c HTTP/1.1",
        b"Host: node.example:8080",
        b"Authorization: Basic dXNlcjp3b3Jk",
        b"User-Agent: sprint-cb-loadtest",
        b"X-Key: a b",
        b"Content-Length: 8",
    ]
    assert body == b'{"a": 1}'


def test_data_makes_a_post_and_nothing_makes_a_get_without_a_length() -> None:
    assert made(request_form("", (), "x")).startswith(b"POST ")
    assert b"Content-Length" not in made(request_form("", (), None))
    assert b"Content-Length: 0" in made(request_form("POST", (), None))


def test_fields_are_filled_in_for_each_request_and_other_braces_stay() -> None:
    form = request_form("", ("X-Id: {uuid}",), '{"n": {n}, "r": {random}, "other": {x}}')
    template = RequestTemplate(form, URL, lambda size: b"\x01" * size)
    first, second = template.request(7), template.request(8)
    assert first.endswith(b'{"n": 7, "r": 16843009, "other": {x}}')
    assert second.endswith(b'{"n": 8, "r": 16843009, "other": {x}}')
    found = re.search(rb"X-Id: (\S+)", first)
    assert found is not None
    assert uuid.UUID(found[1].decode()).version == 4


@given(st.text(max_size=60), st.integers(0, 10**12))
def test_the_length_is_that_of_the_body_whatever_is_in_it(data: str, number: int) -> None:
    head, _, body = made(request_form("POST", (), data), number).partition(b"\r\n\r\n")
    assert int(head.lower().rpartition(b"content-length: ")[2]) == len(body)


@given(st.text(max_size=40))
def test_no_header_smuggles_in_another(text: str) -> None:
    try:
        form = request_form("", (f"X-Any:{text}",), None)
    except ConfigError:
        return
    head = made(form).split(b"\r\n")
    assert len(head) == 7
    assert not any(b"\n" in line or b"\r" in line for line in head)


REFUSED = [
    (("FETCH", (), None), "--method 'FETCH': want one of GET"),
    (("", ("no colon",), None), "want 'Name: value'"),
    (("", ("a b: c",), None), "want 'Name: value'"),
    (("", (": c",), None), "want 'Name: value'"),
    (("", ("Host: x",), None), "Host is set by the load tester itself"),
    (("", ("content-length: 3",), None), "content-length is set by"),
    (("", ("A: b\nC: d",), None), "printable Latin-1"),
    (("", ("A: " + "b" * 9_000,), None), "limit 8192"),
    (("", ("A: b",) * (HEADERS_MAX + 1), None), "101 times --header, limit 100"),
    (("", (), "x" * (BODY_SIZE_MAX + 1)), "--data of 1048577 bytes, limit 1048576"),
]


@pytest.mark.parametrize(("asked", "said"), REFUSED)
def test_what_cannot_be_asked_is_refused_with_what_can(
    asked: tuple[str, tuple[str, ...], str | None], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        request_form(*asked)
    assert said in str(refused.value)


WRONG_URLS = [
    "",
    "localhost:8080",
    "ftp://a",
    "http://",
    "http://a:0",
    "http://a:99999",
    "http://a b",
    "http://ä",
]


@pytest.mark.parametrize("text", WRONG_URLS)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--target"):
        parse_url(text)


URLS = [
    ("http://localhost:8080", ("localhost:8080", "/", 8080, False)),
    ("https://node.example", ("node.example", "/", 443, True)),
    ("http://[::1]:81/a", ("[::1]:81", "/a", 81, False)),
    ("ws://h/x?y", ("h", "/x?y", 80, False)),
    ("wss://h:443/", ("h", "/", 443, True)),
]


@pytest.mark.parametrize(("text", "wanted"), URLS)
def test_a_url_is_taken_apart(text: str, wanted: tuple[str, str, int, bool]) -> None:
    url = parse_url(text)
    assert (url.host_header, url.path, url.port, url.is_tls) == wanted


def test_a_login_is_never_shown() -> None:
    assert URL.text == "http://node.example:8080/a?b=c"
