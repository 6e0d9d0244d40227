"""Alerts posted to a URL as JSON, signed where there is a secret.

The URL may itself be a secret, as those of chats are: only its host is told.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from sprint import __version__
from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.messages import signature, webhook_body
from sprint.core.monitor.alerts.standing import Alert
from sprint.core.monitor.rows import rfc3339
from sprint.tools import runtime
from sprint.tools.monitor.sinks.sink import BATCH_MAX, SinkFailed, SinkRefused

TIMEOUT_S = 5.0
# Of a whole post: who answers a byte at a time keeps within TIMEOUT_S for each.
SEND_S_MAX = 10.0
SIGNATURE_HEADER = "X-Sprint-Signature"
TIMESTAMP_HEADER = "X-Sprint-Timestamp"
# The message itself is wrong for them; every other answer may be another one the next time.
REFUSALS = frozenset({400, 413, 415, 422})
_DIGEST_LENGTH = 8


class Webhook:
    """Posts to one URL, which `option` gives. `secret` signs timestamp and body."""

    kind = "webhook"
    option = "--webhook"
    batch_max = BATCH_MAX
    refusals = REFUSALS
    send_s_max = SEND_S_MAX

    def __init__(self, url: str, secret: bytes = b"") -> None:
        self._url = url
        self._secret = secret
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in {"http", "https"} or not host:
            raise ConfigError(
                f"{self.option}: want http://HOST[:PORT]/PATH or https://…; it is not shown here"
            )
        self.where = host if port is None else f"{host}:{port}"
        self.name = f"{self.kind}:{self.where}:{hashlib.sha256(url.encode()).hexdigest()[:_DIGEST_LENGTH]}"
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=TIMEOUT_S,
            follow_redirects=False,
            headers={"User-Agent": f"sprint-monitor/{__version__}"},
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where})"

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Post; any 2xx confirms."""
        now_s = runtime.wall_clock()
        body, timestamp = self._body(alerts, rfc3339(now_s)), str(int(now_s))
        headers = {"Content-Type": "application/json", TIMESTAMP_HEADER: timestamp}
        if self._secret:
            headers[SIGNATURE_HEADER] = signature(self._secret, timestamp, body)
        try:
            async with (
                asyncio.timeout(self.send_s_max),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except TimeoutError:
            raise SinkFailed(
                f"{self.kind} at {self.where}: no whole answer in {self.send_s_max:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SinkFailed(f"{self.kind} at {self.where}: {type(error).__name__}") from None
        if status in self.refusals:
            raise SinkRefused(f"{self.kind} at {self.where} refuses {len(alerts)} alerts with {status}")
        if not answer.is_success:
            raise SinkFailed(f"{self.kind} at {self.where} answers {status}; want 2xx")

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    def _body(self, alerts: Sequence[Alert], sent_at: str) -> bytes:
        return webhook_body(alerts, sent_at)
