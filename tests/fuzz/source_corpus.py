"""What a node that means well sends over JSON-RPC, HTTP and ZMQ, as the corpora that fuzzing starts from."""

from __future__ import annotations

import json
from typing import Any

from sprint.core.chains import display_hash
from sprint.core.protocols.zmq.frames import TOPICS, encode_message, hash_payload, sequence_payload
from sprint.core.wire import compact_size
from tests.core.protocols.json_rpc.model_node import GENESIS, REGTEST, ModelNode
from tests.fuzz.driver import CORPUS
from tests.fuzz.source_parsers import converse

MINED = 3


def cut_source_corpora() -> None:
    node = ModelNode()
    node.mine(MINED)
    node.publishing = [("pubhashblock", "tcp://127.0.0.1:28332")]
    _write_json("rpc_answer", [*_batches(node), _refusal(), [_refusal()]])
    _write_json("rpc_session", [_conversation(node), [*_batches(node)], [_refusal()] * 5])
    _write_hex("http_answer", [bytes((n,)) + each for n, each in enumerate(_http())])
    hashes = [hash_payload(GENESIS), REGTEST.genesis + compact_size(0), sequence_payload(GENESIS, ord("C"))]
    messages = [encode_message(topic, each, 7) for topic, each in zip(TOPICS, hashes, strict=True)]
    added = encode_message("sequence", sequence_payload(GENESIS, ord("A")) + bytes(8), 8)
    _write_hex("zmq_parts", [b"".join(_sized(part) for part in parts) for parts in [*messages, added]])
    told = [_told(0, hashes[0], 0), _told(1, hashes[1], 0), _told(2, hashes[2], 0)]
    _write_hex("zmq_session", [b"".join(told), told[0] + _told(0, hashes[0], 9), told[2] * 3])


def _answered(node: ModelNode, *calls: tuple[Any, ...]) -> Any:
    requests = [{"id": n, "method": call[0], "params": list(call[1:])} for n, call in enumerate(calls, 1)]
    return json.loads(node.answer(json.dumps(requests).encode()))


def _batches(node: ModelNode) -> list[Any]:
    tip, genesis = display_hash(node.tip), display_hash(GENESIS)
    return [
        _answered(node, ("getblockchaininfo",), ("getblockhash", 0), ("getnetworkinfo",)),
        _answered(node, ("getblockcount",), ("getblockhash", 1), ("getblockhash", 99)),
        _answered(node, ("getblockheader", tip, True), ("getblock", tip), ("getzmqnotifications",)),
        _answered(node, ("waitforblockheight", 4, 1), ("getbestblockhash",), ("getblock", genesis)),
    ]


def _conversation(node: ModelNode) -> list[Any]:
    """The bodies that a session is given by a node that means well."""
    given: list[Any] = []

    def answer(request: bytes) -> bytes:
        body = node.answer(request)
        given.append(json.loads(body))
        return body

    converse(answer)
    return given


def _refusal() -> dict[str, Any]:
    return {"result": None, "error": {"code": -32600, "message": "no batches"}, "id": None}


def _http() -> list[bytes]:
    body = b'[{"result":1,"error":null,"id":1}]'
    sized = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
    return [
        sized % (len(body), body),
        chunked % (len(body), body),
        b"HTTP/1.1 100 Continue\r\n\r\n" + sized % (len(body), body),
        b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        sized % (99_999, body),
        b"HTTP/1.0 503 Work queue depth exceeded\r\n\r\nbusy",
    ]


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(2, "little") + part


def _told(topic: int, payload: bytes, number: int) -> bytes:
    return bytes((topic, len(payload))) + number.to_bytes(4, "little") + payload


def _write_hex(name: str, inputs: list[bytes]) -> None:
    for number, data in enumerate(inputs):
        _put(name, f"{number:02}.hex", data.hex())


def _write_json(name: str, inputs: list[Any]) -> None:
    for number, each in enumerate(inputs):
        _put(name, f"{number:02}.json", json.dumps(each, indent=1))


def _put(name: str, file: str, text: str) -> None:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text + "\n")
