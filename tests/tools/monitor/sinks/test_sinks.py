"""Sinks against real receivers on loopback: what arrives, what is an outage, what is refused."""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest

from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.monitor.alerts.messages import signature, teams_body
from sprint.tools.monitor.sinks.chats import PagerDuty, Slack, Teams
from sprint.tools.monitor.sinks.mail import Mail, MailServer
from sprint.tools.monitor.sinks.sink import Sink, SinkFailed, SinkRefused
from sprint.tools.monitor.sinks.webhook import SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook
from tests.core.monitor.alerts.test_messages import alert_of
from tests.tools.monitor.alert_receivers import dripping, free_port, http_receiver, mail_receiver

KEY = "R0" * 16


def sent(sink: Sink) -> None:
    async def scene() -> None:
        try:
            await sink.send([alert_of(3.0)])
        finally:
            await sink.close()

    asyncio.run(scene())


def mail_to(
    port: int, *, user: str = "", starttls: bool = False, to: tuple[str, ...] = ("b@example.org",)
) -> Mail:
    return Mail(
        MailServer(
            host="127.0.0.1",
            port=port,
            sender="a@example.org",
            to=to,
            starttls=starttls,
            user=user,
            password=user,
        )
    )


def test_what_is_posted_is_signed_over_time_and_body() -> None:
    with http_receiver() as receiver:
        sent(Webhook(receiver.url, b"secret"))
        ((headers, body),) = receiver.received.wait(1)
    assert headers[SIGNATURE_HEADER] == signature(b"secret", headers[TIMESTAMP_HEADER], body)
    assert receiver.alerts()[0]["text"] == "x is open"


def test_without_a_secret_nothing_is_signed() -> None:
    with http_receiver() as receiver:
        sent(Webhook(receiver.url))
        ((headers, _),) = receiver.received.wait(1)
    assert SIGNATURE_HEADER not in headers


@pytest.mark.parametrize(("status", "error"), [(500, SinkFailed), (404, SinkFailed), (302, SinkFailed),
                                               (429, SinkFailed), (413, SinkRefused)])  # fmt: skip
def test_no_error_of_a_webhook_tells_its_url(status: int, error: type[UpstreamError]) -> None:
    with http_receiver() as receiver:
        receiver.statuses = [status]
        with pytest.raises(error, match=str(status)) as raised:
            sent(Webhook(receiver.url, b"secret"))
    assert "token" not in str(raised.value)
    with pytest.raises(SinkFailed, match="ConnectError") as raised:
        sent(Webhook(f"http://127.0.0.1:{free_port()}/token"))
    assert "token" not in str(raised.value)
    assert "token" not in repr(Webhook(receiver.url)) + Webhook(receiver.url).name


def test_slack_is_posted_a_text() -> None:
    with http_receiver() as receiver:
        sent(Slack(receiver.url))
        ((_, body),) = receiver.received.wait(1)
    assert msgspec.json.decode(body) == {"text": "CRITICAL main: x is open (since 1970-01-01T00:00:00.000Z)"}


def test_teams_is_posted_a_card() -> None:
    with http_receiver() as receiver:
        sent(Teams(receiver.url))
        ((headers, body),) = receiver.received.wait(1)
    assert headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(body) == msgspec.json.decode(teams_body([alert_of(3.0)]))


def test_pagerduty_is_posted_an_event_and_its_202_confirms() -> None:
    with http_receiver() as receiver:
        receiver.confirms = 202
        sent(PagerDuty(KEY, receiver.url))
        ((_, body),) = receiver.received.wait(1)
    event = msgspec.json.decode(body)
    assert (event["routing_key"], event["event_action"]) == (KEY, "trigger")


def test_a_key_that_pagerduty_does_not_know_gives_no_alert_up() -> None:
    with http_receiver() as receiver:
        receiver.statuses = [400, 429, 413]
        for status, error in ((400, SinkFailed), (429, SinkFailed), (413, SinkRefused)):
            with pytest.raises(error, match=str(status)) as raised:
                sent(PagerDuty(KEY, receiver.url))
            assert KEY not in str(raised.value)
    assert KEY not in repr(PagerDuty(KEY)) + PagerDuty(KEY).name + PagerDuty(KEY).where


