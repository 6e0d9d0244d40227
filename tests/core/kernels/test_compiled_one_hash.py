"""One hash by a builtin: the digest of its twin whatever it is given, and nothing read that is not there."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core import kernels
from sprint.core.kernels import _builtin, reference
from sprint.core.kernels.binding import Kernels
from sprint.core.kernels.one_hash_compiled import NEEDS, compiled_sha256d
from sprint.core.kernels.self_test import differences
from sprint.core.kernels.warm_up import processor_features
from tests.core.kernels.forms import compiled, in_use

LENGTHS = range(201)
TAKEN = (64, 80)
TURNS = 10_000


class Bytes(bytes):
    """Looks like bytes, and is laid out otherwise."""

    __slots__ = ()


@pytest.fixture(scope="module")
def sha256d() -> Any:
    """The builtin; skipped, and said, where the processor has no SHA instructions."""
    if not processor_features() >= NEEDS:
        pytest.skip("this processor has no SHA instructions")
    made = compiled_sha256d(processor_features())
    assert type(made).__name__ == "builtin_function_or_method"
    return made


def test_every_length_has_the_twins_digest(sha256d: Any) -> None:
    for length in LENGTHS:
        message = bytes(range(length))
        assert sha256d(message) == reference.sha256d(message), length


@given(st.sampled_from(TAKEN).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_changed_bytes_have_the_twins_digest(sha256d: Any, message: bytes) -> None:
    assert sha256d(message) == reference.sha256d(message)


@pytest.mark.parametrize("kind", [Bytes, bytearray, memoryview])
@pytest.mark.parametrize("length", TAKEN)
def test_what_is_no_plain_bytes_is_hashed_by_the_twin(sha256d: Any, kind: Any, length: int) -> None:
    message = bytes(range(length))
    assert sha256d(kind(message)) == reference.sha256d(message)


@pytest.mark.parametrize("arguments", [(), (b"a", b"b"), ("a" * 64,), (None,), (64,), ((b"a" * 64,),)])
def test_other_arguments_raise_what_the_twin_raises(sha256d: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError) as theirs:
        reference.sha256d(*arguments)
    with pytest.raises(TypeError) as ours:
        sha256d(*arguments)
    assert str(ours.value) == str(theirs.value)


def test_each_digest_is_an_object_of_its_own_that_goes_when_it_is_let_go(sha256d: Any) -> None:
    message = bytes(range(64))
    uses, kept = sys.getrefcount(message), [sha256d(message) for _ in range(3)]
    assert len({id(digest) for digest in kept}) == 3
    assert {sys.getrefcount(digest) for digest in kept} == {3}  # the list, the loop, the argument
    before = sys.getallocatedblocks()
    for _ in range(TURNS):
        sha256d(message)
    assert abs(sys.getallocatedblocks() - before) < TURNS // 10
    assert sys.getrefcount(message) == uses


def test_a_digest_can_be_a_key_at_once(sha256d: Any) -> None:
    message = bytes(range(80))
    assert {sha256d(message): 1}[reference.sha256d(message)] == 1


def test_callers_see_the_swap_and_the_way_back(form: Kernels) -> None:
    message = bytes(range(64))
    assert kernels.sha256d(message) == reference.sha256d(message)
    assert (form.sha256d is reference.sha256d) == (not processor_features() >= NEEDS)
    with in_use(form):
        assert kernels.in_use().sha256d is form.sha256d
        assert kernels.sha256d(message) == reference.sha256d(message)


def test_without_the_instructions_or_a_known_layout_the_twin_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compiled_sha256d(processor_features() - NEEDS) is reference.sha256d
    monkeypatch.setattr(_builtin, "layout_is_known", lambda: False)
    assert compiled_sha256d(processor_features() | NEEDS) is reference.sha256d


def test_a_form_whose_digest_is_wrong_is_not_put_into_use() -> None:
    form = compiled(kernels.AUTO)
    assert form is not None

    assert differences(form._replace(sha256d=lambda data: reference.sha256d(data)[::-1])) == ["sha256d"]
