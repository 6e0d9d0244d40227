"""Cuts the corpora out of the recorded vectors: `python -m tests.fuzz.cut_corpus`.

Files are hex, or JSON. An input that begins with a network has its number in the first byte.
"""

from __future__ import annotations

import json
from typing import Any

from sprint.core.chains import bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.wire import Reader
from tests.fuzz.driver import CORPUS
from tests.fuzz.parsers import NETWORKS
from tests.fuzz.source_corpus import cut_source_corpora
from tests.vectors import bitcoin_family as vectors

TRANSACTION_SIZE_MAX = 1_500
TRANSACTIONS_KEPT = 6
IDS_KEPT = 3


BITCOIN, LITECOIN, DOGECOIN = (
    bytes((NETWORKS.index(chain.MAIN),)) for chain in (bitcoin, litecoin, dogecoin)
)
CHAIN = vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
HEADERS = vectors.headers("bitcoin/mainnet_headers_1_11.txt")
LEGACY = bytes.fromhex(vectors.raw_block("dogecoin/testnet_99999.hex").decode())
MERGED = vectors.json_block("dogecoin/mainnet_371337_electrumx.json")
MERGED_HEADER = MERGED[: header_size(MERGED, 0, dogecoin.MAIN)]
SMALL = vectors.json_block("litecoin/mainnet_900000.json")
EXTENDED = [
    vectors.raw_block(f"litecoin/regtest_{name}.blk")
    for name in ("432_mweb_first", "433_mweb_empty", "435_mweb_mixed")
]


def main() -> None:
    _cut_headers()
    _cut_bodies()
    _cut_answers()
    _cut_files()
    cut_source_corpora()


def _cut_headers() -> None:
    entries = b"".join(header + b"\0" for header in (MERGED_HEADER, LEGACY[:80]))
    _write("auxpow", [MERGED_HEADER])
    _write("header", [BITCOIN + HEADERS[0], LITECOIN + SMALL[:80], DOGECOIN + MERGED_HEADER])
    headers = b"".join(header + b"\0" for header in HEADERS)
    _write("headers_message", [BITCOIN + b"\x0b" + headers, DOGECOIN + b"\x02" + entries])
    branch = b"".join(raw[:80] for raw in CHAIN[:40])
    _write("ancestry", [_number(each) + bytes(3) + branch for each in NETWORKS])


def _cut_bodies() -> None:
    """Extension blocks with signatures stand in their own corpora only: one costs many others' time."""
    real = vectors.json_block("bitcoin/mainnet_951658.json")
    regtest = _number(litecoin.REGTEST)
    signed = _transactions(real, 80, bitcoin.MAIN)
    _write("transaction", signed + _transactions(EXTENDED[2], 80, litecoin.REGTEST))
    blocks = [BITCOIN + CHAIN[0], BITCOIN + CHAIN[169], LITECOIN + SMALL, DOGECOIN + MERGED]
    blocks.append(regtest + EXTENDED[1])
    _write("block", blocks)
    _write("framed_body", blocks)
    _write("extension", [_extension(raw) for raw in EXTENDED])
    _write("framed_extension", EXTENDED)


def _cut_files() -> None:
    framed = b"".join(bitcoin.MAIN.magic + len(raw).to_bytes(4, "little") + raw for raw in CHAIN[:5])
    lines = b"\n".join(header.hex().encode() for header in HEADERS)
    answers = json.dumps([CHAIN[0].hex()]).encode()
    forms = [framed + bytes(40), lines, CHAIN[0].hex().encode(), answers, HEADERS[3]]
    merged = [DOGECOIN + MERGED, DOGECOIN + MERGED.hex().encode()]
    _write("file", [BITCOIN + each for each in forms] + merged)


def _number(parameters: NetworkParameters) -> bytes:
    return bytes((NETWORKS.index(parameters),))


def _transactions(raw: bytes, start: int, parameters: NetworkParameters) -> list[bytes]:
    """The small ones among the first transactions, and the last."""
    reader = Reader(raw, start)
    found = []
    for _ in range(reader.compact_size(100_000)):
        begin = reader.position
        parse_transaction(reader, mweb=parameters.mweb_height is not None)
        found.append(raw[begin : reader.position])
    small = [each for each in found if len(each) <= TRANSACTION_SIZE_MAX]
    return [_number(parameters) + each for each in [*small[:TRANSACTIONS_KEPT], found[-1]]]


def _extension(raw: bytes) -> bytes:
    reader = Reader(raw, 80)
    for _ in range(reader.compact_size(100_000)):
        parse_transaction(reader, mweb=True)
    return raw[reader.position + 1 :]


def _write(name: str, inputs: list[bytes]) -> None:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"{number:02}.hex").write_text(data.hex() + "\n")


def _cut_answers() -> None:
    with_ids = vectors.answer("bitcoin/mainnet_626472_getblock_v1.json")
    with_ids["tx"] = with_ids["tx"][:IDS_KEPT]
    recorded = vectors.answer("litecoin/mainnet_900000.json")
    merged = vectors.answer("dogecoin/mainnet_371337_electrumx.json")
    trimmed = vectors.answer("bitcoin/mainnet_696402_getblock_v2_trimmed.json")
    trimmed["tx"] = trimmed["tx"][:1]
    header: dict[str, Any] = {name: field for name, field in with_ids.items() if name != "tx"}
    in_hex = {**header, "tx": trimmed["tx"]}
    proof: dict[str, Any] = {
        "tx": {"hex": "00"},
        "index": 0,
        "chainindex": 0,
        "merklebranch": [],
        "chainmerklebranch": [],
        "parentblock": "00" * 80,
    }
    answers: list[Any] = [
        with_ids,
        recorded,
        merged,
        trimmed,
        in_hex,
        {"result": header, "error": None, "id": 1},
        [recorded, header],
    ]
    answers += [{**header, "auxpow": proof}, recorded["block"]]
    folder = CORPUS / "answer"
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(answers):
        (folder / f"{number:02}.json").write_text(json.dumps(each, indent=1) + "\n")


if __name__ == "__main__":
    main()
