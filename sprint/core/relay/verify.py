"""Judges blocks offline: each by itself, and by what it stands on as far as the blocks given tell.

The rules are those of the chain's processor, the same that the relay applies. A block's place is known from
genesis or the packaged checkpoint up, or by its parent among the blocks given; a block whose parent is not
there is judged by the height that its own coinbase states, where that must be the true one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from sprint.core.chains import Ancestry, Block, Header, Processor, Rejected, display_hash
from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.lone_block import ancestry_below, stated_height
from sprint.core.chains.bitcoin_family.node_answer import (
    Candidate,
    check_body_claims,
    check_header_claims,
    claimed_height,
)
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import sha256d
from sprint.core.relay.block_file import Found
from sprint.core.relay.block_report import BlockReport, CheckOutcome
from sprint.core.relay.other_networks import doubt_of

IDENTITIES_BELOW_MAX = 2_016  # blocks; a block is held against the coinbases of so many below it

# All names a report may have, in the order in which it lists them; a name that is not here stands behind.
CHECK_ORDER = (
    *("header", "target", "proof_of_work", "auxpow", "parent", "checkpoint", "version", "difficulty"),
    *("median_time", "time_warp", "future_time"),
    *(
        "parse",
        "merkle_root",
        "coinbase",
        "transactions",
        "witness_commitment",
        "size",
        "weight",
        "mweb",
        "mweb_signatures",
    ),
    *("coinbase_height", "lock_time", "duplicate_coinbase"),
)
BODY_CHECKS = {"merkle_root", "coinbase", "transactions", "size", "weight"}
MERKLE_ROOT_AT = slice(36, 68)  # of a raw header
BODY_PLACE_CHECKS = {"coinbase_height", "lock_time", "duplicate_coinbase"}
# Made of every block wherever its place is known; where one is not made, the report says why.
CHECKS_EXPECTED = {
    *("target", "proof_of_work", "parent", "version", "difficulty", "median_time", "future_time"),
    *BODY_CHECKS,
    *("coinbase_height", "lock_time"),
}
ANSWER = "answer"  # the one name for all fields of an answer that agree with its bytes

_REFUSED_BEFORE = "the block was refused before"
_HEADER_ONLY = "only the header is given"
_IDS_ONLY = "the answer does not hold the whole body in bytes; ask with verbosity 0"
_NO_PARENT = "its parent is not among the blocks given"
_NO_HEIGHT = "the height of its parent is not known"
_OWN_HEIGHT = "the height is the one its own coinbase states"
_NO_BODY_BELOW = "the bodies below it are not among the blocks given"
_GENESIS = "the genesis block is given, and stands on nothing"
_UNKNOWN_GROUND = {
    "difficulty": "the headers below it that its rule reads are not all known",
    "median_time": "the eleven headers below it are not all known",
    "lock_time": "the median time of the eleven below is not known; it is held against the block's own",
}


class _Ground(msgspec.Struct, frozen=True):
    """What is known of a branch up to a block: its ancestry, and how its height is known."""

    ancestry: Ancestry
    height_by: str


class _Judged(msgspec.Struct):
    """A candidate on its way. `ground` is that of its parent; None where nothing is known of it."""

    found: Found
    hash: bytes | None = None
    header: Header | None = None
    block: Block | None = None
    ground: _Ground | None = None
    parent_known: bool = False
    placed: bool = False
    passed: list[str] = []
    refused: Rejected | None = None

    @property
    def candidate(self) -> Candidate | None:
        return self.found.candidate if isinstance(self.found.candidate, Candidate) else None

    @property
    def spoils_children(self) -> bool:
        """Whether what stands on it is refused for it: not where only this body, or the answer, is false."""
        return self.refused is not None and not self.refused.mutated


def verify_blocks(
    processor: Processor,
    parameters: NetworkParameters,
    found: Sequence[Found],
    unix_time: float,
    others: Sequence[NetworkParameters] = (),
) -> list[BlockReport]:
    """Judge all candidates and report on each, in their order.

    `unix_time` is the network's time; `others` are the networks that a block may be of instead.
    """
    judged = [_judge_alone(processor, parameters, each) for each in found]
    branches = _Branches(processor, parameters, judged, unix_time)
    for each in judged:
        branches.judge(each)
    return [_report(parameters, others, each) for each in judged]


def _judge_alone(processor: Processor, parameters: NetworkParameters, found: Found) -> _Judged:
    """Apply the rules that need no other block, and hold an answer's fields against its bytes."""
    judged = _Judged(found)
    candidate = found.candidate
    try:
        if isinstance(candidate, RuleError):
            raise candidate
        if len(candidate.raw) >= HEADER_SIZE:
            judged.hash = sha256d(candidate.raw[:HEADER_SIZE])
            check_header_claims(candidate)
        claimed_height(candidate)
        judged.refused = _apply(processor, parameters, candidate, judged)
    except RuleError as error:
        # A false answer says nothing of the block that it is about.
        judged.refused = Rejected(error.check, str(error), mutated=True)
    return judged


