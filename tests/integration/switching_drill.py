"""The drill: faults strike a chain's subjects in turn while it is mined, and what the relay tells is timed.

One `Drill` runs a chain. Between faults it is calm: every subject runs, the nodes agree, every source of the
relay is ready. During a fault the node that is not struck mines on; a node that is cut off mines a branch of
its own, which after the cut may be the better one. All times are of this process's one monotonic clock.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

import msgspec

from sprint.core.model import BlockEvent, Event, SourceStatusData, SourceStatusEvent
from tests.integration.real_servers import RpcError, wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.subscribers import Listener
from tests.integration.switching import Fault, Node, Pair, Subject

BLOCK_TIMEOUT_S = 30.0
RETURN_TIMEOUT_S = (
    120.0  # a source's backoff is 30 s at most, and a lagging one has to keep up for some heads
)
JOIN_AGAIN_S = 5.0
AGREE_S = 2.0
IN_MID_BLOCK_SHARE = 0.4  # of the faults: the node that is struck mines just then
BLOCK_TAKES_S = 0.05  # from asking for a block to its event, or less
OWN_BRANCH_SHARE = 0.7  # of the cuts: the node that is cut off mines on
OWN_BLOCKS_MAX = 100
Thing = TypeVar("Thing")
TOLD = ("lost", "blocked", "demoted")


class Pace(NamedTuple):
    """How fast it goes: ranges of seconds between blocks and of an outage, of blocks in calm between two."""

    pause_s: tuple[float, float]
    outage_s: tuple[float, float]
    calm_blocks: tuple[int, int]


class Watch(Listener):
    """A subscriber that notes when it was given each block and each word on a source."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.block_at: dict[str, float] = {}
        self.statuses: list[tuple[float, SourceStatusData]] = []

    def wait_for_block(self, block_hash: str, timeout_s: float = BLOCK_TIMEOUT_S) -> None:
        self.wait_for(lambda _: block_hash in self.block_at, f"block {block_hash}", timeout_s)

    def _read(self) -> Iterator[Event]:
        for event in super()._read():
            now = time.monotonic()
            if isinstance(event, BlockEvent):
                self.block_at[event.data.hash] = now
            elif isinstance(event, SourceStatusEvent):
                self.statuses.append((now, event.data))
            yield event


class Outage(msgspec.Struct):
    """One fault, in seconds: since it began, or since it ended for `returned_s`.

    `switched_s`: the first event of the next block mined, `late_s` of it since that was asked of its miner.
    `told_s`: the relay's first word that one of the struck sources is out, None if it had none to say.
    `returned_s`: its word that the last of them is back.
    """

    subject: str
    fault: Fault
    in_mid_block: bool
    switched_s: float
    late_s: float
    told_s: float | None
    returned_s: float | None


