"""Host and Origin: a web page of another origin does not reach the relay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import RequestError
from sprint.tools.web.guard import HEADER_COUNT_MAX, HEADERS_SIZE_MAX, TARGET_LENGTH_MAX, Guard

GUARD = Guard(8080)
HOST = (b"host", b"127.0.0.1:8080")


def refusal(target_length: int, headers: list[tuple[bytes, bytes]]) -> str | None:
    try:
        GUARD.check(target_length, headers)
    except RequestError as error:
        return error.code
    return None


@pytest.mark.parametrize("name", [b"127.0.0.1", b"localhost", b"[::1]", b"LocalHost"])
@pytest.mark.parametrize("port", [b"", b":8080"])
def test_own_names_with_own_port_or_none_are_served_also_from_their_own_page(
    name: bytes, port: bytes
) -> None:
    assert refusal(1, [(b"host", name + port)]) is None
    assert refusal(1, [(b"host", name + port), (b"origin", b"http://" + name + port)]) is None


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example",
        b"127.0.0.1:8081",
        b"127.0.0.2",
        b"localhost.evil.example",
        b"user@localhost",
        b"::1",
    ],
)
def test_other_hosts_are_refused(host: bytes) -> None:
    assert refusal(1, [(b"host", host)]) == "host_refused"


@pytest.mark.parametrize(("bound", "name"), [("127.0.0.2", b"127.0.0.2"), ("::1", b"[::1]")])
def test_the_address_that_is_listened_on_is_a_name_of_the_relay(bound: str, name: bytes) -> None:
    guard = Guard(8080, bound)
    for host in (name, name + b":8080", b"localhost:8080"):
        guard.check(1, [(b"host", host), (b"origin", b"http://" + host)])
    with pytest.raises(RequestError, match=r"127\.0\.0\.3"):
        guard.check(1, [(b"host", b"127.0.0.3")])


@pytest.mark.parametrize("headers", [[], [HOST, HOST]])
def test_no_host_or_two_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert refusal(1, headers) == "host_refused"


@pytest.mark.parametrize(
    "origin",
    [
        b"null",
        b"",
        b"http://evil.example",
        b"https://127.0.0.1:8080",
        b"http://127.0.0.1",
        b"http://localhost:8080",
        b"http://127.0.0.1:8080.evil.example",
    ],
)
def test_other_origins_are_refused(origin: bytes) -> None:
    assert refusal(1, [HOST, (b"origin", origin)]) == "origin_refused"


@given(st.binary(max_size=40))
def test_no_host_but_the_known_ones_passes(host: bytes) -> None:
    known = {name + port for name in (b"127.0.0.1", b"localhost", b"[::1]") for port in (b"", b":8080")}
    assert (refusal(1, [(b"host", host)]) is None) == (host.lower() in known)


def test_limits_hold_at_the_limit_and_refuse_one_over() -> None:
    assert refusal(TARGET_LENGTH_MAX, [HOST]) is None
    assert refusal(TARGET_LENGTH_MAX + 1, [HOST]) == "target_too_long"
    filler = [(b"x", b"")] * (HEADER_COUNT_MAX - 1)
    assert refusal(1, [HOST, *filler]) is None
    assert refusal(1, [HOST, *filler, (b"x", b"")]) == "headers_too_large"
    room = HEADERS_SIZE_MAX - len(HOST[0]) - len(HOST[1]) - 1
    assert refusal(1, [HOST, (b"x", b"y" * room)]) is None
    assert refusal(1, [HOST, (b"x", b"y" * (room + 1))]) == "headers_too_large"


@pytest.mark.parametrize("length", [b"1", b"100", b"10"])
def test_body_is_refused_and_an_empty_one_is_not(length: bytes) -> None:
    assert refusal(1, [HOST, (b"content-length", length)]) == "body_too_large"
    assert refusal(1, [HOST, (b"transfer-encoding", b"chunked")]) == "body_too_large"
    assert refusal(1, [HOST, (b"content-length", b"0")]) is None
