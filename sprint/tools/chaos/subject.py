"""The relay that experiments are made with: a user's, or one of the tool's own, and what stands around it."""

from __future__ import annotations

import msgspec

from sprint.core.chaos.wiring import Wiring


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the faults are put on.

    `allowed`: hosts beyond loopback that may be touched. `nodes`: by chain the JSON-RPC URL of a node that
    can be asked, without a login, which blocks there are. `options` are those that matter for the result.
    """

    admin_url: str
    api_url: str
    wiring: Wiring
    embedded: bool = False
    allowed: frozenset[str] = frozenset()
    nodes: dict[str, str] = {}
    options: dict[str, str] = {}
