"""The devnet's control over HTTP: how its nodes are, and what they are told to do.

    GET   /api/devnet                     all nodes, and the faults that there are
    GET   /api/devnet/{chain}             one node
    POST  /api/devnet/{chain}/mine        {"count": 3}
    POST  /api/devnet/{chain}/fault       {"fault": "stall", "amount": 10}
    POST  /api/devnet/{chain}/fault/end   {"fault": "stall"}, before its time
    POST  /api/devnet/{chain}/schedule    {"seed": "7"}; null ends it
    POST  /api/devnet/{chain}/interval    {"ms": 500}; 0 mines only when told

Each POST is answered by the hashes of the blocks mined for it and by the node as it is then. The relay serves
these paths on its admin listener, a devnet of its own process on a listener of theirs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sprint.core.chains import display_hash
from sprint.core.errors import ConfigError, RequestError
from sprint.tools.devnet.edge import BLOCK_INTERVAL_S_MAX, SEED_LENGTH_MAX, Devnet, NodeState
from sprint.tools.devnet.faults import RULES, Fault, fault_of
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Handler, Request, Response, Router, Site
from sprint.tools.web.server import Listener, serve

PATH = "/api/devnet"
BODY_SIZE_MAX = 4_096
CONNECTIONS_MAX = 16
# They are mined in one turn of the event loop, which may be a relay's own.
BLOCKS_PER_REQUEST_MAX = 100
SHOWN_LENGTH_MAX = 40

Fields = Mapping[str, Any]


class Done(msgspec.Struct, frozen=True):
    """The answer to a POST; hashes as displayed, oldest first."""

    hashes: list[str]
    node: NodeState


def add_control(router: Router, devnet: Devnet) -> None:
    """Serve the control of a devnet that has been started."""

    async def nodes(_: Request) -> Response:
        states = {chain_id: devnet.state(chain_id) for chain_id in devnet.chain_ids}
        return _json({"nodes": states, "faults": RULES})

    async def node(request: Request) -> Response:
        return _json(devnet.state(_chain_of(devnet, request)))

    router.add("GET", PATH, nodes)
    router.add("GET", f"{PATH}/{{chain}}", node)
    for name, tell in (
        ("mine", _mine),
        ("fault", _fault),
        ("fault/end", _fault_end),
        ("schedule", _schedule),
        ("interval", _interval),
    ):
        router.add("POST", f"{PATH}/{{chain}}/{name}", _telling(devnet, tell))


async def serve_control(devnet: Devnet, bound: socket.socket) -> Listener:
    """Serve the control alone, on a bound socket."""
    router = Router()
    add_problems(router)
    add_control(router, devnet)
    guard = Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX)
    return await serve(Site(router, guard, connections_max=CONNECTIONS_MAX), bound)


def _telling(devnet: Devnet, tell: Callable[[Devnet, str, Fields], list[bytes]]) -> Handler:
    """Return a handler that has a node told something; what cannot be is a problem of the request."""

    async def handler(request: Request) -> Response:
        chain_id = _chain_of(devnet, request)
        fields = await request.json_object()
        try:
            hashes = tell(devnet, chain_id, fields)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        return _json(Done([display_hash(each) for each in hashes], devnet.state(chain_id)))

    return handler


def _mine(devnet: Devnet, chain_id: str, fields: Fields) -> list[bytes]:
    _refuse_unknown(fields, "count")
    count = _whole(fields, "count", 1, 1, BLOCKS_PER_REQUEST_MAX)
    return devnet.mine(chain_id, count)


def _fault(devnet: Devnet, chain_id: str, fields: Fields) -> list[bytes]:
    _refuse_unknown(fields, "fault", "amount")
    fault = fault_of(_kind(fields))
    rules = RULES[fault]
    amount = _whole(fields, "amount", rules.amount_default, 1, rules.amount_max)
    return devnet.show(chain_id, fault, amount)


def _fault_end(devnet: Devnet, chain_id: str, fields: Fields) -> list[bytes]:
    _refuse_unknown(fields, "fault")
    devnet.end_fault(chain_id, fault_of(_kind(fields)))
    return []


def _kind(fields: Fields) -> str:
    kind = fields.get("fault")
    if not isinstance(kind, str):
        raise ConfigError(f"fault: {_shown(kind)}; want one of {', '.join(Fault)}")
    return kind


def _schedule(devnet: Devnet, chain_id: str, fields: Fields) -> list[bytes]:
    _refuse_unknown(fields, "seed")
    seed = fields.get("seed")
    if "seed" not in fields or not isinstance(seed, str | None):
        raise ConfigError(
            f"seed: {_shown(seed)}; want a text of 1 to {SEED_LENGTH_MAX} characters, or null to end it"
        )
    devnet.follow_schedule(chain_id, seed)
    return []


def _interval(devnet: Devnet, chain_id: str, fields: Fields) -> list[bytes]:
    _refuse_unknown(fields, "ms")
    interval_ms = _whole(fields, "ms", None, 0, int(BLOCK_INTERVAL_S_MAX * 1000))
    try:
        devnet.mine_every(chain_id, interval_ms / 1000)
    except ConfigError as error:
        raise ConfigError(f"ms: {error}") from error
    return []


def _chain_of(devnet: Devnet, request: Request) -> str:
    """Return the chain of the path: its id, or its name alone as in `litecoin`."""
    name = request.parameters["chain"]
    for chain_id in devnet.chain_ids:
        if name in (chain_id, chain_id.partition("-")[0]):
            return chain_id
    running = ", ".join(devnet.chain_ids) or "none"
    raise RequestError("unknown_chain", f"no devnet node of {_shown(name)}; running: {running}")


def _refuse_unknown(fields: Fields, *known: str) -> None:
    unknown = next((name for name in fields if name not in known), None)
    if unknown is not None:
        raise ConfigError(f"no field {_shown(unknown)}; there is {', '.join(known)}")


def _whole(fields: Fields, name: str, default: int | None, least: int, most: int) -> int:
    """Return a whole number of the fields, or the default of one that may be left out."""
    value = fields.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name}: {_shown(value)}; want a whole number from {least} to {most}")
    return value


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(value)[:SHOWN_LENGTH_MAX]


def _json(answer: object) -> Response:
    return Response(msgspec.json.encode(answer))
