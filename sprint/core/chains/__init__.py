"""What a chain is to the rest of Sprint: constants, a family, and a processor that judges bytes.

A chain is a plugin, registered under the entry-point group `sprint.chains`; the built-in ones are
registered there too and get no favour. A processor is pure: bytes in, verdict out. It never takes a field
from a node on trust that can be recomputed from bytes.

A third party's chain is any object with the attributes of `Chain`; `sprint.core.chains.bitcoin` is the
shortest example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

# What a family's rules need to know of a branch's headers up to one, to judge what stands on it: median
# times, the start of a retarget period. A processor makes it and is handed it back; nobody else reads it.
Ancestry = Any


class Header(msgspec.Struct, frozen=True):
    """A header whose own proof was checked. Hashes are in wire order; `work` is what this header adds."""

    hash: bytes
    parent: bytes
    timestamp: int
    work: int
    raw: bytes
    native: dict[str, Any]


class Block(msgspec.Struct, frozen=True):
    """A body that passed every check that needs no other block.

    `checks` names those checks. `identity` is what no other block of a branch may share (the id of the
    first transaction), empty where a chain has no such thing. `facts` is what `check_context` wants to know
    again: the family's own record, read by nobody else. `tag` is what the block's maker wrote into it of its
    own will, for statistics alone: anybody may write anything there.
    """

    header: Header
    tx_count: int
    size: int
    checks: tuple[str, ...]
    identity: bytes = b""
    facts: Any = None
    tag: bytes = b""


class Rejected(msgspec.Struct, frozen=True):
    """Why bytes are refused. `check` names the rule; `mutated`: the same hash may yet have a true body, or a
    true proof where that is not covered by the hash.

    `early`: a header that is ahead of its time; it may be valid later. `internal` is a fault of this
    program: it says nothing of the bytes and costs nobody anything.
    """

    check: str
    reason: str
    mutated: bool = False
    internal: bool = False
    early: bool = False


class Processor(Protocol):
    """Judges the bytes of one network of one chain.

    What needs no other block is judged from bytes alone (`process_…`), what depends on the branch below by
    `check_header` and `check_context`, which are given the ancestry of the parent.
    """

    @property
    def ancestry_blocks(self) -> int:
        """How many headers up to a block its ancestry is made from at most."""

    def process_header(self, raw: bytes) -> Header | Rejected:
        """Parse one header, with what belongs to it on the wire, and check its proof of work."""

    def process_headers(self, headers: Sequence[bytes]) -> Iterator[Header | Rejected]:
        """Do `process_header` for one after another, as far as it is read; many at once may cost less."""

    def read_header(self, raw: bytes) -> Header:
        """Parse a header that this relay itself proved and stored, without proving it again."""

    def process_block(self, raw: bytes, header: Header | None = None) -> Block | Rejected:
        """Check a body by every rule that needs no other block; `header`: its proof was checked before."""

    def begin_ancestry(self, header: Header, height: int) -> Ancestry:
        """Return the ancestry of a branch that starts here: what lies below is unknown, but for genesis."""

    def extend_ancestry(self, ancestry: Ancestry, header: Header) -> Ancestry:
        """Return the ancestry up to `header`, given that up to its parent."""

    def check_header(self, header: Header, ancestry: Ancestry, unix_time: float) -> Rejected | None:
        """Check what the headers below and the network's time decide; `ancestry` is the parent's."""

    def check_context(
        self, block: Block, ancestry: Ancestry, identities_below: Iterable[bytes]
    ) -> Rejected | None:
        """Check what a body's place decides; `ancestry` is the parent's.

        `identities_below` are those of the blocks below, newest first, as far as they are kept; it is read
        only where a rule wants it.
        """

    def context_checks(self, ancestry: Ancestry) -> tuple[str, ...]:
        """Name what `check_header` and `check_context` could check on this ancestry."""

    def validate_transaction(self, raw: bytes) -> Rejected | None:
        """Check one transaction by the rules that need no other transaction."""

    def header_of(self, raw: bytes) -> tuple[bytes, bytes]:
        """Return (hash, parent) of the header that starts these bytes; WireError if they are too short."""

    def proof_cost_ms(self, headers: int, header_bytes: int, body_bytes: int) -> float:
        """Estimate the work of proving so much, to choose between the event loop and a thread.

        `header_bytes` are those of all the headers, with what belongs to them on the wire.
        """


class Checkpoint(msgspec.Struct, frozen=True):
    """A header that a new log may start from instead of genesis: its height and its bytes."""

    height: int
    header: bytes


class Network(Protocol):
    """One network of a chain: the parameters that its family needs, under these common names."""

    @property
    def chain_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def default_port(self) -> int: ...
    @property
    def genesis(self) -> bytes: ...
    @property
    def genesis_hash(self) -> bytes: ...
    @property
    def checkpoint(self) -> Checkpoint | None: ...
    @property
    def block_interval_s(self) -> float: ...
    @property
    def no_block_alarm_s(self) -> float | None: ...


class Chain(Protocol):
    """A chain: name, aliases, family, networks, source kinds, and the maker of its processors."""

    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def family(self) -> str: ...
    @property
    def networks(self) -> Mapping[str, Network]: ...
    @property
    def source_kinds(self) -> tuple[str, ...]: ...

    def processor(self, network: str) -> Processor:
        """Return the processor of one of `networks`."""


def display_hash(internal: bytes) -> str:
    """A hash as the Bitcoin family displays it: the bytes reversed, in hex."""
    return internal[::-1].hex()


def internal_hash(displayed: str) -> bytes:
    """Undo `display_hash`. ValueError if it is not 64 hex digits."""
    value = bytes.fromhex(displayed)
    if len(value) != 32:
        raise ValueError(f"{len(value)} bytes, a hash has 32")
    return value[::-1]
