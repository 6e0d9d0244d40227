"""The load generators that ours stands beside: how each is had, started and read.

wrk and hey are Debian's packages; autocannon is fetched from npm, in the version named here, into a folder
that git passes over; locust comes with the benchmarks' own packages. One that can't be had is said with the
reason.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.bench.c_programs import Absent

ROOT = Path(__file__).resolve().parents[2]
AUTOCANNON_VERSION = "9.0.0"
AUTOCANNON_FOLDER = ROOT / ".real" / "autocannon"
NPM_TIMEOUT_S = 60.0
RUN_GRACE_S = 60.0  # beyond the seconds that were asked for
SAMPLE_S = 0.5
SAID_SHOWN_MAX = 300
LOCUSTFILE = """
from locust import FastHttpUser, constant, task


class Asking(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/")
"""


class Run(NamedTuple):
    """One run: answers a second, CPU of the whole process tree for each, its memory, what it printed.

    `drift_mb` is how much of the memory came after the first half of the run.
    """

    per_s: float
    cpu_us: float
    memory_mb: float
    drift_mb: float
    said: str


class Measured(NamedTuple):
    said: str
    cpu_s: float
    memory_mb: float
    drift_mb: float


class Peer(NamedTuple):
    """`answers` reads from what it printed how many it had; `command` is Absent where it can't be had."""

    name: str
    command: list[str] | Absent
    answers: Callable[[str, int], float]


def measured(command: Sequence[str], seconds: int) -> Measured:
    """Run a command to its end. RuntimeError, with what it printed, where it fails or takes too long."""
    sizes: list[int] = []
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        started = subprocess.Popen(command, stdout=out, stderr=errors, stdin=subprocess.DEVNULL)
        over = threading.Event()
        sampling = threading.Thread(target=_sample, args=(started.pid, sizes, over))
        sampling.start()
        begun = _cpu_of_children()
        try:
            code = started.wait(seconds + RUN_GRACE_S)
        except subprocess.TimeoutExpired:
            started.kill()
            code = started.wait()
        finally:
            over.set()
            sampling.join()
        out.seek(0)
        errors.seek(0)
        said, complaint = out.read(), errors.read()
    if code:
        raise RuntimeError(f"{command[0]} ended with {code}: {(complaint or said)[-SAID_SHOWN_MAX:]}")
    middle = max(sizes[: len(sizes) // 2 + 1], default=0)
    largest = max(sizes, default=0)
    return Measured(said, _cpu_of_children() - begun, largest / 2**20, (largest - middle) / 2**20)


def _cpu_of_children() -> float:
    used = psutil.Process().cpu_times()
    return float(used.children_user + used.children_system)


def _sample(pid: int, sizes: list[int], over: threading.Event) -> None:
    """Note the memory of a process and all below it until it is over."""
    while not over.wait(SAMPLE_S):
        try:
            tree = [psutil.Process(pid)]
            tree += tree[0].children(recursive=True)
            sizes.append(sum(each.memory_info().rss for each in tree))
        except psutil.Error:
            continue


def peers(url: str, seconds: int, connections: int, folder: Path) -> list[Peer]:
    """Return the peers; `folder` is for what they need beside them."""
    count, duration = str(connections), f"{seconds}s"
    locustfile = folder / "locustfile.py"
    locustfile.write_text(LOCUSTFILE, encoding="utf-8")
    wrk, hey, autocannon = _on_path("wrk"), _on_path("hey"), _autocannon()
    locust = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--json"]
    locust += ["-u", count, "-r", count, "-t", duration, "--host", url.rstrip("/"), "--loglevel", "ERROR"]
    return [
        Peer("wrk", _with(wrk, "-t1", f"-c{count}", f"-d{duration}", url), _by_line),
        Peer("hey", _with(hey, "-z", duration, "-c", count, url), _by_line),
        Peer("autocannon", _with(autocannon, "-c", count, "-d", str(seconds), "--json", url), _by_autocannon),
        Peer("locust", _with(locust), _by_locust),
    ]


def run_peer(peer: Peer, seconds: int) -> Run | Absent:
    """Run a peer; Absent, with the reason, where it can't be had or doesn't work."""
    if isinstance(peer.command, Absent):
        return peer.command
    try:
        found = measured(peer.command, seconds)
        answers = peer.answers(found.said, seconds)
    except (OSError, RuntimeError, ValueError, LookupError) as error:
        return Absent(
            f"{peer.name}: {str(error).strip()[-SAID_SHOWN_MAX:]}".replace("\n", " ").replace("|", "/")
        )
    return Run(
        answers / seconds, found.cpu_s / max(1, answers) * 1e6, found.memory_mb, found.drift_mb, found.said
    )


def _with(program: list[str] | Absent, *options: str) -> list[str] | Absent:
    return program if isinstance(program, Absent) else [*program, *options]


def _on_path(name: str) -> list[str] | Absent:
    return (
        [name] if shutil.which(name) else Absent(f"{name} is not installed (Debian: apt-get install {name})")
    )


def _autocannon() -> list[str] | Absent:
    program = AUTOCANNON_FOLDER / "node_modules" / ".bin" / "autocannon"
    if program.exists():
        return [str(program)]
    if shutil.which("npm") is None:
        return Absent("autocannon needs node and npm")
    AUTOCANNON_FOLDER.mkdir(parents=True, exist_ok=True)
    command = [
        "npm",
        "install",
        "--prefix",
        str(AUTOCANNON_FOLDER),
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]
    try:
        subprocess.run(
            [*command, f"autocannon@{AUTOCANNON_VERSION}"],
            check=True, capture_output=True, timeout=NPM_TIMEOUT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return Absent("autocannon could not be fetched from npm")
    return [str(program)]


def _by_line(said: str, seconds: int) -> float:
    found = re.search(r"Requests/sec:\s+([\d.,]+)", said)
    if found is None:
        raise ValueError(f"it printed no rate: {said[-SAID_SHOWN_MAX:]}")
    return float(found[1].replace(",", "")) * seconds


def _by_autocannon(said: str, _: int) -> float:
    line = next(line for line in said.splitlines() if line.startswith("{"))
    return float(json.loads(line)["2xx"])


def _by_locust(said: str, seconds: int) -> float:
    """Its users begin within the first second: what counts is from the first request to the last."""
    (row,) = json.JSONDecoder().raw_decode(said[said.index("[\n") :])[0]
    took_s = row["last_request_timestamp"] - row["start_time"]
    return float((row["num_requests"] - row["num_failures"]) / max(1.0, took_s) * seconds)


def settle(seconds: float = 0.5) -> None:
    """Let a server close what the one before has left."""
    time.sleep(seconds)
