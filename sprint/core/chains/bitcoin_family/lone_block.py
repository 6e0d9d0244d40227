"""What a block that stands alone says of its place, where none of the blocks below it is known."""

from __future__ import annotations

from sprint.core.chains import Block
from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.header_rules import base_version
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters

HEIGHT_VERSION_MIN = 2  # BIP 34: from this version on a coinbase begins with the height


def ancestry_below(height: int) -> Ancestry:
    """Return the ancestry that a block at `height` stands on, of which no more than that is known."""
    return Ancestry(height - 1)


def stated_height(parameters: NetworkParameters, block: Block) -> int | None:
    """Return the height that a block's coinbase states where BIP 34 makes it state the true one.

    Older coinbases may begin with anything: that of Bitcoin's block 1 reads as height 486,604,799.
    """
    version = parse_header(block.header.raw).version
    if parameters.auxpow is not None:
        version = base_version(version)
    height: int | None = block.facts.height_claimed
    if height is None or version < HEIGHT_VERSION_MIN or height < parameters.bip34_height:
        return None
    return height
