"""Builtins made of compiled code: only where CPython's layout is known, and without a wrong count of uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from sprint.core.kernels import _builtin
from sprint.core.kernels.dedup import Kind
from tests.core.kernels.dedup_tables import by_builtin, by_call

A = b"a" * 32
TURNS = 10_000


def seen() -> Callable[..., bool]:
    return by_builtin(4).space("bitcoin", Kind.BLOCK, 60.0).seen


def test_the_layout_is_known_on_the_versions_that_are_tested() -> None:
    assert sys.version_info[:2] in _builtin.TESTED_VERSIONS
    assert _builtin.layout_is_known()


@pytest.mark.parametrize("version", [(3, 10, 0), (3, 14, 0), (4, 0, 0)])
def test_no_builtin_is_made_on_another_version(
    version: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = SimpleNamespace(version_info=version, implementation=sys.implementation, byteorder="little")
    monkeypatch.setattr(_builtin, "sys", stand_in)
    assert not _builtin.layout_is_known()
    compiled = pytest.importorskip("sprint.core.kernels.dedup_compiled", exc_type=ImportError)
    space = compiled.CompiledDedupTable(4, b"").space("bitcoin", Kind.BLOCK, 60.0)
    assert type(space.seen).__name__ == "method"
    assert (space.seen(A, 1.0), space.seen(A, 1.0)) == (False, True)


def test_no_builtin_is_made_on_another_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(name="pypy")
    stand_in = SimpleNamespace(version_info=sys.version_info, implementation=other, byteorder="little")
    monkeypatch.setattr(_builtin, "sys", stand_in)
    assert not _builtin.layout_is_known()


@pytest.mark.parametrize("place", ["TYPE_AT", "SIZE_AT", "BYTES_AT", "FLOAT_AT", "TUPLE_AT"])
def test_no_builtin_is_made_where_an_object_looks_otherwise(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_builtin, place, getattr(_builtin, place) - 8)
    assert not _builtin.layout_is_known()


def test_a_space_calls_builtins_where_it_may_and_methods_where_it_was_told_so() -> None:
    assert type(seen()).__name__ == "builtin_function_or_method"
    assert type(by_call(4).space("bitcoin", Kind.BLOCK, 60.0).seen).__name__ == "method"


def test_calls_leave_the_count_of_uses_of_arguments_and_answers_as_it_was() -> None:
    call, digest, now = seen(), bytes(range(32)), float(str(1.5))
    wrong: tuple[Any, ...] = (bytes(31), "a" * 32, None)
    watched = (digest, now, True, False, None, *wrong[:2])
    counts = list(map(sys.getrefcount, watched))
    for _ in range(TURNS):
        call(digest, now)
        call(digest, now)
        for each in wrong:
            with pytest.raises((TypeError, ValueError)):
                call(each, now)
    drift = [sys.getrefcount(each) - count for each, count in zip(watched, counts, strict=True)]
    assert max(map(abs, drift)) < TURNS // 10, drift


def test_recording_leaves_the_count_of_uses_of_none_and_of_values_as_it_was() -> None:
    compiled = pytest.importorskip("sprint.core.kernels.histogram_compiled", exc_type=ImportError)
    record, value = compiled.CompiledHistogram().record, int("123456789")
    counts = sys.getrefcount(None), sys.getrefcount(value)
    for _ in range(TURNS):
        assert record(value) is None
    assert abs(sys.getrefcount(None) - counts[0]) < TURNS // 10
    assert sys.getrefcount(value) == counts[1]


@pytest.mark.parametrize("arguments", [(), (A,), (A, 1.0, 2.0), (A, "soon"), (A, None)])
def test_a_call_with_other_arguments_raises_and_marks_nothing(arguments: tuple[Any, ...]) -> None:
    table = by_builtin(4)
    space: Any = table.space("bitcoin", Kind.BLOCK, 60.0)
    with pytest.raises((TypeError, ValueError)):
        space.seen(*arguments)
    with pytest.raises(TypeError):
        space.seen(A, now=1.0)
    assert len(table) == 0


def test_bytes_of_a_class_of_their_own_are_the_same_hash() -> None:
    class Digest(bytes):
        """As a caller may make one."""

    call = seen()
    assert (call(A, 1.0), call(Digest(A), 1.0)) == (False, True)


def test_a_class_of_bytes_that_gives_fewer_when_asked_is_refused() -> None:
    """Its length was looked at before it was asked for its bytes: 32 were read of the one that it gave."""

    class Short(bytes):
        def __bytes__(self) -> bytes:
            return self[:1]

    with pytest.raises(ValueError, match="1 byte"):
        seen()(Short(A), 1.0)


def test_a_builtin_that_outlives_its_table_still_has_its_memory() -> None:
    calls = [seen() for _ in range(50)]
    gc.collect()
    filler = [bytearray(4096) for _ in range(50)]
    digests = [bytes([number]) * 32 for number in range(100)]
    for call in calls:
        assert not any(call(digest, 1.0) for digest in digests)
    assert not any(map(any, filler))


def test_tables_that_are_dropped_are_collected() -> None:
    compiled = pytest.importorskip("sprint.core.kernels.dedup_compiled", exc_type=ImportError)
    alive = [compiled.CompiledDedupTable(4, b"").space("bitcoin", Kind.BLOCK, 60.0) for _ in range(20)]
    before = sum(isinstance(each, compiled.CompiledSpace) for each in gc.get_objects())
    del alive
    gc.collect()
    after = sum(isinstance(each, compiled.CompiledSpace) for each in gc.get_objects())
    assert before - after >= 20
