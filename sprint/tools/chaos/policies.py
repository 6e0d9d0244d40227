"""The figures that breakers go by, asked of the relay: what advice is given for must be known first."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from sprint.core.chaos.advice import Policies, flattened
from sprint.tools.chaos.undoing import asked, encoded, succeeded

BREAKERS_MAX = 64


def policies_of(admin_url: str, breakers: Sequence[str]) -> Policies:
    """Return the figures of some breakers, of the first BREAKERS_MAX; one that tells none is left out."""
    found = {}
    for breaker in breakers[:BREAKERS_MAX]:
        try:
            answer = asked("GET", admin_url, f"/api/breakers/{encoded(breaker)}/config")
        except httpx.HTTPError:
            continue
        if succeeded(answer) and isinstance(answer.body.get("config"), dict):
            found[breaker] = flattened(answer.body["config"])
    return found
