"""What any kind of source says, in the one form that the pipeline admits.

`source` is the source's name; `read_at` the monotonic time at which the last byte of it was read.
"""

from __future__ import annotations

import msgspec


class HeadersAnnounced(msgspec.Struct, frozen=True):
    """Raw headers, oldest first. `full` says that the source may have more after the last."""

    source: str
    headers: tuple[bytes, ...]
    read_at: float
    full: bool = False


class HeadersWithheld(msgspec.Struct, frozen=True):
    """The source has read a request for headers and gives none yet; `reason` says in words why."""

    source: str
    reason: str
    read_at: float


class HistoryLimited(msgspec.Struct, frozen=True):
    """The source has the bodies of its newest blocks only: `blocks` of them, up to a `height`."""

    source: str
    blocks: int
    height: int
    read_at: float


class HashesAnnounced(msgspec.Struct, frozen=True):
    """Block hashes without headers."""

    source: str
    hashes: tuple[bytes, ...]
    read_at: float


class BlockArrived(msgspec.Struct, frozen=True):
    """A whole raw block."""

    source: str
    raw: bytes
    read_at: float


class BodiesNotFound(msgspec.Struct, frozen=True):
    """The source has not got these bodies."""

    source: str
    hashes: tuple[bytes, ...]
    read_at: float


class SequenceLost(msgspec.Struct, frozen=True):
    """Messages of a publisher never came: `lost` of a topic, 0 where it began to count anew.

    What they told is unknown; whoever serves headers has to be asked.
    """

    source: str
    topic: str
    lost: int
    read_at: float


Announcement = (
    HeadersAnnounced
    | HeadersWithheld
    | HistoryLimited
    | HashesAnnounced
    | BlockArrived
    | BodiesNotFound
    | SequenceLost
)
