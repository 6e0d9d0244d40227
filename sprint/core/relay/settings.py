"""Settings and named limits of the relay's core. One record per chain; nobody is handed more."""

from __future__ import annotations

import msgspec

HASHES_ANNOUNCED_MAX = 1024  # hashes that sources named and whose header is not known yet
ORPHANS_MAX = 128  # valid bodies whose parent's header is not known yet; records, not raw blocks
PENDING_ANNOUNCEMENTS_MAX = 64  # announcements that wait for a header being proved
PENDING_BYTES_MAX = 16_000_000  # of their headers: merge-mined ones come in messages of 4 MB
HEADERS_PROVING_BYTES_MAX = 16_000_000  # of the headers that are being proved
BODIES_PROVING_BYTES_MAX = 128_000_000  # of the bodies that are; an extension block may have 20 MB
REJECTED_HASHES_MAX = 1024  # hashes that can never be valid
FOREIGN_ANSWERS_MAX = 3  # of a source that has connected nothing yet, before it is taken for another chain's
UNCONNECTING_MAX = 10  # announcements of one source without a known parent before it is penalised
UNCONNECTING_EVERY_S = 1.0  # those within it count as one: they were sent before the answer to the first
SIDE_BODIES_IN_FLIGHT_MAX = 8  # bodies asked for at a time that are not of the best branch
LATE_WANTS_MAX = 32  # bodies wanted at a time of those that a gap passed over
SIDE_ROUNDS_MAX = 8  # times that all sources are asked for a body that is not of the best branch
SIDE_HEADERS_MAX = 4096  # headers in the tree beyond its retained depth; then only a better branch enters
HEADERS_AHEAD_MAX = (
    8192  # of the head, while a long catch-up's headers come; then a gap is made of the excess
)
IDLE_ANSWERS_MAX = 2  # full answers of one source that add nothing, before it is taken as having no more
LOCATOR_DENSE = 10  # newest hashes in a locator before its steps double


class ChainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one chain is followed.

    `retained_blocks_max`: how far below the head the tree reaches, and so how deep a reorg may go.
    `catch_up_blocks_max`: how many missed blocks are delivered in order; those before them become a gap.
    `bodies_in_flight_max` is per source. `body_timeout_s` withdraws a header whose body cannot be had;
    `gap_after_s` passes over one that holds others up. `head_poll_s`: a silent head is asked for again.
    `finality_depth`: confirmations after which a block is told as `finalized`; None tells of none.
    `quorum`: providers that a block waits for, at most `quorum_wait_ms`, or for good if `quorum_strict`.
    A source that is `lag_blocks_max` blocks behind, or behind at all for `lag_s_max`, is demoted.
    """

    retained_blocks_max: int = 4032
    catch_up_blocks_max: int = 2016
    bodies_in_flight_max: int = 16
    proofs_in_work_max: int = 32
    body_request_timeout_s: float = 2.0
    body_timeout_s: float = 30.0
    gap_after_s: float = 60.0
    late_retry_s: float = 5.0
    late_retry_max_s: float = 600.0
    late_retries_max: int = 100
    finality_depth: int | None = None
    head_poll_s: float = 30.0
    quorum: int = 1
    quorum_wait_ms: int = 500
    quorum_strict: bool = False
    lag_blocks_max: int = 16
    lag_s_max: float = 30.0
    sources_grace_s: float = 10.0
    no_block_alarm_s: float | None = None
