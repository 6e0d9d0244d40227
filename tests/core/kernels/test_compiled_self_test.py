"""The self-test looks at every kernel that is loaded, and names the one that answers otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sprint.core import kernels
from sprint.core.kernels import reference
from sprint.core.kernels.binding import REFERENCE_KERNELS, Kernels
from sprint.core.kernels.dedup import Kind, PlainDedupTable, PlainSpace
from sprint.core.kernels.histogram import PlainHistogram
from sprint.core.kernels.self_test import differences
from tests.core.kernels.forms import compiled


class LateTable(PlainDedupTable):
    """Keeps entries a step too long."""

    def space(self, chain: str, kind: Kind, ttl_s: float) -> PlainSpace:
        return super().space(chain, kind, ttl_s + 3.0)


class ForgetfulTable(PlainDedupTable):
    """Takes a time that is an int for another one, as only calls that a builtin hands on would."""

    def space(self, chain: str, kind: Kind, ttl_s: float) -> PlainSpace:
        space = super().space(chain, kind, ttl_s)
        seen = space.seen
        space.seen = lambda digest, now, /: seen(digest, now + 1e3 * isinstance(now, int))  # type: ignore[method-assign]
        return space


class CoarseHistogram(PlainHistogram):
    """Has batches right and single values in the bucket beside."""

    def record(self, value: int, /) -> None:
        super().record(value + value // 900)

    def record_many(self, values: Any, /) -> None:
        for value in values:
            super().record(value)


def last_byte_changed(digests: bytes) -> bytes:
    return digests[:-1] + bytes((digests[-1] ^ 1,)) if digests else digests


def root_repeated(leaves: Sequence[bytes]) -> tuple[bytes, bool]:
    return reference.merkle_root(leaves)[0], False


# What each field of a form is changed to, and the name it is then told by.
WRONG: list[tuple[str, Any, str]] = [
    ("sha256d", lambda data: last_byte_changed(reference.sha256d(data)), "sha256d"),
    ("hash_pairs", lambda items: last_byte_changed(reference.hash_pairs(items)), "hash_pairs"),
    ("hash_headers", lambda items: last_byte_changed(reference.hash_headers(items)), "hash_headers"),
    ("merkle_root", root_repeated, "merkle_root"),
    ("merkle_root_of", lambda ids: (reference.merkle_root_of(ids)[0], False), "merkle_root"),
    ("header_chain", lambda headers, _: reference.header_chain(headers, (1 << 256) - 1), "header_chain"),
    ("scan_block", lambda *_, **__: None, "scan_block"),
    (
        "scrypt_headers",
        lambda headers: [*reference.scrypt_headers(headers[:-1]), bytes(32)],
        "scrypt_headers",
    ),
    ("new_dedup_table", LateTable, "dedup_table"),
    ("new_dedup_table", ForgetfulTable, "dedup_table"),
    ("new_histogram", CoarseHistogram, "histogram"),
]


@pytest.mark.parametrize(
    ("field", "wrong", "name"), WRONG, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_kernel_that_answers_otherwise_is_named(field: str, wrong: Any, name: str) -> None:
    form = compiled(kernels.AUTO)
    assert form is not None
    assert differences(form._replace(**{field: wrong})) == [name]


def test_every_kernel_of_a_form_is_looked_at() -> None:
    assert {field for field, _, _ in WRONG} == set(Kernels._fields) - {"tier", "text"}


def test_all_of_a_form_is_compiled_and_equal_to_the_reference(form: Kernels) -> None:
    assert differences(form) == []
    kept = {field for field in Kernels._fields if getattr(form, field) is getattr(REFERENCE_KERNELS, field)}
    assert kept <= {"sha256d"}, "which only processors with SHA instructions have"
