"""Which chain a source is of: what its first header and its genesis block say, whatever its kind."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chains import Header, display_hash
from sprint.core.errors import UpstreamError
from sprint.tools.plugins import ChainCatalog, ChainNetwork


def judge_first_header(network: ChainNetwork, headers: Sequence[bytes]) -> str:
    """Check the first header above genesis; UpstreamError if it is of another chain or false.

    Genesis first: where two chains share a magic, half of one's headers meet the other's easiest target.
    """
    if not headers:
        return "it has no block above genesis"
    processor = network.processor()
    _, parent = processor.header_of(headers[0])
    if parent != network.parameters.genesis_hash:
        raise UpstreamError(foreign_genesis(network.chain_id, parent))
    verdict = processor.process_header(headers[0])
    if not isinstance(verdict, Header):
        raise UpstreamError(f"its first header is refused: {verdict.check}: {verdict.reason}")
    return "ok"


def foreign_genesis(chain_id: str, found: bytes) -> str:
    """Say that a source's chain begins at another block than it should, and whose that is if it is known."""
    owner = ChainCatalog.installed().of_genesis(found)
    theirs = f"{display_hash(found)} ({owner})" if owner else display_hash(found)
    return f"its chain begins at {theirs}, not at the genesis of {chain_id}"
