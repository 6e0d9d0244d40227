"""However much of a node's blocks comes in one piece, others have their turn of the loop between."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from sprint.core.protocols.announcements import Announcement, BlockArrived
from sprint.core.relay.source_url import source_of
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.sources import p2p
from sprint.tools.relay.sources.p2p import FRAMES_AT_ONCE, P2pSource
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import CHAIN, Observer, SpyIntake, new_devnet

BLOCKS = 300


class CountingIntake(SpyIntake):
    """Counts what it is told in each turn of the loop; may have the source pause at one of the blocks."""

    def __init__(self, pause_at: int = -1) -> None:
        super().__init__()
        self.turn = 0
        self.in_turn: Counter[int] = Counter()
        self.hashes: list[bytes] = []
        self._pause_at = pause_at

    def next_turn(self) -> None:
        self.turn += 1
        if len(self.hashes) < BLOCKS:
            asyncio.get_running_loop().call_soon(self.next_turn)

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        if isinstance(announcement, BlockArrived):
            self.in_turn[self.turn] += 1
            self.hashes.append(announcement.raw[:80])
            if len(self.hashes) == self._pause_at and self.upstream is not None:
                self.upstream.pause(paused=True)
                asyncio.get_running_loop().call_later(0.01, self._go_on)

    def _go_on(self) -> None:
        assert len(self.hashes) <= self._pause_at + FRAMES_AT_ONCE
        if self.upstream is not None:
            self.upstream.pause(paused=False)


@pytest.mark.parametrize("pause_at", [-1, 1, 2, 3, BLOCKS // 2])
def test_a_read_of_many_blocks_is_taken_a_few_a_turn(pause_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay behind a node at 125 blocks a second did not answer for its health for seconds."""
    monkeypatch.setattr(p2p, "TURN_S_MAX", 0.0)

    async def main() -> None:
        devnet = new_devnet()
        (address,) = await devnet.start()
        network = ChainCatalog.installed().find_id(CHAIN)
        spec = source_of("bitcoin", "regtest", f"p2p://127.0.0.1:{address.port}", name="n")
        intake = CountingIntake(pause_at)
        task = asyncio.create_task(P2pSource(spec, network.parameters, intake, Observer()).run())
        try:
            assert await intake.next() == "ready"
            hashes = devnet.mine(CHAIN, BLOCKS)
            intake.request(bodies=hashes)
            intake.next_turn()
            await until(lambda: len(intake.hashes) == BLOCKS)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await devnet.stop()
        assert intake.hashes == [
            (devnet.ledger(CHAIN).body(each, witness=True) or b"")[:80] for each in hashes
        ]
        assert max(intake.in_turn.values()) <= FRAMES_AT_ONCE

    asyncio.run(main())