def _apply(
    processor: Processor, parameters: NetworkParameters, candidate: Candidate, judged: _Judged
) -> Rejected | None:
    raw = candidate.raw
    header_end = _header_end(raw, parameters)
    header = processor.process_header(raw[:header_end])
    if isinstance(header, Rejected):
        # The work is held against the target, and an AuxPoW before its parent's work, so these were in order.
        if header.check == "proof_of_work":
            judged.passed += ["target", *(["auxpow"] if header_end > HEADER_SIZE else [])]
        return header
    judged.header = header
    judged.passed += ["target", "proof_of_work"]
    judged.passed += ["auxpow"] if header_end > HEADER_SIZE else []
    if candidate.header_only:
        judged.passed += ["merkle_root"] if candidate.txids is not None else []
    else:
        block = processor.process_block(raw, header)
        if isinstance(block, Rejected):
            return block
        judged.block = block
        judged.passed += [name for name in block.checks if name not in {*judged.passed, "parent"}]
        check_body_claims(candidate, header_end, parameters)
    judged.passed += [ANSWER] if candidate.claims else []
    return None


def _header_end(raw: bytes, parameters: NetworkParameters) -> int:
    """Return where the header ends; where it does not parse, the end of the bytes, so that this is found."""
    try:
        return header_size(raw, 0, parameters)
    except WireError:
        return len(raw)


class _Branches:
    """The headers given, as far as they are true, and what is known of each one's branch."""

    def __init__(
        self,
        processor: Processor,
        parameters: NetworkParameters,
        judged: Sequence[_Judged],
        unix_time: float,
    ) -> None:
        self._processor = processor
        self._parameters = parameters
        self._unix_time = unix_time
        self._heights = {digest: height for height, digest in parameters.pinned.items()}
        self._grounds: dict[bytes, _Ground] = {}
        self._given: dict[bytes, _Judged] = {}
        for each in judged:
            if each.hash is not None and (each.hash not in self._given or each.refused is None):
                self._given[each.hash] = each
        self._start(parameters.genesis, 0, "genesis")
        if parameters.checkpoint is not None:
            self._start(parameters.checkpoint.header, parameters.checkpoint.height, "checkpoint")

    def judge(self, judged: _Judged) -> None:
        """Judge a block by its place, after those given that it stands on."""
        waiting: list[_Judged] = []
        below: _Judged | None = judged
        while below is not None and below.header is not None and not below.placed:
            below.placed = True
            waiting.append(below)
            below = self._given.get(below.header.parent)
        while waiting:
            each = waiting.pop()
            if each.header is not None:
                self._place(each, each.header)

    def _start(self, raw: bytes, height: int, height_by: str) -> None:
        header = self._processor.read_header(raw)
        self._heights[header.hash] = height
        self._grounds[header.hash] = _Ground(self._processor.begin_ancestry(header, height), height_by)

    def _place(self, judged: _Judged, header: Header) -> None:
        parent = self._given.get(header.parent)
        judged.ground = self._ground_below(judged, header)
        judged.parent_known = header.parent in self._grounds or (
            parent is not None and parent.header is not None
        )
        if parent is not None and parent.spoils_children:
            judged.refused = judged.refused or _parent_refused(parent)
            return
        refused = self._refused_by_headers(judged, header)
        judged.refused = judged.refused or refused or self._refused_by_body(judged) or _false_height(judged)
        if refused is None:
            self._continue(judged, header)
            judged.passed += ["parent"] if judged.parent_known else []

    def _ground_below(self, judged: _Judged, header: Header) -> _Ground | None:
        if header.parent in self._grounds:
            return self._grounds[header.parent]
        height = self._heights.get(header.hash)
        if height is not None:
            return _Ground(ancestry_below(height), "checkpoint" if height else "genesis")
        height = None if judged.block is None else stated_height(self._parameters, judged.block)
        return None if height is None else _Ground(ancestry_below(height), "coinbase")

    def _continue(self, judged: _Judged, header: Header) -> None:
        """Remember the branch up to this header for what stands on it."""
        if judged.ground is not None and header.hash != self._parameters.genesis_hash:
            ancestry = self._processor.extend_ancestry(judged.ground.ancestry, header)
            self._grounds[header.hash] = _Ground(ancestry, judged.ground.height_by)

    def _refused_by_headers(self, judged: _Judged, header: Header) -> Rejected | None:
        if judged.ground is None or _is_first(judged):
            return None
        refused = self._processor.check_header(header, judged.ground.ancestry, self._unix_time)
        if refused is None and judged.refused is None:
            names = self._processor.context_checks(judged.ground.ancestry)
            judged.passed += [name for name in names if name not in BODY_PLACE_CHECKS]
        return refused

    def _refused_by_body(self, judged: _Judged) -> Rejected | None:
        block, ground = judged.block, judged.ground
        if block is None or ground is None or _is_first(judged):
            return None
        refused = self._processor.check_context(block, ground.ancestry, self._identities_below(block))
        if refused is None:
            names = set(self._processor.context_checks(ground.ancestry)) & BODY_PLACE_CHECKS
            names -= {"coinbase_height"} if ground.height_by == "coinbase" else set()
            names -= set() if self._body_below_is_known(block) else {"duplicate_coinbase"}
            judged.passed += names
        return refused

    def _body_below_is_known(self, block: Block) -> bool:
        """Whether there is a coinbase below to compare with; that of genesis is always known."""
        parent = self._given.get(block.header.parent)
        given = parent is not None and parent.block is not None
        return given or block.header.parent == self._parameters.genesis_hash

    def _identities_below(self, block: Block) -> Iterator[bytes]:
        """Give the identities of the blocks below, newest first, as far as they are among those given."""
        parent = block.header.parent
        for _ in range(IDENTITIES_BELOW_MAX):
            below = self._given.get(parent)
            if parent == self._parameters.genesis_hash:
                yield self._parameters.genesis[MERKLE_ROOT_AT]  # of one transaction: its id
            if below is None or below.block is None:
                return
            yield below.block.identity
            parent = below.block.header.parent


