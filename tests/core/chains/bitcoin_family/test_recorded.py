"""Real blocks and headers are accepted with their known hashes, and refused when one bit is changed."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import Block, Header, Rejected, bitcoin, display_hash, litecoin
from sprint.core.chains.bitcoin_family import block as block_module
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain, BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.kernels import merkle_root
from sprint.core.wire import Reader, compact_size
from tests.core.chains.bitcoin_family.building import at
from tests.vectors import bitcoin_family as vectors

BITCOIN = bitcoin.CHAIN.processor("main")
LITECOIN = litecoin.CHAIN.processor("main")
TESTNET4 = BitcoinFamilyProcessor(
    msgspec.structs.replace(bitcoin.MAIN, chain_id="bitcoin-testnet4", bip34_height=1, witness_height=1)
)
REAL = vectors.json_block("bitcoin/mainnet_951658.json")
REAL_COUNT = 374
FIRST_TRANSACTION = 83  # header 80, count in three bytes


def judged(processor: BitcoinFamilyProcessor, raw: bytes) -> Block:
    verdict = processor.process_block(raw)
    assert isinstance(verdict, Block), verdict
    return verdict


def refusal(raw: bytes) -> Rejected:
    verdict = BITCOIN.process_block(raw)
    assert isinstance(verdict, Rejected)
    return verdict


@pytest.mark.parametrize("chain", ["bitcoin", "litecoin"])
def test_every_vector_has_its_provenance(chain: str) -> None:
    folder = Path(vectors.__file__).parent / chain
    with (folder / "PROVENANCE.tsv").open() as file:
        rows = [row["file"] for row in csv.DictReader(file, delimiter="\t")]
    assert sorted(rows) == sorted(p.name for p in folder.iterdir() if p.name != "PROVENANCE.tsv")


@pytest.mark.parametrize(
    ("processor", "path"),
    [
        (BITCOIN, "bitcoin/mainnet_951658.json"),
        (TESTNET4, "bitcoin/testnet4_40000.json"),
        (LITECOIN, "litecoin/mainnet_900000.json"),
    ],
    ids=["bitcoin-951658", "testnet4-40000", "litecoin-900000"],
)
def test_a_recorded_block_agrees_with_its_nodes_answer(processor: BitcoinFamilyProcessor, path: str) -> None:
    answer = vectors.answer(path)
    block = judged(processor, vectors.json_block(path))
    assert display_hash(block.header.hash) == answer["hash"]
    assert display_hash(block.header.parent) == answer["previousblockhash"]
    assert block.header.timestamp == answer["time"]
    assert block.header.native["merkle_root"] == answer["merkleroot"]
    assert block.header.native["bits"] == answer["bits"]
    assert block.header.native["nonce"] == answer["nonce"]
    assert block.tx_count == len(answer["tx"])
    assert block.size == answer["size"]
    assert block.facts.height_claimed == answer["height"]
    assert processor.check_context(block, at(answer["height"]), ()) is None


def test_ids_and_stripped_size_agree_with_the_nodes_answer() -> None:
    answer = vectors.answer("bitcoin/mainnet_951658.json")
    scan = block_module._scan(REAL, 80, bitcoin.MAIN).scan
    assert scan.starts[0] == FIRST_TRANSACTION
    assert [display_hash(scan.txids[at : at + 32]) for at in range(0, len(scan.txids), 32)] == answer["tx"]
    stripped_size = len(REAL) - scan.witness_size
    assert stripped_size == answer["strippedsize"]
    assert 3 * stripped_size + len(REAL) == answer["weight"]
    assert (scan.tx_count, scan.coinbases, scan.begins_with_coinbase) == (REAL_COUNT, 1, True)


def test_a_full_mainnet_block_is_accepted() -> None:
    raw = vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")
    block = judged(BITCOIN, raw)
    known = "0000000000000000001602407ac49862a7bca9d00f7f402db20b7be2f5de59d2"
    assert display_hash(block.header.hash) == known
    assert (block.tx_count, block.size) == (3315, len(raw))
    assert block.facts.height_claimed is not None
    assert BITCOIN.check_context(block, at(block.facts.height_claimed), ()) is None
    wrong = BITCOIN.check_context(block, at(block.facts.height_claimed + 1), ())
    assert wrong is not None
    assert (wrong.check, wrong.mutated) == ("coinbase_height", False)


def test_the_first_blocks_of_bitcoin_are_one_chain_of_valid_blocks() -> None:
    parent = bitcoin.MAIN.genesis_hash
    blocks = vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
    for height, raw in enumerate(blocks, 1):
        block = judged(BITCOIN, raw)
        assert block.header.parent == parent
        assert not block.facts.witness.absent
        assert BITCOIN.check_context(block, at(height), ()) is None
        parent = block.header.hash
    assert len(blocks) == 255
    assert display_hash(parent) == "00000000d0a75c861fabf9ff7b92022f60e4afeed9331fe5aa073d8e4706fe3c"


def test_recorded_side_branches_are_valid_and_join_the_chain_they_leave() -> None:
    hashes = [
        judged(BITCOIN, raw).header.hash for raw in vectors.block_file("bitcoin/mainnet_blk_0_to_4.dat.bz2")
    ]
    assert hashes[0] == bitcoin.MAIN.genesis_hash
    known = {
        "3A": "00000000474284d20067a4d33f6a02284e6ef70764a3a26d6a5b9df52ef663dd",
        "4A": "00000000551dc04c148242d1f648802577df8cf7d4e1b469211016280204a2bf",
        "5A": "00000000195f85184e77c18914bd0febd11278d950f5e4731a38f71ed79f044e",
    }
    parent = hashes[2]
    for name, displayed in known.items():
        (raw,) = vectors.block_file(f"bitcoin/reorg_blk_{name}.dat.bz2")
        block = judged(BITCOIN, raw)
        assert display_hash(block.header.hash) == displayed
        assert block.header.parent == parent
        parent = block.header.hash


def test_the_first_headers_of_bitcoin_link_and_carry_the_least_work() -> None:
    parent = bitcoin.MAIN.genesis_hash
    for raw in vectors.headers("bitcoin/mainnet_headers_1_11.txt"):
        header = BITCOIN.process_header(raw)
        assert isinstance(header, Header)
        assert header.parent == parent
        assert header.work == 0x1_0001_0001
        parent = header.hash


def test_a_header_and_root_rebuilt_from_an_answer_give_its_hash() -> None:
    answer = vectors.answer("bitcoin/mainnet_626472_getblock_v1.json")
    root, repeated = merkle_root([bytes.fromhex(txid)[::-1] for txid in answer["tx"]])
    assert not repeated
    header = BlockHeader(
        answer["version"],
        bytes.fromhex(answer["previousblockhash"])[::-1],
        root,
        answer["time"],
        int(answer["bits"], 16),
        answer["nonce"],
    )
    judged_header = BITCOIN.process_header(header.encode())
    assert isinstance(judged_header, Header)
    assert display_hash(judged_header.hash) == answer["hash"]


@pytest.mark.parametrize(
    ("chain", "network", "displayed"),
    [
        (bitcoin.CHAIN, "main", "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"),
        (bitcoin.CHAIN, "regtest", "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
        (litecoin.CHAIN, "main", "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"),
        (litecoin.CHAIN, "regtest", "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"),
    ],
)
def test_genesis_headers_pass_and_have_their_published_hash(
    chain: BitcoinFamilyChain, network: str, displayed: str
) -> None:
    header = chain.processor(network).process_header(chain.networks[network].genesis)
    assert isinstance(header, Header)
    assert display_hash(header.hash) == display_hash(chain.networks[network].genesis_hash) == displayed


def test_litecoins_genesis_header_is_the_recorded_one_and_needs_scrypt() -> None:
    (raw,) = vectors.headers("litecoin/mainnet_genesis_header.hex")
    assert raw == litecoin.MAIN.genesis
    by_sha256d = BitcoinFamilyProcessor(msgspec.structs.replace(litecoin.MAIN, proof_of_work="sha256d"))
    verdict = by_sha256d.process_header(raw)
    assert isinstance(verdict, Rejected)
    assert verdict.check == "proof_of_work"


def _witness_ranges(raw: bytes) -> list[range]:
    """Where the witness data of REAL's transactions lies, found by the plain reader."""
    found = []
    reader = Reader(raw, FIRST_TRANSACTION)
    for _ in range(REAL_COUNT):
        transaction = parse_transaction(reader)
        size = sum(
            len(compact_size(len(stack))) + sum(len(compact_size(len(i))) + len(i) for i in stack)
            for stack in transaction.witnesses
        )
        found.append(range(reader.position - 4 - size, reader.position - 4))
    assert reader.position == len(raw)
    return found


