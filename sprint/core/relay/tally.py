"""What one chain has judged since the start, in numbers. The edge turns them into metrics.

The keys of `refusals` are names of checks, which a chain's processor has few of; never a peer's choice.
"""

from __future__ import annotations

from collections import Counter, deque

import msgspec

REFUSALS_KEPT = 16  # the newest, for whoever asks what was refused


class Refusal(msgspec.Struct, frozen=True):
    """A header or body that was refused. `hash` is in wire order."""

    hash: bytes
    source: str
    check: str
    reason: str


class Tally:
    """Counts of one chain; each only grows."""

    __slots__ = (
        "blocks_accepted",
        "blocks_refused",
        "headers_accepted",
        "headers_refused",
        "newest_refusals",
        "refusals",
        "verdicts_known",
        "verdicts_missed",
    )

    def __init__(self) -> None:
        self.headers_accepted = 0
        self.headers_refused = 0
        self.blocks_accepted = 0
        self.blocks_refused = 0
        self.verdicts_known = 0  # bodies that came and whose verdict was there, or being made, already
        self.verdicts_missed = 0  # bodies that had to be judged
        self.refusals: Counter[str] = Counter()
        self.newest_refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)

    def __repr__(self) -> str:
        return f"Tally({self.blocks_accepted} blocks accepted, {self.blocks_refused} refused)"

    def refuse_header(self, refusal: Refusal) -> None:
        self.headers_refused += 1
        self._note(refusal)

    def refuse_block(self, refusal: Refusal) -> None:
        self.blocks_refused += 1
        self._note(refusal)

    def _note(self, refusal: Refusal) -> None:
        self.refusals[refusal.check] += 1
        self.newest_refusals.append(refusal)
