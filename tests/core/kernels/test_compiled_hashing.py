"""Every compiled form hashes as its twin does: all counts, any bytes, from any address."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.kernels import reference, sha256_compiled
from sprint.core.kernels.binding import Kernels
from sprint.core.kernels.sha256_pieces import compile_pieces
from sprint.core.kernels.sha256_rules import ROUND_CONSTANTS, START, padding, schedule
from sprint.core.kernels.warm_up import MERKLE_LEAVES_MIN
from tests.vectors import bitcoin_family as vectors

COUNT_MAX = 200
BITS = (
    st.integers(0, 2**32 - 1)
    | st.builds(lambda length, rest: length << 24 | rest, st.integers(0, 40), st.integers(0, 2**24 - 1))
    | st.sampled_from([0x1D00FFFF, 0x207FFFFF, 0x2100FFFF, 0x220000FF, 0x23000001, 0x01010000, 0x20800000])
)
each_form = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def data(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def test_the_numbers_of_sha_256_are_those_of_the_standard() -> None:
    assert (ROUND_CONSTANTS[0], ROUND_CONSTANTS[63]) == (0x428A2F98, 0xC67178F2)
    assert (START[0], START[7]) == (0x6A09E667, 0x5BE0CD19)
    assert (len(ROUND_CONSTANTS), len(START)) == (64, 8)


@pytest.mark.parametrize("size", [0, 4, 32, 64, 80])
def test_padding_and_schedule_make_the_hash_of_hashlib(size: int) -> None:
    message = data(size)
    words = [int.from_bytes(message[at : at + 4], "big") for at in range(0, size, 4)] + list(padding(size))
    state = list(START)
    for block in range(0, len(words), 16):
        state = compressed(state, schedule(words[block : block + 16]))
    assert b"".join(word.to_bytes(4, "big") for word in state) == hashlib.sha256(message).digest()


def compressed(state: list[int], words: tuple[int, ...]) -> list[int]:
    """Write out FIPS 180-4, 6.2.2."""
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(ROUND_CONSTANTS, words, strict=True):
        first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constant + word
        second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
        a, b, c, d, e, f, g, h = (first + second) % 2**32, a, b, c, (d + first) % 2**32, e, f, g
    return [(old + new) % 2**32 for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def turned(word: int, by: int) -> int:
    return (word >> by | word << 32 - by) % 2**32


def test_every_number_of_items_is_hashed_as_the_twin_does(form: Kernels) -> None:
    items = data(80 * COUNT_MAX)
    for count in range(COUNT_MAX + 1):
        assert form.hash_pairs(items[: 64 * count]) == reference.hash_pairs(items[: 64 * count])
        assert form.hash_headers(items[: 80 * count]) == reference.hash_headers(items[: 80 * count])


@pytest.mark.parametrize("size", [1, 63, 65, 79, 81, 127])
def test_a_part_of_an_item_is_refused_as_the_twin_does(form: Kernels, size: int) -> None:
    for kernels in (form, reference):
        with pytest.raises(ValueError, match=f"{size} bytes, an item has 64"):
            kernels.hash_pairs(bytes(size))
        with pytest.raises(ValueError, match=f"{size} bytes, an item has 80"):
            kernels.hash_headers(bytes(size))


@pytest.mark.parametrize("offset", range(8))
def test_items_may_begin_and_digests_may_go_at_any_address(form: Kernels, offset: int) -> None:
    pieces = compile_pieces(form.tier, cached=True)
    for count in (1, 3, 16, 33):
        for size, kernel, twin in (
            (64, sha256_compiled.hash_pairs, reference.hash_pairs),
            (80, sha256_compiled.hash_headers, reference.hash_headers),
        ):
            source = np.frombuffer(data(size * count + offset), np.uint8)
            target = np.full(32 * count + offset + 64, 0xAA, np.uint8)
            kernel(pieces, source[offset:], count, target[offset:])
            assert target[offset : offset + 32 * count].tobytes() == twin(source[offset:].tobytes())
            # Nothing is written before or behind.
            assert set(target[:offset].tolist()) | set(target[offset + 32 * count :].tolist()) == {0xAA}


@given(st.binary(min_size=64, max_size=64 * 40).map(lambda items: items[: len(items) // 64 * 64]))
@each_form
def test_any_pairs_are_hashed_as_the_twin_does(form: Kernels, items: bytes) -> None:
    assert form.hash_pairs(items) == reference.hash_pairs(items)


def test_the_root_over_every_number_of_ids_is_the_twins(form: Kernels) -> None:
    ids = data(32 * COUNT_MAX)
    for count in range(COUNT_MAX + 1):
        wanted = reference.merkle_root_of(ids[: 32 * count])
        assert form.merkle_root_of(ids[: 32 * count]) == wanted
        assert form.merkle_root([ids[at : at + 32] for at in range(0, 32 * count, 32)]) == wanted


@pytest.mark.parametrize("offset", range(8))
def test_ids_may_begin_and_their_root_may_go_at_any_address(form: Kernels, offset: int) -> None:
    pieces = compile_pieces(form.tier, cached=True)
    for count in (*range(MERKLE_LEAVES_MIN, 40), 63, 64, 65, 199, 200):
        source = np.frombuffer(data(32 * count + offset), np.uint8)
        root = np.full(32 + 2 * offset, 0xAA, np.uint8)
        repeated = sha256_compiled.merkle_root(pieces, source[offset:], count, root[offset : offset + 32])
        assert (root[offset : offset + 32].tobytes(), bool(repeated)) == reference.merkle_root_of(
            source[offset:].tobytes()
        )
        assert set(root[:offset].tolist()) | set(root[offset + 32 :].tolist()) <= {0xAA}


@given(st.lists(st.integers(0, 3), max_size=70))
@each_form
def test_repeats_in_the_tree_are_told_as_the_twin_does(form: Kernels, numbers: list[int]) -> None:
    ids = b"".join(bytes((number,)) * 32 for number in numbers)
    assert form.merkle_root_of(ids) == reference.merkle_root_of(ids)


def test_a_repeated_end_has_the_same_root_and_is_told(form: Kernels) -> None:
    for count in range(6, 80, 2):
        ids = data(32 * count)
        if count & (count - 1):
            covered, width = 1, count
            while width % 2 == 0:
                covered, width = covered * 2, width // 2
            found = form.merkle_root_of(ids + ids[-32 * covered :])
            assert found == (form.merkle_root_of(ids)[0], True)


def test_ids_that_are_cut_off_are_refused_as_the_twin_does(form: Kernels) -> None:
    for kernels in (form, reference):
        with pytest.raises(ValueError, match="321 bytes of ids, one has 32"):
            kernels.merkle_root_of(bytes(321))


@given(
    st.lists(st.tuples(BITS, st.booleans()), max_size=40),
    st.sampled_from([2**256 - 1, 2**255, 0xFFFF << 208, 2**224 - 1, 1]),
)
@each_form
def test_headers_are_judged_as_the_twin_does(
    form: Kernels, headers: list[tuple[int, bool]], target_max: int
) -> None:
    raw, parent = b"", bytes(32)
    for number, (bits, linked) in enumerate(headers):
        own = parent if linked else bytes(32)
        header = data(4, number) + own + data(36, number) + bits.to_bytes(4, "little") + bytes(4)
        raw, parent = raw + header, reference.sha256d(header)
    assert form.header_chain(raw, target_max) == reference.header_chain(raw, target_max)


def mixed_headers(count: int) -> bytes:
    """Headers one behind the other: of targets of all kinds, most of them linked to the one before."""
    rng, raw, parent = random.Random(count), b"", bytes(32)
    kinds = (0x1D00FFFF, 0x207FFFFF, 0x2100FFFF, 0x220000FF, 0x01010000, 0x20800000, 0x1F00FFFF, 0)
    for _ in range(count):
        own = parent if rng.random() < 0.8 else bytes(32)
        bits = rng.choice(kinds).to_bytes(4, "little")
        header = rng.randbytes(4) + own + rng.randbytes(36) + bits + rng.randbytes(4)
        raw, parent = raw + header, reference.sha256d(header)
    return raw


def test_every_number_of_headers_is_judged_as_the_twin_does(form: Kernels) -> None:
    raw = mixed_headers(COUNT_MAX)
    for count in range(COUNT_MAX + 1):
        headers = raw[: 80 * count]
        assert form.header_chain(headers, 2**255) == reference.header_chain(headers, 2**255)
    assert len(set(form.header_chain(raw, 2**255)[1])) >= 4, "good ones, and each kind of fault"


@pytest.mark.parametrize("offset", range(8))
def test_headers_to_judge_may_begin_at_any_address(form: Kernels, offset: int) -> None:
    pieces = compile_pieces(form.tier, cached=True)
    limit = np.frombuffer((2**255).to_bytes(32, "little"), np.uint64).copy()
    for count in (1, 3, 16, 33, 200):
        source = np.frombuffer(bytes(offset) + mixed_headers(count), np.uint8)
        found = np.full(33 * count + 2 * offset, 0xAA, np.uint8)
        hashes, faults = found[offset : offset + 32 * count], found[offset + 32 * count :][:count]
        sha256_compiled.header_chain(pieces, source[offset:], count, limit, hashes, faults)
        wanted = reference.header_chain(source[offset:].tobytes(), 2**255)
        assert (hashes.tobytes(), faults.tobytes()) == wanted
        assert set(found[:offset].tolist()) | set(found[offset + 33 * count :].tolist()) <= {0xAA}


def test_a_real_header_meets_its_own_target_and_no_harder_one(form: Kernels) -> None:
    header = vectors_headers()[:80]
    hashes, faults = form.header_chain(header, 2**256 - 1)
    assert (hashes, faults) == reference.header_chain(header, 2**256 - 1)
    assert faults == b"\0"
    harder = header[:72] + (0x1900FFFF).to_bytes(4, "little") + header[76:]
    assert form.header_chain(harder, 2**256 - 1)[1] == reference.header_chain(harder, 2**256 - 1)[1] == b"\2"


def vectors_headers() -> bytes:
    """Real headers of Bitcoin's main network, one behind the other."""
    return b"".join(vectors.headers("bitcoin/mainnet_headers_1_11.txt"))


def test_real_headers_hang_together_and_meet_their_targets(form: Kernels) -> None:
    headers = vectors_headers()
    assert form.header_chain(headers, 0xFFFF << 208) == reference.header_chain(headers, 0xFFFF << 208)
    assert not any(form.header_chain(headers, 0xFFFF << 208)[1])
    swapped = headers[80:160] + headers[:80] + headers[160:]
    assert form.header_chain(swapped, 0xFFFF << 208)[1][:4] == b"\0\4\4\0"
