"""The words of the breaker: states, outcomes of a call, and the evidence that a decision rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

State = Literal["closed", "open", "half_open", "force_open", "force_close"]

# success, failure   the call ended and tells of what was called
# ignored            the call ended in a way that is not the callee's affair: in no figure at all
# inconclusive       the call ended and tells nothing: told to slow down, or no answer within its lease
# cancelled          the caller gave up
# The last three are neither success nor failure, and a trial that ends so gives its place back.
Outcome = Literal["success", "failure", "ignored", "inconclusive", "cancelled"]

# A uniform number of 0 <= x < 1, a new one at each call.
Rng = Callable[[], float]


# Of what an error says, so much stands in evidence: it may have come from whoever was called.
WHY_LENGTH_MAX = 200
# Who gave an order stands before the operator's reason, which is bounded as well.
ORDER_LENGTH_MAX = 240


def because(text: str, why: str) -> str:
    """Return a sentence with why it is so behind it, cut and made printable; the sentence alone without."""
    return f"{text}: {plain(why, WHY_LENGTH_MAX)}" if why else text


def plain(text: str, length_max: int) -> str:
    """Return a text of others cut and made printable, as a breaker may keep it.

    One letter beyond Latin-1 makes Python keep all of a text in two or four bytes each, and a breaker keeps
    64 sentences: such letters are question marks here, so that it stays within its memory.
    """
    shown = "".join(letter if letter.isprintable() and letter <= "ÿ" else "?" for letter in text[:length_max])
    return f"{shown}..." if len(text) > length_max else shown


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision rests on: who decided, what was measured, and what it was held against.

    `calls` is how many calls the figure rests on; 0 where it rests on none, as an operator's word does.
    `text` is a sentence for people, with the figures in it.
    """

    detector: str
    measured: float = 0.0
    limit: float = 0.0
    calls: int = 0
    text: str


def ordered(cause: str, why: str) -> Evidence:
    """Return the evidence of an operator's word: why, as a breaker may keep it, or else what it was."""
    return Evidence(detector="operator", text=plain(why, ORDER_LENGTH_MAX) or f"an operator's {cause}")


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a window holds, and nothing that has left it.

    `slow` counts those of `successes` and `failures` that took longer than `slow_call_s`. `inconclusive` and
    `cancelled` and `rejected` stand beside the calls and are in no rate.
    """

    successes: int = 0
    failures: int = 0
    slow: int = 0
    rejected: int = 0
    inconclusive: int = 0
    cancelled: int = 0
    latency_sum_s: float = 0.0
    span_s: float = 0.0

    @property
    def calls(self) -> int:
        """How many calls tell of the callee: successes and failures."""
        return self.successes + self.failures

    @property
    def failure_rate(self) -> float:
        """Share of failures, 0.0 to 1.0; 0.0 where there are no calls."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """Share of slow calls, 0.0 to 1.0; 0.0 where there are no calls."""
        return self.slow / self.calls if self.calls else 0.0
