"""Admit: decide cheaply what an announcement is.

A duplicate, something to wait or to ask for, a fault of the source, or a `Proof` to run. Order of checks:
cheap structure, known?, proof; marking comes last, in `settle`, because marking before proof would let a
peer poison hashes. Nothing here raises on what a peer sent.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains import display_hash
from sprint.core.errors import WireError
from sprint.core.protocols.announcements import (
    Announcement,
    BlockArrived,
    BodiesNotFound,
    HashesAnnounced,
    HeadersAnnounced,
    HeadersWithheld,
    HistoryLimited,
    SequenceLost,
)
from sprint.core.relay.fetch import Request
from sprint.core.relay.head import Node
from sprint.core.relay.outcome import Penalty
from sprint.core.relay.prove import BlockProof, HeadersProof, HeadersRun, Proof
from sprint.core.relay.settings import (
    BODIES_PROVING_BYTES_MAX,
    FOREIGN_ANSWERS_MAX,
    HEADERS_PROVING_BYTES_MAX,
    UNCONNECTING_MAX,
)
from sprint.core.relay.state import ChainState

INVALID_PENALTY = 100
DISORDER_PENALTY = 20
HASH_WANTS_MAX = 16  # bodies asked for by hash alone, before their header is known


class Duplicate(msgspec.Struct, frozen=True):
    """Nothing new: known, or being proved. It was counted as a confirmation."""

    reason: str


class Wait(msgspec.Struct, frozen=True):
    """Kept back until what it depends on is settled, or dropped at a bound and asked for again later."""

    reason: str


class Fetch(msgspec.Struct, frozen=True):
    """Something has to be asked for first."""

    requests: tuple[Request, ...]


class Refused(msgspec.Struct, frozen=True):
    penalty: Penalty


Decision = Duplicate | Wait | Fetch | Refused | Proof


class Admission:
    """Decides on announcements by what the chain's state knows."""

    def __init__(self, state: ChainState) -> None:
        self._state = state

    def admit(self, announcement: Announcement, now: float) -> Decision:
        if isinstance(announcement, HeadersWithheld):
            return self._withheld(announcement, now)
        if isinstance(announcement, HistoryLimited):
            self._state.fetcher.keeps_newest(announcement.source, announcement.blocks, announcement.height)
            return Wait("it tells only what may be asked of its source")
        self._state.announcers.heard(announcement.source, now)
        gives = isinstance(announcement, HeadersAnnounced | HashesAnnounced)
        if gives and self._state.syncing.over(announcement.source, now):
            self._state.take_in(announcement.source)
        if isinstance(announcement, BlockArrived):
            return self._block(announcement)
        if isinstance(announcement, HeadersAnnounced):
            return self._headers(announcement, now)
        if isinstance(announcement, HashesAnnounced):
            return self._hashes(announcement, now)
        if isinstance(announcement, SequenceLost):
            return self._ask_about(announcement.source, now)
        return self._not_found(announcement, now)

    def _withheld(self, announcement: HeadersWithheld, now: float) -> Decision:
        """Do without a source until it has something to say, but for asking it for headers now and then."""
        state, source = self._state, announcement.source
        if source in state.synced and state.syncing.begin(source, announcement.reason, now):
            state.synced[source] = False
            state.fetcher.source_lost(source)
            state.board.lost(source)
        return Wait("its node is still syncing")

    def _headers(self, announcement: HeadersAnnounced, now: float) -> Decision:
        state, source = self._state, announcement.source
        try:
            pairs = [state.processor.header_of(raw) for raw in announcement.headers]
        except WireError as error:
            return _refused(source, INVALID_PENALTY, str(error))
        hashes = tuple(block_hash for block_hash, _ in pairs)
        if any(pairs[i][1] != hashes[i - 1] for i in range(1, len(pairs))):
            return _refused(source, DISORDER_PENALTY, "headers that do not follow one another")
        refusal = next(filter(None, map(self._refusal, (*hashes, *(p for _, p in pairs[:1])))), None)
        if refusal is not None:
            return _refused(source, INVALID_PENALTY, f"a header on a refused block: {refusal}")
        start = self._skip_known(hashes, source, announcement.read_at)
        if start > 0:
            state.book.connected(source)
        if start < len(hashes):
            return self._new_headers(announcement, hashes, start, pairs[start][1], now)
        if announcement.full or not state.synced.get(source, True):
            if hashes and hashes[-1] in state.book.proving_headers:
                # Whether this source has more than others gave is known once these are in the tree.
                return Wait(state.book.wait(announcement))
            return HeadersProof(state.processor, announcement, HeadersRun(), hashes[-1:])
        return Duplicate("headers known")

    def _skip_known(self, hashes: tuple[bytes, ...], source: str, read_at: float) -> int:
        """Count the confirmations at the start; return where what is new begins."""
        state = self._state
        for index, block_hash in enumerate(hashes):
            node = state.tree.get(block_hash)
            if node is not None:
                state.confirm(node, source, read_at)
            elif block_hash in state.book.proving_headers:
                state.book.note(block_hash, source, read_at)
            else:
                return index
        return len(hashes)

    def _new_headers(
        self,
        announcement: HeadersAnnounced,
        hashes: tuple[bytes, ...],
        start: int,
        parent: bytes,
        now: float,
    ) -> Decision:
        state, source = self._state, announcement.source
        new = hashes[start:]
        below = state.tree.get(parent)
        if below is not None:
            state.book.connected(source)
            state.far_behind.discard(source)
            return self._proof_of(announcement, HeadersRun(announcement.headers[start:], new), below, now)
        if parent in state.book.proving_headers:
            state.book.connected(source)
            return Wait(state.book.wait(announcement))
        if parent == state.genesis_hash:
            # Of this chain, but it has none of the blocks kept here: nothing of it can be connected.
            state.synced[source] = True
            state.far_behind.add(source)
            return Wait("its branch leaves this chain below the kept tree")
        if not self._is_unproved(source) and state.book.is_burst(source, now):
            state.book.note(hashes[-1], source, announcement.read_at)
            return Wait("what lies below it was asked for a moment ago")
        penalty = self._unconnecting(source, parent, now)
        if penalty is not None:
            return Refused(penalty)
        state.book.note(hashes[-1], source, announcement.read_at)
        return Fetch((state.headers_request(source),))

    def _proof_of(
        self, announcement: HeadersAnnounced, run: HeadersRun, below: Node, now: float
    ) -> HeadersProof | Wait:
        """Have headers proved on a known one, or drop them at the bound: they will be asked for again."""
        state, proving = self._state, self._state.book.proving_headers
        if not proving.has_room(sum(map(len, run.headers)), HEADERS_PROVING_BYTES_MAX):
            return Wait(f"{proving.size_bytes} bytes of headers are being proved; dropped")
        for block_hash, raw in zip(run.hashes, run.headers, strict=True):
            proving.add(block_hash, raw)
        run = HeadersRun(run.headers, run.hashes, state.ground(below, now))
        return HeadersProof(state.processor, announcement, run, run.hashes[-1:])

    def _unconnecting(self, source: str, parent: bytes, now: float) -> Penalty | None:
        """Count headers without a known parent; a penalty at each bound.

        Every request for headers ends with the genesis block, so the first answer of a source of this chain
        connects, or begins above genesis. One that does neither is of another chain, which may well have the
        same magic.
        """
        state = self._state
        count = state.book.unconnecting(source, now)
        if self._is_unproved(source):
            if count < FOREIGN_ANSWERS_MAX:
                return None
            reason = (
                f"its chain begins at {display_hash(parent)}, which is not known here, instead of genesis "
                f"{display_hash(state.genesis_hash)}: a node of another chain?"
            )
            return Penalty(source, INVALID_PENALTY, reason)
        if count < UNCONNECTING_MAX:
            return None
        state.book.forgive(source)
        reason = f"{count} announcements in a row without a known parent"
        return Penalty(source, DISORDER_PENALTY, reason)

    def _is_unproved(self, source: str) -> bool:
        """Tell whether nothing has shown yet that a source is of this chain."""
        return not self._state.synced.get(source, True) and not self._state.book.is_of_this_chain(source)

    def _hashes(self, announcement: HashesAnnounced, now: float) -> Decision:
        state, source, unknown = self._state, announcement.source, []
        for block_hash in announcement.hashes:
            node = state.tree.get(block_hash)
            if node is not None:
                state.confirm(node, source, announcement.read_at)
            elif state.book.rejected(block_hash) is None:
                state.book.note(block_hash, source, announcement.read_at)
                unknown.append(block_hash)
        if not unknown:
            return Duplicate("hashes known")
        if source in state.announcers:
            # Who has the header will be asked for the body: asked of one that has neither, it would be
            # waited for in vain.
            if all(block_hash in state.book.proving_bodies for block_hash in unknown):
                return Duplicate("bodies being proved")
            return self._ask_about(source, now)
        last = unknown[-1]
        # The body is asked for at once: it saves a round trip when the header turns out to connect.
        if state.begun and len(state.hash_wants) < HASH_WANTS_MAX and last not in state.book.proving_bodies:
            state.hash_wants.add(last)
            state.fetcher.want(last, state.tree.best_header.height + 1, (source,), best=False)
        return Fetch((state.headers_request(source), *state.fetcher.assign(now)))

    def _ask_about(self, source: str, now: float) -> Decision:
        """Ask for the headers that a source spoke of; of all others where it has none to give."""
        if not self._state.announcers.may_ask(source, now):
            return Wait("the others know none of the last blocks it told of; they are asked less often")
        return Fetch(tuple(self._state.headers_requests(source)))

    def _block(self, announcement: BlockArrived) -> Decision:
        state, source = self._state, announcement.source
        try:
            block_hash, parent = state.processor.header_of(announcement.raw)
        except WireError as error:
            return _refused(source, INVALID_PENALTY, str(error))
        requested = state.fetcher.was_asked_of(block_hash, source)
        sent_at = state.fetcher.arrived(block_hash, source)
        if sent_at is not None:
            state.board.answered(source, max(0.0, announcement.read_at - sent_at))
        refusal = self._refusal(block_hash) or self._refusal(parent)
        if refusal is not None:
            state.tally.verdicts_known += 1
            return _refused(source, INVALID_PENALTY, f"a body of a refused block: {refusal}")
        node = state.tree.get(block_hash)
        if node is not None:
            state.confirm(node, source, announcement.read_at)
        else:
            state.book.note(block_hash, source, announcement.read_at)
        here = block_hash in state.orphans or (node is not None and state.has_body(node))
        if here or block_hash in state.book.proving_bodies:
            state.tally.verdicts_known += 1
            return Duplicate("body known or being proved")
        if not state.begun:
            return Wait("headers are still being fetched; the body will be asked for")
        if not requested and len(state.book.proving_bodies) >= state.settings.proofs_in_work_max:
            return Wait(f"{state.settings.proofs_in_work_max} bodies are being proved; dropped")
        if not state.book.proving_bodies.has_room(len(announcement.raw), BODIES_PROVING_BYTES_MAX):
            state.fetcher.failed(block_hash, source)
            return Wait(f"{state.book.proving_bodies.size_bytes} bytes of bodies are being proved; dropped")
        state.book.proving_bodies.add(block_hash, announcement.raw)
        state.tally.verdicts_missed += 1
        return BlockProof(state.processor, announcement, block_hash, node.header if node else None)

    def _not_found(self, announcement: BodiesNotFound, now: float) -> Decision:
        for block_hash in announcement.hashes:
            self._state.fetcher.failed(block_hash, announcement.source)
        return Fetch(tuple(self._state.fetcher.assign(now)))

    def _refusal(self, block_hash: bytes) -> str | None:
        """Why a hash can never be valid, if that is known."""
        node = self._state.tree.get(block_hash)
        if node is not None and node.invalid:
            return "it, or one below it, broke a rule"
        return self._state.book.rejected(block_hash)


def _refused(source: str, points: int, reason: str) -> Refused:
    return Refused(Penalty(source, points, reason))
