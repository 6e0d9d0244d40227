"""What holds the compiled dedup table together: its slots, equal hashes of keys, seeds, memory."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sprint.core.kernels.dedup import Kind
from tests.core.kernels.dedup_tables import TTL_S, RandomOperations, by_builtin, by_call, spaces

numpy = pytest.importorskip("numpy")
ENTRIES_MAX = 500
LOW = 0xFFFF_FFFF


def table_of(entries_max: int, seed: bytes = b"seed") -> Any:
    return by_builtin(entries_max, seed)


def slots_of(table: Any) -> list[int]:
    found: list[int] = table._slots.tolist()
    return found


def distances(table: Any) -> list[int]:
    """How far each slot in use is from where its hash of the key says; fails where a hole lies between."""
    slots = slots_of(table)
    mask, found = len(slots) - 1, []
    for position, slot in enumerate(slots):
        if slot:
            distance = (position - (slot >> 32)) & mask
            assert all(slots[position - step & mask] for step in range(distance))
            found.append(distance)
    return found


def test_slots_stay_without_holes_and_hold_each_entry_once(seed: int) -> None:
    table = table_of(ENTRIES_MAX)
    operations = RandomOperations(table, seed)
    for step in range(1, 11):
        operations.run(3_000 * step)
        in_use = [slot & LOW for slot in slots_of(table) if slot]
        assert len(distances(table)) == len(table) == len(set(in_use))
        assert max(in_use) <= ENTRIES_MAX


def test_a_table_that_was_turned_over_a_hundred_times_is_probed_as_a_new_one(seed: int) -> None:
    rng = random.Random(seed)
    table = table_of(ENTRIES_MAX)
    space = table.space("bitcoin", Kind.TRANSACTION, TTL_S)
    means = []
    for turn in range(100):
        space.seen_many(rng.randbytes(32 * ENTRIES_MAX), float(turn))
        means.append(sum(distances(table)) / ENTRIES_MAX)
    # At most half full, linear probing looks at half a slot beyond the first on average (Knuth 3, 6.4).
    assert max(means[-10:]) < 1.0, means
    assert len(slots_of(table)) >= 2 * ENTRIES_MAX


def hashes_of_keys(table: Any, digests: bytes) -> Any:
    """The upper half of the keyed sum, of digests of the first space; the rule as its paper has it."""
    start, _, *keys = (numpy.uint64(key) for key in table._keys)
    words = numpy.frombuffer(digests, numpy.uint32).astype(numpy.uint64).reshape(-1, 8)
    total = numpy.full(len(words), start)
    for pair in range(4):
        total += (words[:, 2 * pair] + keys[2 * pair]) * (words[:, 2 * pair + 1] + keys[2 * pair + 1])
    return total >> numpy.uint64(32)


@pytest.mark.parametrize("binding", [by_builtin, by_call])
def test_hashes_whose_keys_hash_alike_are_told_apart(binding: Any) -> None:
    table = binding(8)
    digests = random.Random(1).randbytes(32 * 400_000)
    found = hashes_of_keys(table, digests)
    order = numpy.argsort(found, kind="stable")
    pairs = numpy.flatnonzero(found[order][1:] == found[order][:-1])
    assert len(pairs) > 1
    for at in pairs.tolist():
        first, second = (digests[32 * each : 32 * each + 32] for each in order[at : at + 2].tolist())
        space = table.space("bitcoin", Kind.TRANSACTION, TTL_S)
        assert [space.seen(first, 1.0), space.seen(second, 1.0)] == [False, False]
        hashes = [slot >> 32 for slot in slots_of(table) if slot]
        assert len(hashes) > len(set(hashes))
        assert [space.seen(first, 1.0), space.seen(second, 1.0)] == [True, True]
        assert space.forget(first)
        assert space.seen(second, 1.0)
        assert space.forget(second)


def test_another_seed_puts_hashes_into_other_slots_and_gives_the_same_answers() -> None:
    rng = random.Random(3)
    digests = rng.randbytes(32 * 300)
    tables = [table_of(400, seed) for seed in (b"one", b"two")]
    answers = [spaces(table)[0].seen_many(digests + digests[:640], 1.0) for table in tables]
    assert answers[0] == answers[1]
    places = [{position for position, slot in enumerate(slots_of(table)) if slot} for table in tables]
    assert len(places[0] & places[1]) < 200
    assert tables[0].entries() == tables[1].entries()


def test_hashes_that_differ_in_few_bits_do_not_crowd() -> None:
    table = table_of(4_096)
    digests = b"".join(number.to_bytes(32, "little") for number in range(4_096))
    table.space("bitcoin", Kind.TRANSACTION, TTL_S).seen_many(digests, 1.0)
    assert max(distances(table)) < 64


@pytest.mark.parametrize("entries_max", [1, 3, 1_000, 100_000])
def test_memory_is_what_the_table_says_it_takes(entries_max: int) -> None:
    table = table_of(entries_max)
    slots_bytes = 8 * len(slots_of(table))
    assert 16 * entries_max <= slots_bytes < 32 * entries_max + 8
    beside = table.size_bytes - slots_bytes - 64 * entries_max
    assert 0 < beside <= 512


@pytest.mark.parametrize("binding", [by_builtin, by_call])
def test_spaces_whose_keys_hash_alike_are_told_apart(binding: Any) -> None:
    table = binding(8)
    start, _, *keys = table._keys
    table._keys = (start, 0, *keys)
    digest = b"a" * 32
    assert [space.seen(digest, 1.0) for space in spaces(table)] == [False, False, False]
    assert [space.seen(digest, 1.0) for space in spaces(table)] == [True, True, True]
    assert len({slot >> 32 for slot in slots_of(table) if slot}) == 1
