"""Alerts by mail, over SMTP with STARTTLS where it is asked for; smtplib in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.messages import mail_subject, mail_text
from sprint.core.monitor.alerts.standing import Alert
from sprint.tools import runtime
from sprint.tools.monitor.sinks.sink import BATCH_MAX, SinkFailed, SinkRefused

TIMEOUT_S = 10.0
# Of a whole mail: who answers a byte at a time keeps within TIMEOUT_S for each.
SEND_S_MAX = 30.0
CUT_INTERVAL_S = 0.5
# RFC 5321 4.2.1: an answer from 500 on is for good; of those the login's may be mended meanwhile.
PERMANENT = 550
PERMANENT_END = 560
_DIGEST_LENGTH = 32

log = logging.getLogger(__name__)


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed in, by whom and for whom. With `starttls` nothing is said without TLS."""

    host: str
    port: int = 587
    sender: str
    to: tuple[str, ...]
    starttls: bool = True
    user: str = ""
    password: str = ""


class Mail:
    """Sends one mail for each handful of alerts. `tls` is spoken; without it the system's certificates."""

    kind = "email"
    batch_max = BATCH_MAX
    send_s_max = SEND_S_MAX

    def __init__(self, server: MailServer, tls: ssl.SSLContext | None = None) -> None:
        if not (server.host and server.sender and server.to):
            raise ConfigError("[monitor.alerts.email]: want host, sender and to")
        if server.user and not server.starttls:
            raise ConfigError(
                "[monitor.alerts.email]: a user without starttls; the password would go in clear"
            )
        self._server = server
        self._tls = tls or ssl.create_default_context()
        self.where = f"{server.host}:{server.port}"
        self.name = f"email:{server.host}:{server.port}:{','.join(server.to)}"

    def __repr__(self) -> str:
        return f"Mail({self.where})"

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Hand a mail in; the server's word that it has it confirms.

        A server that takes too long is cut off, and its thread waited for: there is never a second one.
        """
        made = list[smtplib.SMTP]()
        handing = asyncio.ensure_future(asyncio.to_thread(self._send, self._message(alerts), made))
        try:
            in_time, _ = await asyncio.wait([handing], timeout=self.send_s_max)
            ended = in_time
            while not ended:  # while TLS begins there is no socket to be had: that has an end of its own
                _cut(made)
                ended, _ = await asyncio.wait([handing], timeout=CUT_INTERVAL_S)
        except asyncio.CancelledError:
            _cut(made)  # or its thread would outlast the monitor
            handing.cancel()
            raise
        if not in_time and handing.exception() is not None:
            raise SinkFailed(f"mail server {self.where}: no whole answer in {self.send_s_max:g} s")
        handing.result()

    async def close(self) -> None:
        """Each mail has a connection of its own, so that there is nothing to close."""

    def _message(self, alerts: Sequence[Alert]) -> EmailMessage:
        """Return a mail (RFC 5322); the same alerts have the same id, so that one sent again can be told."""
        message = EmailMessage()
        message["Subject"] = mail_subject(alerts)
        message["From"] = self._server.sender
        message["To"] = ", ".join(self._server.to)
        message["Date"] = format_datetime(datetime.fromtimestamp(runtime.wall_clock(), UTC))
        told = "\n".join(f"{alert.id} #{alert.number}" for alert in alerts)
        domain = self._server.sender.rpartition("@")[2].rstrip(">") or "localhost"
        message["Message-ID"] = f"<{hashlib.sha256(told.encode()).hexdigest()[:_DIGEST_LENGTH]}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
        message.set_content(mail_text(alerts))
        return message

    def _send(self, message: EmailMessage, made: list[smtplib.SMTP]) -> None:
        server = self._server
        where = f"mail server {self.where}"
        try:
            with _Connection(server, made) as connection:
                if server.starttls:
                    connection.starttls(context=self._tls)
                if server.user:
                    connection.login(server.user, server.password)
                left_out = connection.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            raise SinkFailed(f"{where} refuses the login with {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = _codes(error.recipients)
            kind = SinkRefused if all(map(_is_permanent, codes)) else SinkFailed
            said = f"takes mail for none of {len(error.recipients)} addresses: {_listed(codes)}"
            raise kind(f"{where} {said}") from None
        except smtplib.SMTPResponseException as error:
            kind = SinkRefused if _is_permanent(error.smtp_code) else SinkFailed
            raise kind(f"{where} answers {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise SinkFailed(f"{where}: {type(error).__name__}") from None
        if left_out:  # the others have it, and would have it twice
            said = _listed(_codes(left_out))
            log.warning("%s takes no mail for %d of the addresses: %s", where, len(left_out), said)


class _Connection(smtplib.SMTP):
    """Puts itself down in `made` before it connects, so that it can be cut off from the first byte on."""

    def __init__(self, server: MailServer, made: list[smtplib.SMTP]) -> None:
        made.append(self)
        super().__init__(server.host, server.port, timeout=TIMEOUT_S)


def _cut(made: Sequence[smtplib.SMTP]) -> None:
    """End connections under the thread that reads them: of a socket that is shut down nothing comes."""
    for connection in made:
        taken = connection.sock  # its thread may let it go meanwhile
        if taken is not None:
            with contextlib.suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)


def _is_permanent(code: int) -> bool:
    return PERMANENT <= code < PERMANENT_END


def _codes(recipients: Mapping[str, tuple[int, bytes]]) -> list[int]:
    """Return the answers that addresses were refused with, each once."""
    return sorted({code for code, _ in recipients.values()})


def _listed(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes))
