"""Headers of a message are judged together as they are one by one: the same verdicts, in the same order."""

from __future__ import annotations

import random

import msgspec

from sprint.core.chains import Header, Rejected, bitcoin
from sprint.core.chains.bitcoin_family.family import (
    _HEADERS_HASHED_AT_ONCE,
    BitcoinFamilyProcessor,
)
from sprint.core.kernels.binding import Kernels
from tests.core.chains.bitcoin_family import building, merging
from tests.core.kernels.forms import in_use
from tests.vectors import bitcoin_family as vectors

REAL = vectors.headers("bitcoin/mainnet_headers_1_11.txt")
COUNT = 2 * _HEADERS_HASHED_AT_ONCE + 7
SEED = 20
OF_TWO_TARGETS = [
    building.mined(bytes([number]) * 32, bits=bits)
    for number, bits in ((0, 0x207F_FFFF), (6, 0x203F_FFFF), (6, 0x203F_FFFF), (3, 0x207F_FFFF))
]
MAIN = BitcoinFamilyProcessor(bitcoin.MAIN)


def with_bits(header: bytes, bits: int) -> bytes:
    return header[:72] + bits.to_bytes(4, "little") + header[76:]


def spoilt(number: int) -> bytes:
    """Return a header that is wrong in one of all the ways that it can be by itself."""
    real = REAL[number % len(REAL)]
    attempts = (
        with_bits(real, 0),
        with_bits(real, 0x0180_0000 | 0x0080_0000),
        with_bits(real, 0x2300_FFFF),
        with_bits(real, 0x207F_FFFF),
        with_bits(real, 0x1900_FFFF),
        real[:79],
        real + b"\0",
        b"",
    )
    return attempts[number % len(attempts)]


def judged(form: Kernels, processor: BitcoinFamilyProcessor, headers: list[bytes]) -> list[Header | Rejected]:
    """Judge by a compiled form; it must say what the reference says of one after another."""
    wanted = [processor.process_header(raw) for raw in headers]
    with in_use(form):
        assert list(processor.process_headers(headers)) == wanted
    return wanted


def test_headers_hashed_together_are_judged_as_one_by_one(form: Kernels) -> None:
    rng = random.Random(SEED)
    headers = [REAL[number % len(REAL)] for number in range(COUNT)]
    assert all(isinstance(each, Header) for each in judged(form, MAIN, headers))
    for number, place in enumerate([0, _HEADERS_HASHED_AT_ONCE, COUNT - 1, *rng.sample(range(COUNT), 20)]):
        headers[place] = spoilt(number)
    refused = {each.check for each in judged(form, MAIN, headers) if isinstance(each, Rejected)}
    assert refused == {"target", "proof_of_work", "header"}


def test_a_batch_with_one_that_does_not_parse_is_judged_as_one_by_one(form: Kernels) -> None:
    for number in range(8):
        verdicts = judged(form, MAIN, [*REAL[:3], spoilt(number), *REAL[3:]])
        assert [isinstance(each, Rejected) for each in verdicts].index(True) == 3


def test_a_network_of_one_target_refuses_others_in_a_batch_too(form: Kernels) -> None:
    verdicts = judged(form, BitcoinFamilyProcessor(bitcoin.REGTEST), OF_TWO_TARGETS)
    assert [isinstance(each, Rejected) for each in verdicts] == [False, True, True, False]


def test_headers_of_a_batch_have_each_the_work_of_its_own_target(form: Kernels) -> None:
    processor = BitcoinFamilyProcessor(msgspec.structs.replace(bitcoin.REGTEST, fixed_bits=None))
    verdicts = judged(form, processor, OF_TWO_TARGETS)
    works = [each.work for each in verdicts if isinstance(each, Header)]
    assert works == [2, 4, 4, 2]


def test_merged_and_plain_headers_are_scrypted_together_as_one_by_one(form: Kernels) -> None:
    headers = [merging.header(nonce=number) for number in range(7)]
    proofs = [merging.merged(raw).encode() for raw in headers]
    raw = [header + proof for header, proof in zip(headers, proofs, strict=True)]
    raw[2] = raw[2][:-1]
    raw[4] = headers[4] + proofs[5]
    raw += [merging.header(version=merging.VERSION & ~0x100, nonce=number) for number in range(9)]
    verdicts = judged(form, merging.PROCESSOR, raw)
    refused = [number for number, each in enumerate(verdicts[:7]) if isinstance(each, Rejected)]
    assert refused == [2, 4]
    assert {type(each) for each in verdicts[7:]} == {Header, Rejected}


def test_headers_of_a_message_are_hashed_by_the_kernel(form: Kernels) -> None:
    """A batch that goes back to one hash at a time gives the same verdicts: only this would notice."""
    asked: list[int] = []

    def counted(headers: bytes, target_max: int) -> tuple[bytes, bytes]:
        asked.append(len(headers) // 80)
        return form.header_chain(headers, target_max)

    with in_use(form._replace(header_chain=counted)):
        verdicts = list(MAIN.process_headers(REAL))
    assert all(isinstance(each, Header) for each in verdicts)
    assert asked == [len(REAL)]
