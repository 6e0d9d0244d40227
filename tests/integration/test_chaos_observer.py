"""The observer beside a real relay: it sees what is done to it, and its subscriber outlives the relay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from sprint.core.chaos.advice import _MILDER, BACKOFF_BASE_S, FAILURES_TO_OPEN, flattened
from sprint.core.chaos.observation import Observed, Phases
from sprint.core.chaos.stream_check import StreamVerdict, Truth
from sprint.core.errors import ConfigError
from sprint.tools.chaos import observer as observer_module
from sprint.tools.chaos.observer import Observer
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import free_ports
from tests.integration.relay_process import RelayProcess

CHAIN = "litecoin-regtest"
BREAKER = f"source:{CHAIN}:b"
SOON_S = 15.0
LOOK_EVERY_S = 0.02
Given = TypeVar("Given")


@pytest.fixture
def devnet() -> Iterator[DevnetProcess]:
    with DevnetProcess(CHAIN) as node:
        yield node


def relay_on(folder: Path, devnet: DevnetProcess, port: int = 0) -> RelayProcess:
    sources = ("--source", f"a@{devnet.source_url}", "--source", f"b@{devnet.source_url}")
    return RelayProcess(folder, *sources, "--data-dir", str(folder / "data"), port=port)


def order(relay: RelayProcess, action: str) -> None:
    answer = httpx.post(f"{relay.serving.admin}/api/breakers/{BREAKER}/state", json={"action": action})
    answer.raise_for_status()


async def until(holds: Callable[[], object]) -> None:
    """Wait for what the observer tells of; it has no bell for it."""
    for _ in range(round(SOON_S / LOOK_EVERY_S)):
        if holds():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise TimeoutError(f"not within {SOON_S:g} s")


def run(watched: Callable[[], Awaitable[Given]]) -> Given:
    async def main() -> Given:
        return await watched()

    return asyncio.run(main())


def test_what_is_done_to_a_relay_is_seen_with_the_relays_own_evidence(
    tmp_path: Path, devnet: DevnetProcess
) -> None:
    async def watched() -> tuple[Observed, bool]:
        with relay_on(tmp_path, devnet) as relay:
            async with Observer(str(relay.serving.admin), relay.url) as observer:
                await observer.ready()
                await asyncio.to_thread(order, relay, "force_open")
                await until(lambda: observer.newest and observer.newest.health == "degraded")
                await asyncio.to_thread(order, relay, "release")
                await until(lambda: len(observer.transitions) >= 2)
                await asyncio.to_thread(devnet.mine, 3)
                # One that asks after the branch was left never had its blocks, and rightly tells of none.
                assert await observer.caught_up({CHAIN: devnet.height}, SOON_S)
                await asyncio.to_thread(devnet.reorg, 2)
                caught_up = await observer.caught_up({CHAIN: devnet.height}, SOON_S)
                truth = Truth(CHAIN, 0, tuple(devnet.hashes()))
                verdict = observer.stream.verdict([truth])
                assert verdict.whole, verdict
                assert (verdict.blocks, verdict.reorgs, verdict.compared) == (6, 1, 4)
                return observer.observed(Phases(0.0)), caught_up

    seen, caught_up = run(watched)
    assert caught_up
    assert [(each.breaker, each.after) for each in seen.transitions[:2]] == [
        (BREAKER, "force_open"),
        (BREAKER, "open"),
    ]
    assert seen.transitions[0].detector == "operator"
    states = {each.state for sample in seen.samples for each in sample.breakers if each.name == BREAKER}
    assert {"closed", "force_open"} <= states
    assert (seen.subscriber_losses, seen.left_out) == ((), {})


def test_a_relays_own_figures_are_named_as_advice_names_them(tmp_path: Path, devnet: DevnetProcess) -> None:
    with relay_on(tmp_path, devnet) as relay:
        answer = httpx.get(f"{relay.serving.admin}/api/breakers/{BREAKER}/config").raise_for_status()
    figures = flattened(answer.json()["config"])
    assert figures["failures_to_open"] == FAILURES_TO_OPEN
    assert figures["backoff.base_s"] == BACKOFF_BASE_S
    assert figures["shadow"] is False
    assert {name for name, _ in _MILDER.values()} <= set(figures)


def test_the_subscriber_comes_back_by_its_cursor_when_the_relay_was_killed(
    tmp_path: Path, devnet: DevnetProcess
) -> None:
    """Admin and tier ports stay, as a supervisor would start it again."""
    port, admin_port = free_ports(2)
    again = ("--admin-port", str(admin_port))

    async def watched() -> tuple[Observed, list[bool]]:
        sources = ("--source", f"a@{devnet.source_url}", "--data-dir", str(tmp_path / "data"), *again)
        relay = await asyncio.to_thread(RelayProcess, tmp_path, *sources, port=port)
        try:
            async with Observer(str(relay.serving.admin), relay.url) as observer:
                await observer.ready()
                await asyncio.to_thread(devnet.mine, 3)
                caught_up = [await observer.caught_up({CHAIN: devnet.height}, SOON_S)]
                relay.kill()
                await asyncio.to_thread(devnet.mine, 3)
                await until(lambda: observer.newest and not observer.newest.answered)
                relay = await asyncio.to_thread(RelayProcess, tmp_path, *sources, port=port)
                caught_up.append(await observer.caught_up({CHAIN: devnet.height}, SOON_S))
                await until(lambda: observer.newest and observer.newest.answered)
                verdict = observer.stream.verdict([Truth(CHAIN, 0, tuple(devnet.hashes()))])
                assert verdict.whole, verdict
                assert (verdict.blocks, verdict.compared) == (6, 6)
                return observer.observed(Phases(0.0)), caught_up
        finally:
            relay.kill()

    seen, caught_up = run(watched)
    assert caught_up == [True, True]
    assert len(seen.subscriber_losses) == 1
    assert not seen.subscriber_losses[0].final


def test_a_quiet_chain_is_caught_up_and_what_the_relay_has_and_did_not_give_is_lost(
    tmp_path: Path, devnet: DevnetProcess
) -> None:
    async def watched() -> StreamVerdict:
        with relay_on(tmp_path, devnet) as relay:
            async with Observer(str(relay.serving.admin), relay.url) as observer:
                await observer.ready()
                assert await observer.caught_up({CHAIN: devnet.height}, SOON_S)
                assert observer.stream.verdict().whole
                assert not await observer.caught_up({CHAIN: devnet.height + 2}, 0.1)
                return observer.stream.verdict()

    verdict = run(watched)
    assert (verdict.lost, verdict.whole) == (2, False)
    assert "did not come, though the relay has them" in verdict.findings[0].text


def test_what_is_no_relay_is_told_by_what_did_not_begin() -> None:
    (port,) = free_ports(1)
    nobody = f"http://127.0.0.1:{port}"

    async def watched() -> None:
        async with Observer(nobody, nobody) as observer:
            await observer.ready(timeout_s=0.3)

    with pytest.raises(ConfigError, match="no sample, watch, subscriber within"):
        run(watched)


def test_samples_beyond_the_limit_are_thinned_evenly_and_counted(
    tmp_path: Path, devnet: DevnetProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer_module, "SAMPLES_MAX", 4)
    monkeypatch.setattr(observer_module, "BLOCKS_MAX", 2)

    async def watched() -> Observed:
        with relay_on(tmp_path, devnet) as relay:
            async with Observer(str(relay.serving.admin), relay.url) as observer:
                await observer.ready()
                await asyncio.to_thread(devnet.mine, 5)
                assert await observer.caught_up({CHAIN: devnet.height}, SOON_S)
                await until(lambda: observer.left_out["samples"] >= 4)
                assert observer.stream.verdict().blocks == 5
                return observer.observed(Phases(0.0))

    seen = run(watched)
    assert len(seen.samples) <= 4
    assert seen.samples[0].at_s < 1.0
    assert (len(seen.blocks), seen.left_out["blocks"]) == (2, 3)
