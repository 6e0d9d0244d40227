"""Twenty blocks a second to many subscribers for an hour: memory flat, every event to everybody, times told.

A devnet node mines by its clock; the relay, the subscribers and a bare socket on the node are processes of
their own. By default 15 s with 100 subscribers; SPRINT_SOAK=1 runs the hour with 1,000. Printed: latency at
one subscriber behind the bare socket, the relay's own times by stage, its event loop's lag, pauses of the
garbage collector, and its memory.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from sprint.core.chains.bitcoin import REGTEST
from sprint.tools.relay.ring import RING_EVENTS_MAX
from tests.bench.figures import environment, percentile
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import HOST, wait_until
from tests.integration.relay_metrics import Histograms, bucket_percentile, health, histograms, resident_bytes
from tests.integration.relay_process import RelayProcess
from tests.integration.watchers import Watcher

CHAIN = REGTEST.chain_id
SOAK = os.environ.get("SPRINT_SOAK") == "1"
DURATION_S = 3_600.0 if SOAK else 15.0
SUBSCRIBERS = 1_000 if SOAK else 100
BLOCK_INTERVAL_MS = 50.0
# A chain's time moves by a second in six blocks at least, so at this rate it gains 2.3 s each second on the
# clock; once two hours ahead no node may mine faster than six a second, which was after 51 minutes.
CLOCK_BEHIND_S = 86_400
READING_INTERVAL_S = 10.0 if SOAK else 2.5
# What is not of the steady state: the ring of recent events fills, connections get their buffers.
SETTLE_S = 60.0 if SOAK else 5.0
COMPILE_TIMEOUT_S = 300.0
RETAINED_BLOCKS = 288
WARM_UP_BLOCKS = RING_EVENTS_MAX // 2
MEMORY_DRIFT_BYTES_MAX = 5 * 1024 * 1024
RATE_SHARE_MIN = 0.9 if SOAK else 0.5
WAY_P50_S_MAX = 0.025
CONFIG = (
    f"[chains.{CHAIN}]\nretained_blocks_max = {RETAINED_BLOCKS}\ncatch_up_blocks_max = {RETAINED_BLOCKS}\n"
)
SHARES = (0.5, 0.99, 0.999)
TOLD = (
    "sprint_stage_seconds",
    "sprint_relay_seconds",
    "sprint_event_loop_lag_seconds",
    "sprint_gc_pause_seconds",
)


class Steady(NamedTuple):
    """The processes while blocks are mined."""

    devnet: DevnetProcess
    relay: RelayProcess
    bare: Watcher
    timed: Watcher
    drained: Watcher


@pytest.fixture
def steady(tmp_path: Path) -> Iterator[Steady]:
    with ExitStack() as stack:
        devnet = stack.enter_context(
            DevnetProcess(CHAIN, interval_ms=BLOCK_INTERVAL_MS, behind_s=CLOCK_BEHIND_S)
        )
        devnet.mine(WARM_UP_BLOCKS)
        config = tmp_path / "sprint.toml"
        config.write_text(CONFIG)
        options = (
            "--source",
            devnet.source_url,
            "--config",
            str(config),
            "--data-dir",
            str(tmp_path / "data"),
        )
        relay = stack.enter_context(
            RelayProcess(tmp_path, *options, "--quiet", environment={"SPRINT_RELAY__KERNELS": "auto"})
        )
        bare = stack.enter_context(Watcher("p2p", HOST, devnet.port, CHAIN))
        drainers = "tests.integration.drainers"
        drained = stack.enter_context(Watcher("drain", relay.url, CHAIN, SUBSCRIBERS - 1, module=drainers))
        timed = stack.enter_context(Watcher("subscribers", relay.url, CHAIN, 1))
        yield Steady(devnet, relay, bare, timed, drained)


class Found(NamedTuple):
    """What an hour, or less, showed."""

    blocks: int
    faults: int
    latencies_s: list[float]
    resident_bytes: list[int]
    times: Histograms


@pytest.mark.timeout(DURATION_S + SETTLE_S + 600)
def test_memory_is_flat_and_everybody_has_every_event(steady: Steady) -> None:
    admin = str(steady.relay.serving.admin)
    wait_until(
        lambda: health(admin)["parts"]["kernels"]["state"] == "compiled",
        "kernels are compiled",
        timeout_s=COMPILE_TIMEOUT_S,
    )
    time.sleep(SETTLE_S)
    found = run(steady)
    tell(found)
    steady.devnet.kill()
    wait_until(lambda: all_have_the_same(steady.drained), "all were sent the same")
    drained = steady.drained.take()
    assert (drained["open"], drained["faults"], found.faults) == (SUBSCRIBERS - 1, 0, 0)
    assert found.blocks >= RATE_SHARE_MIN * DURATION_S * 1000 / BLOCK_INTERVAL_MS
    assert max(found.resident_bytes) - min(found.resident_bytes) <= MEMORY_DRIFT_BYTES_MAX
    assert statistics.median(found.latencies_s) < WAY_P50_S_MAX


def run(steady: Steady) -> Found:
    """Let blocks be mined for the duration, and read what is seen of them now and then."""
    for watcher in (steady.bare, steady.timed):
        watcher.take()
    before = histograms(str(steady.relay.serving.metrics), TOLD)
    ends_at, faults, blocks = time.monotonic() + DURATION_S, 0, 0
    latencies_s: list[float] = []
    resident: list[int] = []
    announced: dict[str, float] = {}
    while (left_s := ends_at - time.monotonic()) > 0:
        time.sleep(min(left_s, READING_INTERVAL_S))
        resident.append(resident_bytes(steady.relay.pid))
        seen = steady.timed.take()
        announced = dict(list(announced.items())[-100:]) | steady.bare.take()["seen"]
        faults += seen["faults"]
        given = seen["seen"].get("block", {})
        blocks += len(given)
        latencies_s += [times[0] - announced[h] for h, times in given.items() if h in announced]
    after = histograms(str(steady.relay.serving.metrics), TOLD)
    return Found(blocks, faults, latencies_s, resident, grown(before, after))


def grown(before: Histograms, after: Histograms) -> Histograms:
    """Return what came between two readings."""
    return {
        name: [(bound, count - dict(before.get(name, [])).get(bound, 0.0)) for bound, count in buckets]
        for name, buckets in after.items()
    }


def all_have_the_same(drained: Watcher) -> bool:
    taken = drained.take()
    return bool(taken["least"] == taken["most"] > 0)


def tell(found: Found) -> None:
    """Print the figures; those from the relay's histograms are read between their bounds."""
    print(f"\n{environment()}")
    rate = found.blocks / DURATION_S
    print(f"{DURATION_S:g} s, {SUBSCRIBERS} subscribers, {found.blocks} blocks, {rate:.1f} a second")
    print(f"{'ms':44} {'p50':>8} {'p99':>8} {'p99.9':>8}")
    rows = {"one subscriber - bare socket": [percentile(found.latencies_s, share) for share in SHARES]}
    for name, buckets in found.times.items():
        if buckets[-1][1]:
            rows[f"{name} n={buckets[-1][1]:.0f}"] = [bucket_percentile(buckets, share) for share in SHARES]
    for name, values_s in rows.items():
        print(f"{name:44} " + " ".join(f"{1000 * value:8.3f}" for value in values_s))
    low, high = min(found.resident_bytes) / 2**20, max(found.resident_bytes) / 2**20
    print(f"resident memory {low:.1f} to {high:.1f} MB, n={len(found.resident_bytes)}")
