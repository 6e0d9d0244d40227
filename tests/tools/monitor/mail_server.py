"""A mail server of somebody else's making (aiosmtpd) on loopback, that wants STARTTLS and a login."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message as Mail
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.tools.certificates import Files
from tests.tools.monitor.alert_receivers import Received, free_port

USER, PASSWORD = "sprint", "a pass w0rd"


class MailServer(Message):
    """`logins` tells of each whether it was right and whether TLS was spoken."""

    def __init__(self, files: Files, port: int) -> None:
        super().__init__()
        self.received = Received()
        self.logins: list[tuple[bool, bool]] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        self.port = port
        self.controller = Controller(
            self,
            hostname="127.0.0.1",
            port=port,
            tls_context=context,
            require_starttls=True,
            authenticator=self._login,
            auth_required=True,
        )

    def handle_message(self, message: Mail) -> None:
        """Take a mail."""
        self.received.add(message)

    def _login(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> Any:
        del server, envelope, mechanism
        assert isinstance(data, LoginPassword)
        right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.logins.append((right, session.ssl is not None))
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(files: Files, port: int = 0) -> Iterator[MailServer]:
    """Serve mail while within."""
    server = MailServer(files, port or free_port())
    server.controller.start()
    try:
        yield server
    finally:
        server.controller.stop()
