"""Merged mining: a header whose proof of work is that of another chain's block (AuxPoW).

The parent's coinbase commits to a tree of chains; this chain's block hash is a leaf of it.
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import WireError


def header_size(raw: bytes, start: int, parameters: NetworkParameters) -> int:
    """Return the size of the header at `start` with what belongs to it on the wire. WireError if cut off."""
    del parameters
    if len(raw) - start < HEADER_SIZE:
        raise WireError(f"{len(raw) - start} bytes, a header alone has {HEADER_SIZE}", kind="truncated")
    return HEADER_SIZE
