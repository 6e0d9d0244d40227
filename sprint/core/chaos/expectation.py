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
_RIGHTFUL = Expectation(None, None, "a node may do so, and nothing is to be cut off for it")
_LOSSY = Expectation(None, None, "what is lost is sent again, or the connection made again")
_RELAY = Expectation(None, None, "the relay itself was the target: what counts is how it comes back")
_UNKNOWN = Expectation(None, None, "nothing is known of what a fault of this kind should bring about")
RELAY = "relay"

EXPECTED: dict[str, Expectation] = {
    # On the way to a source, by a fault proxy or nft.
    "down": _REFUSED,
    "reset": _REFUSED,
    "black_hole": _STALLED,
    "stall": _STALLED,
    "timeout": _STALLED,
    "latency": _SLOW,
    "bandwidth": _SLOW,
    "slicer": _SLOW,
    "slow_close": _SLOW,
    "limit_data": Expectation(None, None, "connections end after so many bytes, which may be none at all"),
    "loss_of_connection": _LOSSY,
    "packet_loss": _LOSSY,
    "source_detour": Expectation(None, None, "the way round is made for other faults, and is none itself"),
    # On a source's process, and on the machine.
    "kill": _REFUSED,
    "freeze": _STALLED,
    "hog_cpu": _MACHINE,
    "hog_memory": _MACHINE,
    "hog_descriptors": _MACHINE,
    "hog_disk": Expectation(None, None, "a full disk opens the store's breaker, one with room left does not"),
    "limit_descriptors": Expectation(None, None, "what is open stays open, and what is new is refused"),
    # By the admin API.
    "force_open": _ORDERED,
    "force_close": Expectation(ORDER_OPENS_WITHIN_S, None, "an order holds at once, and opens nothing"),
    "pause_source": Expectation(ORDER_OPENS_WITHIN_S, None, "who is paused is in no breaker's group"),
    # By a devnet node itself.
    "bad_merkle": _SHUT_OUT,
    "bad_proof": _SHUT_OUT,
    "lying_json": Expectation(None, None, "it lies over JSON-RPC alone, which nobody may have asked"),
    "drip": _SLOW,
    "delay": _SLOW,
    "disconnect": _LOSSY,
    "lose": _LOSSY,
    "duplicate": _RIGHTFUL,
    "reorder": _RIGHTFUL,
    "replay": _RIGHTFUL,
    "fork": _RIGHTFUL,
    "short_fork": _RIGHTFUL,
    "wrong_parent": _RIGHTFUL,
    "clock_ahead": Expectation(None, None, "a clock that is off within the rules is no fault"),
    "clock_behind": Expectation(None, None, "a clock that is off within the rules is no fault"),
}


def expectation_of(kind: str, target: str) -> Expectation:
    """Return what is due for a fault; of a kind not known, or at the relay itself, nothing is."""
    if target == RELAY:
        return _RELAY
    return EXPECTED.get(kind.replace("-", "_"), _UNKNOWN)
