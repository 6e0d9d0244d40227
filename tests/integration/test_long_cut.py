"""A cut of all lines to a node that goes on mining and reorganises, and what a subscriber is given after it.

The node is a real litecoind, followed over P2P, JSON-RPC and a ZMQ publisher that is a stand-in; all three
lines fall silent without being closed. The publisher's queue overflows meanwhile, as a real one's does. The
node's own list of blocks is the truth. As a soak the cut lasts 20 minutes; else as many blocks are mined in
12 s. Printed: how long catching up took.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.model import BlockEvent, ChainStatusEvent, Event, GapEvent, ReorgEvent
from tests.integration.cuttable_line import CuttableLine
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, wait_until_delivered
from tests.integration.zmq_stand_in import ZmqStandIn

pytestmark = pytest.mark.real("litecoind")

CHAIN = "litecoin-regtest"
SOAK = os.environ.get("SPRINT_SOAK") == "1"
CUT_S = 1_200.0 if SOAK else 12.0
BLOCKS_BELOW = 10
BLOCKS_BEFORE = 20
BLOCKS_IN_CUT = 240
REORG_DEPTH = 10
CAUGHT_UP_S_MAX = 60.0
READY_S_MAX = 90.0
SOURCES = ("p2p", "rpc", "zmq")
SHORT_CUT_S = 2.0
BLOCKS_IN_SHORT_CUT = 120
CATCH_UP_MAX = 25
PUBLISHER_QUEUE_MAX = 8
LINE_BUFFER_SIZE = 2_048
PASSED_OVER = ""
# Short of the time in which a source that says nothing is taken for lost, which only the soak lives through.
ALARM = {} if SOAK else {"SPRINT_CHAINS__LITECOIN_REGTEST__NO_BLOCK_ALARM_S": "5"}
STALL_REASON = "no source is ready" if SOAK else "no new block for 5 s"


class CutOff:
    """A node, a relay that follows it in three ways, and the three lines between them."""

    def __init__(self, node: Litecoind, relay: RelayProcess, lines: Sequence[CuttableLine]) -> None:
        self.node = node
        self.relay = relay
        self._lines = lines

    def cut(self) -> None:
        for line in self._lines:
            line.cut()

    def heal(self) -> None:
        for line in self._lines:
            line.heal()

    def source(self, name: str) -> dict[str, Any]:
        """What the relay's status says of a source."""
        status = json.loads(fetch(f"{self.relay.url}/api/v1/chains/{CHAIN}/status"))
        (found,) = [source for source in status["sources"] if source["name"] == name]
        return dict(found)

    def wait_until_ready(self, name: str) -> None:
        """Return when a source is ready, after however long it waits between two attempts."""
        what = f"{name} is ready"
        wait_until(lambda: self.source(name)["state"] == "ready", what, timeout_s=READY_S_MAX)

    def mine_through(self, seconds: float, count: int) -> None:
        """Mine blocks evenly over a time; branches of 10 are replaced at its start and in its middle."""
        began = time.monotonic()
        for number in range(count):
            if number in (0, count // 2):
                self._reorganise(REORG_DEPTH)
            self.node.mine(1)
            time.sleep(max(0.0, began + seconds * (number + 1) / count - time.monotonic()))

    def _reorganise(self, depth: int) -> None:
        self.node.rpc("invalidateblock", self.node.rpc("getblockhash", self.node.height - depth + 1))
        self.node.mine(depth)


@contextmanager
def followed(folder: Path, node: Litecoind, **environment: str) -> Iterator[CutOff]:
    """A relay that has caught up with a node, and is ready on all three lines."""
    with ExitStack() as stack:
        publisher = stack.enter_context(ZmqStandIn(node, queue_max=PUBLISHER_QUEUE_MAX))
        buffers = {node.p2p_port: None, node.rpc_port: None, publisher.port: LINE_BUFFER_SIZE}
        lines = [stack.enter_context(CuttableLine(port, buffer_size=size)) for port, size in buffers.items()]
        p2p, rpc, zmq = (line.port for line in lines)
        login = "{}:{}".format(*RPC_LOGIN)
        sources = (
            f"p2p@litecoin:regtest=p2p://{HOST}:{p2p}",
            f"rpc@litecoin:regtest=rpc://{login}@{HOST}:{rpc}",
            f"zmq@litecoin:regtest=zmq://{HOST}:{zmq}",
        )
        options = [part for source in sources for part in ("--source", source)]
        data = ("--data-dir", str(folder / "data"))
        relay = stack.enter_context(RelayProcess(folder, *options, *data, environment=environment))
        cut_off = CutOff(node, relay, lines)
        wait_until_delivered(relay.url, CHAIN, node.tip)
        for name in SOURCES:
            cut_off.wait_until_ready(name)
        yield cut_off


class Branch:
    """The best branch as a subscriber believes it from the events, and whether they were in order.

    `below` is what the branch has below the log's begin, from height 1.
    """

    def __init__(self, events: Sequence[Event], below: Sequence[str]) -> None:
        self.hashes = list(below)
        self.reorgs: list[int] = []
        self.gaps: list[tuple[int, int]] = []
        self.late: list[str] = []
        self._delivered: set[str] = set()
        self._added: list[str] = []
        for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, ReorgEvent):
            assert list(event.data.removed) == self.hashes[::-1][: event.data.depth]
            del self.hashes[-event.data.depth :]
            self.reorgs.append(event.data.depth)
            self.hashes += event.data.added
            self._added = [added for added in event.data.added if added not in self._delivered]
        elif isinstance(event, GapEvent):
            self._gap(event)
        elif isinstance(event, BlockEvent):
            self._block(event)

    def _gap(self, event: GapEvent) -> None:
        first, last = event.data.from_height, event.data.to_height
        self.gaps.append((first, last))
        if self._added:  # it names blocks that the reorg before it has added
            del self._added[: last - first + 1]
        else:
            self.hashes += [PASSED_OVER] * (last - first + 1)

    def _block(self, event: BlockEvent) -> None:
        block_hash, height = event.data.hash, event.data.height
        assert block_hash not in self._delivered, f"{block_hash} came twice"
        self._delivered.add(block_hash)
        if event.data.late:
            assert self._in_gap(height), f"{block_hash} is late and no gap told of it"
            self.late.append(block_hash)
            self.hashes[height - 1] = block_hash
        elif self._added:
            assert block_hash == self._added.pop(0), f"{block_hash} is not what the reorg says is next"
        else:
            assert height == len(self.hashes) + 1, f"height {height} after {len(self.hashes)}"
            assert self.hashes[-1] in (event.data.parent, PASSED_OVER)
            self.hashes.append(block_hash)

    def _in_gap(self, height: int) -> bool:
        return any(first <= height <= last for first, last in self.gaps)