WITNESS_BYTES = {position for span in _witness_ranges(REAL) for position in span}


@given(st.integers(0, 80 * 8 - 1))
@settings(max_examples=100)
def test_a_flipped_bit_in_the_header_is_refused_by_its_proof_of_work(bit: int) -> None:
    flipped = bytearray(REAL)
    flipped[bit // 8] ^= 1 << bit % 8
    verdict = refusal(bytes(flipped))
    in_target = 72 <= bit // 8 < 76
    assert verdict.check in (("target", "proof_of_work") if in_target else ("proof_of_work",))
    assert not verdict.mutated


@given(st.integers(80 * 8, len(REAL) * 8 - 1))
@settings(max_examples=150)
def test_a_flipped_bit_in_the_body_is_refused_by_the_check_that_covers_it(bit: int) -> None:
    flipped = bytearray(REAL)
    flipped[bit // 8] ^= 1 << bit % 8
    verdict = refusal(bytes(flipped))
    covering = "witness_commitment" if bit // 8 in WITNESS_BYTES else "merkle_root"
    assert verdict.check in (covering, "parse")
    assert verdict.mutated


@given(st.integers(0, len(REAL) - 1))
@settings(max_examples=50)
def test_a_truncated_block_is_refused(size: int) -> None:
    assert refusal(REAL[:size]).check == ("header" if size < 80 else "parse")


def test_bytes_after_the_last_transaction_are_refused() -> None:
    verdict = refusal(REAL + b"\x00")
    assert (verdict.check, verdict.mutated) == ("parse", True)


def test_a_real_block_with_its_last_pair_repeated_has_the_same_root_and_is_refused() -> None:
    reader = Reader(REAL, FIRST_TRANSACTION)
    starts = []
    for _ in range(REAL_COUNT):
        starts.append(reader.position)
        parse_transaction(reader)
    repeated = REAL[:80] + compact_size(REAL_COUNT + 2) + REAL[FIRST_TRANSACTION:] + REAL[starts[-2] :]
    verdict = refusal(repeated)
    assert (verdict.check, verdict.mutated) == ("merkle_root", True)
    assert "CVE-2012-2459" in verdict.reason


def test_a_block_stripped_of_its_witness_data_is_refused_from_the_height_that_demands_it() -> None:
    reader = Reader(REAL, FIRST_TRANSACTION)
    transactions = [parse_transaction(reader) for _ in range(REAL_COUNT)]
    stripped = REAL[:FIRST_TRANSACTION] + b"".join(t.encode(witness=False) for t in transactions)
    block = judged(BITCOIN, stripped)
    assert block.facts.witness.absent
    verdict = BITCOIN.check_context(block, at(951_658), ())
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == ("witness_commitment", True)
    first = bitcoin.MAIN.witness_height
    assert first is not None
    for height, outcome in ((first - 1, None), (first, "witness_commitment")):
        unlocked = msgspec.structs.replace(block.facts, height_claimed=height, locked_until_height=0)
        placed = msgspec.structs.replace(block, facts=unlocked)
        found = BITCOIN.check_context(placed, at(height), ())
        assert (found.check if found else None) == outcome
