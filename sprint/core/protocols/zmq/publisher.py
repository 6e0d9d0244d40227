"""The end that publishes: what a node's publisher sends when its best branch changes.

As Bitcoin Core does it: each block that left or joined is told of by `sequence`, the new tip alone by
`hashblock` and `rawblock`, and by neither where the branch was merely cut back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sprint.core.protocols.zmq.frames import (
    CONNECTED,
    DISCONNECTED,
    HASHBLOCK,
    RAWBLOCK,
    SEQUENCE,
    encode_message,
    hash_payload,
    sequence_payload,
)

Parts = tuple[bytes, bytes, bytes]


class NumberedPublisher:
    """Numbers the messages of each topic from 0. Hashes are in wire order."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()
        self._losing = 0

    def __repr__(self) -> str:
        return f"NumberedPublisher({dict(self._numbers)})"

    @property
    def losing(self) -> int:
        """How many of the next messages are numbered and not sent."""
        return self._losing

    def lose(self, count: int) -> None:
        """Number the next messages and send none of them, as a publisher whose queue is full."""
        self._losing += count

    def send_all(self) -> None:
        """Lose no more of the next messages."""
        self._losing = 0

    def tip_moved(self, removed: Sequence[bytes], added: Sequence[bytes], raw_tip: bytes) -> list[Parts]:
        """Return the messages of one change: of blocks that left, newest first, and joined, oldest first."""
        payloads = [(SEQUENCE, sequence_payload(each, DISCONNECTED)) for each in removed]
        payloads += [(SEQUENCE, sequence_payload(each, CONNECTED)) for each in added]
        if added:
            payloads += [(HASHBLOCK, hash_payload(added[-1])), (RAWBLOCK, raw_tip)]
        return [parts for each in payloads if (parts := self._numbered(*each)) is not None]

    def _numbered(self, topic: str, payload: bytes) -> Parts | None:
        parts = encode_message(topic, payload, self._numbers[topic])
        self._numbers[topic] += 1
        if self._losing:
            self._losing -= 1
            return None
        return parts