@pytest.mark.parametrize("key", ["", "short", "R" * 33, "R" * 31 + "-"])
def test_a_routing_key_that_can_t_be_one_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(ConfigError, match="want the 32 letters and digits") as raised:
        PagerDuty(key)
    assert not key or key not in str(raised.value)


def test_a_url_that_is_none_is_refused_without_being_told() -> None:
    for url in ("ftp://token", "token", "http://", "http://h:99999999/token"):
        for kind in (Webhook, Slack, Teams):
            with pytest.raises(ConfigError, match=f"^{kind.option}: want http") as raised:
                kind(url)
            assert "token" not in str(raised.value)


def test_a_mail_arrives_with_its_subject() -> None:
    with mail_receiver() as receiver:
        sent(mail_to(receiver.port))
        (text,) = receiver.received.wait(1)
    assert "Subject: [sprint critical] main x" in text
    assert "CRITICAL: x is open" in text


def test_a_mail_server_s_outage_is_no_refusal() -> None:
    with mail_receiver() as receiver:
        receiver.answers = ["451 later", "554 spam"]
        with pytest.raises(SinkFailed, match="451"):
            sent(mail_to(receiver.port))
        with pytest.raises(SinkRefused, match="554"):
            sent(mail_to(receiver.port))
    with pytest.raises(SinkFailed, match="ConnectionRefusedError"):
        sent(mail_to(free_port()))


def test_nothing_is_said_to_a_server_that_lacks_the_tls_that_was_asked_for() -> None:
    with mail_receiver() as receiver:
        with pytest.raises(SinkFailed):
            sent(mail_to(receiver.port, starttls=True, user="u"))
        assert receiver.received.all() == []
    with pytest.raises(ConfigError, match="in clear"):
        mail_to(25, user="u")


def test_a_receiver_that_drips_its_answer_holds_no_sink_up_beyond_the_time_of_a_post() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: b\r\n") as port:
        sink = Webhook(f"http://127.0.0.1:{port}/token")
        sink.send_s_max = 0.3
        with pytest.raises(SinkFailed, match=r"no whole answer in 0\.3 s") as raised:
            sent(sink)
    assert "token" not in str(raised.value)


@pytest.mark.parametrize("first", [b"", b"220 here\r\n250-"])
def test_a_mail_server_that_drips_its_words_is_cut_off(first: bytes) -> None:
    with dripping(first, b"a") as port:
        sink = mail_to(port)
        sink.send_s_max = 0.3
        with pytest.raises(SinkFailed, match=r"no whole answer in 0\.3 s"):
            sent(sink)
        assert not [each for each in threading.enumerate() if each.name.startswith("asyncio_")]


def test_a_monitor_that_ends_while_a_mail_server_drips_leaves_no_thread() -> None:
    async def scene(port: int) -> None:
        sending = asyncio.ensure_future(mail_to(port).send([alert_of(3.0)]))
        await asyncio.wait([sending], timeout=0.3)
        sending.cancel()
        await asyncio.wait([sending])

    with dripping(b"", b"a") as port:
        asyncio.run(scene(port))
        assert not [each for each in threading.enumerate() if each.name.startswith("asyncio_")]


def test_a_mail_that_all_addresses_refuse_for_good_is_refused_and_the_others_wait() -> None:
    with mail_receiver() as receiver:
        receiver.refused = ["550 no such user"]
        with pytest.raises(SinkRefused, match="takes mail for none of 1 addresses: 550"):
            sent(mail_to(receiver.port))
        receiver.refused = ["450 busy", "550 no such user"]
        with pytest.raises(SinkFailed, match="takes mail for none of 2 addresses: 450, 550"):
            sent(mail_to(receiver.port, to=("b@example.org", "c@example.org")))
        assert receiver.received.all() == []
