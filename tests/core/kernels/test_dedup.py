"""The dedup table, by each binding: what it calls seen, what it keeps, and that all of them agree."""

from __future__ import annotations

import os
import random

import pytest

from sprint.core.kernels.dedup import ENTRIES_MAX, Kind, PlainDedupTable, PlainSpace, fill
from tests.core.kernels.dedup_tables import BINDINGS, COMPILED, TTL_S, NewTable, RandomOperations, plain

A, B, C, D = (bytes([each]) * 32 for each in b"abcd")
OPERATIONS = 10_000_000 if os.environ.get("SPRINT_SOAK") == "1" else 90_000


@pytest.fixture(params=BINDINGS, ids=lambda binding: binding.__name__)
def new_table(request: pytest.FixtureRequest) -> NewTable:
    found: NewTable = request.param
    return found


def test_a_hash_is_seen_from_its_second_time_on(new_table: NewTable) -> None:
    space = new_table(4).space("bitcoin", Kind.BLOCK, TTL_S)
    assert [space.seen(A, 1.0), space.seen(A, 1.0), space.seen(B, 1.0), space.seen(A, 2.0)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_an_entry_counts_up_to_its_time_and_a_repeat_does_not_prolong_it(new_table: NewTable) -> None:
    space = new_table(4).space("bitcoin", Kind.BLOCK, TTL_S)
    space.seen(A, 100.0)
    assert space.seen(A, 100.0 + TTL_S - 0.001)
    assert not space.seen(A, 100.0 + TTL_S)
    assert space.seen(A, 100.0 + TTL_S + 0.001)


def test_a_clock_that_is_set_back_makes_entries_new_rather_than_keep_them_for_good(
    new_table: NewTable,
) -> None:
    space = new_table(4).space("bitcoin", Kind.BLOCK, TTL_S)
    space.seen(A, 1e9)
    assert not space.seen(A, 5.0)
    assert space.seen(A, 6.0)


def test_the_least_recently_used_goes_at_capacity_and_not_one_before(new_table: NewTable) -> None:
    table = new_table(3)
    space = table.space("bitcoin", Kind.BLOCK, TTL_S)
    for digest in (A, B, C):
        space.seen(digest, 1.0)
    assert len(table) == 3
    assert space.seen(A, 1.0)
    space.seen(D, 1.0)
    assert [entry.digest for entry in table.entries()] == [C, A, D]
    assert not space.seen(B, 1.0)


def test_a_table_of_one_holds_one(new_table: NewTable) -> None:
    table = new_table(1)
    space = table.space("bitcoin", Kind.BLOCK, TTL_S)
    assert [space.seen(digest, 1.0) for digest in (A, A, B, A, A)] == [False, True, False, False, True]
    assert len(table) == 1


def test_a_hash_that_differs_in_one_bit_is_another(new_table: NewTable) -> None:
    space = new_table(300).space("bitcoin", Kind.BLOCK, TTL_S)
    space.seen(A, 1.0)
    bits = [(int.from_bytes(A, "little") ^ 1 << bit).to_bytes(32, "little") for bit in range(256)]
    assert not any(space.seen(digest, 1.0) for digest in bits)
    assert all(space.seen(digest, 1.0) for digest in (A, *bits))


def test_a_hash_of_another_chain_or_kind_is_another(new_table: NewTable) -> None:
    table = new_table(8)
    names = [("bitcoin", Kind.BLOCK), ("bitcoin", Kind.TRANSACTION), ("litecoin", Kind.BLOCK)]
    assert not any(table.space(chain, kind, TTL_S).seen(A, 1.0) for chain, kind in names)
    assert [(entry.chain, entry.kind) for entry in table.entries()] == names
    assert table.space("litecoin", Kind.BLOCK, TTL_S).seen(A, 1.0)


def test_spaces_of_one_table_have_times_of_their_own(new_table: NewTable) -> None:
    table = new_table(8)
    short, long = table.space("fast", Kind.BLOCK, 1.0), table.space("slow", Kind.BLOCK, 100.0)
    for space in (short, long):
        space.seen(A, 1.0)
    assert (short.seen(A, 3.0), long.seen(A, 3.0)) == (False, True)


def test_a_forgotten_hash_is_new_and_its_place_is_free(new_table: NewTable) -> None:
    table = new_table(2)
    space = table.space("bitcoin", Kind.BLOCK, TTL_S)
    for digest in (A, B):
        space.seen(digest, 1.0)
    assert space.forget(A)
    assert not space.forget(A)
    assert len(table) == 1
    assert not space.seen(C, 1.0)
    assert space.seen(B, 1.0)
    assert not space.seen(A, 1.0)


def test_a_batch_sees_its_own_repeats(new_table: NewTable) -> None:
    space = new_table(8).space("bitcoin", Kind.BLOCK, TTL_S)
    assert space.seen_many(A + B + A + A + C, 1.0) == bytes((0, 0, 1, 1, 0))
    assert space.seen_many(b"", 1.0) == b""
    assert space.seen_many(bytearray(D + A), 1) == bytes((0, 1))


@pytest.mark.parametrize("compiled", COMPILED, ids=lambda binding: binding.__name__)
@pytest.mark.parametrize("offset", range(8))
def test_a_batch_of_every_length_from_any_address_is_seen_as_by_the_reference(
    compiled: NewTable, offset: int, seed: int
) -> None:
    rng = random.Random(seed)
    ours, theirs = (table.space("bitcoin", Kind.BLOCK, TTL_S) for table in (compiled(64), plain(64)))
    pool = [rng.randbytes(32) for _ in range(100)]
    for length in range(201):
        digests = bytes(offset) + b"".join(rng.choices(pool, k=length))
        batch, now = memoryview(digests)[offset:], float(length)
        assert ours.seen_many(batch, now) == theirs.seen_many(batch, now)


@pytest.mark.parametrize(
    ("digest", "error", "told"),
    [
        (A[:31], ValueError, "31 bytes, it has 32"),
        (A + b"a", ValueError, "33 bytes, it has 32"),
        (b"", ValueError, "0 bytes, it has 32"),
        ("a" * 32, TypeError, "not str"),
        (bytearray(A), TypeError, "not bytearray"),
        (None, TypeError, "not NoneType"),
        (12, TypeError, "not int"),
    ],
)
def test_what_is_no_hash_is_refused(
    new_table: NewTable, digest: bytes, error: type[Exception], told: str
) -> None:
    table = new_table(8)
    space = table.space("bitcoin", Kind.BLOCK, TTL_S)
    with pytest.raises(error, match=told):
        space.seen(digest, 1.0)
    with pytest.raises(error, match=told):
        space.forget(digest)
    assert len(table) == 0


def test_hashes_that_do_not_stand_in_one_piece_are_refused(new_table: NewTable) -> None:
    space = new_table(8).space("bitcoin", Kind.BLOCK, TTL_S)
    with pytest.raises(ValueError, match="33 bytes, not a multiple of 32"):
        space.seen_many(A + b"a", 1.0)
    with pytest.raises(ValueError, match="without gaps"):
        space.seen_many(memoryview(A * 4)[::2], 1.0)


def test_a_time_may_be_a_whole_number(new_table: NewTable) -> None:
    space = new_table(8).space("bitcoin", Kind.BLOCK, TTL_S)
    assert (space.seen(A, 1), space.seen(A, 2), space.seen(A, 1 + int(TTL_S))) == (False, True, False)


@pytest.mark.parametrize("entries_max", [0, -1, ENTRIES_MAX + 1])
def test_a_table_of_no_size_or_beyond_the_limit_is_refused(new_table: NewTable, entries_max: int) -> None:
    with pytest.raises(ValueError, match=rf"a table of {entries_max} entries; from 1 to {ENTRIES_MAX}"):
        new_table(entries_max)


@pytest.mark.parametrize("compiled", COMPILED, ids=lambda binding: binding.__name__)
@pytest.mark.parametrize("entries_max", [2, 64, 1_000])
def test_random_operations_with_clock_jumps_give_what_the_reference_gives(
    compiled: NewTable, entries_max: int, seed: int
) -> None:
    operations = RandomOperations(compiled(entries_max), seed)
    operations.run(OPERATIONS // 3)
    assert operations.duplicates > operations.done // 100


def test_entries_move_to_another_table_with_their_times_and_order(new_table: NewTable) -> None:
    source, target = PlainDedupTable(50), new_table(50)
    rng = random.Random(1)
    space = source.space("bitcoin", Kind.TRANSACTION, TTL_S)
    for step in range(400):
        space.seen(bytes([rng.randrange(80)]) * 32, float(step))
    fill(target, source.entries(), TTL_S)
    assert target.entries() == source.entries()


def test_the_random_operations_notice_a_table_that_differs() -> None:
    class Longer(PlainDedupTable):
        """Keeps entries a little longer than the reference does."""

        def space(self, chain: str, kind: Kind, ttl_s: float) -> PlainSpace:
            return super().space(chain, kind, ttl_s * 1.01)

    with pytest.raises(AssertionError):
        RandomOperations(Longer(64), 1).run(20_000)
    RandomOperations(plain(64), 1).run(20_000)
