"""A relay's echo: from telling a node to mine until the block is with a subscriber; and blocks a second.

Each side has a relay and a devnet node of its own, children that end with this process; the one that is not
measured has nothing to do. The time it takes the node to mine is in each figure, on both sides alike.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec

from sprint.core.errors import UpstreamError
from sprint.tools.embedded.child import Child
from sprint.tools.embedded.relay import RelayChild
from sprint.tools.optimize.bench.block_lines import BlockLines
from sprint.tools.optimize.bench.scenes import FigureOf

CHAIN = "bitcoin-regtest"
HOST = "127.0.0.1"
BLOCKS_AT_ONCE = 50
WARM_UP_BLOCKS = 30
CONTROL_TIMEOUT_S = 30.0
BLOCKS_MAX = 100_000
FIGURES = (
    FigureOf("relay echo p50", "us", "less"),
    FigureOf("relay echo p90", "us", "less"),
    FigureOf("relay, blocks at once", "per_s", "more"),
)
_MICROSECONDS = 1_000_000


class _Mined(msgspec.Struct, frozen=True):
    hashes: list[str]


class RelayScene:
    """A running relay in front of a node that mines when it is told."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        with ExitStack() as stack:
            node = [sys.executable, "-m", "sprint.tools.devnet", "--chain", CHAIN, "--control-port", "0"]
            devnet = stack.enter_context(Child("the devnet", node, folder=folder))
            ports = devnet.first_line
            source = f"bitcoin:regtest=p2p://{HOST}:{ports['port']}"
            data = folder / f"data-{devnet.pid}"
            self.relay = RelayChild(["--source", source, "--data-dir", str(data), *arguments], folder=folder)
            stack.enter_context(self.relay.child)
            self._control = http.client.HTTPConnection(HOST, ports["control_port"], timeout=CONTROL_TIMEOUT_S)
            stack.callback(self._control.close)
            self._blocks = stack.enter_context(BlockLines(self.relay.api_url, CHAIN))
            self.delivered = 0
            self._warm_up()
            self._stack = stack.pop_all()

    def __repr__(self) -> str:
        return f"RelayScene({self.relay.api_url}, {self.delivered} blocks)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, seconds: float) -> tuple[float, ...]:
        """Return p50 and p90 of the echo in us, and how many blocks a second it delivers of many at once."""
        # The node has hung up on one that asked for nothing while the other side was measured.
        self._control.close()
        self.echo()
        echoes, end = [self.echo()], self._clock() + seconds
        while self._clock() < end and len(echoes) < BLOCKS_MAX:
            echoes.append(self.echo())
        ordered = sorted(echoes)
        p50, p90 = (ordered[int(share * len(ordered))] * _MICROSECONDS for share in (0.5, 0.9))
        return p50, p90, BLOCKS_AT_ONCE / self.echo(BLOCKS_AT_ONCE)

    def echo(self, blocks: int = 1) -> float:
        """Return how many seconds it took from the order to mine until the last block came."""
        began = self._clock()
        self._control.request("POST", f"/api/devnet/{CHAIN}/mine", body=b'{"count": %d}' % blocks)
        for _ in range(blocks):
            self._blocks.next_hash()
        took = self._clock() - began
        self.delivered += blocks
        self._answer()
        return took

    def _warm_up(self) -> None:
        """Read on to a block that was mined just now: from there on each event is of an echo."""
        self._blocks.read_to(self._order(1)[-1])
        for _ in range(WARM_UP_BLOCKS):
            self.echo()

    def _order(self, blocks: int) -> list[str]:
        self._control.request("POST", f"/api/devnet/{CHAIN}/mine", body=b'{"count": %d}' % blocks)
        return self._answer()

    def _answer(self) -> list[str]:
        answer = self._control.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise UpstreamError(f"the devnet answered {answer.status} to an order to mine")
        return msgspec.json.decode(body, type=_Mined).hashes
