"""Alerts by mail, over SMTP with STARTTLS where it is asked for; smtplib in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import smtplib
import ssl
from collections.abc import Sequence
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
        """Hand a mail in; the server's word that it has it confirms."""
        await asyncio.to_thread(self._send, self._message(alerts))

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

    def _send(self, message: EmailMessage) -> None:
        server = self._server
        where = f"mail server {self.where}"
        try:
            with smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S) as connection:
                if server.starttls:
                    connection.starttls(context=self._tls)
                if server.user:
                    connection.login(server.user, server.password)
                left_out = connection.send_message(message)
        except smtplib.SMTPAuthenticationError as error:
            raise SinkFailed(f"{where} refuses the login with {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise SinkFailed(f"{where} takes mail for none of {len(error.recipients)} addresses") from None
        except smtplib.SMTPResponseException as error:
            kind = SinkRefused if PERMANENT <= error.smtp_code < PERMANENT_END else SinkFailed
            raise kind(f"{where} answers {error.smtp_code}") from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise SinkFailed(f"{where}: {type(error).__name__}") from None
        if left_out:  # the others have it, and would have it twice
            log.warning("%s takes no mail for %d of the addresses", where, len(left_out))
