"""What is asked of a node in which order: generators that yield calls, are sent their answers, and return.

None of them keeps anything, waits, or trusts: a height only says what to ask for next, a hash is what the
bytes that follow are held against.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

import msgspec

from sprint.core.chains import display_hash
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.protocols.json_rpc.calls import Answer, Call, Failure, malformed_answer, short
from sprint.core.protocols.json_rpc.refusals import NO_METHOD
from sprint.core.protocols.json_rpc.results import (
    ChainInfo,
    NetworkInfo,
    Publishing,
    SyncState,
    Tip,
    given,
    read,
    read_block,
    read_hash,
    read_header_height,
    read_height,
    read_publishing,
    read_tip,
    sync_state,
    wire_hash,
)

USER_AGENT_LENGTH_MAX = 256
LOCATOR_MAX = 40  # hashes of a locator that are looked up; they reach back further than any log does
ROUNDS_MAX = 3  # times that a branch is walked again because it changed meanwhile
UNBACKED_PENALTY = 10
UNSTEADY_PENALTY = 20

Result = TypeVar("Result")
Steps = Generator[Sequence[Call], Sequence[Answer], Result]


class Greeting(msgspec.Struct, frozen=True):
    """What a node is: its software, its tip, the genesis block it says it has."""

    user_agent: str
    tip: Tip
    network: str
    genesis_hash: bytes
    sync: SyncState


class HeadersFound(msgspec.Struct, frozen=True):
    """Raw headers, oldest first; the first stands on a block of the locator. `full`: there are more.

    `top` is the last of them and its height, None where that is not known.
    """

    headers: tuple[bytes, ...]
    top: Tip | None
    full: bool = False


class BodiesFound(msgspec.Struct, frozen=True):
    """Whole blocks, and the hashes of those that the node has not got."""

    blocks: tuple[bytes, ...]
    missing: tuple[bytes, ...]


def greet() -> Steps[Greeting]:
    """Ask who the node is. UpstreamError where it refuses."""
    info, genesis, network = yield (
        Call("getblockchaininfo"),
        Call("getblockhash", (0,)),
        Call("getnetworkinfo", needed=False),
    )
    chain = read(given(info, "getblockchaininfo"), ChainInfo, "getblockchaininfo")
    genesis_hash = read_hash(given(genesis, "getblockhash"), "getblockhash")
    # A login may be kept from calls that are not needed (-rpcwhitelist); its name is not.
    named = "" if isinstance(network, Failure) else read(network, NetworkInfo, "getnetworkinfo").subversion
    tip = Tip(wire_hash(chain.bestblockhash, "getblockchaininfo"), max(0, chain.blocks))
    agent = short(named[:USER_AGENT_LENGTH_MAX])
    return Greeting(agent, tip, short(chain.chain), genesis_hash, sync_state(chain))


def ask_sync() -> Steps[SyncState]:
    """Ask how far the node has got. UpstreamError where it refuses."""
    (info,) = yield (Call("getblockchaininfo"),)
    return sync_state(read(given(info, "getblockchaininfo"), ChainInfo, "getblockchaininfo"))


def wait_for_height(height: int, wait_s: float) -> Steps[Tip | None]:
    """Wait until the best branch reaches a height; return its tip then, or as it is when the time is over.

    None where the node does not wait: it has no such call, or keeps it from this login. Unlike
    `waitfornewblock` it misses no block that came between two calls. A branch of more work that is not higher
    is told of when the time is over.
    """
    (answer,) = yield (Call("waitforblockheight", (height, int(wait_s * 1000)), needed=False),)
    return None if isinstance(answer, Failure) else read_tip(answer, "waitforblockheight")


def look_at_tip() -> Steps[bytes]:
    """Return the hash of the tip as it is now."""
    (answer,) = yield (Call("getbestblockhash"),)
    return read_hash(given(answer, "getbestblockhash"), "getbestblockhash")


def ask_publishing() -> Steps[Publishing | None]:
    """Ask what the node publishes over ZMQ; None where it keeps that from this login."""
    (answer,) = yield (Call("getzmqnotifications", needed=False),)
    if isinstance(answer, Failure):
        return Publishing(built_in=False) if answer.code == NO_METHOD else None
    return read_publishing(answer)


def find_bodies(hashes: Sequence[bytes]) -> Steps[BodiesFound]:
    """Ask for whole blocks."""
    answers = yield [Call("getblock", (display_hash(each), False)) for each in hashes]
    blocks: list[bytes] = []
    missing: list[bytes] = []
    for block_hash, answer in zip(hashes, answers, strict=True):
        if isinstance(answer, Failure):
            missing.append(block_hash)
        else:
            blocks.append(read_block(answer, block_hash, "getblock"))
    return BodiesFound(tuple(blocks), tuple(missing))


class HeadersWalk:
    """Looks for the headers after a locator.

    `tip` is the node's, as last heard of: mostly it stands on the newest hash of the locator, and one call
    answers. `hint` is where the last walk ended, which is where the next one mostly starts.
    """

    def __init__(
        self,
        parameters: NetworkParameters,
        locator: Sequence[bytes],
        *,
        tip: bytes | None,
        hint: Tip | None,
        headers_max: int,
    ) -> None:
        self._parameters = parameters
        self._locator = tuple(locator[:LOCATOR_MAX])
        self._tip = tip
        self._hint = hint if hint is not None and hint.hash in self._locator[:1] else None
        self._headers_max = headers_max

    def __repr__(self) -> str:
        return f"HeadersWalk({self._parameters.chain_id}, {len(self._locator)} hashes)"

    def steps(self) -> Steps[HeadersFound]:
        """Walk. WireError where the node's answers contradict each other."""
        if self._tip is not None:
            tip = (yield from look_at_tip()) if self._tip in self._locator else self._tip
            if tip in self._locator:
                return HeadersFound((), None)
            header = yield from self._tip_header(tip)
            if header[4:36] in self._locator:
                return HeadersFound((header,), None)
        for _ in range(ROUNDS_MAX):
            fork, height = yield from self._fork()
            found = yield from self._above(fork, height)
            if found is not None:
                return found
            self._hint = None
        raise malformed_answer(
            f"its best branch did not hold together {ROUNDS_MAX} times", "unsteady", UNSTEADY_PENALTY
        )

    def _tip_header(self, tip: bytes) -> Steps[bytes]:
        (answer,) = yield (_header_call(tip),)
        if isinstance(answer, Failure):
            raise malformed_answer(
                f"names a tip whose header it has not: {answer.message}", "unbacked", UNBACKED_PENALTY
            )
        return self._header(answer, tip)

    def _fork(self) -> Steps[tuple[Tip, int]]:
        """Return the newest block of the locator that is on the node's best branch, and that branch's height.

        A decoded header says its height, and the hash at that height whether the branch runs through it. Not
        every node tells by `confirmations` when a block is on another branch.
        """
        candidates = [self._hint] if self._hint is not None else (yield from self._candidates())
        height, *there = yield (
            Call("getblockcount"),
            *(Call("getblockhash", (candidate.height,)) for candidate in candidates),
        )
        count = read_height(given(height, "getblockcount"), "getblockcount")
        for candidate, answer in zip(candidates, there, strict=True):
            if not isinstance(answer, Failure) and read_hash(answer, "getblockhash") == candidate.hash:
                return candidate, count
        # The genesis block was compared when the node was greeted.
        return Tip(self._parameters.genesis_hash, 0), count

    def _candidates(self) -> Steps[list[Tip]]:
        unknown = [each for each in self._locator if each != self._parameters.genesis_hash]
        if not unknown:
            return []
        answers = yield [Call("getblockheader", (display_hash(each), True)) for each in unknown]
        return [
            Tip(block_hash, read_header_height(answer))
            for block_hash, answer in zip(unknown, answers, strict=True)
            if not isinstance(answer, Failure)
        ]

    def _above(self, fork: Tip, height: int) -> Steps[HeadersFound | None]:
        """Return the headers above a block, as many as one answer may have; None if the branch changed."""
        last = min(height, fork.height + self._headers_max)
        if last <= fork.height:
            return HeadersFound((), fork)
        answers = yield [Call("getblockhash", (n,)) for n in range(fork.height + 1, last + 1)]
        given_hashes = [read_hash(a, "getblockhash") for a in answers if not isinstance(a, Failure)]
        if len(given_hashes) < len(answers):
            return None
        raws = yield [_header_call(each) for each in given_hashes]
        headers: list[bytes] = []
        below = fork.hash
        for block_hash, raw in zip(given_hashes, raws, strict=True):
            if isinstance(raw, Failure):
                return None
            header = self._header(raw, block_hash)
            if header[4:36] != below:
                return None
            headers.append(header)
            below = block_hash
        return HeadersFound(tuple(headers), Tip(below, last), full=last < height)

    def _header(self, result: memoryview, block_hash: bytes) -> bytes:
        header = read_block(result, block_hash, "getblockheader")
        if self._parameters.auxpow is None and len(header) != HEADER_SIZE:
            raise malformed_answer(f"getblockheader: {len(header)} bytes, a header has {HEADER_SIZE}")
        return header


def _header_call(block_hash: bytes) -> Call:
    return Call("getblockheader", (display_hash(block_hash), False))
