"""How long the relay takes to serve, and to deliver its first block; what `sprint --help` costs.

    python -m tests.bench.bench_start [--runs N]

Each start is a fresh process; the kinds take turns, and medians are shown. `serving` is from the start of
the process to its line on stdout, with a data folder (new, then kept) before a devnet node; the first block
is one that the node mines as soon as the relay has its tip, as it reaches a WebSocket client. `python -c
"import typer"` is the peer of the help: what any command line on typer pays.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.figures import ROW_HEAD, environment, median, row_ms
from tests.bench.rows import tell
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.watchers import Watcher

CHAIN = "litecoin-regtest"
HELP = (sys.executable, "-m", "sprint.cli.main", "--help")
COMMANDS: dict[str, tuple[str, ...]] = {
    "python -c pass": (sys.executable, "-c", "pass"),
    'python -c "import typer"': (sys.executable, "-c", "import typer"),
    "sprint --help": HELP,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up times")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    print(environment())
    print(ROW_HEAD)
    measure_commands(2 * options.runs)
    measure_relay(options.runs)
    print(environment())


def measure_commands(runs: int) -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            start = time.monotonic()
            # Without a time limit: with one, waiting is polling, and 64 ms look like 114.
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.monotonic() - start)
    for name, values in taken.items():
        print(row_ms(name, values))
    factor = median(taken["sprint --help"]) / median(taken['python -c "import typer"'])
    ours, peer = (
        f"{1000 * median(taken[name]):.0f} ms" for name in ("sprint --help", 'python -c "import typer"')
    )
    tell("sprint --help / import typer", factor, ours=ours, peer=peer)


def measure_relay(runs: int) -> None:
    serving: dict[str, list[float]] = {"new": [], "kept": []}
    first_block: list[float] = []
    with tempfile.TemporaryDirectory(prefix="sprint-bench-") as name, DevnetProcess(CHAIN) as devnet:
        for number in range(runs):
            folder = Path(name) / str(number)
            for kind in ("new", "kept"):
                start = time.monotonic()
                with RelayProcess(folder, *_arguments(folder, devnet)) as relay:
                    serving[kind].append(time.monotonic() - start)
                    if kind == "new":
                        first_block.append(_first_block_at(relay, devnet) - start)
    print(row_ms("relay: serving, new data folder", serving["new"]))
    print(row_ms("relay: serving, kept data folder", serving["kept"]))
    print(row_ms("relay: first block at a client", first_block))
    found_s = median(serving["new"])
    tell("relay serves, new data folder", found_s, ours=f"{found_s:.2f} s")


def _arguments(folder: Path, devnet: DevnetProcess) -> tuple[str, ...]:
    return ("--source", devnet.source_url, "--data-dir", str(folder / "data"), "--quiet")


def _first_block_at(relay: RelayProcess, devnet: DevnetProcess) -> float:
    """Mine one block when the relay follows the node, and return when a client has it."""
    with Watcher("subscribers", relay.url, CHAIN, 1) as client:
        wait_until(lambda: _follows(relay), "the relay follows the node")
        (block_hash,) = devnet.mine(1)
        seen: dict[str, list[float]] = {}
        while block_hash not in seen:
            seen |= client.take()["seen"].get("block", {})
        return seen[block_hash][0]


def _follows(relay: RelayProcess) -> bool:
    status = json.loads(fetch(f"{relay.url}/api/v1/chains/{CHAIN}/status"))
    return bool(status["status"] == "following")


if __name__ == "__main__":
    main()