def _is_first(judged: _Judged) -> bool:
    """Whether this is the genesis block, which the network's rules do not judge."""
    return judged.ground is not None and judged.ground.ancestry.height < 0


def _parent_refused(parent: _Judged) -> Rejected:
    check = parent.refused.check if parent.refused is not None else ""
    name = display_hash(parent.hash) if parent.hash is not None else ""
    return Rejected("parent", f"its parent {name} is refused ({check})")


def _false_height(judged: _Judged) -> Rejected | None:
    claimed = None if judged.candidate is None else claimed_height(judged.candidate)
    if claimed is None or judged.ground is None or claimed == judged.ground.ancestry.height + 1:
        return None
    known = judged.ground.ancestry.height + 1
    return Rejected("height", f"the answer says {claimed}, the block is at {known}", mutated=True)


def _doubt(parameters: NetworkParameters, others: Sequence[NetworkParameters], judged: _Judged) -> str:
    """Say why a block may be of another network, unless its target was shown to be the right one here."""
    if judged.refused is not None or judged.header is None or "difficulty" in judged.passed:
        return ""
    return doubt_of(judged.header, parameters, others)


def _report(
    parameters: NetworkParameters, others: Sequence[NetworkParameters], judged: _Judged
) -> BlockReport:
    candidate, block, refused = judged.candidate, judged.block, judged.refused
    height = None if judged.ground is None else judged.ground.ancestry.height + 1
    height_by = "" if judged.ground is None else judged.ground.height_by
    if height is None and candidate is not None and refused is None:
        height = claimed_height(candidate)
        height_by = "" if height is None else "answer"
    return BlockReport(
        file=judged.found.file,
        offset=judged.found.offset,
        form=judged.found.form,
        hash=None if judged.hash is None else display_hash(judged.hash),
        height=height,
        height_by=height_by,
        tx_count=None if block is None else block.tx_count,
        size=None if block is None else block.size,
        level="header" if candidate is None or candidate.header_only else "full",
        passed=refused is None,
        reason="" if refused is None else f"{refused.check}: {refused.reason}",
        doubt=_doubt(parameters, others, judged),
        checks=_outcomes(parameters, judged),
    )


def _outcomes(parameters: NetworkParameters, judged: _Judged) -> tuple[CheckOutcome, ...]:
    refused = judged.refused
    made = [CheckOutcome(name, "ok") for name in dict.fromkeys(judged.passed)]
    if refused is not None:
        made = [each for each in made if each.name != refused.check]
        made.append(CheckOutcome(refused.check, "refused", refused.reason))
    names = {each.name for each in made}
    for name in CHECK_ORDER:
        why = "" if name in names else _why_not(parameters, judged, name)
        if why:
            made.append(CheckOutcome(name, "not checked", why))
    places = {name: place for place, name in enumerate(CHECK_ORDER)}
    return tuple(sorted(made, key=lambda each: places.get(each.name, len(places))))


def _why_not(parameters: NetworkParameters, judged: _Judged, name: str) -> str:
    """Say why a check was not made; nothing of one that does not apply to such a block."""
    if name == "duplicate_coinbase":
        return _why_no_coinbase_below(parameters, judged)
    if name not in CHECKS_EXPECTED:
        return ""
    if judged.refused is not None:
        return _REFUSED_BEFORE
    if judged.block is None and name in BODY_CHECKS | BODY_PLACE_CHECKS:
        return _IDS_ONLY if judged.candidate and judged.candidate.txids is not None else _HEADER_ONLY
    ground = judged.ground
    if _is_first(judged):
        return _GENESIS
    if name == "parent":
        return _NO_PARENT
    if ground is None:
        return _NO_PARENT if not judged.parent_known else _NO_HEIGHT
    if name == "coinbase_height" and ground.height_by == "coinbase":
        return _OWN_HEIGHT
    if name == "difficulty" and parameters.fixed_bits is not None:
        return ""
    return _UNKNOWN_GROUND.get(name, "")


def _why_no_coinbase_below(parameters: NetworkParameters, judged: _Judged) -> str:
    ground = judged.ground
    applies = ground is not None and ground.ancestry.height + 1 < parameters.bip34_height
    compared = judged.block is None or judged.refused is not None or _is_first(judged)
    return _NO_BODY_BELOW if applies and not compared else ""
