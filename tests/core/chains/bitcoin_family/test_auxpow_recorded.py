"""Dogecoin's recorded blocks pass; each part of a recorded AuxPoW that is changed is refused for itself."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from sprint.core.chains import Block, Header, Rejected, display_hash, dogecoin
from sprint.core.chains.bitcoin_family.auxpow import Auxpow, header_size, read_auxpow
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.transaction import TransactionOutput
from tests.core.chains.bitcoin_family import merging
from tests.core.chains.bitcoin_family.merging import refusal
from tests.vectors import bitcoin_family as vectors

MAIN = dogecoin.CHAIN.processor("main")
TESTNET = dogecoin.CHAIN.processor("testnet")
(RECORDED,) = vectors.headers("dogecoin/mainnet_371337.hex")
RECORDED_SIZE = 535  # of the header with its AuxPoW


def recorded_auxpow() -> Auxpow:
    auxpow, size = read_auxpow(RECORDED, 0, dogecoin.MAIN)
    assert auxpow is not None
    assert size == RECORDED_SIZE
    return auxpow


def test_every_vector_has_its_provenance() -> None:
    folder = Path(vectors.__file__).parent / "dogecoin"
    with (folder / "PROVENANCE.tsv").open() as file:
        rows = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    assert sorted(rows) == sorted(p.name for p in folder.iterdir() if p.name != "PROVENANCE.tsv")


@pytest.mark.parametrize(
    ("processor", "name", "block_hash", "tx_count", "auxpow_checks"),
    [
        (
            MAIN,
            "mainnet_12345",
            "7f61a9fa36cde50065c2093db84111b6ce09ac5dd1810f80f111c7a44f8ed593",
            31,
            0,
        ),
        (MAIN, "mainnet_371337", "60323982f9c5ff1b5a954eac9dc1269352835f47c2c5222691d80f0d50dcf053", 6, 1),
        (
            TESTNET,
            "testnet_99999",
            "3928d1f9f37af8dfb57f4a64c3da00e8473bafd3f22b497c196e5e7e86146e0d",
            3,
            0,
        ),
        (
            TESTNET,
            "testnet_158100",
            "a8708cdb9fa645dd327feed4d5a5a40ff546a1c42bd2306b1594ab622128fab2",
            1,
            0,
        ),
        (
            TESTNET,
            "testnet_1234580",
            "8ab6a176e8c5e2cf57c94451bf65ae141a330782f61b7fc16d91a2d5532d4692",
            3,
            0,
        ),
    ],
)
def test_a_recorded_block_passes_whole(
    processor: BitcoinFamilyProcessor, name: str, block_hash: str, tx_count: int, auxpow_checks: int
) -> None:
    (raw,) = vectors.headers(f"dogecoin/{name}.hex")
    block = processor.process_block(raw)
    assert isinstance(block, Block), block
    assert display_hash(block.header.hash) == block_hash
    assert (block.tx_count, block.size) == (tx_count, len(raw))
    assert block.checks.count("auxpow") == auxpow_checks
    header = processor.process_header(raw[: header_size(raw, 0, processor.parameters)])
    assert header == block.header
    assert processor.process_block(raw, block.header) == block


def test_a_nodes_answer_holds_the_same_block() -> None:
    answer = vectors.answer("dogecoin/mainnet_371337_electrumx.json")
    assert vectors.json_block("dogecoin/mainnet_371337_electrumx.json") == RECORDED
    block = MAIN.process_block(RECORDED)
    assert isinstance(block, Block)
    assert display_hash(block.header.hash) == answer["hash"]
    assert block.header.native["merkle_root"] == answer["merkleroot"]


def test_the_genesis_header_passes() -> None:
    (raw,) = vectors.headers("dogecoin/mainnet_genesis_header.hex")
    assert raw == dogecoin.MAIN.genesis
    assert isinstance(MAIN.process_header(raw), Header)


def test_a_merge_mined_header_is_kept_as_its_80_bytes() -> None:
    header = MAIN.process_header(RECORDED[:RECORDED_SIZE])
    assert isinstance(header, Header)
    assert header.raw == RECORDED[:80]
    assert MAIN.read_header(header.raw) == header


def test_the_recorded_header_alone_has_not_done_the_work() -> None:
    bare = int.from_bytes(RECORDED[:4], "little") & ~0x100
    raw = bare.to_bytes(4, "little") + RECORDED[4:80]
    assert refusal(raw, MAIN).check == "proof_of_work"


# Each part of the recorded AuxPoW.


def changed_coinbase(auxpow: Auxpow) -> Auxpow:
    outputs = (TransactionOutput(1, b""),)
    return msgspec.structs.replace(auxpow, coinbase=msgspec.structs.replace(auxpow.coinbase, outputs=outputs))


def flipped(data: bytes, at: int = 0) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def with_parent(auxpow: Auxpow, **changes: object) -> Auxpow:
    fields = msgspec.structs.replace(parse_header(auxpow.parent), **changes)
    return msgspec.structs.replace(auxpow, parent=fields.encode())


COINBASE_BRANCH = "auxpow: the coinbase branch does not lead to the parent's merkle root"
NO_COMMITMENT = f"auxpow: {merging.NO_COMMITMENT}"
MUTATIONS = {
    "coinbase": (changed_coinbase, COINBASE_BRANCH),
    "coinbase branch": (
        lambda a: msgspec.structs.replace(
            a, coinbase_branch=(flipped(a.coinbase_branch[0]), *a.coinbase_branch[1:])
        ),
        COINBASE_BRANCH,
    ),
    "coinbase branch cut": (
        lambda a: msgspec.structs.replace(a, coinbase_branch=a.coinbase_branch[:-1]),
        COINBASE_BRANCH,
    ),
    "coinbase index": (
        lambda a: msgspec.structs.replace(a, coinbase_index=1),
        "auxpow: the parent's transaction has index 1, its coinbase has 0",
    ),
    "chain branch": (
        lambda a: msgspec.structs.replace(
            a, chain_branch=(*a.chain_branch[:-1], flipped(a.chain_branch[-1]))
        ),
        NO_COMMITMENT,
    ),
    "chain branch cut": (
        lambda a: msgspec.structs.replace(a, chain_branch=a.chain_branch[:-1]),
        NO_COMMITMENT,
    ),
    "chain index": (lambda a: msgspec.structs.replace(a, chain_index=a.chain_index ^ 1), NO_COMMITMENT),
    "chain index above the tree": (
        lambda a: msgspec.structs.replace(a, chain_index=a.chain_index + 8),
        "auxpow: slot 8 in the tree of chains, chain 98 has 0",
    ),
    "chain index negative": (
        lambda a: msgspec.structs.replace(a, chain_index=a.chain_index - 8),
        "auxpow: slot -8 in the tree of chains, chain 98 has 0",
    ),
    "parent's version": (lambda a: with_parent(a, version=3), "proof_of_work: proof "),
    "parent's parent": (lambda a: with_parent(a, parent=bytes(32)), "proof_of_work: proof "),
    "parent's merkle root": (lambda a: with_parent(a, merkle_root=bytes(32)), COINBASE_BRANCH),
    "parent's time": (lambda a: with_parent(a, timestamp=1), "proof_of_work: proof "),
    "parent's bits": (lambda a: with_parent(a, bits=1), "proof_of_work: proof "),
    "parent's nonce": (lambda a: with_parent(a, nonce=1), "proof_of_work: proof "),
    "parent of our own chain": (
        lambda a: with_parent(a, version=0x62_0002),
        "auxpow: the parent is of chain 98 itself",
    ),
}


@pytest.mark.parametrize("part", MUTATIONS)
def test_a_recorded_auxpow_with_one_part_changed_is_refused_for_that(part: str) -> None:
    change, reason = MUTATIONS[part]
    raw = RECORDED[:80] + change(recorded_auxpow()).encode()
    rejected = refusal(raw, MAIN)
    assert f"{rejected.check}: {rejected.reason}".startswith(reason)
    assert rejected.mutated
    body = MAIN.process_block(raw + RECORDED[RECORDED_SIZE:])
    assert body == rejected


def test_the_hash_that_the_miner_states_of_the_parent_is_read_by_no_rule() -> None:
    auxpow = msgspec.structs.replace(recorded_auxpow(), parent_hash=b"\x01" * 32)
    assert isinstance(MAIN.process_header(RECORDED[:80] + auxpow.encode()), Header)


def test_a_body_whose_header_was_proved_must_still_bring_a_true_auxpow() -> None:
    header = MAIN.process_header(RECORDED[:RECORDED_SIZE])
    assert isinstance(header, Header)
    false = changed_coinbase(recorded_auxpow()).encode()
    rejected = MAIN.process_block(RECORDED[:80] + false + RECORDED[RECORDED_SIZE:], header)
    assert isinstance(rejected, Rejected)
    assert (rejected.check, rejected.mutated) == ("auxpow", True)


def test_every_cut_of_a_recorded_header_is_refused_as_cut_and_spoils_no_hash() -> None:
    for size in range(80, RECORDED_SIZE):
        rejected = refusal(RECORDED[:size], MAIN)
        assert (rejected.check, rejected.mutated) == ("header", True)
    assert "1 bytes after the end" in refusal(RECORDED[: RECORDED_SIZE + 1], MAIN).reason
