"""Merged mining: commitments that are wrong although the work was done, versions, bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Header, Rejected, bitcoin, dogecoin
from sprint.core.chains.bitcoin_family.auxpow import (
    BRANCH_LENGTH_MAX,
    Auxpow,
    header_size,
    parse_auxpow,
    slot_of,
)
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import AuxpowRules
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.errors import WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import HeadersAnnounced
from sprint.core.relay.prove import INLINE_COST_MS_MAX, HeadersProof, HeadersRun
from sprint.core.wire import Reader
from tests.core.chains.bitcoin_family import merging
from tests.core.chains.bitcoin_family.merging import NO_COMMITMENT, PROCESSOR, Work, merged, refusal

OWN = merging.header()


@given(
    height=st.integers(0, 30),
    nonce=st.integers(0, 2**32 - 1),
    others=st.binary(min_size=1, max_size=4),
    coinbase_height=st.integers(0, 14),
)
def test_a_merge_mined_header_passes_at_any_height_of_both_trees(
    height: int, nonce: int, others: bytes, coinbase_height: int
) -> None:
    other = others.ljust(32, b"\0")
    work = Work(chain_branch=(other,) * height, nonce=nonce, coinbase_branch=(other,) * coinbase_height)
    auxpow = merged(OWN, work)
    header = PROCESSOR.process_header(OWN + auxpow.encode())
    assert isinstance(header, Header), header
    assert header.raw == OWN


TREE = (b"\x55" * 32, b"\x66" * 32)


def two_tags(root: bytes, size: int, nonce: int) -> bytes:
    return merging.tagged(root, size, nonce) + merging.TAG


def tag_elsewhere(root: bytes, size: int, nonce: int) -> bytes:
    return merging.TAG + b"x" + merging.tagged(root, size, nonce)[8:]


def tag_behind(root: bytes, size: int, nonce: int) -> bytes:
    return untagged_at(0)(root, size, nonce) + merging.TAG


def untagged_at(offset: int) -> merging.Script:
    return lambda root, size, nonce: b"x" * offset + merging.tagged(root, size, nonce)[8:]


def cut_by(count: int) -> merging.Script:
    return lambda root, size, nonce: merging.tagged(root, size, nonce)[:-count]


WRONG = {
    "two tags": (Work(script=two_tags), "more than one merged-mining tag in the parent's coinbase"),
    "tag not before the root": (
        Work(script=tag_elsewhere),
        "the merged-mining tag at byte 0 is not right before the root at byte 5",
    ),
    "tag behind the root": (
        Work(script=tag_behind),
        "the merged-mining tag at byte 40 is not right before the root at byte 0",
    ),
    "untagged and late": (Work(script=untagged_at(21)), "an untagged root starts at byte 21, limit 20"),
    "nonce cut": (Work(script=cut_by(1)), "7 bytes after the root, size and nonce have 8"),
    "size and nonce cut": (Work(script=cut_by(8)), "0 bytes after the root, size and nonce have 8"),
    "size of another tree": (
        Work(chain_branch=TREE, size=2),
        "the parent commits to a tree of 2 chains, the chain branch has 4",
    ),
    "size zero": (Work(size=0), "the parent commits to a tree of 0 chains, the chain branch has 1"),
    "another slot": (
        Work(chain_branch=TREE, nonce=0, index=merging.slot(0, 98, 2) ^ 1),
        f"slot {merging.slot(0, 98, 2) ^ 1} in the tree of chains, chain 98 has {merging.slot(0, 98, 2)}",
    ),
    "chain branch too long": (Work(chain_branch=TREE[:1] * 31), "a chain branch of 31 hashes, limit 30"),
    "parent of our own chain": (Work(parent_version=98 << 16 | 4), "the parent is of chain 98 itself"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_false_commitment_is_refused_although_the_work_was_done(fault: str) -> None:
    work, reason = WRONG[fault]
    rejected = refusal(OWN + merged(OWN, work).encode())
    assert rejected == Rejected("auxpow", reason, mutated=True)


@pytest.mark.parametrize("offset", [0, 20])
def test_an_untagged_root_may_start_within_the_first_20_bytes(offset: int) -> None:
    raw = OWN + merged(OWN, Work(script=untagged_at(offset))).encode()
    assert isinstance(PROCESSOR.process_header(raw), Header)


def test_an_auxpow_cannot_be_used_again_for_another_block() -> None:
    auxpow = merged(OWN).encode()
    assert isinstance(PROCESSOR.process_header(OWN + auxpow), Header)
    other = merging.header(nonce=1)
    assert refusal(other + auxpow) == Rejected("auxpow", NO_COMMITMENT, mutated=True)


def test_a_parent_that_misses_our_target_is_refused_and_its_header_is_not() -> None:
    auxpow = merged(OWN)
    idle = msgspec.structs.replace(auxpow, parent=merging.worked(parse_header(auxpow.parent), meets=False))
    rejected = refusal(OWN + idle.encode())
    assert (rejected.check, rejected.mutated) == ("proof_of_work", True)


def test_our_own_header_need_not_meet_the_target_if_the_parent_does() -> None:
    idle = merging.worked(parse_header(OWN), meets=False)
    assert isinstance(PROCESSOR.process_header(idle + merged(idle).encode()), Header)


# Versions.


@pytest.mark.parametrize("version", [3, 4, 0x63_0104, 0x2000_0000, 0x61_0004])
def test_a_version_without_our_chain_id_is_refused_but_for_versions_1_and_2(version: int) -> None:
    raw = merging.header(version)
    auxpow = merged(raw).encode() if version & 0x100 else b""
    rejected = refusal(raw + auxpow)
    assert (rejected.check, rejected.mutated) == ("version", False)
    assert rejected.reason == f"version {version:#x} is of chain {version >> 16}, this is chain 98"


def test_a_negative_version_is_of_a_negative_chain() -> None:
    rejected = refusal(merging.header(-(1 << 31)))
    assert rejected.reason == "version -0x80000000 is of chain -32768, this is chain 98"


@pytest.mark.parametrize("version", [1, 2, 98 << 16 | 4])
def test_headers_that_did_their_own_work_are_accepted_beside_merge_mined_ones(version: int) -> None:
    raw = merging.worked(parse_header(merging.header(version)), meets=True)
    assert isinstance(PROCESSOR.process_header(raw), Header)


def test_a_chain_that_is_not_strict_takes_the_id_that_the_block_states() -> None:
    lax = BitcoinFamilyProcessor(
        msgspec.structs.replace(
            dogecoin.REGTEST, auxpow=AuxpowRules(chain_id=0x62, height=20, strict_chain_id=False)
        )
    )
    raw = merging.header(0x63_0104)
    work = Work(chain_branch=TREE, chain_id=0x63, nonce=1, parent_version=0x63_0004)
    assert merging.slot(1, 0x63, 2) != merging.slot(1, 0x62, 2)
    assert isinstance(lax.process_header(raw + merged(raw, work).encode()), Header)
    work = msgspec.structs.replace(work, chain_id=0x62)
    assert refusal(raw + merged(raw, work).encode(), lax).reason.startswith("slot ")


def test_bit_8_of_a_version_means_nothing_where_there_is_no_merged_mining() -> None:
    processor = bitcoin.CHAIN.processor("regtest")
    raws = [merging.header(0x2000_0100, nonce=nonce) for nonce in range(64)]
    assert [header_size(raw, 0, processor.parameters) for raw in raws] == [80] * 64
    assert any(isinstance(processor.process_header(raw), Header) for raw in raws)


# Bytes.

scripts = st.binary(max_size=120)
hashes = st.binary(min_size=32, max_size=32)
branches = st.lists(hashes, max_size=4).map(tuple)
i32s = st.integers(-(2**31), 2**31 - 1)
u32s = st.integers(0, 2**32 - 1)
transactions = st.builds(
    Transaction,
    version=i32s,
    inputs=st.lists(st.builds(TransactionInput, hashes, u32s, scripts, u32s), min_size=1, max_size=2).map(
        tuple
    ),
    outputs=st.lists(
        st.builds(TransactionOutput, st.integers(-(2**63), 2**63 - 1), scripts), min_size=1, max_size=2
    ).map(tuple),
    witnesses=st.just(()),
    lock_time=u32s,
)
auxpows = st.builds(
    Auxpow, transactions, hashes, branches, i32s, branches, i32s, st.binary(min_size=80, max_size=80)
)


@given(auxpows)
def test_parsing_undoes_encoding(auxpow: Auxpow) -> None:
    reader = Reader(auxpow.encode())
    assert parse_auxpow(reader) == auxpow
    reader.finish()


@given(auxpows)
def test_any_auxpow_is_judged_and_none_of_them_is_of_a_header_that_it_was_not_made_for(
    auxpow: Auxpow,
) -> None:
    rejected = refusal(OWN + auxpow.encode())
    assert (rejected.check, rejected.mutated) == ("auxpow", True)


@given(st.binary(max_size=300))
def test_any_bytes_behind_a_merge_mined_version_are_refused(behind: bytes) -> None:
    rejected = refusal(OWN + behind)
    assert (rejected.check, rejected.mutated) == ("header", True)


@pytest.mark.parametrize("which", ["coinbase_branch", "chain_branch"])
def test_a_branch_at_its_limit_is_read_and_one_over_is_refused_by_its_count(which: str) -> None:
    full = msgspec.structs.replace(merged(OWN), **{which: (bytes(32),) * BRANCH_LENGTH_MAX})
    assert parse_auxpow(Reader(full.encode())) == full
    over = msgspec.structs.replace(full, **{which: (bytes(32),) * (BRANCH_LENGTH_MAX + 1)})
    with pytest.raises(WireError, match=r"31251, limit 31250"):
        parse_auxpow(Reader(over.encode()))


@given(u32s, st.integers(-(2**15), 2**15 - 1), st.integers(0, 30))
def test_the_slot_is_the_published_rules(nonce: int, chain_id: int, height: int) -> None:
    assert slot_of(nonce, chain_id, height) == merging.slot(nonce, chain_id, height)


def test_bodies_of_a_merge_mined_chain_cost_a_proof_of_work_each() -> None:
    assert PROCESSOR.proof_cost_ms(0, 0, 1_000) > PROCESSOR.proof_cost_ms(1, 80, 0)
    assert PROCESSOR.proof_cost_ms(0, 0, 0) == 0


def test_a_header_with_a_large_auxpow_is_not_proved_on_the_event_loop() -> None:
    """One of 4 MB was taken to cost as much as 80 bytes, and stopped the loop for seconds."""
    stack = (b"",) * 20_000
    auxpow = merged(OWN)
    coinbase = msgspec.structs.replace(auxpow.coinbase, witnesses=(stack,))
    raw = OWN + msgspec.structs.replace(auxpow, coinbase=coinbase).encode()
    assert isinstance(PROCESSOR.process_header(raw), Header)
    for header, inline in ((OWN + auxpow.encode(), True), (raw, False)):
        run = HeadersRun((header,), (sha256d(OWN),))
        proof = HeadersProof(PROCESSOR, HeadersAnnounced("a", (header,), 0.0), run, run.hashes)
        assert (proof.cost_ms <= INLINE_COST_MS_MAX) is inline


@given(auxpows, st.data())
def test_where_a_header_ends_is_told_without_reading_it_whole(auxpow: Auxpow, data: st.DataObject) -> None:
    raw = OWN + auxpow.encode()
    assert header_size(b"before" + raw + b"behind", 6, PROCESSOR.parameters) == len(raw)
    with pytest.raises(WireError):
        header_size(raw[: data.draw(st.integers(0, len(raw) - 1))], 0, PROCESSOR.parameters)