def branch_of(node: Litecoind) -> list[str]:
    heights = range(1, node.height + 1)
    return [str(found) for found in node.rpc_batch([("getblockhash", height) for height in heights])]


def statuses(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(e.data.status, e.data.reason) for e in events if isinstance(e, ChainStatusEvent)]


def sit_out_a_cut(cut_off: CutOff, listener: Listener, seconds: float, count: int) -> float:
    """Cut, mine on, heal; return how long it took from then until the subscriber had the node's tip."""
    before = cut_off.node.tip
    cut_off.cut()
    cut_off.mine_through(seconds, count)
    assert blocks_of(list(listener.events))[-1] == before, "something came through the cut"
    tip = cut_off.node.tip
    healed_at = time.monotonic()
    cut_off.heal()
    listener.wait_for_block(tip, CAUGHT_UP_S_MAX)
    return time.monotonic() - healed_at


def test_after_a_cut_with_a_reorg_and_lost_messages_the_stream_is_the_nodes_chain(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    litecoind.mine(BLOCKS_BELOW)
    with followed(tmp_path, litecoind, **ALARM) as cut_off, Listener(cut_off.relay.url) as listener:
        below = branch_of(litecoind)[:-1]
        listener.wait_for_block(litecoind.mine(BLOCKS_BEFORE)[-1])
        caught_up_s = sit_out_a_cut(cut_off, listener, CUT_S, BLOCKS_IN_CUT)
        print(f"\ncut for {CUT_S:g} s, {BLOCKS_IN_CUT} blocks: caught up in {caught_up_s:.2f} s")
        for name in SOURCES:
            cut_off.wait_until_ready(name)
        for _ in range(3):
            listener.wait_for_block(litecoind.mine(1)[0])
        wait_until(lambda: "sequence_lost" in cut_off.source("zmq")["faults"], "lost messages are noticed")
        events = list(listener.events)
        for name in SOURCES:
            view = cut_off.source(name)
            print(name, {key: view[key] for key in ("state", "connects", "faults")})
            assert "invalid" not in view["faults"], "an honest node pays for what it said before it was asked"
        print(statuses(events))
        branch = Branch(events, below)
        assert branch.hashes == branch_of(litecoind)
        assert branch.reorgs[0] >= REORG_DEPTH
        assert not branch.gaps
        told = [status for status, _ in statuses(events)]
        assert told[:2] == ["stalled", "recovered"]
        assert told == ["stalled", "recovered"] * (len(told) // 2) + ["stalled"] * (len(told) % 2)
        assert STALL_REASON in statuses(events)[0][1]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


def test_after_a_cut_longer_than_what_is_caught_up_with_a_gap_is_told_and_its_blocks_come_late(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    litecoind.mine(BLOCKS_BELOW)
    limit = {"SPRINT_CHAINS__LITECOIN_REGTEST__CATCH_UP_BLOCKS_MAX": str(CATCH_UP_MAX)}
    with followed(tmp_path, litecoind, **limit) as cut_off, Listener(cut_off.relay.url) as listener:
        below = branch_of(litecoind)[:-1]
        listener.wait_for_block(litecoind.mine(BLOCKS_BEFORE)[-1])
        caught_up_s = sit_out_a_cut(cut_off, listener, SHORT_CUT_S, BLOCKS_IN_SHORT_CUT)
        healed_at = time.monotonic() - caught_up_s
        truth = branch_of(litecoind)
        listener.wait_for(
            lambda events: set(truth[len(below) + BLOCKS_BEFORE :]) <= set(blocks_of(events)), "all"
        )
        print(f"\n{BLOCKS_IN_SHORT_CUT} blocks missed, {CATCH_UP_MAX} caught up with in {caught_up_s:.2f} s")
        print(f"the gap filled {time.monotonic() - healed_at:.2f} s after the cut")
        listener.wait_for_block(litecoind.mine(1)[0])
        branch = Branch(list(listener.events), below)
        assert branch.hashes == branch_of(litecoind)
        print(f"gaps {branch.gaps}, {len(branch.late)} blocks late, reorgs {branch.reorgs}")
        assert branch.gaps
        assert branch.late
