"""The relay's ear at one node's ZMQ publisher: messages in, announcements out, losses noticed.

A session outlives its connections: what was published while there was none shows as a jump in a topic's
number. A jump says how many messages were lost, not what they told, so all that follows from one is
`SequenceLost`: whoever serves headers is asked for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sprint.core.errors import WireError
from sprint.core.protocols.announcements import Announcement, BlockArrived, HashesAnnounced, SequenceLost
from sprint.core.protocols.zmq.frames import NUMBER_WRAP, Message, decode_message

SCORE_MAX = 100
MALFORMED_PENALTY = 20


class ZmqSession:
    """One publisher. `counts` are of what was not as it should be, by kind; `lost` counts messages."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.counts: Counter[str] = Counter()
        self.lost = 0
        self.messages = 0
        self.score = 0
        self.closed: str | None = None
        self._expected: dict[str, int] = {}  # by topic

    def __repr__(self) -> str:
        return f"ZmqSession({self.source}, {self.messages} messages, {self.lost} lost)"

    def connected(self) -> None:
        """Begin on a new connection: score and verdict are those of one connection, numbers are not."""
        self.score, self.closed = 0, None

    def receive(self, parts: Sequence[bytes], read_at: float) -> list[Announcement]:
        """Take one message; return what it announces, a loss before it first."""
        if self.closed is not None:
            return []
        self.messages += 1
        try:
            message = decode_message(parts)
        except WireError as error:
            self.counts[error.kind] += 1
            self.penalise(min(error.penalty, MALFORMED_PENALTY), str(error))
            return []
        found: list[Announcement] = []
        lost = self._count(message)
        if lost is not None:
            found.append(SequenceLost(self.source, message.topic, lost, read_at))
        if message.raw_block:
            found.append(BlockArrived(self.source, message.raw_block, read_at))
        elif message.block_hash:
            found.append(HashesAnnounced(self.source, (message.block_hash,), read_at))
        return found

    def penalise(self, points: int, reason: str) -> None:
        """Take points from the publisher's score; at the limit the session closes."""
        self.score += points
        if self.score >= SCORE_MAX and self.closed is None:
            self.closed = f"{reason} (score {self.score}, limit {SCORE_MAX})"

    def _count(self, message: Message) -> int | None:
        """Note a topic's number; return how many messages are missing, 0 where the publisher began anew."""
        expected = self._expected.get(message.topic)
        self._expected[message.topic] = (message.number + 1) % NUMBER_WRAP
        if expected is None or message.number == expected:
            return None
        ahead = (message.number - expected) % NUMBER_WRAP
        if ahead >= NUMBER_WRAP // 2:
            # Lower than before: another run of the node, whose first messages may be among the lost ones.
            self.counts["restarted"] += 1
            return 0
        self.counts["sequence_lost"] += 1
        self.lost += ahead
        return ahead
