"""SipHash against its authors' vectors, and the form with lanes against the plain one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.kernels.siphash import LANES_MAX, short_ids, siphash_2_4

KEY_0, KEY_1 = 0x0706050403020100, 0x0F0E0D0C0B0A0908
# Of the reference implementation's vectors: the hash of the bytes 0, 1, …, length - 1.
VECTORS = {0: 0x726FDB47DD0E0E31, 1: 0x74F839C593DC67FD, 7: 0xAB0200F58B01D137, 8: 0x93F5F5799A932462}
LENGTH_15 = 0xA129CA6149BE45E5
WORDS = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize("length", VECTORS)
def test_the_hash_is_that_of_the_authors_vectors(length: int) -> None:
    assert siphash_2_4(KEY_0, KEY_1, bytes(range(length))) == VECTORS[length]


def test_the_hash_is_that_of_the_papers_example() -> None:
    assert siphash_2_4(KEY_0, KEY_1, bytes(range(15))) == LENGTH_15


@given(WORDS, WORDS, st.lists(st.binary(min_size=32, max_size=32), max_size=20))
def test_lanes_give_what_the_plain_form_gives(key_0: int, key_1: int, ids: list[bytes]) -> None:
    plain = [siphash_2_4(key_0, key_1, each) & (1 << 48) - 1 for each in ids]
    assert short_ids(key_0, key_1, ids) == plain


@pytest.mark.parametrize("count", [LANES_MAX - 1, LANES_MAX, LANES_MAX + 1, 3 * LANES_MAX])
def test_lanes_keep_the_order_over_their_limit(count: int) -> None:
    rng = random.Random(count)
    ids = [rng.randbytes(32) for _ in range(count)]
    assert short_ids(1, 2, ids) == [siphash_2_4(1, 2, each) & (1 << 48) - 1 for each in ids]
