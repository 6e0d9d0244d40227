"""The relay's resident memory while it relays: flat, or growing?

    python -m tests.bench.bench_memory [--seconds S]

A devnet node mines 20 blocks a second, 100 subscribers read. 30 s, or ten minutes under SPRINT_SOAK=1.
Before that the chain tree and the ring of recent events are filled to their limits, as they are in a relay
that has run for a while; what that takes is printed by itself.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import environment
from tests.bench.rows import tell
from tests.integration.relay_metrics import resident_bytes
from tests.integration.slow_subscriber import RETAINED_BLOCKS, SUBSCRIBERS, WARM_UP_BLOCKS, Scene
from tests.integration.watchers import Watcher

BLOCK_INTERVAL_MS = 50.0
DURATION_S = 30.0
DURATION_SOAK_S = 600.0
SAMPLES = 20
MB = 1 << 20


def main() -> None:
    duration_s = DURATION_SOAK_S if os.environ.get("SPRINT_SOAK") == "1" else DURATION_S
    parser = argparse.ArgumentParser(description="Resident memory of the relay over time")
    parser.add_argument("--seconds", type=float, default=duration_s)
    options = parser.parse_args()
    print(environment())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-")))
        scene = Scene(stack, folder, BLOCK_INTERVAL_MS)
        with Watcher("subscribers", scene.relay.url, scene.devnet.chain, 1):
            height = scene.devnet.height
            samples = [resident_bytes(scene.relay.pid) / MB]
            for _ in range(SAMPLES):
                time.sleep(options.seconds / SAMPLES)
                samples.append(resident_bytes(scene.relay.pid) / MB)
            blocks = scene.devnet.height - height
    print(
        f"{blocks} blocks in {options.seconds:g} s to {SUBSCRIBERS} subscribers, after a warm-up of "
        f"{WARM_UP_BLOCKS} blocks, tree kept at {RETAINED_BLOCKS} blocks"
    )
    print(f"resident MB: {', '.join(f'{sample:.1f}' for sample in samples)}")
    drift_mb = max(samples) - min(samples)
    tell(
        "resident memory over a run", drift_mb, ours=f"{max(samples):.1f} MB at most in {options.seconds:g} s"
    )
    print(environment())


if __name__ == "__main__":
    main()
