"""The processor: headers by their own proof, and no bytes that make it raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import Block, Header, Rejected, bitcoin, display_hash, internal_hash, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.errors import WireError
from sprint.core.kernels import scrypt_1024_1_1, sha256d
from tests.core.chains.bitcoin_family.building import (
    REGTEST,
    RESERVED,
    block,
    coinbase,
    commitment,
    mined,
    payment,
    refused_header,
)

PROCESSORS = [
    chain.processor(network) for chain in (bitcoin.CHAIN, litecoin.CHAIN) for network in chain.networks
]
OTHERS = [payment(1, witness=True), payment(2)]
VALID = block([coinbase(commitment(OTHERS), stack=(RESERVED,)), *OTHERS])
HEADERS = st.builds(
    BlockHeader,
    st.integers(-(2**31), 2**31 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    *[st.integers(0, 2**32 - 1)] * 3,
)


@given(HEADERS)
def test_a_header_is_parsed_back_from_its_80_bytes(header: BlockHeader) -> None:
    assert len(header.encode()) == 80
    assert parse_header(header.encode()) == header


@given(st.binary(max_size=200).filter(lambda raw: len(raw) != 80))
def test_a_header_of_another_size_is_refused(raw: bytes) -> None:
    verdict = refused_header(raw)
    assert (verdict.check, verdict.mutated) == ("header", False)


@pytest.mark.parametrize("bits", [0x1D00FFFF, 0x207FFFFE, 0x20800000, 0])
def test_regtest_has_one_compact_target_only(bits: int) -> None:
    assert refused_header(mined(bytes(32), bits=bits)).check == "target"


@pytest.mark.parametrize("processor", PROCESSORS, ids=repr)
def test_a_header_passes_exactly_if_its_proof_meets_its_target(processor: BitcoinFamilyProcessor) -> None:
    parameters = processor.parameters
    proof_of = sha256d if parameters.proof_of_work == "sha256d" else scrypt_1024_1_1
    seen = set()
    for nonce in range(40):
        raw = BlockHeader(1, bytes(32), bytes(32), 0, 0x207F_FFFF, nonce).encode()
        meets = int.from_bytes(proof_of(raw), "little") <= 0x7FFFFF << 232
        verdict = processor.process_header(raw)
        if parameters.fixed_bits is None:
            assert isinstance(verdict, Rejected)
            assert verdict.check == "target"
        else:
            assert isinstance(verdict, Header) == meets
            seen.add(meets)
    assert seen in (set(), {True, False})


def test_a_header_tells_its_hash_parent_time_and_fields() -> None:
    raw = mined(b"\x05" * 32, parent=b"\x07" * 32)
    header = REGTEST.process_header(raw)
    assert isinstance(header, Header)
    assert (header.hash, header.parent, header.timestamp) == (sha256d(raw), b"\x07" * 32, 1_700_000_000)
    assert header.native["merkle_root"] == "05" * 32
    assert header.native["bits"] == "207fffff"
    assert header.work == 2
    assert REGTEST.header_of(raw)[0] == header.hash
    assert REGTEST.header_of(raw + b"body") == (header.hash, header.parent)


def test_bytes_too_short_for_a_header_have_no_hash() -> None:
    with pytest.raises(WireError, match="79 bytes, a header alone has 80"):
        REGTEST.header_of(bytes(79))


def test_an_accepted_block_names_every_check_it_passed() -> None:
    verdict = REGTEST.process_block(VALID)
    assert isinstance(verdict, Block)
    assert verdict.checks == (
        "target", "proof_of_work", "parent",
        "merkle_root", "size", "coinbase", "transactions", "witness_commitment", "weight",
    )  # fmt: skip
    assert (verdict.tx_count, verdict.size, verdict.header.raw) == (3, len(VALID), VALID[:80])


@pytest.mark.parametrize("processor", PROCESSORS, ids=repr)
@given(raw=st.binary(max_size=400))
def test_no_bytes_make_a_processor_raise(processor: BitcoinFamilyProcessor, raw: bytes) -> None:
    assert isinstance(processor.process_header(raw), Header | Rejected)
    assert isinstance(processor.process_block(raw), Rejected)
    assert isinstance(processor.validate_transaction(raw), Rejected | None)


@given(st.data())
@settings(max_examples=300)
def test_no_change_to_a_valid_body_raises_or_passes(data: st.DataObject) -> None:
    """The header stays, so that the checks behind its proof of work are reached."""
    body = bytearray(VALID[80:])
    at = data.draw(st.integers(0, len(body) - 1))
    until = data.draw(st.integers(at, min(len(body), at + 20)))
    body[at:until] = data.draw(st.binary(max_size=20))
    verdict = REGTEST.process_block(VALID[:80] + bytes(body))
    assert isinstance(verdict, Rejected) == (bytes(body) != VALID[80:])


@given(st.binary(max_size=300))
def test_any_body_under_a_valid_header_is_judged_without_raising(body: bytes) -> None:
    assert isinstance(REGTEST.process_block(VALID[:80] + body), Rejected)


@given(st.binary(min_size=32, max_size=32))
def test_a_displayed_hash_is_the_reversed_hex_and_comes_back(digest: bytes) -> None:
    assert bytes.fromhex(display_hash(digest)) == digest[::-1]
    assert internal_hash(display_hash(digest)) == digest


@pytest.mark.parametrize("displayed", ["", "00" * 31, "00" * 33, "zz" * 32])
def test_what_is_not_a_hash_is_refused(displayed: str) -> None:
    with pytest.raises(ValueError, match=r"a hash has 32|non-hexadecimal"):
        internal_hash(displayed)
