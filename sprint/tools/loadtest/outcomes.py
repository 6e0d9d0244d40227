"""What became of each request, handed to the recorder under the name it is counted by.

Statuses below 400 are successes, 429 is its own kind with the limit that the answer names, any other status
is an error of its number. Moments come from the clock and are counted from the start of the run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sprint.core.breaker.transitions import Transition
from sprint.core.loadtest.cell import StateChange
from sprint.core.loadtest.recorder import Recorder
from sprint.tools.loadtest.moments import NS_PER_S

ERROR_FROM = 400
TOO_MANY_REQUESTS = 429
EXAMPLE_LENGTH_MAX = 200

# What an answer may say of its limit: RFC 9110 10.2.3, and the fields of draft-ietf-httpapi-ratelimit-headers
# with the older ones that servers have in their place.
_LIMIT_HEADER = re.compile(
    rb"^(retry-after|ratelimit|ratelimit-policy|ratelimit-limit|x-ratelimit-limit):[ \t]*([^\r\n]{0,60})",
    re.IGNORECASE | re.MULTILINE,
)
LIMIT_NOT_NAMED = "the answer names no limit"


class Outcomes:
    """Counts for one generator. `begin` comes before all else."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._started_ns = 0

    def __repr__(self) -> str:
        return f"Outcomes({self._recorder})"

    def begin(self, started_ns: int) -> None:
        """Count moments from here on."""
        self._started_ns = started_ns

    def dispatched(self, scheduled_ns: int, now_ns: int) -> None:
        """The generator has come to a request; it never does so before its moment."""
        start = self._started_ns
        self._recorder.began(scheduled_ns - start, now_ns - start)

    def sent_together(self, late_ns: Sequence[int], now_ns: int, count: int) -> None:
        """The generator has come to requests, so late each, the last of them now, and sent `count` bytes."""
        self._recorder.began_together(late_ns, now_ns - self._started_ns, count)

    def sent(self, count: int) -> None:
        """So many bytes went out, of requests that were come to before."""
        self._recorder.sent_bytes(count)

    def waited(self, waited_ns: int) -> None:
        """A request had waited so long for a worker."""
        self._recorder.waited(waited_ns)

    def succeeded(self, scheduled_ns: int, sent_ns: int, done_ns: int, received: int = 0) -> None:
        """An answer of so many bytes is complete, and its status below `ERROR_FROM`."""
        start = self._started_ns
        self._recorder.succeeded(scheduled_ns - start, sent_ns - start, done_ns - start, received)

    def succeeded_together(
        self, responses_ns: Sequence[int], services_ns: Sequence[int], done_ns: int, received: int
    ) -> None:
        """Answers of so many bytes in all are complete, the last of them at `done_ns`, all successes."""
        self._recorder.succeeded_together(responses_ns, services_ns, done_ns - self._started_ns, received)

    def refused(self, status: int, head: bytes, scheduled_ns: int, done_ns: int, received: int) -> None:
        """An answer with another status is complete; `head` is what it begins with."""
        if status == TOO_MANY_REQUESTS:
            start = self._started_ns
            limit = limit_named_by(head)
            self._recorder.limited(limit, scheduled_ns - start, done_ns - start, bytes_in=received)
        else:
            example = head.partition(b"\r\n")[0].decode("latin-1")
            self.failed(str(status), scheduled_ns, done_ns, received, example)

    def failed(
        self, kind: str, scheduled_ns: int, done_ns: int, received: int = 0, example: str = ""
    ) -> None:
        """A request failed."""
        start = self._started_ns
        self._recorder.failed(kind, scheduled_ns - start, done_ns - start, example=example, bytes_in=received)

    def rejected(self, scheduled_ns: int, done_ns: int) -> None:
        """A breaker did not let a call through."""
        self._recorder.rejected(scheduled_ns - self._started_ns, done_ns - self._started_ns)

    def never_sent(self, reason: str, count: int = 1) -> None:
        """Requests were due and are not sent any more."""
        if count:
            self._recorder.never_sent(reason, count)

    def unanswered(self) -> None:
        """A request was sent, and the run has ended before its answer came."""
        self._recorder.unanswered()

    def changed(self, transition: Transition) -> None:
        """A breaker came into another state."""
        at_ns = max(0, round(transition.at * NS_PER_S) - self._started_ns)
        reason = f"{transition.reason}: {transition.evidence.text}"
        self._recorder.changed(StateChange(at_ns, transition.breaker, transition.to_state, reason))


def limit_named_by(head: bytes) -> str:
    """Return what an answer 429 says of its limit, as `retry-after: 1, ratelimit-limit: 100`."""
    found = [
        f"{name.decode().lower()}: {value.decode('latin-1').strip()}"
        for name, value in _LIMIT_HEADER.findall(head)
    ]
    return ", ".join(found) or LIMIT_NOT_NAMED
