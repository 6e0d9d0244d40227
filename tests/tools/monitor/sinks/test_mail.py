"""Mail against a real server of another maker: STARTTLS with a certificate, a login, and what is refused."""

from __future__ import annotations

import asyncio
import ssl
from email.utils import parsedate_to_datetime

import pytest

from sprint.tools import runtime
from sprint.tools.monitor.sinks.mail import Mail, MailServer
from sprint.tools.monitor.sinks.sink import SinkFailed
from tests.core.monitor.alerts.test_messages import alert_of
from tests.tools.certificates import Files, self_signed
from tests.tools.monitor.mail_server import PASSWORD, USER, mail_server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return self_signed(tmp_path_factory.mktemp("mail"))


def mail_to(
    port: int, tls: ssl.SSLContext | None, password: str = PASSWORD, *, starttls: bool = True
) -> Mail:
    server = MailServer(
        host="127.0.0.1",
        port=port,
        sender="sprint@example.org",
        to=("ops@example.org", "night@example.org"),
        starttls=starttls,
        user=USER if starttls else "",
        password=password if starttls else "",
    )
    return Mail(server, tls)


def trusting(files: Files) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.certificate))


def test_a_mail_is_handed_in_over_tls_after_a_login(files: Files) -> None:
    with mail_server(files) as server:
        asyncio.run(mail_to(server.port, trusting(files)).send([alert_of(3.0), alert_of(1.0, "y")]))
        (mail,) = server.received.wait(1)
        assert server.logins == [(True, True)]
    assert mail["Subject"] == "[sprint critical] main x and 1 more"
    assert (mail["From"], mail["To"]) == ("sprint@example.org", "ops@example.org, night@example.org")
    assert mail["X-RcptTo"] == mail["To"]
    sent_ago_s = runtime.wall_clock() - parsedate_to_datetime(mail["Date"]).timestamp()
    assert 0.0 <= sent_ago_s < 60.0, "RFC 5322 3.6 wants a date"
    assert mail["Message-ID"].endswith("@example.org>")
    text = mail.get_payload(decode=True).decode()
    assert "CRITICAL: x is open" in text
    assert "INFO: x is open" in text


def test_a_wrong_password_is_an_outage_and_is_not_told(files: Files) -> None:
    with mail_server(files) as server:
        with pytest.raises(SinkFailed, match="refuses the login with 535") as raised:
            asyncio.run(mail_to(server.port, trusting(files), "another w0rd").send([alert_of(3.0)]))
        assert server.logins[0] == (False, True)
        assert server.received.all() == []
    assert "w0rd" not in str(raised.value)


def test_no_password_is_said_to_a_server_whose_certificate_is_not_trusted(files: Files) -> None:
    with mail_server(files) as server:
        with pytest.raises(SinkFailed, match="SSLCertVerificationError"):
            asyncio.run(mail_to(server.port, None).send([alert_of(3.0)]))
        assert server.logins == []


def test_a_server_that_wants_tls_gets_no_mail_without(files: Files) -> None:
    with mail_server(files) as server:
        with pytest.raises(SinkFailed, match="530"):
            asyncio.run(mail_to(server.port, None, starttls=False).send([alert_of(3.0)]))
        assert server.received.all() == []


def test_a_mail_that_is_sent_again_has_the_id_of_the_first(files: Files) -> None:
    with mail_server(files) as server:
        for alerts in ([alert_of(3.0)], [alert_of(3.0)], [alert_of(3.0, "y")]):
            asyncio.run(mail_to(server.port, trusting(files)).send(alerts))
        first, again, other = (mail["Message-ID"] for mail in server.received.wait(3))
    assert first == again != other


def test_what_a_server_could_not_be_sent_is_sent_when_it_is_back(files: Files) -> None:
    with mail_server(files) as server:
        sink = mail_to(server.port, trusting(files))
        asyncio.run(sink.send([alert_of(3.0)]))
    with pytest.raises(SinkFailed, match="ConnectionRefusedError"):
        asyncio.run(sink.send([alert_of(3.0, "y")]))
    with mail_server(files, server.port) as server:
        asyncio.run(sink.send([alert_of(3.0, "y")]))
        assert server.received.wait(1)[0]["Subject"] == "[sprint critical] main y"
