"""Where one block is on its way, by its hash: the answer to "what became of this block?".

Everything is read from what the pipeline keeps anyway, so an answer costs a few look-ups and reaches as far
back as the chain tree and the bounded list of refused hashes do.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sprint.core.chains import display_hash
from sprint.core.relay.head import Node
from sprint.core.relay.state import ChainState

# In the order of a block's way; `rejected` ends it at any point.
BlockState = Literal["received", "fetching", "proving", "accepted", "rejected", "relayed"]


class Arrival(msgspec.Struct, frozen=True):
    """One source that announced the block, and how long after the first one."""

    source: str
    offset_ms: float


class BlockStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` says why it is refused, or what it waits for. `checks` are those its body passed.

    `asked_of` is the source that its body is being waited for from, and `attempts` how often it was asked
    for at all.
    """

    chain: str
    hash: str
    state: BlockState
    reason: str = ""
    height: int | None = None
    checks: tuple[str, ...] = ()
    asked_of: str | None = None
    attempts: int = 0
    sources: tuple[Arrival, ...] = ()


def block_status(state: ChainState, chain: str, block_hash: bytes) -> BlockStatus | None:
    """Return where a block is; None where nothing is known of its hash."""
    node = state.tree.get(block_hash)
    place = _place_in_tree(state, node) if node is not None else _place_beside(state, block_hash)
    if place is None:
        return None
    where, reason = place
    want = state.fetcher.get(block_hash)
    return BlockStatus(
        chain=chain,
        hash=display_hash(block_hash),
        state=where,
        reason=reason,
        height=node.height if node is not None else None,
        checks=node.record.checks if node is not None and node.record is not None else (),
        asked_of=want.asked_of if want is not None else None,
        attempts=sum(want.tries.values()) if want is not None else 0,
        sources=_arrivals(node.sources if node is not None else state.book.arrivals(block_hash)),
    )


def _place_in_tree(state: ChainState, node: Node) -> tuple[BlockState, str]:
    if node.invalid:
        return "rejected", state.book.rejected(node.hash) or "it stands on a refused block"
    if node.delivered:
        return "relayed", ""
    if node.anchored:
        return "accepted", "the log begins above it; its header was checked"
    if node.unripe:
        have, wanted = state.providers.count(node.sources), state.settings.quorum
        return "accepted", f"{have} of the {wanted} providers of its quorum have it"
    if node.record is not None:
        return "accepted", "" if node.connected else "a block below it is not here yet"
    body = _place_of_body(state, node.hash)
    if body is not None:
        return body
    if node.missing is not None:
        return "received", f"a gap passed over it: {node.missing.reason}"
    return (
        "received",
        "its header is known; its branch has less work than the head, so its body is not asked for",
    )


def _place_beside(state: ChainState, block_hash: bytes) -> tuple[BlockState, str] | None:
    """Place a hash whose header is not in the tree."""
    refused = state.book.rejected(block_hash)
    if refused is not None:
        return "rejected", refused
    if block_hash in state.orphans:
        return "accepted", "the headers below it are not here yet"
    if block_hash in state.book.proving_headers:
        return "proving", "its header"
    body = _place_of_body(state, block_hash)
    if body is not None:
        return body
    return ("received", "its header is not here yet") if state.book.arrivals(block_hash) else None


def _place_of_body(state: ChainState, block_hash: bytes) -> tuple[BlockState, str] | None:
    if block_hash in state.book.proving_bodies:
        return "proving", "its body"
    want = state.fetcher.get(block_hash)
    if want is None:
        return None
    return "fetching", "asked for" if want.asked_of is not None else "waits to be asked for"


def _arrivals(read_at_by_source: dict[str, float]) -> tuple[Arrival, ...]:
    in_order = sorted(read_at_by_source.items(), key=lambda pair: pair[1])
    return tuple(Arrival(source, round((at - in_order[0][1]) * 1000, 3)) for source, at in in_order)
