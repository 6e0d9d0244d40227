"""What a request must be before anything looks at what it asks: for this host, from no foreign page,
and of bounded size.

A browser lets any page send requests to loopback. The Host check stops names that an attacker points at
127.0.0.1; the Origin check stops pages of other origins, on HTTP and on WebSocket.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.errors import RequestError

TARGET_LENGTH_MAX = 8_000
HEADER_COUNT_MAX = 64
HEADERS_SIZE_MAX = 16 * 1024
LENGTH_DIGITS_MAX = 12
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

RawHeaders = Sequence[tuple[bytes, bytes]]


class Guard:
    """The checks of one listener, bound to `port` and `host`; `host` is one more name for it.

    `body_size_max` in bytes; 0, the default, refuses every body. One whose length isn't told beforehand is
    always refused: it could only be found too long once it has been read.
    """

    def __init__(
        self,
        port: int,
        host: str = "",
        names: Sequence[str] = LOOPBACK_NAMES,
        scheme: str = "http",
        *,
        body_size_max: int = 0,
    ) -> None:
        bound = f"[{host}]" if ":" in host else host
        if bound and bound not in names:
            names = (*names, bound)
        self._names = names
        self._scheme = scheme.encode() + b"://"
        self._body_size_max = body_size_max
        self._hosts = frozenset(host.encode() for name in names for host in (name, f"{name}:{port}"))

    def check(self, target_length: int, headers: RawHeaders) -> None:
        """Raise RequestError for a request that is not to be looked at. Header names are lower case."""
        if target_length > TARGET_LENGTH_MAX:
            raise RequestError(
                "target_too_long", f"target of {target_length} bytes, limit {TARGET_LENGTH_MAX}"
            )
        if len(headers) > HEADER_COUNT_MAX:
            raise RequestError("headers_too_large", f"{len(headers)} headers, limit {HEADER_COUNT_MAX}")
        host = origin = None
        size = 0
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                # Two hosts are none: what one reader takes for the name, another may not.
                host = value.lower() if host is None else b""
            elif name == b"origin":
                origin = value.lower() if origin is None else b""
            elif name in {b"transfer-encoding", b"content-length"}:
                self._check_body(name, value)
        if size > HEADERS_SIZE_MAX:
            raise RequestError("headers_too_large", f"headers of {size} bytes, limit {HEADERS_SIZE_MAX}")
        if host not in self._hosts:
            shown = "none" if host is None else ascii(host[:64].decode("latin-1"))
            raise RequestError("host_refused", f"Host {shown}; served are {', '.join(self._names)}")
        if origin is not None and origin != self._scheme + host:
            raise RequestError("origin_refused", f"Origin {origin[:64].decode('latin-1')!a}")

    def _check_body(self, name: bytes, value: bytes) -> None:
        digits = value.lstrip(b"0")
        told = name == b"content-length" and (not digits or digits.isdigit())
        # So many digits are over any limit; int() of more would be refused for another reason.
        if told and len(digits) <= LENGTH_DIGITS_MAX and int(digits or b"0") <= self._body_size_max:
            return
        shown = ascii(value[:32].decode("latin-1"))
        if name == b"transfer-encoding" and self._body_size_max:
            raise RequestError(
                "length_required",
                f"a body, {name.decode()} {shown}: send it whole with Content-Length, "
                f"up to {self._body_size_max} bytes",
            )
        raise RequestError(
            "body_too_large", f"a body, {name.decode()} {shown}; limit {self._body_size_max} bytes here"
        )
