"""Every kind of sink against its receiver with outages between: all arrives, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from sprint.core.monitor.alerts.rules import LEVELS, STATE
from sprint.core.monitor.board import RelaySeen
from sprint.core.monitor.codec import Snapshot
from sprint.core.monitor.rows import rfc3339
from sprint.tools.monitor.alert_desk import Clocks, Desk, Plan
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.sinks.chats import PagerDuty, Slack, Teams
from sprint.tools.monitor.sinks.mail import Mail, MailServer
from sprint.tools.monitor.sinks.sink import Sink
from sprint.tools.monitor.sinks.webhook import Webhook
from tests.core.monitor.rows_for_tests import row_named
from tests.tools.monitor.alert_receivers import HttpReceiver, free_port, http_receiver, mail_receiver
from tests.tools.monitor.relay_stand_in import until
from tests.tools.monitor.test_alert_desk import Clock

KEY = "R0" * 16
TO_ALL = dict.fromkeys(LEVELS, ("webhook", "slack", "teams", "pagerduty"))
HTTP_KINDS: dict[str, Callable[[str], Sink]] = {
    "webhook": Webhook,
    "slack": Slack,
    "teams": Teams,
    "pagerduty": lambda url: PagerDuty(KEY, url),
}


def said(kind: str, body: bytes) -> list[str]:
    """Return what a body says of which breaker, an alert each: `x` where it came, `-x` where it is over."""
    told = msgspec.json.decode(body)
    if kind == "webhook":
        return [("-" if each["resolved_at"] else "") + each["breaker"] for each in told["alerts"]]
    if kind == "pagerduty":
        over = told["event_action"] == "resolve"
        return [("-" if over else "") + told["dedup_key"].partition("@")[0].rpartition("/")[2]]
    if kind == "slack":
        lines = told["text"].splitlines()
    else:
        card = told["attachments"][0]["content"]
        lines = [run["text"] for block in card["body"] for run in block["inlines"]]
    return [
        ("-" if line.startswith("OVER") else "") + line.partition(" is ")[0].split()[-1] for line in lines
    ]


class Scene:
    """A desk with a sink of each kind, and breakers that are opened and closed."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.clock = Clock()
        self.monitor = Monitor()
        self.states = dict.fromkeys("abc", "closed")
        self.monitor.board.connected(RelaySeen(name="main", url="", connection="live", since=rfc3339(0.0)))
        urls = {kind: f"http://127.0.0.1:{port}/hook?token=in-the-url" for kind, port in ports.items()}
        sinks = [make(urls[kind]) for kind, make in HTTP_KINDS.items()]
        store = AlertStore(folder / "alerts.sqlite")
        self.desk = Desk(self.monitor, store, sinks, Plan(routes=TO_ALL), Clocks(self.clock))

    def say(self, breaker: str, state: str) -> None:
        self.states[breaker] = state
        rows = tuple(row_named(name, state=each, reason="r") for name, each in self.states.items())
        self.monitor.board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=rows), 0.0)
        self.desk.look()
        if state == "closed":
            self.clock.now_s += STATE.clear_s
            self.desk.look()

    async def failed(self) -> None:
        """Wait until each sink fails."""
        await until(lambda: all(sender.failure for sender in self.desk.senders), "all sinks fail")


def test_what_outages_and_errors_kept_back_arrives_in_order_and_once_at_every_kind(tmp_path: Path) -> None:
    ports = {kind: free_port() for kind in HTTP_KINDS}
    came: dict[str, list[str]] = {kind: [] for kind in HTTP_KINDS}

    async def arrived(receivers: dict[str, HttpReceiver], count: int) -> None:
        def told(kind: str) -> list[str]:
            return [each for _, body in receivers[kind].received.all() for each in said(kind, body)]

        await until(lambda: all(len(told(kind)) >= count for kind in receivers), f"all have {count}")
        for kind in receivers:
            came[kind] += told(kind)

    async def scene() -> None:
        at = Scene(tmp_path, ports)
        async with at.desk:
            at.say("a", "open")
            await at.failed()
            at.say("b", "open")
            with ExitStack() as stack:
                receivers = {kind: stack.enter_context(http_receiver(port)) for kind, port in ports.items()}
                for receiver in receivers.values():
                    receiver.statuses = [500, 429]
                    receiver.confirms = 202
                await arrived(receivers, 2)
            at.say("a", "closed")
            at.say("c", "open")
            await at.failed()
            with ExitStack() as stack:
                receivers = {kind: stack.enter_context(http_receiver(port)) for kind, port in ports.items()}
                await arrived(receivers, 2)
            # A receiver has it before its sender has taken that down.
            await until(lambda: not any(each["waiting"] for each in at.desk.view()["sinks"]), "none waits")
            assert [each["sent"] for each in at.desk.view()["sinks"]] == [4] * len(HTTP_KINDS)

    asyncio.run(scene())
    assert came == {kind: ["a", "b", "-a", "c"] for kind in HTTP_KINDS}


def test_mail_that_a_server_would_not_take_yet_is_handed_in_once(tmp_path: Path) -> None:
    async def scene(receiver: Any) -> None:
        monitor = Monitor()
        monitor.board.connected(RelaySeen(name="main", url="", connection="live", since=rfc3339(0.0)))
        rows = (row_named("x", state="open"),)
        monitor.board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=rows), 0.0)
        server = MailServer(
            host="127.0.0.1", port=receiver.port, sender="a@b.c", to=("d@e.f",), starttls=False
        )
        receiver.answers = ["451 later", "421 busy"]
        async with Desk(monitor, AlertStore(tmp_path / "alerts.sqlite"), [Mail(server)]) as desk:
            await until(lambda: desk.senders[0].sent == 1, "the mail is handed in")
            assert desk.senders[0].failed == 2

    with mail_receiver() as receiver:
        asyncio.run(scene(receiver))
        assert len(receiver.received.all()) == 1
