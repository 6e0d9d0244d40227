"""scrypt by lanes is scrypt: for every number of headers, and headers are judged as one by one."""

from __future__ import annotations

import os
import random

import pytest

from sprint.core.chains import Header, Rejected, litecoin
from sprint.core.chains.bitcoin_family.family import _HEADERS_SCRYPTED_AT_ONCE, BitcoinFamilyProcessor
from sprint.core.kernels import reference
from sprint.core.kernels.binding import REFERENCE_KERNELS, Kernels
from tests.core.kernels.forms import in_use

COUNT_MAX = 200
COUNTS = range(COUNT_MAX + 1) if os.environ.get("SPRINT_SOAK") == "1" else (*range(35), 63, 64, 65, COUNT_MAX)
HEADERS = [random.Random(number).randbytes(80) for number in range(COUNT_MAX)]
DIGESTS = reference.scrypt_headers(HEADERS)


def test_every_number_of_headers_has_the_twins_digests(form: Kernels) -> None:
    for count in COUNTS:
        assert form.scrypt_headers(HEADERS[:count]) == DIGESTS[:count]


@pytest.mark.parametrize("size", [0, 79, 81, 200])
def test_messages_of_other_lengths_have_the_twins_digests(form: Kernels, size: int) -> None:
    messages = [random.Random(number).randbytes(size) for number in range(5)]
    assert form.scrypt_headers(messages) == reference.scrypt_headers(messages)


def mined(count: int) -> list[bytes]:
    """Headers of Litecoin's regtest, each with its proof of work, one on the other."""
    headers, parent = [], litecoin.REGTEST.genesis_hash
    for number in range(count):
        nonce = 0
        while True:
            raw = b"\0\0\0\x20" + parent + bytes(32) + (1_700_000_000 + number).to_bytes(4, "little")
            raw += (0x207FFFFF).to_bytes(4, "little") + nonce.to_bytes(4, "little")
            if int.from_bytes(reference.scrypt_1024_1_1(raw), "little") <= litecoin.REGTEST.target_limit:
                break
            nonce += 1
        headers.append(raw)
        parent = reference.sha256d(raw)
    return headers


def test_headers_in_batches_are_judged_as_one_by_one(form: Kernels) -> None:
    processor = BitcoinFamilyProcessor(litecoin.REGTEST)
    headers = mined(_HEADERS_SCRYPTED_AT_ONCE + 3)
    attempts = (headers[9][:76] + nonce.to_bytes(4, "little") for nonce in range(1_000))
    false = next(raw for raw in attempts if isinstance(processor.process_header(raw), Rejected))
    headers[40:40] = [false, headers[0][:-1], b""]
    with in_use(REFERENCE_KERNELS):
        wanted = list(processor.process_headers(headers))
    with in_use(form):
        assert list(processor.process_headers(headers)) == wanted
    assert wanted == [processor.process_header(raw) for raw in headers]
    refused = [number for number, verdict in enumerate(wanted) if not isinstance(verdict, Header)]
    assert refused == [40, 41, 42]
