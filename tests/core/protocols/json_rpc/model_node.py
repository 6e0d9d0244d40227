"""A node's RPC as a model: branches of blocks without proof of work, and answers to a source's calls.

`answer` takes a request's body and gives the answer's; `refuse` names calls that it does not know, `spoil`
puts other JSON in a call's result. A batch of more than `batch_calls_max` calls, where 0 refuses any, is
answered with `batch_refusal`, an HTTP status and a body. What a session does with it needs no socket and no
clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sprint.core.chains import display_hash, internal_hash
from sprint.core.chains.bitcoin import CHAIN
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.kernels import sha256d
from sprint.core.protocols.json_rpc.lane import Lane, RpcEvent
from sprint.core.protocols.json_rpc.session import RpcSession

REGTEST = CHAIN.networks["regtest"]
GENESIS = REGTEST.genesis_hash


class ModelNode:
    """Knows blocks; `branch` are the hashes of its best one, genesis first."""

    def __init__(self, genesis: bytes = REGTEST.genesis) -> None:
        genesis_hash = sha256d(genesis)
        self.blocks = {genesis_hash: genesis + b"\0"}
        self.heights = {genesis_hash: 0}
        self.branch = [genesis_hash]
        self.refuse: dict[str, int] = {}
        self.spoil: dict[str, Callable[[Any], Any]] = {}
        self.calls: list[tuple[str, list[Any]]] = []
        self.publishing: list[tuple[str, str]] = []
        self.batch_calls_max: int | None = None
        self.batch_refusal: tuple[int, bytes] = (400, b"")
        self._made = 0

    @property
    def tip(self) -> bytes:
        return self.branch[-1]

    def mine(self, count: int = 1, body_size: int = 1, bits: int = 0x207F_FFFF) -> list[bytes]:
        """Put blocks on the best branch."""
        for _ in range(count):
            self._made += 1
            header = BlockHeader(1, self.tip, bytes(32), 1_700_000_000 + self._made, bits, self._made)
            raw = header.encode()
            block_hash = sha256d(raw)
            self.blocks[block_hash] = raw + b"\1" * body_size
            self.heights[block_hash] = len(self.branch)
            self.branch.append(block_hash)
        return self.branch[-count:]

    def cut_to(self, height: int) -> None:
        """Leave the blocks above a height; they stay known."""
        del self.branch[height + 1 :]

    def respond(self, body: bytes) -> tuple[int, bytes]:
        """Answer a request with the status that goes with it."""
        requests = json.loads(body)
        most = self.batch_calls_max
        if most is not None and isinstance(requests, list) and len(requests) > most:
            return self.batch_refusal
        return 200, self.answer(body)

    def answer(self, body: bytes) -> bytes:
        """Answer a call, or a batch as a node does: in order, each with result and error."""
        requests = json.loads(body)
        if isinstance(requests, dict):
            return json.dumps(self._reply(requests)).encode()
        return json.dumps([self._reply(each) for each in requests]).encode()

    def headers_above(self, height: int) -> list[bytes]:
        return [self.blocks[each][:80] for each in self.branch[height + 1 :]]

    def _reply(self, request: dict[str, Any]) -> dict[str, Any]:
        method, parameters = request["method"], request["params"]
        self.calls.append((method, parameters))
        reply: dict[str, Any] = {"result": None, "error": None, "id": request["id"]}
        if method in self.refuse:
            return reply | {"error": {"code": self.refuse[method], "message": "refused"}}
        try:
            result = getattr(self, f"_{method}")(*parameters)
        except LookupError as error:
            return reply | {"error": {"code": -5, "message": f"not found: {error}"}}
        spoil = self.spoil.get(method)
        return reply | {"result": spoil(result) if spoil else result}

    def _getblockchaininfo(self) -> dict[str, Any]:
        tip = display_hash(self.tip)
        return {
            "chain": "regtest",
            "blocks": len(self.branch) - 1,
            "bestblockhash": tip,
            "softforks": {"a": {}},
        }

    def _getnetworkinfo(self) -> dict[str, Any]:
        return {"subversion": "/Model:1/", "networks": [{"name": "ipv4"}]}

    def _getzmqnotifications(self) -> list[dict[str, Any]]:
        return [{"type": topic, "address": address, "hwm": 1000} for topic, address in self.publishing]

    def _getblockcount(self) -> int:
        return len(self.branch) - 1

    def _getbestblockhash(self) -> str:
        return display_hash(self.tip)

    def _getblockhash(self, height: int) -> str:
        return display_hash(self.branch[height])

    def _getblockheader(self, displayed: str, *options: bool) -> Any:
        block_hash = internal_hash(displayed)
        raw = self.blocks[block_hash][:80]
        return {"height": self.heights[block_hash], "hash": displayed} if options == (True,) else raw.hex()

    def _getblock(self, displayed: str, *options: bool) -> str:
        return self.blocks[internal_hash(displayed)].hex()

    def _waitforblockheight(self, height: int, timeout_ms: int) -> dict[str, Any]:
        """The tip as it is: the model does not wait, whoever drives it does."""
        return {"hash": display_hash(self.tip), "height": len(self.branch) - 1}


def exchange(session: RpcSession, node: ModelNode, name: Lane, now: float) -> list[RpcEvent]:
    """Let a lane ask and be answered until it has nothing more to ask, or has told something."""
    for _ in range(100):
        request = session.data_to_send(name, now)
        if request is None:
            return []
        told = session.receive_answer(name, *node.respond(request.body), now)
        if told:
            return told
    raise AssertionError("a lane that asks for ever and tells nothing")
