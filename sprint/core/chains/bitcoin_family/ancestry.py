"""What a branch's headers decide about the next one: its least time, its target, its version.

An `Ancestry` is a small summary of a branch up to one header, made from that of its parent. A rule never
walks the chain, so a header can be judged in any thread from its parent's summary alone.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains import Header
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters


class Ancestry(msgspec.Struct, frozen=True):
    """A branch up to one header, which is at `height`. What is not known of it is None or empty."""

    height: int


def begin_ancestry(parameters: NetworkParameters, header: Header, height: int) -> Ancestry:
    """Return the ancestry of a branch whose lowest known header this is."""
    del parameters, header
    return Ancestry(height)


def extend_ancestry(parameters: NetworkParameters, ancestry: Ancestry, header: Header) -> Ancestry:
    """Return the ancestry up to `header`, which stands on that of its parent."""
    del parameters, header
    return Ancestry(ancestry.height + 1)


def check_ancestry(
    parameters: NetworkParameters, ancestry: Ancestry, header: Header, unix_time: float
) -> None:
    """Check a header against its parent's ancestry and the network's time. RuleError if refused."""
    del parameters, ancestry, header, unix_time


def ancestry_checks(parameters: NetworkParameters, ancestry: Ancestry) -> tuple[str, ...]:
    """Name the checks that `check_ancestry` could make on this ancestry."""
    del parameters, ancestry
    return ()
