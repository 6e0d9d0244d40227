"""Who is told of which level where nobody says otherwise."""

from __future__ import annotations

from sprint.core.monitor.alerts.routes import KINDS, Sending, routes_default
from sprint.core.monitor.alerts.rules import LEVELS, Level


def told_of(*kinds: str) -> dict[Level, set[str]]:
    """Return the kinds that are told of each level where these are set up, one sink of each."""
    sending = Sending({kind: kind for kind in kinds}, routes_default(kinds))
    return {level: set(sending.sinks(level)) for level in LEVELS}


def test_information_is_mailed_a_warning_chatted_and_what_is_critical_pages() -> None:
    assert told_of("slack", "teams", "pagerduty", "email") == {
        "info": {"email"},
        "warning": {"slack", "teams", "email"},
        "critical": {"pagerduty"},
        "emergency": {"slack", "teams", "pagerduty", "email"},
    }


def test_a_webhook_has_everything() -> None:
    assert all("webhook" in kinds for kinds in told_of(*KINDS).values())


def test_without_a_pager_what_is_critical_goes_where_warnings_go() -> None:
    assert told_of("slack", "email")["critical"] == {"slack", "email"}
    assert told_of("teams")["critical"] == {"teams"}


def test_no_sink_alone_leaves_what_is_critical_untold() -> None:
    assert all(told_of(kind)["critical"] == {kind} == told_of(kind)["emergency"] for kind in KINDS)


def test_two_sinks_of_a_kind_are_both_told() -> None:
    sending = Sending({"a": "webhook", "b": "webhook"}, routes_default({"webhook"}))
    assert sending.sinks("info") == ["a", "b"]
