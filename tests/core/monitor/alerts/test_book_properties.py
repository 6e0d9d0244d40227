"""Any course of readings, words, silences, time and restarts: nothing lost, nothing twice, no end unheard."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sprint.core.errors import RequestError
from sprint.core.monitor.alerts.book import Book, Entry, Kept
from sprint.core.monitor.alerts.routes import HOUR_S, Sending, routes_default
from sprint.core.monitor.alerts.rules import LEVELS, STATE, Reading
from sprint.core.monitor.alerts.silences import Silence
from sprint.core.monitor.alerts.standing import Alert

KINDS = {"mail": "email", "chat": "slack", "page": "pagerduty", "hook": "webhook"}
BREAKERS = ("a", "b", "c")
SENDING = Sending(KINDS, routes_default(set(KINDS.values())))
# Changes that a silence holds back; the others go to those alone who know of the alert.
HELD_BACK = {"raised", "worsened", "escalated", "eased"}


class Machine(RuleBasedStateMachine):
    """A book, what was kept of it, and all that was sent; a kill loses what was not written."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.kept: dict[str, Kept] = {}
        self.silences: list[Silence] = []
        self.sent: list[tuple[str, Alert]] = []
        self.over: dict[str, Kept] = {}
        self.made = 0
        self.book = Book(SENDING)

    def write(self, entries: list[Entry]) -> None:
        """Keep and send, as one: what a kill in between would leave is either of both, never half."""
        self.silences = self.book.silences()
        for kept, messages, _ in entries:
            alert = kept.alert
            if alert.resolved_at:
                self.kept.pop(alert.id)
                self.over[alert.id] = kept
            else:
                self.kept[alert.id] = kept
            for sink, message in messages:
                self.check_may_be_sent(kept, message, sink)
            self.sent.extend(messages)

    def check_may_be_sent(self, kept: Kept, message: Alert, sink: str) -> None:
        covered = any(silence.covers(message.subject) for silence in self.silences)
        assert not (covered and message.change in HELD_BACK), "what is silenced is not sent"
        if message.change == "resolved":
            assert any(to == sink and each.id == message.id for to, each in self.sent), "an end of nothing"
        assert message.id == kept.alert.id

    @rule(breaker=st.sampled_from(BREAKERS), severity=st.integers(0, 4))
    def read(self, breaker: str, severity: int) -> None:
        reading = Reading(STATE, "main", breaker, float(severity), f"{breaker} is {severity}")
        before = {each.alert.subject: each.alert for each in self.book.standing()}
        entry = self.book.take(reading, self.now_s, self.now_s)
        if entry is None:
            return
        was = before.get(entry.kept.alert.subject)
        assert entry.kept.alert.number == (1 if was is None else was.number + 1)
        self.write([entry])

    @rule(breaker=st.sampled_from(BREAKERS))
    def be_well(self, breaker: str) -> None:
        """Have a breaker closed for so long that its alert is over."""
        for _ in range(2):  # the first may end but the higher level that came before
            self.read(breaker, 0)
            self.wait(STATE.clear_s)
            self.read(breaker, 0)
        assert breaker not in {each.alert.breaker for each in self.book.standing()}

    @rule(seconds=st.sampled_from((1.0, 11.0, 600.0, HOUR_S, 4 * HOUR_S, 24 * HOUR_S)))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        acknowledged = {each.alert.id for each in self.book.standing() if each.alert.acknowledged_at}
        entries = self.book.tick(self.now_s)
        escalated = {each.kept.alert.id for each in entries if each.changed}
        assert not escalated & acknowledged
        self.write(entries)

    @rule(breaker=st.sampled_from((*BREAKERS, "*")), for_s=st.sampled_from((1.0, 600.0, 48 * HOUR_S)))
    def silence(self, breaker: str, for_s: float) -> None:
        self.made += 1
        silence = Silence(
            id=str(self.made),
            breaker=breaker,
            from_s=self.now_s,
            until_s=self.now_s + for_s,
            by="anna",
            why="a new disk",
        )
        self.write(self.book.silence(silence, self.now_s))

    @rule(which=st.integers(0, 9))
    def end_silence(self, which: int) -> None:
        if self.silences:
            silence = self.silences[which % len(self.silences)]
            self.write(self.book.end_silence(silence.id, self.now_s)[1])

    @rule(which=st.integers(0, 9))
    def acknowledge(self, which: int) -> None:
        standing = self.book.standing()
        if not standing:
            return
        alert = standing[which % len(standing)].alert
        kept, entry = self.book.acknowledge(alert.id, "anna", self.now_s)
        assert (entry is None) == bool(alert.acknowledged_at)
        assert kept.alert.acknowledged_by == "anna"
        if entry is not None:
            self.write([entry])

    @rule()
    def acknowledge_what_is_over(self) -> None:
        for alert_id in self.over:
            try:
                self.book.acknowledge(alert_id, "anna", self.now_s)
            except RequestError:
                continue
            raise AssertionError(f"{alert_id} is over")

    @rule(breaker=st.sampled_from(BREAKERS), severity=st.integers(0, 4))
    def killed_before_a_reading_was_written(self, breaker: str, severity: int) -> None:
        reading = Reading(STATE, "main", breaker, float(severity), "never written")
        self.book.take(reading, self.now_s, self.now_s)
        self.restart()

    @rule()
    def restart(self) -> None:
        self.book = Book(SENDING, list(self.kept.values()), self.silences)
        self.write(self.book.begin(self.now_s))
        assert self.book.begin(self.now_s) == [], "a second start has nothing to add"

    @invariant()
    def nothing_is_sent_twice_to_one_sink(self) -> None:
        told = [(sink, alert.id, alert.number) for sink, alert in self.sent]
        assert len(told) == len(set(told))

    @invariant()
    def what_stands_and_is_not_silenced_is_known_to_all_whom_its_level_goes_to(self) -> None:
        for kept in self.book.standing():
            silenced = any(silence.covers(kept.alert.subject) for silence in self.silences)
            assert bool(kept.silence) == silenced
            if not silenced:
                for sink in SENDING.sinks(kept.alert.urgency):
                    newest = [each for to, each in self.sent if (to, each.id) == (sink, kept.alert.id)]
                    assert newest, (sink, kept)
                    worst = max(LEVELS.index(each.urgency) for each in newest)
                    assert worst >= LEVELS.index(kept.alert.urgency)

    @invariant()
    def who_heard_of_an_alert_hears_of_its_end(self) -> None:
        for alert_id in self.over:
            heard = {sink for sink, each in self.sent if each.id == alert_id}
            ended = {sink for sink, each in self.sent if each.id == alert_id and each.resolved_at}
            assert heard == ended

    @invariant()
    def an_acknowledged_alert_never_escalates(self) -> None:
        for kept in self.book.standing():
            assert not (kept.alert.acknowledged_at and self.book.escalates_at_s(kept) is not None)
            assert not (kept.silence and self.book.escalates_at_s(kept) is not None)

    @invariant()
    def what_is_kept_is_what_the_book_has(self) -> None:
        assert {each.alert.id: each for each in self.book.standing()} == self.kept


Machine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestBook = Machine.TestCase
