"""What programs ask a relay for, as a mix: mostly the newest block, now and then lists, states and health."""

from __future__ import annotations

import asyncio
import os

import httpx
import msgspec

from sprint.core.errors import SprintError
from sprint.tools.loadtest.assignment import Trust
from sprint.tools.loadtest.request_template import RequestForm, filled, headers_of
from sprint.tools.loadtest.target_url import TargetUrl
from sprint.tools.loadtest.tls import tls_context

ASK_TIMEOUT_S = 10.0
FIRST_BLOCKS_S = 10.0
ASK_AGAIN_S = 0.1
CHAINS_MAX = 16
SUBSCRIBE = '{"op":"subscribe","id":1,"from":"latest"}'
ANSWERS = '{"op"'  # what a relay says of a subscription begins so, no event does
EVENTS_PATH = "/ws/v1/events"

# Of twenty requests of each chain so many are of a kind.
_OF_A_CHAIN = (
    *("/api/v1/{chain}/latest",) * 10,
    *("/api/v1/{chain}/block/{height}",) * 4,
    *("/api/v1/chains/{chain}/blocks?limit=20",) * 2,
    *("/api/v1/chains/{chain}/status",) * 2,
)
_OF_ALL = ("/api/v1/chains", "/api/v1/health")


class NoRelay(SprintError):
    """What answers is no relay, or has no block yet."""

    code = "no_relay"


class _Block(msgspec.Struct):
    height: int


class _Chains(msgspec.Struct):
    chains: list[msgspec.Raw]


async def relay_forms(url: TargetUrl, form: RequestForm, trust: Trust) -> tuple[RequestForm, ...]:
    """Return the requests of the mix, in their turn; NoRelay where the target does not answer as one."""
    try:
        heights = await _heights(url, form, trust)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise NoRelay(
            f"--profile relay: {url.text} does not answer as a relay does: {error}; leave the profile out"
        ) from error
    if not heights:
        raise NoRelay(
            f"--profile relay: {url.text} has delivered no block within {FIRST_BLOCKS_S:g} s; "
            "try again when it has"
        )
    paths = [
        path.replace("{chain}", chain).replace("{height}", str(block.height))
        for chain, block in list(heights.items())[:CHAINS_MAX]
        for path in _OF_A_CHAIN
    ]
    paths += _OF_ALL * max(1, len(paths) // len(_OF_A_CHAIN))
    # A stride that has no divisor in common with the length mixes them evenly.
    stride = next(step for step in (7, 11, 13, 17) if len(paths) % step)
    return tuple(
        msgspec.structs.replace(form, method="GET", body="", path=paths[place * stride % len(paths)])
        for place in range(len(paths))
    )


async def _heights(url: TargetUrl, form: RequestForm, trust: Trust) -> dict[str, _Block]:
    """Return the newest block of each chain, when each has one: a relay that has just started has none."""
    verify = tls_context(trust) if url.is_tls else False
    base = f"{'https' if url.is_tls else 'http'}://{url.host_header}/api/v1"
    headers = [
        (name.encode(), filled(value.encode("latin-1"), 0, os.urandom))
        for name, value in headers_of(form.headers, url)
    ]
    async with httpx.AsyncClient(
        timeout=ASK_TIMEOUT_S, trust_env=False, verify=verify, headers=headers
    ) as client:

        async def asked(path: str) -> bytes:
            answer = await client.get(f"{base}/{path}")
            return answer.raise_for_status().content

        chains = len(msgspec.json.decode(await asked("chains"), type=_Chains).chains)
        heights: dict[str, _Block] = {}
        for _ in range(round(FIRST_BLOCKS_S / ASK_AGAIN_S)):
            heights = msgspec.json.decode(await asked("blocks/latest"), type=dict[str, _Block])
            if len(heights) >= chains:
                break
            await asyncio.sleep(ASK_AGAIN_S)
        return heights


def relay_stream(url: TargetUrl) -> TargetUrl:
    """Return where a relay's events are subscribed to."""
    if url.is_websocket and url.path != "/":
        return url
    scheme = "wss" if url.is_tls else "ws"
    return msgspec.structs.replace(url, scheme=scheme, path=EVENTS_PATH)
