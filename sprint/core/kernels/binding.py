"""Which form of each kernel is in use, and the form that is in use from the start: the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sprint.core.kernels import reference
from sprint.core.kernels.block_scan import BlockScan
from sprint.core.kernels.dedup import DedupTable, PlainDedupTable
from sprint.core.kernels.histogram import HOUR_NS, PlainHistogram
from sprint.core.kernels.tiers import REFERENCE


class ScanBlock(Protocol):
    def __call__(
        self, raw: bytes, start: int, count: int, money_max: int, *, mweb: bool
    ) -> BlockScan | None: ...


class NewHistogram(Protocol):
    def __call__(self, value_max: int = HOUR_NS, *, digits: int = 3) -> PlainHistogram: ...


class Kernels(NamedTuple):
    """One form of all the kernels; `text` says in a few words what it is."""

    tier: str
    text: str
    hash_pairs: Callable[[bytes], bytes]
    hash_headers: Callable[[bytes], bytes]
    merkle_root: Callable[[Sequence[bytes]], tuple[bytes, bool]]
    merkle_root_of: Callable[[bytes], tuple[bytes, bool]]
    header_chain: Callable[[bytes, int], tuple[bytes, bytes]]
    scan_block: ScanBlock
    scrypt_headers: Callable[[Sequence[bytes]], list[bytes]]
    sha256d: Callable[[bytes], bytes] = reference.sha256d
    new_dedup_table: Callable[[int], DedupTable] = PlainDedupTable
    new_histogram: NewHistogram = PlainHistogram


def _scan_no_block(raw: bytes, start: int, count: int, money_max: int, *, mweb: bool) -> None:
    """Leave each block to the scan of one transaction after another, which is the twin."""


REFERENCE_KERNELS = Kernels(
    REFERENCE,
    "plain Python and hashlib",
    reference.hash_pairs,
    reference.hash_headers,
    reference.merkle_root,
    reference.merkle_root_of,
    reference.header_chain,
    _scan_no_block,
    reference.scrypt_headers,
)


class Binding:
    """What is in use now. Whoever calls a kernel asks here each time, so that a swap is seen at once."""

    __slots__ = ("kernels",)

    def __init__(self) -> None:
        self.kernels = REFERENCE_KERNELS


BINDING = Binding()
