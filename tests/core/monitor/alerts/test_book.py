"""What is kept and sent on a simulated clock: silences, acknowledgement, escalation, restarts."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sprint.core.errors import RequestError
from sprint.core.monitor.alerts.book import REPEAT_S, Book, Entry, Kept
from sprint.core.monitor.alerts.routes import ESCALATE_AFTER_S, HOUR_S, Sending, routes_default
from sprint.core.monitor.alerts.rules import STATE, Reading
from sprint.core.monitor.alerts.silences import SILENCES_MAX, Silence
from sprint.core.monitor.alerts.standing import Alert

KINDS = {"mail": "email", "chat": "slack", "page": "pagerduty", "hook": "webhook"}
INFO, WARNING, CRITICAL, EMERGENCY = 1.0, 2.0, 3.0, 4.0


class Scene:
    """A book on one clock, and what it had sent: of each sink changes and levels."""

    def __init__(self, kinds: dict[str, str] = KINDS) -> None:
        self.now_s = 0.0
        self.sent: list[tuple[str, Alert]] = []
        self.kept: dict[str, Kept] = {}
        self.sending = Sending(kinds, routes_default(set(kinds.values())))
        self.book = Book(self.sending)

    def put(self, entries: Iterable[Entry | None]) -> list[str]:
        """Keep entries and send what is in them; return what was sent as `sink change level`."""
        told = list[str]()
        for entry in entries:
            if entry is None:
                continue
            alert = entry.kept.alert
            self.kept[alert.id] = entry.kept
            if alert.resolved_at:
                del self.kept[alert.id]
            self.sent.extend(entry.messages)
            told.extend(f"{sink} {each.change} {each.urgency}" for sink, each in entry.messages)
        return told

    def read(self, value: float | None, breaker: str = "x", *, undecided: bool = False) -> list[str]:
        reading = Reading(STATE, "main", breaker, value, f"x is {value}", undecided)
        return self.put([self.book.take(reading, self.now_s, self.now_s)])

    def over(self) -> list[str]:
        """Let the alert end."""
        assert self.read(0.0) == []
        self.now_s += STATE.clear_s
        return self.read(0.0)

    def wait(self, seconds: float) -> list[str]:
        self.now_s += seconds
        return self.put(self.book.tick(self.now_s))

    def silence(self, breaker: str = "x", for_s: float = 600.0, silence_id: str = "s") -> list[str]:
        silence = Silence(
            id=silence_id,
            breaker=breaker,
            from_s=self.now_s,
            until_s=self.now_s + for_s,
            by="anna",
            why="a new disk",
        )
        return self.put(self.book.silence(silence, self.now_s))

    def acknowledge(self) -> list[str]:
        (standing,) = self.book.standing()
        return self.put([self.book.acknowledge(standing.alert.id, "anna", self.now_s)[1]])

    def restart(self, kinds: dict[str, str] | None = None) -> list[str]:
        sending = self.sending if kinds is None else Sending(kinds, routes_default(set(kinds.values())))
        self.book = Book(sending, list(self.kept.values()), self.book.silences())
        return self.put(self.book.begin(self.now_s))


def test_a_level_goes_to_its_own_sinks_and_the_end_to_all_who_know() -> None:
    scene = Scene()
    assert scene.read(WARNING) == ["mail raised warning", "chat raised warning", "hook raised warning"]
    assert scene.read(CRITICAL) == ["page worsened critical", "hook worsened critical"]
    assert sorted(scene.over()) == [f"{sink} resolved critical" for sink in ("chat", "hook", "mail", "page")]


def test_an_alert_that_is_silenced_is_kept_but_not_sent_and_is_sent_when_the_silence_ends() -> None:
    scene = Scene()
    scene.silence(for_s=600.0)
    assert scene.read(CRITICAL) == []
    (standing,) = scene.book.standing()
    assert (standing.alert.level, standing.silence) == ("critical", "s")
    assert scene.wait(599.0) == []
    assert scene.wait(1.0) == ["page raised critical", "hook raised critical"]
    assert scene.book.silences() == []
    assert scene.wait(1.0) == []


def test_of_an_alert_that_began_and_ended_in_silence_nothing_is_sent() -> None:
    scene = Scene()
    scene.silence()
    scene.read(CRITICAL)
    assert scene.over() == []
    assert scene.wait(600.0) == []


def test_the_end_of_an_alert_reaches_those_who_knew_of_it_before_the_silence() -> None:
    scene = Scene()
    scene.read(CRITICAL)
    scene.silence()
    assert scene.over() == ["page resolved critical", "hook resolved critical"]


def test_what_worsens_in_silence_is_told_at_its_end_as_it_is_then() -> None:
    scene = Scene()
    scene.read(WARNING)
    scene.silence()
    assert scene.read(CRITICAL) == []
    assert scene.wait(600.0) == ["page worsened critical", "hook worsened critical"]


def test_who_first_hears_of_an_alert_that_eased_in_silence_hears_that_it_is_there() -> None:
    scene = Scene()
    scene.silence()
    scene.read(CRITICAL)
    scene.read(WARNING)
    scene.now_s += STATE.clear_s
    assert scene.read(WARNING) == []
    assert scene.wait(600.0) == ["mail raised warning", "chat raised warning", "hook raised warning"]


def test_one_of_two_silences_is_enough() -> None:
    scene = Scene()
    scene.silence(for_s=600.0, silence_id="short")
    scene.silence("*", for_s=900.0, silence_id="long")
    scene.read(CRITICAL)
    assert scene.wait(600.0) == []
    assert scene.wait(300.0) == ["page raised critical", "hook raised critical"]


def test_a_silence_that_is_ended_before_its_time_sends_what_still_holds() -> None:
    scene = Scene()
    scene.silence()
    scene.read(CRITICAL)
    silence, entries = scene.book.end_silence("s", scene.now_s)
    assert silence.by == "anna"
    assert scene.put(entries) == ["page raised critical", "hook raised critical"]
    with pytest.raises(RequestError, match="no silence 's'"):
        scene.book.end_silence("s", scene.now_s)


def test_another_breaker_is_not_silenced() -> None:
    scene = Scene()
    scene.silence("y")
    assert scene.read(CRITICAL, "x")
    assert not scene.read(CRITICAL, "y")


def test_beyond_their_limit_silences_are_refused() -> None:
    scene = Scene()
    for number in range(SILENCES_MAX):
        scene.silence(silence_id=str(number))
    with pytest.raises(RequestError, match=f"{SILENCES_MAX} silences, limit {SILENCES_MAX}"):
        scene.silence(silence_id="one more")


def test_an_alert_that_nobody_acknowledges_goes_up_level_by_level_each_after_its_own_time() -> None:
    scene = Scene()
    assert scene.read(INFO) == ["mail raised info", "hook raised info"]
    assert scene.wait(24 * HOUR_S - 1.0) == []
    assert scene.wait(1.0) == [f"{sink} escalated warning" for sink in ("mail", "chat", "hook")]
    assert scene.wait(4 * HOUR_S - 1.0) == []
    assert scene.wait(1.0) == ["page escalated critical", "hook escalated critical"]
    assert len(scene.wait(HOUR_S)) == len(KINDS)
    assert scene.wait(10_000 * HOUR_S) == []
    (standing,) = scene.book.standing()
    assert (standing.alert.level, standing.alert.urgency) == ("info", "emergency")
    assert ESCALATE_AFTER_S == {"info": 24 * HOUR_S, "warning": 4 * HOUR_S, "critical": HOUR_S}


def test_an_alert_that_is_acknowledged_never_escalates_and_those_who_know_hear_who_has_it() -> None:
    scene = Scene()
    scene.read(WARNING)
    assert scene.acknowledge() == [f"{sink} acknowledged warning" for sink in ("mail", "chat", "hook")]
    assert scene.acknowledge() == []
    assert scene.wait(10_000 * HOUR_S) == []
    assert scene.read(CRITICAL) == ["page worsened critical", "hook worsened critical"], "worse is still told"
    assert scene.wait(10_000 * HOUR_S) == []
    (standing,) = scene.book.standing()
    assert standing.alert.acknowledged_by == "anna"


def test_the_next_alert_of_a_breaker_is_nobody_s() -> None:
    scene = Scene()
    scene.read(CRITICAL)
    scene.acknowledge()
    scene.over()
    scene.read(CRITICAL)
    (standing,) = scene.book.standing()
    assert (standing.alert.acknowledged_by, standing.alert.number) == ("", 1)


def test_what_does_not_stand_can_t_be_acknowledged() -> None:
    scene = Scene()
    scene.read(CRITICAL)
    (standing,) = scene.book.standing()
    scene.over()
    with pytest.raises(RequestError, match="may be over") as raised:
        scene.book.acknowledge(standing.alert.id, "anna", scene.now_s)
    assert raised.value.code == "unknown_alert"


def test_the_time_to_acknowledge_begins_when_the_silence_ends() -> None:
    scene = Scene()
    scene.silence(for_s=48 * HOUR_S)
    scene.read(CRITICAL)
    assert scene.wait(47 * HOUR_S) == []
    assert scene.wait(HOUR_S) == ["page raised critical", "hook raised critical"]
    assert scene.wait(HOUR_S - 1.0) == []
    assert len(scene.wait(1.0)) == len(KINDS)


def test_the_time_to_acknowledge_goes_on_over_a_restart() -> None:
    scene = Scene()
    scene.read(CRITICAL)
    scene.now_s += HOUR_S - 1.0
    assert scene.restart() == []
    assert scene.wait(0.5) == []
    assert len(scene.wait(0.5)) == len(KINDS)


def test_what_a_silence_covered_that_ended_while_nothing_ran_is_sent_at_the_start() -> None:
    scene = Scene()
    scene.silence()
    scene.read(CRITICAL)
    scene.now_s += 600.0
    assert scene.restart() == ["page raised critical", "hook raised critical"]
    assert scene.restart() == []


def test_a_silence_holds_over_a_restart() -> None:
    scene = Scene()
    scene.silence()
    scene.read(CRITICAL)
    assert scene.restart() == []
    assert scene.wait(600.0) == ["page raised critical", "hook raised critical"]


def test_a_sink_that_is_new_hears_what_stands_and_one_that_is_gone_no_end() -> None:
    scene = Scene({"hook": "webhook"})
    assert scene.read(CRITICAL) == ["hook raised critical"]
    assert scene.restart({"page": "pagerduty"}) == ["page raised critical"]
    assert scene.over() == ["page resolved critical"]


def eased_and_risen(scene: Scene) -> list[str]:
    """Have an alert ease and rise again; return what was sent of it."""
    told = scene.read(WARNING)
    scene.now_s += STATE.clear_s
    told += scene.read(WARNING)
    (standing,) = scene.book.standing()
    assert standing.alert.change == "eased"
    return told + scene.read(CRITICAL)


def test_what_rises_again_after_it_had_eased_is_told_again_but_not_within_the_hour() -> None:
    scene = Scene({"hook": "webhook"})
    scene.read(CRITICAL)
    assert eased_and_risen(scene) == []
    scene.now_s = REPEAT_S - STATE.clear_s
    scene.read(WARNING)
    assert eased_and_risen(scene) == ["hook worsened critical"]
    assert eased_and_risen(scene) == []
    assert scene.restart() == []


def test_of_what_somebody_has_in_hand_nobody_is_reminded() -> None:
    scene = Scene({"hook": "webhook"})
    scene.read(CRITICAL)
    scene.acknowledge()
    scene.now_s += REPEAT_S
    assert eased_and_risen(scene) == []


def test_a_breaker_whose_trials_fail_all_day_is_one_message_and_escalates_after_its_hour() -> None:
    scene, told = Scene({"page": "pagerduty", "hook": "webhook"}), list[str]()
    told_at_s = list[float]()
    for _ in range(24 * 1_200):
        within_s = scene.now_s % 42.0
        more = scene.read(CRITICAL) if within_s < 30.0 else scene.read(WARNING, undecided=True)
        more += scene.wait(3.0)
        told_at_s += [scene.now_s] * len(more)
        told += more
    assert told == [
        "page raised critical",
        "hook raised critical",
        "page escalated emergency",
        "hook escalated emergency",
    ]
    assert HOUR_S <= told_at_s[-1] <= HOUR_S + 3.0


def test_an_alert_that_eases_and_rises_has_waited_all_the_while() -> None:
    scene, told = Scene({"hook": "webhook"}), list[str]()
    scene.read(CRITICAL)
    while scene.now_s < HOUR_S - 60.0:
        told += eased_and_risen(scene)
    assert told == []
    assert scene.wait(HOUR_S - scene.now_s) == ["hook escalated emergency"]