class Drill:
    """One chain's. `calm_s` are the times from asking for a block to its event while nothing was wrong."""

    def __init__(self, pair: Pair, watch: Watch, rng: random.Random, pace: Pace) -> None:
        self.pair = pair
        self.outages: list[Outage] = []
        self.calm_s: list[float] = []
        self.mined = 0
        self._watch = watch
        self._rng = rng
        self.pace = pace
        self._began = time.monotonic()

    def __repr__(self) -> str:
        return f"Drill({self.pair.chain}, {len(self.outages)} outages, {self.mined} blocks)"

    def schedule(self) -> Iterator[tuple[Subject, Fault]]:
        """Every fault of every subject in turn, in another order each time."""
        while True:
            yield from self.shuffled([(subject, fault) for subject in self.pair.subjects for fault in Fault])

    def shuffled(self, things: Sequence[Thing]) -> list[Thing]:
        """The same things in an order that the seed says."""
        return self._rng.sample(things, len(things))

    def run(self, turns: Iterable[tuple[Subject, Fault]], until: float, stopping: threading.Event) -> None:
        """Take turns until there are no more or the time is over; in the end it is calm."""
        for subject, fault in turns:
            self._calm()
            if time.monotonic() >= until or stopping.is_set():
                break
            self._outage(subject, fault)
        self._calm()

    def _calm(self) -> None:
        for _ in range(self._rng.randint(*self.pace.calm_blocks)):
            asked_at = time.monotonic()
            block = self._mine(self._rng.choice(self.pair.nodes))
            self._watch.wait_for_block(block)
            self.calm_s.append(self._watch.block_at[block] - asked_at)
            self._pause()
            self.pair.wait_until_agreed()

    def _outage(self, subject: Subject, fault: Fault) -> None:
        in_mid_block = subject.node is not None and self._rng.random() < IN_MID_BLOCK_SHARE
        length_s = 0.0 if fault is Fault.RESTART else self._rng.uniform(*self.pace.outage_s)
        self._say(f"{fault} {subject.name} for {length_s:.1f} s{', in mid-block' * in_mid_block}")
        passing = self._mine_in_passing(subject.node) if in_mid_block and subject.node is not None else None
        struck_at = time.monotonic()
        self.pair.strike(subject, fault)
        miner = self._miner_beside(subject)
        asked: dict[str, float] = {}
        while not asked or time.monotonic() < struck_at + length_s:
            self._pause()
            asked_at = time.monotonic()
            asked[self._mine(miner)] = asked_at
        if fault is Fault.CUT and subject.node is not None and self._rng.random() < OWN_BRANCH_SHARE:
            self._mine_alone(subject.node, len(asked))
        healed_at = time.monotonic()
        self.pair.heal(subject, fault)
        self._say(f"healed {subject.name}")
        if passing is not None:
            passing.join()
        self._settle(miner)
        first, first_at = next((block, at) for block, at in asked.items() if block in self._watch.block_at)
        seen_at = self._watch.block_at[first]
        told_at, returned_at = self._words(self.pair.struck_sources(subject), struck_at, healed_at)
        self.outages.append(
            Outage(
                subject=subject.name,
                fault=fault,
                in_mid_block=in_mid_block,
                switched_s=seen_at - struck_at,
                late_s=seen_at - first_at,
                told_s=None if told_at is None else told_at - struck_at,
                returned_s=None if returned_at is None else returned_at - healed_at,
            )
        )

    def _mine_in_passing(self, node: Node) -> threading.Thread:
        """Ask a node for a block and wait for what a block takes at most, so that a fault falls into it."""

        def mine() -> None:
            # The fault may take the node away before it has answered, or before it has mined.
            with suppress(OSError, http.client.HTTPException, RpcError, RuntimeError):
                self._mine(node)

        passing = threading.Thread(target=mine, daemon=True)
        passing.start()
        time.sleep(self._rng.uniform(0, BLOCK_TAKES_S))
        return passing

    def _mine_alone(self, node: Node, others: int) -> None:
        """Mine a branch at a node that is cut off: a few blocks less than the others have, or a few more."""
        for _ in range(min(max(1, others + self._rng.randint(-2, 3)), OWN_BLOCKS_MAX)):
            self._mine(node)

    def _settle(self, miner: Node) -> None:
        """Mine on until the nodes agree, all sources are ready and none is asked last; wait for the tip."""
        began = joined = time.monotonic()
        waited_for: list[str] = []
        while wanting := self._wanting():
            now = time.monotonic()
            if now > began + RETURN_TIMEOUT_S:
                raise TimeoutError(f"{self.pair.chain}: {RETURN_TIMEOUT_S:g} s after a fault {wanting}")
            if now > joined + JOIN_AGAIN_S:
                self.pair.join()
                joined = now
            waited_for = wanting
            self._pause()
            self._mine(miner)
        self._say(f"whole after {time.monotonic() - began:.1f} s; waited for {waited_for}")
        self._watch.wait_for_block(miner.tip)

    def _wanting(self) -> list[str]:
        """What is not whole: nodes that differ, sources that are not ready or demoted, and why."""
        try:
            # A bcoin that catches up may stay one block behind for as long as there is a next one.
            wait_until(self.pair.agreed, "the nodes agree", timeout_s=AGREE_S)
        except TimeoutError:
            return [f"{node!r} is at {node.height}: {node.tip}" for node in self.pair.nodes]
        return self._out()

    def _out(self) -> list[str]:
        """The sources that are not ready, or are demoted, with the relay's reasons."""
        url = f"{self._watch.client.address.http}/api/v1/chains/{self.pair.chain}/status"
        told = [
            (source, (source["standing"] or {}).get("demoted", ""))
            for source in json.loads(fetch(url))["sources"]
        ]
        return [
            f"{source['name']} is {source['state']}: {source['reason'] or demoted}"
            for source, demoted in told
            if source["state"] != "ready" or demoted
        ]

    def _words(
        self, sources: frozenset[str], struck_at: float, healed_at: float
    ) -> tuple[float | None, float | None]:
        """When the relay first said that one of these is out, and last that one is back."""
        words = [(at, data) for at, data in list(self._watch.statuses) if data.source in sources]
        told = [at for at, data in words if data.status in TOLD and at > struck_at]
        returned = [at for at, data in words if data.status not in TOLD and at > healed_at]
        return min(told, default=None), max(returned, default=None)

    def _miner_beside(self, subject: Subject) -> Node:
        return self._rng.choice([node for node in self.pair.nodes if node is not subject.node])

    def _mine(self, node: Node) -> str:
        self.mined += 1
        return self.pair.mine_at(node)

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s {self.pair.chain}: {what}")

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*self.pace.pause_s))
