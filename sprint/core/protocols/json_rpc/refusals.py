"""What a node's refusals mean, in words, with what to do.

Codes are those of Bitcoin Core's `rpc/protocol.h`; statuses those of its `httprpc.cpp` and `httpserver.cpp`,
and of the proxies that stand before nodes.
"""

from __future__ import annotations

import msgspec

from sprint.core.protocols.json_rpc.calls import Failure

WARMING_UP = -28
NO_METHOD = -32601
HTTP_OK = 200
HTTP_FORBIDDEN = 403
# Statuses under which a node gives an answer in JSON all the same: Bitcoin Core gives 404 for an unknown
# method, 400 for a request it cannot read, 500 for every other refusal.
MAY_CARRY_JSON = (400, 404, 500)

# Who is refused by these, is so in each way that logs in to the same provider: login, address, rate.
CONCERNS_PROVIDER = (401, 403, 429)

_FAILURES = {
    WARMING_UP: "the node is starting: it is tried again until it has",
    -1: "the node has not got it, or its data is pruned",
    -5: "the node does not know this block",
    -8: "the node has no block at this height, or takes no such parameter",
    NO_METHOD: "the node has no such call: is it a full node of the Bitcoin family?",
    -32600: "the node takes no such request",
    -32700: "the node could not read the request: does a proxy stand between?",
}


class HttpRefusal(msgspec.Struct, frozen=True):
    """Why there is no answer. `busy`: the same may be asked again in a while."""

    words: str
    busy: bool = False


_STATUSES = {
    401: HttpRefusal(
        "the node refuses the login (401): look at cookie_file, or user_env and password_env; "
        "a node writes a new cookie at each start"
    ),
    403: HttpRefusal(
        "the node refuses this address or call (403): allow it with -rpcallowip, and the calls with "
        "-rpcwhitelist where that is set"
    ),
    404: HttpRefusal("nothing answers JSON-RPC here (404): is it the RPC port of a full node?"),
    405: HttpRefusal("nothing takes JSON-RPC here (405): is it the RPC port of a full node?"),
    429: HttpRefusal(
        "too many requests for the node or its provider (429): it is asked again, slower", busy=True
    ),
    502: HttpRefusal("the proxy before the node does not reach it (502)", busy=True),
    503: HttpRefusal(
        "the node has more requests waiting than it takes (503): raise -rpcworkqueue and -rpcthreads",
        busy=True,
    ),
    504: HttpRefusal("the proxy before the node waits in vain for it (504)", busy=True),
}


def failure_words(failure: Failure, method: str) -> str:
    """Say what a refusal of a call means."""
    said = f"{method}: {failure.message} ({failure.code})"
    meaning = _FAILURES.get(failure.code)
    return f"{meaning}; {said}" if meaning else f"the node refuses {said}"


def http_refusal(status: int) -> HttpRefusal:
    """Say what an HTTP status other than 200 means."""
    return _STATUSES.get(status) or HttpRefusal(f"HTTP status {status} instead of an answer")
