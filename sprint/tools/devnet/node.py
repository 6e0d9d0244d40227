"""One devnet node without sockets: a ledger, the sessions it serves, and what it tells them.

A node announces as Bitcoin Core does: what joined its best branch, by headers where that is little, else
only its tip. A burst mined in one call is announced once, and a branch that is merely cut back is not
announced at all; whoever follows must ask. The edge hands in time and moves bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ConfigError
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.messages import NODE_MWEB, NODE_WITNESS
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.devnet.merged_mining import Lie

SESSIONS_MAX = 64
BLOCKS_PER_CALL_MAX = 10_000
DEFAULT_SETTINGS = SessionSettings(user_agent="/sprint-devnet/", services=NODE_WITNESS | NODE_MWEB)


class DevnetNode:
    """A ledger with its sessions. `now` is on the caller's monotonic clock, `timestamp` in Unix seconds."""

    def __init__(
        self,
        ledger: RegtestLedger,
        parameters: NetworkParameters,
        settings: SessionSettings = DEFAULT_SETTINGS,
    ) -> None:
        self.ledger = ledger
        self.parameters = parameters
        self._settings = settings
        self.sessions: list[ServingSession] = []
        # Told of each change of the best branch: hashes that left it, newest first, and joined, oldest first.
        self.tip_watchers: list[Callable[[list[bytes], list[bytes]], None]] = []

    def __repr__(self) -> str:
        return f"DevnetNode({self.ledger!r}, {len(self.sessions)} sessions)"

    def open_session(
        self, nonce: int, now: float, *, unix_time_offset_s: float = 0.0
    ) -> ServingSession | None:
        """Start serving one connection; None if SESSIONS_MAX are being served."""
        if len(self.sessions) >= SESSIONS_MAX:
            return None
        settings = msgspec.structs.replace(self._settings, unix_time_offset_s=unix_time_offset_s)
        session = ServingSession(self.parameters, self.ledger, settings, nonce=nonce, now=now)
        self.sessions.append(session)
        return session

    def close_session(self, session: ServingSession) -> None:
        """Forget a session. It may have been forgotten before."""
        if session in self.sessions:
            self.sessions.remove(session)

    def mine(self, count: int, timestamp: int, now: float, *, transactions: int = 0) -> list[bytes]:
        """Mine `count` blocks on the tip, then announce them. Returns their hashes, oldest first.

        If a later one cannot be mined, those before it are announced, and its ConfigError is raised.
        """
        _check_count(count)
        old_tip = self.ledger.tip
        try:
            return [self.ledger.mine(timestamp, transactions=transactions) for _ in range(count)]
        finally:
            self._announce(old_tip, now)

    def tell(self, lie: Lie | HeaderLie, timestamp: int, now: float) -> bytes:
        """Mine one false block on the tip and announce it as any other. Returns its hash."""
        old_tip = self.ledger.tip
        block_hash = self.ledger.mine(timestamp, lie=lie)
        self._announce(old_tip, now)
        return block_hash

    def reorg(self, depth: int, timestamp: int, now: float, *, transactions: int = 0) -> list[bytes]:
        """Replace the newest `depth` blocks by a branch one block longer; returns the branch's hashes."""
        _check_count(depth)
        fork = self.ledger.best_chain_hash_at(self.ledger.height() - depth)
        if fork is None:
            raise ConfigError(f"a reorg of {depth} blocks at height {self.ledger.height()}")
        old_tip = self.ledger.tip
        branch: list[bytes] = []
        for _ in range(depth + 1):
            parent = branch[-1] if branch else fork
            branch.append(self.ledger.mine(timestamp, parent=parent, transactions=transactions))
        self._announce(old_tip, now)
        return branch

    def learn(self, other: RegtestLedger, block_hash: bytes, now: float) -> None:
        """Take in a block of another node, with those below it, and announce it if it becomes the tip."""
        old_tip = self.ledger.tip
        self.ledger.learn(other, block_hash)
        self._announce(old_tip, now)

    def invalidate(self, block_hash: bytes, now: float) -> None:
        """Drop a block and its descendants; if another branch takes over, announce it."""
        old_tip = self.ledger.tip
        self.ledger.invalidate(block_hash)
        self._announce(old_tip, now)

    def reconsider(self, block_hash: bytes, now: float) -> None:
        """Undo `invalidate`, and announce the branch that takes over."""
        old_tip = self.ledger.tip
        self.ledger.reconsider(block_hash)
        self._announce(old_tip, now)

    def show(self, fault: Fault, amount: int, timestamp: int, now: float) -> list[bytes]:
        """Show a fault of what is told; returns the hashes of blocks that were mined for it, oldest first."""
        match fault:
            case Fault.DUPLICATE:
                self._tell_of([self._newest(amount)], now)
            case Fault.REPLAY:
                self._tell_of([[header] for header in self._newest(amount)], now)
            case Fault.REORDER:
                return self._reorder(amount, timestamp, now)
            case Fault.FORK:
                return self.reorg(min(amount, self.ledger.height()), timestamp, now)
            case Fault.SHORT_FORK:
                return self._short_fork(amount, timestamp, now)
            case Fault.WRONG_PARENT:
                self._tell_of([[self.ledger.orphan_header(timestamp)]], now)
            case Fault.BAD_MERKLE:
                return [self.tell(HeaderLie.MERKLE_ROOT, timestamp, now)]
            case Fault.BAD_PROOF:
                return [self.tell(HeaderLie.NO_WORK, timestamp, now)]
            case _:
                raise ConfigError(f"{fault} is a fault of the line, which a node without sockets has not")
        return []

    def _reorder(self, amount: int, timestamp: int, now: float) -> list[bytes]:
        """Mine blocks and announce them newest first; who watches the tip is told of them in order."""
        old_tip = self.ledger.tip
        mined = [self.ledger.mine(timestamp) for _ in range(amount)]
        self._tell_of([[header] for header in reversed(self._newest(amount))], now)
        self._tell_watchers(old_tip)
        return mined

    def _short_fork(self, amount: int, timestamp: int, now: float) -> list[bytes]:
        """Mine a branch one block shorter than the newest `amount` (one block at least), and announce it."""
        depth = min(max(amount, 2), self.ledger.height())
        parent = self.ledger.best_chain_hash_at(self.ledger.height() - depth)
        branch: list[bytes] = []
        for _ in range(depth - 1):
            parent = self.ledger.mine(timestamp, parent=parent)
            branch.append(parent)
        headers = [header for header in map(self.ledger.header, branch) if header is not None]
        self._tell_of([headers], now)
        return branch

    def _newest(self, count: int) -> list[bytes]:
        """Raw headers of the newest blocks of the best branch, oldest first; genesis is never among them."""
        first = max(1, self.ledger.height() - count + 1)
        hashes = self.ledger.best_chain_from(first, count)
        return [header for header in map(self.ledger.header, hashes) if header is not None]

    def _tell_of(self, runs: Sequence[Sequence[bytes]], now: float) -> None:
        """Announce runs of headers, each in a message of its own."""
        for session in self.sessions:
            for run in runs:
                session.announce(run, now)

    def _announce(self, old_tip: bytes, now: float) -> None:
        self._tell_of([self.ledger.connected_since(old_tip)], now)
        self._tell_watchers(old_tip)

    def _tell_watchers(self, old_tip: bytes) -> None:
        removed = self.ledger.removed_since(old_tip)
        count = len(self.ledger.connected_since(old_tip))
        added = self.ledger.best_chain_from(self.ledger.height() - count + 1, count)
        for watch in self.tip_watchers if removed or added else ():
            watch(removed, added)


def _check_count(count: int) -> None:
    if not 1 <= count <= BLOCKS_PER_CALL_MAX:
        raise ConfigError(f"{count} blocks in one call, limit 1 to {BLOCKS_PER_CALL_MAX}")
