"""What a node itself has, asked over JSON-RPC: the truth beside which a subscriber's blocks are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from sprint.core.chaos.stream_check import Truth
from sprint.core.errors import UpstreamError

HEIGHTS_MAX = 20_000
TIMEOUT_S = 5.0


def truths_of(
    nodes: Mapping[str, str], first_heights: Mapping[str, int], heads: Mapping[str, int]
) -> tuple[tuple[Truth, ...], tuple[str, ...]]:
    """Return what nodes have between the first block that was given and the newest, and notes on the silent.

    `nodes`: by chain the URL of a node that asks for no login. Blocking.
    """
    truths, notes = [], []
    for chain, url in nodes.items():
        if chain not in first_heights or chain not in heads:
            continue
        try:
            truths.append(
                Truth(chain, first_heights[chain], _hashes(url, first_heights[chain], heads[chain]))
            )
        except (httpx.HTTPError, UpstreamError) as error:
            notes.append(f"{chain}: its node at {url} could not be asked which blocks there are: {error}")
    return tuple(truths), tuple(notes)


def _hashes(url: str, first: int, last: int) -> tuple[str, ...]:
    if last - first >= HEIGHTS_MAX:
        raise UpstreamError(f"{last - first + 1} heights, limit {HEIGHTS_MAX}")
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        return tuple(str(_call(client, url, "getblockhash", height)) for height in range(first, last + 1))


def _call(client: httpx.Client, url: str, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "1.0", "id": 0, "method": method, "params": list(params)}
    answer = client.post(url, json=body)
    told = answer.json() if answer.content else {}
    if not isinstance(told, dict) or told.get("error") or "result" not in told:
        raise UpstreamError(f"{method} {params}: answered {answer.status_code}: {str(told)[:200]}")
    return told["result"]
