"""`sprint optimize watch` between its looks: a relay that doesn't answer, and a signal that ends it."""

from __future__ import annotations

import os
import signal

import pytest

from sprint.cli.optimize_watching import UNANSWERED_MAX, _look_on, _trial_undone
from sprint.core.optimize.auto_tune import SLOW_SAMPLES
from sprint.core.optimize.told import Told
from sprint.tools.optimize.status import NoRelay
from tests.tools.optimize.test_watching import SlowRelay, looks_of, watch_of


class SilentRelay(SlowRelay):
    """A relay that doesn't answer `silent` times in a row, and then does."""

    def __init__(self, silent: int) -> None:
        super().__init__()
        self.silent = silent

    def told(self) -> Told:
        self.silent -= 1
        if self.silent >= 0:
            raise NoRelay("no relay answers")
        return super().told()


def test_a_watch_ended_with_the_first_look_that_nobody_answered(capsys: pytest.CaptureFixture[str]) -> None:
    """A relay that is started anew by a service manager takes a few seconds."""
    relay = SilentRelay(UNANSWERED_MAX - 1)
    _look_on(watch_of(relay), 0.0, UNANSWERED_MAX + 1, json_output=False)
    said = capsys.readouterr()
    assert said.err.count("no relay answers") == 1
    assert said.out.count("p99") == 1, "the first look after it has nothing to compare with"


def test_a_relay_that_is_gone_for_good_ends_the_watch() -> None:
    relay = SilentRelay(UNANSWERED_MAX)
    with pytest.raises(NoRelay):
        _look_on(watch_of(relay), 0.0, None, json_output=True)
    assert relay.silent == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_being_tried_is_undone_by_a_signal_that_ends_the_watch(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    relay = SlowRelay()
    watch = watch_of(relay)
    looks_of(watch, SLOW_SAMPLES + 1)
    assert relay.changes != {}
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _trial_undone(watch):
        os.kill(os.getpid(), number)
    assert relay.changes == {}
    assert signal.getsignal(signal.SIGTERM) is before
    assert "undone" in capsys.readouterr().err
