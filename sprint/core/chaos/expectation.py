"""What a relay is expected to do about a fault of a kind: show it, open a breaker, and by when.

It stands before the run and is not changed by what comes of it: a score that left out what went wrong would
rise with it. The times are those of a relay's sources (docs/explanation/breakers.md, "In the relay"): three
failures in a row, an answer missed after 4 s, asked for at the next block or ping.
"""

from __future__ import annotations

import msgspec

# Three answers of 4 s each, and the next block or ping before the first of them.
STALL_OPENS_WITHIN_S = 20.0
REFUSAL_OPENS_WITHIN_S = 5.0
ORDER_OPENS_WITHIN_S = 1.0


class Expectation(msgspec.Struct, frozen=True):
    """A fault of this kind is to be seen, and a breaker open, within so many seconds; None: neither is due.

    `why` says for what reason, in words that stand in the report.
    """

    seen_within_s: float | None
    opens_within_s: float | None
    why: str


_REFUSED = Expectation(
    REFUSAL_OPENS_WITHIN_S, REFUSAL_OPENS_WITHIN_S, "connections fail at once, three in a row open"
)
_STALLED = Expectation(
    STALL_OPENS_WITHIN_S, STALL_OPENS_WITHIN_S, "nothing comes, three answers of 4 s missed open"
)
_SLOW = Expectation(None, None, "who is only slow is asked last, not cut off")
_SHUT_OUT = Expectation(STALL_OPENS_WITHIN_S, None, "who lies is shut out by what it did, not by a breaker")
_ORDERED = Expectation(ORDER_OPENS_WITHIN_S, ORDER_OPENS_WITHIN_S, "an order holds at once")
_MACHINE = Expectation(None, None, "it is the machine that is short, no source fails by it alone")
_UNKNOWN = Expectation(None, None, "nothing is known of what a fault of this kind should bring about")

EXPECTED: dict[str, Expectation] = {
    "down": _REFUSED,
    "reset": _REFUSED,
    "kill": _REFUSED,
    "black_hole": _STALLED,
    "stall": _STALLED,
    "timeout": _STALLED,
    "freeze": _STALLED,
    "latency": _SLOW,
    "bandwidth": _SLOW,
    "slicer": _SLOW,
    "slow_close": _SLOW,
    "limit_data": Expectation(None, None, "connections end after so many bytes, which may be none at all"),
    "loss_of_connection": Expectation(None, None, "a share of the connections is lost, and others stand"),
    "packet_loss": Expectation(None, None, "TCP sends again what is lost"),
    "force_open": _ORDERED,
    "force_close": Expectation(ORDER_OPENS_WITHIN_S, None, "an order holds at once, and opens nothing"),
    "source_pause": Expectation(ORDER_OPENS_WITHIN_S, None, "who is paused is in no breaker's group"),
    "source_detour": Expectation(None, None, "the way round is made for other faults, and is none itself"),
    "devnet_fault": _SHUT_OUT,
    "lie": _SHUT_OUT,
    "clock_skew": Expectation(None, None, "a clock that is off within the rules is no fault"),
    "hog": _MACHINE,
}


def expectation_of(kind: str) -> Expectation:
    """Return what is due for a kind of fault; of one that isn't known nothing is."""
    return EXPECTED.get(kind.replace("-", "_"), _UNKNOWN)
