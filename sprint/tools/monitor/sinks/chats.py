"""Alerts posted in the forms of others: Slack, Teams, and PagerDuty, which has an incident of each."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.messages import TEAMS_LINES_MAX, pagerduty_body, slack_body, teams_body
from sprint.core.monitor.alerts.standing import Alert
from sprint.tools.monitor.sinks.webhook import Webhook

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
ROUTING_KEY_LENGTH = 32


class Slack(Webhook):
    """Posts to an incoming webhook of Slack, as text."""

    kind = "slack"
    option = "--slack-url-file"

    def _body(self, alerts: Sequence[Alert], sent_at: str) -> bytes:
        del sent_at  # Slack has a time of its own
        return slack_body(alerts)


class Teams(Webhook):
    """Posts to a workflow of Teams, as an Adaptive Card."""

    kind = "teams"
    option = "--teams-url-file"
    batch_max = TEAMS_LINES_MAX

    def _body(self, alerts: Sequence[Alert], sent_at: str) -> bytes:
        del sent_at  # Teams has a time of its own
        return teams_body(alerts)


class PagerDuty(Webhook):
    """Posts events to PagerDuty, one for each alert: it takes no more in a request.

    The key stands in the event and not in the URL. One that is wrong is answered with 400 as an event is that
    is wrong: ours are made here, so it is the key, and what waits goes out once that is put right.
    """

    kind = "pagerduty"
    option = "monitor.alerts.pagerduty_url"
    batch_max = 1
    refusals = frozenset({413})

    def __init__(self, routing_key: str, url: str = PAGERDUTY_URL) -> None:
        super().__init__(url)
        if len(routing_key) != ROUTING_KEY_LENGTH or not routing_key.isalnum():
            raise ConfigError(
                f"--pagerduty-key-file: a key of {len(routing_key)} signs; want the {ROUTING_KEY_LENGTH} "
                "letters and digits of the routing key of an integration of the Events API v2"
            )
        self._routing_key = routing_key

    def _body(self, alerts: Sequence[Alert], sent_at: str) -> bytes:
        del sent_at  # an event has the time of its change
        return pagerduty_body(alerts[0], self._routing_key)
