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
from tests.vectors import bitcoin_family as vectors

TRANSACTION_SIZE_MAX = 1_500
TRANSACTIONS_KEPT = 6
IDS_KEPT = 3


def main() -> None:
    chain = vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
    headers = vectors.headers("bitcoin/mainnet_headers_1_11.txt")
    bare = bytes.fromhex(vectors.raw_block("dogecoin/testnet_99999.hex").decode())
    merged = vectors.json_block("dogecoin/mainnet_371337_electrumx.json")
    real = vectors.json_block("bitcoin/mainnet_951658.json")
    small = vectors.json_block("litecoin/mainnet_900000.json")
    merged_end = header_size(merged, 0, dogecoin.MAIN)
    extended = [
        vectors.raw_block(f"litecoin/regtest_{name}.blk")
        for name in ("432_mweb_first", "433_mweb_empty", "435_mweb_mixed")
    ]
    main_btc, main_ltc, main_doge = (_number(chain.MAIN) for chain in (bitcoin, litecoin, dogecoin))
    regtest_ltc = _number(litecoin.REGTEST)
    _write(
        "header",
        [
            main_btc + headers[0],
            main_ltc + small[:80],
            main_doge + merged[:merged_end],
            main_doge + bare[:80],
        ],
    )
    entries = [merged[:merged_end] + b"\0", bare[:80] + b"\0"]
    _write(
        "headers_message",
        [
            main_btc + b"\x0b" + b"".join(header + b"\0" for header in headers),
            main_doge + b"\x02" + b"".join(entries),
        ],
    )
    _write("auxpow", [merged[:merged_end]])
    _write(
        "transaction",
        _transactions(real, 80, bitcoin.MAIN) + _transactions(extended[2], 80, litecoin.REGTEST),
    )
    blocks = [
        main_btc + chain[0],
        main_btc + chain[169],
        main_ltc + small,
        main_doge + merged,
        regtest_ltc + extended[1],
    ]
    _write("block", blocks)
    _write("framed_body", blocks)
    _write("extension", [_extension(raw) for raw in extended])
    _write("framed_extension", extended)
    _write_json()
    framed = b"".join(bitcoin.MAIN.magic + len(raw).to_bytes(4, "little") + raw for raw in chain[:5])
    lines = b"\n".join(header.hex().encode() for header in headers)
    spoken = [
        framed + bytes(40),
        lines,
        chain[0].hex().encode(),
        json.dumps([chain[0].hex()]).encode(),
        headers[3],
    ]
    _write(
        "file", [main_btc + each for each in spoken] + [main_doge + merged, main_doge + merged.hex().encode()]
    )
    long = [raw[:80] for raw in chain[:40]]
    _write("ancestry", [_number(each) + bytes(3) + b"".join(long) for each in NETWORKS])


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


def _write_json() -> None:
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
