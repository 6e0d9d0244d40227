"""The options of alerts, by flags or in `[monitor.alerts]`, made sinks. Secrets come from files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from sprint.core.duration import parse_duration_s
from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.own_rules import RuleGiven, rules_of
from sprint.core.monitor.alerts.routes import ESCALATE_AFTER_S, KINDS, Routes, routes_default
from sprint.core.monitor.alerts.rules import LEVELS, Level
from sprint.tools.monitor.alert_desk import Desk, Plan
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.sinks.chats import PAGERDUTY_URL, PagerDuty, Slack, Teams
from sprint.tools.monitor.sinks.mail import Mail, MailServer
from sprint.tools.monitor.sinks.sink import Sink
from sprint.tools.monitor.sinks.webhook import Webhook
from sprint.tools.xdg import base_folder

SECRET_SIZE_MAX = 4 * 1024
WEBHOOKS_MAX = 16
ESCALATE_S_MIN = 60.0
ESCALATE_S_MAX = 90 * 24 * 3_600.0
NEVER = "never"


class MailGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[monitor.alerts.email]`; the password is the first line of `password_file`."""

    host: str
    port: int = 587
    sender: str
    to: tuple[str, ...]
    starttls: bool = True
    user: str = ""
    password_file: str = ""


class AlertsGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[monitor.alerts]`.

    `routes` names for a level the kinds of sinks it goes to, `escalate_after` after how long it goes one
    level up; for levels that are not named there the defaults hold.
    """

    webhook: tuple[str, ...] = ()
    webhook_secret_file: str = ""
    slack_url_file: str = ""
    teams_url_file: str = ""
    pagerduty_key_file: str = ""
    pagerduty_url: str = PAGERDUTY_URL
    file: str = ""
    email: MailGiven | None = None
    routes: dict[str, tuple[str, ...]] = {}
    escalate_after: dict[str, str] = {}
    rules: tuple[RuleGiven, ...] = ()


@contextlib.asynccontextmanager
async def alerting(
    monitor: Monitor, given: AlertsGiven | None, say: Callable[[str], object] = str
) -> AsyncIterator[None]:
    """Raise alerts of a monitor while within, and say to whom they go; none without options."""
    if given is None:
        yield
        return
    sinks = sinks_of(given)
    plan = plan_of(given, sinks)
    async with Desk(monitor, AlertStore(file_of(given)), sinks, plan) as desk:
        monitor.alerts = desk
        say(f"cb-monitor raises alerts by {len(plan.rules)} rules; {_whom(plan, sinks)}")
        yield


def plan_of(given: AlertsGiven, sinks: Sequence[Sink]) -> Plan:
    """Return rules, routes and times. ConfigError where one can't be."""
    routes = routes_of(given, {sink.kind for sink in sinks})
    return Plan(rules_of(given.rules), routes, escalate_after_of(given))


def sinks_of(given: AlertsGiven) -> list[Sink]:
    """Return the sinks that were named. ConfigError where one can't be."""
    if len(given.webhook) > WEBHOOKS_MAX:
        raise ConfigError(f"--webhook: {len(given.webhook)} URLs, limit {WEBHOOKS_MAX}")
    if given.webhook_secret_file and not given.webhook:
        raise ConfigError("--webhook-secret-file without --webhook: there is nothing to sign")
    secret = _secret_of(given.webhook_secret_file, "--webhook-secret-file")
    sinks: list[Sink] = [Webhook(url, secret) for url in dict.fromkeys(given.webhook)]
    sinks.extend(_chats_of(given))
    if given.email is not None:
        sinks.append(Mail(_server_of(given.email)))
    return sinks


def routes_of(given: AlertsGiven, kinds_there: Collection[str]) -> Routes:
    """Return which level goes to which kinds of sinks, of those that are set up."""
    default = routes_default(kinds_there)
    for level, kinds in given.routes.items():
        _check_level(level, "routes")
        for kind in kinds:
            if kind not in KINDS:
                raise ConfigError(f"monitor.alerts.routes.{level}: {kind[:32]!a}; want {' or '.join(KINDS)}")
    return {level: given.routes.get(level, default[level]) for level in LEVELS}


def escalate_after_of(given: AlertsGiven) -> Mapping[Level, float]:
    """Return after how many seconds without an acknowledgement a level goes one up; not named where never."""
    after_s = dict(ESCALATE_AFTER_S)
    for level, text in given.escalate_after.items():
        place = f"monitor.alerts.escalate_after.{level}"
        known = _check_level(level, "escalate_after")
        if known == LEVELS[-1]:
            raise ConfigError(f"{place}: there is no level above")
        if text == NEVER:
            after_s.pop(known, None)
        else:
            after_s[known] = parse_duration_s(
                text, option=place, least_s=ESCALATE_S_MIN, most_s=ESCALATE_S_MAX
            )
    return after_s


def file_of(given: AlertsGiven) -> Path:
    """Return where alerts are kept."""
    if given.file:
        return Path(given.file).expanduser()
    return base_folder("XDG_DATA_HOME", os.environ) / "sprint" / "monitor-alerts.sqlite"


def _whom(plan: Plan, sinks: Sequence[Sink]) -> str:
    """Return which level goes where, so that one that goes to nobody is seen before it is missed."""
    if not sinks:
        return "they are sent to nobody: give --webhook URL, or another sink in [monitor.alerts]"
    there = dict.fromkeys(sink.kind for sink in sinks)
    told = {level: [kind for kind in there if kind in (plan.routes or {}).get(level, ())] for level in LEVELS}
    return "; ".join(f"{level} to {', '.join(kinds) or 'nobody'}" for level, kinds in told.items())


def _chats_of(given: AlertsGiven) -> Iterator[Sink]:
    slack = _secret_of(given.slack_url_file, Slack.option)
    if slack:
        yield Slack(slack.decode())
    teams = _secret_of(given.teams_url_file, Teams.option)
    if teams:
        yield Teams(teams.decode())
    key = _secret_of(given.pagerduty_key_file, "--pagerduty-key-file")
    if key:
        yield PagerDuty(key.decode(), given.pagerduty_url)


def _check_level(level: str, table: str) -> Level:
    """Return a level that a table names; ConfigError where there is none of that name."""
    found = next((each for each in LEVELS if each == level), None)
    if found is None:
        raise ConfigError(f"monitor.alerts.{table}: level {level[:32]!a}; there are {', '.join(LEVELS)}")
    return found


def _server_of(given: MailGiven) -> MailServer:
    return MailServer(
        host=given.host,
        port=given.port,
        sender=given.sender,
        to=given.to,
        starttls=given.starttls,
        user=given.user,
        password=_secret_of(given.password_file, "monitor.alerts.email.password_file").decode(),
    )


def _secret_of(file: str, option: str) -> bytes:
    """Return the first line of a file, without its end; nothing where no file is named."""
    if not file:
        return b""
    try:
        data = Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"{option} {file}: {error.strerror or error}") from error
    secret = data.partition(b"\n")[0].strip()
    if not secret or len(data) > SECRET_SIZE_MAX or not secret.isascii():
        raise ConfigError(f"{option} {file}: want one line of ASCII, up to {SECRET_SIZE_MAX} bytes")
    return secret
