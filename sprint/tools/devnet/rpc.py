"""A devnet node's JSON-RPC without sockets: the calls that follow a chain, answered out of its ledger.

In the form of Bitcoin Core: a request or a batch of them; each answer has a result and an error. A call of
`waitforblockheight` is answered as things are, so whoever has a clock waits before asking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sprint.core.chains import display_hash, internal_hash
from sprint.core.errors import ConfigError
from sprint.tools.devnet.ledger import RegtestLedger

CALLS_PER_BATCH_MAX = 4_000
WAIT_MS_MAX = 600_000
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMETER, NOT_FOUND = -32700, -32600, -32601, -8, -5
HTTP_OK, HTTP_BAD_REQUEST, HTTP_NOT_FOUND, HTTP_FAILED = 200, 400, 404, 500
_STATUS = {NO_METHOD: HTTP_NOT_FOUND, INVALID_REQUEST: HTTP_BAD_REQUEST}


class RpcCall(msgspec.Struct):
    """One call as it came."""

    method: str
    params: list[Any] = []
    id: Any = None


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_calls(body: bytes) -> tuple[list[RpcCall], bool]:
    """Read the calls of a request and whether they are a batch; ConfigError where they are none."""
    try:
        found = msgspec.json.decode(body, type=RpcCall | list[RpcCall])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"no JSON-RPC request: {str(error)[:80]}") from error
    calls = found if isinstance(found, list) else [found]
    if len(calls) > CALLS_PER_BATCH_MAX:
        raise ConfigError(f"a batch of {len(calls)} calls, limit {CALLS_PER_BATCH_MAX}")
    return calls, isinstance(found, list)


def awaited(calls: list[RpcCall]) -> tuple[int, float] | None:
    """Return the height that is waited for, and for how many seconds at most, if any call waits."""
    for call in calls:
        match call:
            case RpcCall(method="waitforblockheight", params=[int(height), *rest]):
                wait_ms = rest[0] if rest and isinstance(rest[0], int) and rest[0] > 0 else WAIT_MS_MAX
                return height, min(wait_ms, WAIT_MS_MAX) / 1000
    return None


class NodeRpc:
    """Answers calls. `publishes` is where the node publishes over ZMQ, None where it does not.

    While it is `lying`, the raw bytes of a block or header are those of the block below.
    """

    def __init__(self, ledger: RegtestLedger, publishes: str | None = None) -> None:
        self._ledger = ledger
        self._publishes = publishes
        self.lying = False

    def answer(self, calls: list[RpcCall], *, batch: bool) -> tuple[int, bytes]:
        """Return the HTTP status and the body; a batch always has 200, as refusals are in it."""
        replies = [self._reply(call) for call in calls]
        if batch:
            return HTTP_OK, msgspec.json.encode(replies)
        error = replies[0]["error"]
        status = HTTP_OK if error is None else _STATUS.get(error["code"], HTTP_FAILED)
        return status, msgspec.json.encode(replies[0])

    def _reply(self, call: RpcCall) -> dict[str, Any]:
        method: Callable[..., Any] = getattr(self, f"_call_{call.method}", _unknown)
        try:
            return {"result": method(*call.params), "error": None, "id": call.id}
        except _Refused as refused:
            error = {"code": refused.code, "message": str(refused)}
        except (TypeError, ValueError) as wrong:
            error = {"code": BAD_PARAMETER, "message": str(wrong)}
        return {"result": None, "error": error, "id": call.id}

    def _call_getblockchaininfo(self) -> dict[str, Any]:
        height, tip = self._ledger.height(), display_hash(self._ledger.tip)
        fields = {"chain": "regtest", "blocks": height, "headers": height, "bestblockhash": tip}
        return {**fields, "initialblockdownload": False, "pruned": False, "warnings": ""}

    def _call_getnetworkinfo(self) -> dict[str, Any]:
        return {"subversion": "/sprint-devnet/", "networkactive": True, "warnings": ""}

    def _call_getzmqnotifications(self) -> list[dict[str, Any]]:
        topics = ("pubhashblock", "pubrawblock", "pubsequence") if self._publishes else ()
        return [{"type": topic, "address": self._publishes} for topic in topics]

    def _call_getblockcount(self) -> int:
        return self._ledger.height()

    def _call_getbestblockhash(self) -> str:
        return display_hash(self._ledger.tip)

    def _call_getblockhash(self, height: int) -> str:
        found = self._ledger.best_chain_hash_at(height)
        if found is None:
            raise _Refused(BAD_PARAMETER, "Block height out of range")
        return display_hash(found)

    def _call_getblockheader(self, displayed: str, *verbose: bool) -> Any:
        block_hash, height = self._found(displayed)
        if verbose == (False,):
            return (self._ledger.header(self._given(block_hash)) or b"").hex()
        return self._fields(block_hash, height, self._ledger.header(block_hash) or b"")

    def _call_getblock(self, displayed: str, verbosity: int = 1) -> Any:
        block_hash, height = self._found(displayed)
        raw = self._ledger.body(block_hash if verbosity else self._given(block_hash), witness=True)
        if raw is None:
            raise _Refused(NOT_FOUND, "Block not found")
        return self._fields(block_hash, height, raw) | {"size": len(raw)} if verbosity else raw.hex()

    def _call_waitforblockheight(self, height: int, timeout_ms: int = 0) -> dict[str, Any]:
        del height, timeout_ms  # the wait is over
        return {"hash": display_hash(self._ledger.tip), "height": self._ledger.height()}

    def _found(self, displayed: str) -> tuple[bytes, int]:
        block_hash = internal_hash(displayed)
        height = self._ledger.height_of(block_hash)
        if height is None:
            raise _Refused(NOT_FOUND, "Block not found")
        return block_hash, height

    def _given(self, block_hash: bytes) -> bytes:
        """Return the block whose bytes are given for one that is asked for."""
        below = (self._ledger.header(block_hash) or b"")[4:36]
        return below if self.lying and self._ledger.header(below) else block_hash

    def _fields(self, block_hash: bytes, height: int, raw: bytes) -> dict[str, Any]:
        best = self._ledger.best_chain_hash_at(height) == block_hash
        fields = {
            "hash": display_hash(block_hash),
            "confirmations": self._ledger.height() - height + 1 if best else -1,
            "height": height,
            "merkleroot": display_hash(raw[36:68]),
            "time": int.from_bytes(raw[68:72], "little"),
        }
        return fields | ({"previousblockhash": display_hash(raw[4:36])} if height else {})


def _unknown(*_: Any) -> Any:
    raise _Refused(NO_METHOD, "Method not found")
