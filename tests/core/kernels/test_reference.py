"""The reference kernels against recomputations written without them."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import litecoin
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.kernels import merkle_root, scrypt_1024_1_1, sha256d

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


def naive_root(leaves: list[bytes]) -> bytes:
    """Define the tree from the top: nodes over `2**n` places; those past the end repeat the last."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256d(naive_full(leaves[:half], half) + naive_full(leaves[half:], half))


def naive_full(leaves: list[bytes], width: int) -> bytes:
    """Return the node over `width` places that starts with `leaves` and is filled by repeats."""
    if width == 1:
        return leaves[0]
    half = width // 2
    left = naive_full(leaves[:half], half)
    right = naive_full(leaves[half:], half) if len(leaves) > half else left
    return sha256d(left + right)


def test_sha256d_of_known_bytes() -> None:
    assert sha256d(b"hello").hex() == "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"


@given(st.binary(max_size=200))
def test_sha256d_is_sha256_of_sha256(data: bytes) -> None:
    assert sha256d(data) == hashlib.new("sha256", hashlib.new("sha256", data).digest()).digest()


@given(LEAVES)
def test_merkle_root_is_that_of_the_tree_defined_from_the_top(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == (naive_root(leaves), False)


def test_merkle_root_of_few_leaves_written_out() -> None:
    a, b, c = (bytes([i]) * 32 for i in (1, 2, 3))
    assert merkle_root([]) == (bytes(32), False)
    assert merkle_root([a]) == (a, False)
    assert merkle_root([a, b]) == (sha256d(a + b), False)
    assert merkle_root([a, b, c]) == (sha256d(sha256d(a + b) + sha256d(c + c)), False)
    assert merkle_root([a, b, c, c]) == (sha256d(sha256d(a + b) + sha256d(c + c)), True)
    assert merkle_root([a, a]) == (sha256d(a + a), True)


@given(LEAVES.filter(lambda leaves: len(leaves) & (len(leaves) - 1) != 0))
def test_a_repeated_tail_keeps_the_root_and_is_told(leaves: list[bytes]) -> None:
    covered, width = 1, len(leaves)
    while width % 2 == 0:
        covered, width = covered * 2, width // 2
    root, repeated = merkle_root(leaves + leaves[-covered:])
    assert (root, repeated) == (merkle_root(leaves)[0], True)


def test_the_leaves_given_are_left_as_they_were() -> None:
    leaves = [bytes([i]) * 32 for i in range(5)]
    before = list(leaves)
    merkle_root(leaves)
    assert leaves == before


# scrypt, written out from RFC 7914 with r=1.


def naive_scrypt(data: bytes) -> bytes:
    block = hashlib.pbkdf2_hmac("sha256", data, data, 1, 128)
    kept = []
    for _ in range(1024):
        kept.append(block)
        block = _block_mix(block)
    for _ in range(1024):
        place = struct.unpack_from("<I", block, 64)[0] % 1024
        block = _block_mix(bytes(x ^ y for x, y in zip(block, kept[place], strict=True)))
    return hashlib.pbkdf2_hmac("sha256", data, block, 1, 32)


def _block_mix(block: bytes) -> bytes:
    first = _salsa(bytes(x ^ y for x, y in zip(block[64:], block[:64], strict=True)))
    return first + _salsa(bytes(x ^ y for x, y in zip(first, block[64:], strict=True)))


_COLUMNS = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11))
_ROWS = ((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))


def _salsa(block: bytes) -> bytes:
    start = struct.unpack("<16I", block)
    words = list(start)
    for _ in range(4):
        for a, b, c, d in _COLUMNS + _ROWS:
            for target, one, two, turn in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
                total = (words[one] + words[two]) & 0xFFFF_FFFF
                words[target] ^= (total << turn | total >> 32 - turn) & 0xFFFF_FFFF
    return struct.pack("<16I", *((x + y) & 0xFFFF_FFFF for x, y in zip(words, start, strict=True)))


@given(st.binary(min_size=80, max_size=80))
@settings(max_examples=5)
def test_scrypt_is_that_of_the_rfc_written_out(header: bytes) -> None:
    assert scrypt_1024_1_1(header) == naive_scrypt(header)


@pytest.mark.parametrize("network", [litecoin.MAIN, litecoin.REGTEST], ids=lambda network: network.name)
def test_litecoins_genesis_headers_meet_their_targets_by_scrypt(network: NetworkParameters) -> None:
    proof = naive_scrypt(network.genesis)
    assert proof == scrypt_1024_1_1(network.genesis)
    assert int.from_bytes(proof, "little") <= network.target_limit
