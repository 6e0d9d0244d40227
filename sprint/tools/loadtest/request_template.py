"""The bytes of each request, made beforehand as far as they are the same.

`{n}` is the number of the request, or of the WebSocket, from 0 on, `{uuid}` a random UUID (version 4),
`{random}` a random number of 0 to 2^32 - 1. They may stand in the path, in a header's value and in the body.
Any other brace is itself, so that JSON can be a body.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import msgspec

from sprint.core.errors import ConfigError
from sprint.tools.loadtest.target_url import TargetUrl

BODY_SIZE_MAX = 1024 * 1024
HEADERS_MAX = 100
HEADER_LENGTH_MAX = 8_192
USER_AGENT = "sprint-cb-loadtest"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a header's name (RFC 9110, 5.6.2)
_BAD_IN_VALUE = re.compile(r"[^\t\x20-\x7e\xa0-\xff]")
_FIELD = re.compile(rb"(\{n\}|\{uuid\}|\{random\})")
_OURS = ("host", "content-length", "transfer-encoding", "connection")
_RANDOM_SIZE = 4
_UUID_SIZE = 16

RandomBytes = Callable[[int], bytes]
Headers = tuple[tuple[str, str], ...]  # names and values


class RequestForm(msgspec.Struct, frozen=True, kw_only=True):
    """What each request is like. Headers are (name, value) in their order.

    `path` is with its query; empty for that of the target.
    """

    path: str = ""
    method: str = "GET"
    headers: Headers = ()
    body: str = ""


class RequestTemplate:
    """Makes the bytes of the n-th request. `random_bytes` gives so many of them.

    `always` are those of every request, where they are the same; None where they are not.
    """

    def __init__(self, form: RequestForm, url: TargetUrl, random_bytes: RandomBytes) -> None:
        lines = [f"{form.method} {form.path or url.path} HTTP/1.1", f"Host: {url.host_header}"]
        lines += [f"{name}: {value}" for name, value in headers_of(form.headers, url)]
        self._head = "\r\n".join(lines).encode("latin-1")
        self._body = form.body.encode()
        self._says_length = bool(self._body) or form.method in {"POST", "PUT", "PATCH"}
        self._random_bytes = random_bytes
        varies = _FIELD.search(self._head) or _FIELD.search(self._body)
        self.always = None if varies else self._joined(self._head, self._body)
        self._head_parts, self._body_parts = _FIELD.split(self._head), _FIELD.split(self._body)

    def __repr__(self) -> str:
        return f"RequestTemplate({self._head.split(b' HTTP', 1)[0].decode('latin-1')})"

    def request(self, number: int) -> bytes:
        """Return the bytes of a request."""
        if self.always is not None:
            return self.always
        return self._joined(self._filled(self._head_parts, number), self._filled(self._body_parts, number))

    def _joined(self, head: bytes, body: bytes) -> bytes:
        length = b"\r\nContent-Length: %d" % len(body) if self._says_length else b""
        return b"%b%b\r\n\r\n%b" % (head, length, body)

    def _filled(self, parts: list[bytes], number: int) -> bytes:
        if len(parts) == 1:
            return parts[0]
        return b"".join(
            _value(part, number, self._random_bytes) if place % 2 else part
            for place, part in enumerate(parts)
        )


def headers_of(given: Headers, url: TargetUrl) -> list[tuple[str, str]]:
    """Return the headers of a request: the given ones in their order, after a login and a name of ours.

    Of the two none is there that was given.
    """
    names = {name.lower() for name, _ in given}
    ours = [("Authorization", url.authorization), ("User-Agent", USER_AGENT)]
    return [(name, value) for name, value in ours if value and name.lower() not in names] + list(given)


def filled(data: bytes, number: int, random_bytes: RandomBytes) -> bytes:
    """Return bytes with all fields filled in, those of the n-th."""
    return _FIELD.sub(lambda found: _value(found[0], number, random_bytes), data)


def _value(field: bytes, number: int, random_bytes: RandomBytes) -> bytes:
    if field == b"{n}":
        return b"%d" % number
    if field == b"{uuid}":
        return str(uuid.UUID(bytes=random_bytes(_UUID_SIZE), version=4)).encode()
    return b"%d" % int.from_bytes(random_bytes(_RANDOM_SIZE), "big")


def request_form(method: str, headers: tuple[str, ...], data: str | None) -> RequestForm:
    """Check what was asked for; ConfigError names the option. With data and no method it is a POST."""
    chosen = method.upper() or ("GET" if data is None else "POST")
    if chosen not in METHODS:
        raise ConfigError(f"--method {method!r}: want one of {', '.join(METHODS)}")
    if len(headers) > HEADERS_MAX:
        raise ConfigError(f"{len(headers)} times --header, limit {HEADERS_MAX}")
    body = data or ""
    if len(body.encode()) > BODY_SIZE_MAX:
        raise ConfigError(f"--data of {len(body.encode())} bytes, limit {BODY_SIZE_MAX}")
    return RequestForm(method=chosen, headers=tuple(_header(text) for text in headers), body=body)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name):
        raise ConfigError(f"--header {text!r}: want 'Name: value', the name without spaces")
    if len(text) > HEADER_LENGTH_MAX:
        raise ConfigError(f"--header {name} of {len(text)} characters, limit {HEADER_LENGTH_MAX}")
    if _BAD_IN_VALUE.search(value):
        raise ConfigError(f"--header {text!r}: a value is of printable Latin-1 characters on one line")
    if name.lower() in _OURS:
        raise ConfigError(f"--header {text!r}: {name} is set by the load tester itself; leave it out")
    return name, value
