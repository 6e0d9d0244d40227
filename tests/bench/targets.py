"""What each benchmark of the suite is held to, and how it is run when only a glance is wanted."""

from __future__ import annotations

from typing import Literal

import msgspec

AVX512 = "avx512f"


class Target(msgspec.Struct, frozen=True):
    """One goal, compared with what was found in the same unit. Without `wanted` it is shown, not judged."""

    name: str
    direction: Literal["at least", "at most", ""] = ""
    wanted: float = 0.0
    unit: str = "x"
    wanted_without_avx512: float | None = None

    def goal(self, features: frozenset[str]) -> float:
        """Return the goal on a processor with these features."""
        if self.wanted_without_avx512 is not None and AVX512 not in features:
            return self.wanted_without_avx512
        return self.wanted

    def text(self, features: frozenset[str]) -> str:
        return f"{self.direction} {self.goal(features):g}{self.unit}" if self.direction else "none set"

    def reached(self, found: float, features: frozenset[str]) -> bool | None:
        """Tell whether the goal is reached; None where none is set."""
        if not self.direction:
            return None
        goal = self.goal(features)
        return found >= goal if self.direction == "at least" else found <= goal


class Bench(msgspec.Struct, frozen=True):
    """`tests/bench/bench_NAME.py`: its targets, and the arguments that make it short."""

    name: str
    targets: tuple[Target, ...]
    quick: tuple[str, ...] = ()


BENCHES = (
    Bench(
        "one_hash",
        (Target("one double hash of 64 B from Python / hashlib", "at least", 4),),
        ("--rounds", "5"),
    ),
    Bench(
        "kernels",
        (
            Target("merkle root of 3,315 ids / hashlib", "at least", 12),
            Target("merkle root of 3,315 ids / C over OpenSSL", "at least", 3),
            Target("2,000 headers of 80 B / hashlib", "at least", 16),
            Target("900,000 headers: hash, target, link", "at most", 0.1, " s"),
            Target("scrypt of headers, one thread / hashlib", "at least", 1),
            Target("full check of a 1.2 MB block / python-bitcoinlib", "at least", 50),
            Target(
                "full check of a 1.2 MB block / its hashes in C over OpenSSL",
                "at least", 1.0, wanted_without_avx512=round(1 / 1.3, 2),
            ),
        ),
        ("--rounds", "5"),
    ),
    Bench(
        "catch_up",
        (
            Target("headers of a catch-up, Dogecoin, merge-mined / plain"),
            Target("headers of a catch-up, Litecoin / plain"),
        ),
        ("--rounds", "2", "--headers", "300"),
    ),
    Bench(
        "dedup",
        (
            Target("dedup, one at a time / OrderedDict", "at least", 5),
            Target("dedup, one at a time / cachebox TTLCache", "at least", 1),
            Target("dedup, batches of 1,000 / OrderedDict", "at least", 8),
        ),
        ("--rounds", "2"),
    ),
    Bench("histogram", (Target("histogram record / hdrhistogram", "at least", 20),), ("--rounds", "5")),
    Bench(
        "json",
        (
            Target("JSON of a block event / json"),
            Target("JSON of a block event / orjson"),
            Target("encodings of an event for 1,000 subscribers", "at most", 1, ""),
        ),
        ("--rounds", "5"),
    ),
    Bench(
        "http",
        (
            Target("GET of the latest block / uvicorn bare", "at least", 0.9),
            Target("GET of the latest block / aiohttp"),
            Target("GET of the latest block / Starlette"),
        ),
        ("--runs", "1", "--seconds", "0.5"),
    ),
    Bench(
        "fanout",
        (
            Target("fan-out to 100 / websockets.broadcast", "at least", 1.35),
            Target("fan-out to 1,000 / websockets.broadcast", "at least", 1.35),
            Target("fan-out to 5,000 / websockets.broadcast", "at least", 1.35),
            Target("fan-out to 1,000 / picows on uvloop"),
            Target("fan-out to 1,000 / send loop in C"),
            Target("fan-out to 100, 32 ahead, ours joined / broadcast"),
            Target("fan-out to 1,000, 32 ahead, ours joined / broadcast"),
            Target("fan-out to 5,000, 32 ahead, ours joined / broadcast"),
            Target("fan-out to 1,000, 32 ahead, ours joined / picows"),
            Target("fan-out to 1,000, 32 ahead, ours joined / send loop in C"),
            Target("last of 1,000 receives / send loop in C", "at most", 1.3),
            Target("fan-out to 1,000 in bursts, coalesced", "at least", 1_000_000, "/s"),
        ),
        ("--runs", "1", "--deliveries", "60000"),
    ),
    Bench(
        "zmq",
        (
            Target("ZMQ, CPU of a small message", "at most", 5, " µs"),
            Target("ZMQ, CPU of a small message / zmq.asyncio"),
        ),
        ("--runs", "1"),
    ),
    Bench(
        "rpc",
        (Target("JSON-RPC calls, 100 under way / aiohttp", "at least", 3),),
        ("--rounds", "1", "--seconds", "0.5"),
    ),
    Bench(
        "start",
        (
            Target("sprint --help / import typer", "at most", 1.3),
            Target("relay serves, new data folder", "at most", 1, " s"),
        ),
        ("--runs", "2"),
    ),
    Bench(
        "store",
        (
            Target("store, SQLite, events alone", "at least", 100_000, "/s"),
            Target("store, SQLite, events alone, beside executemany"),
            Target("store, SQLite, block deliveries", unit="/s"),
            Target("store, SQLite, block deliveries, beside executemany"),
            Target("store, start with a long log, SQLite", "at most", 3, " s"),
            Target("store, replay from an old cursor, SQLite", "at least", 100_000, "/s"),
            Target("store, PostgreSQL, events alone", "at least", 50_000, "/s"),
            Target("store, PostgreSQL, events alone, beside executemany"),
            Target("store, PostgreSQL, events alone, beside asyncpg's COPY"),
            Target("store, PostgreSQL, block deliveries", unit="/s"),
            Target("store, PostgreSQL, block deliveries, beside executemany"),
            Target("store, PostgreSQL, block deliveries, beside asyncpg's COPY"),
            Target("store, start with a long log, PostgreSQL", "at most", 3, " s"),
            Target("store, replay from an old cursor, PostgreSQL", "at least", 100_000, "/s"),
        ),
        ("--events", "5000", "--rounds", "1", "--log-events", "50000"),
    ),
    Bench(
        "log",
        (
            Target("log, batches of 100 blocks", "at least", 100_000, "/s"),
            Target("log, batches of 100 events without blocks", "at least", 100_000, "/s"),
        ),
        ("--events", "20000"),
    ),
    Bench(
        "latency",
        (
            Target("small block behind a bare socket, p50", "at most", 1, " ms"),
            Target("small block behind a bare socket, p99", "at most", 5, " ms"),
            Target("small block / tip of a second litecoind, p50", "at most", 1),
            Target("large block behind a bare socket, p50", "at most", 1, " ms"),
            Target("large block behind a bare socket, p99", "at most", 5, " ms"),
            Target("large block / tip of a second litecoind, p50", "at most", 1),
        ),
        ("--small", "20", "--large", "2"),
    ),
    Bench(
        "tiers",
        (Target("deliveries within their tier's goal, least of all scenes", "at least", 99, " %"),),
        ("--events", "400"),
    ),
    Bench(
        "slow_subscriber",
        (Target("p99 of 99 with one stalled / with none", "at most", 1.25),),
        ("--rounds", "2", "--round-s", "2"),
    ),
    Bench(
        "breaker_parts",
        (
            Target("breaker backoff", "at most", 0.1, " ms"),
            Target("breaker window", "at most", 0.5, " ms"),
            Target("breaker adaptive threshold", "at most", 1, " ms"),
            Target("breaker latency detection", "at most", 0.2, " ms"),
            Target("breaker health score", "at most", 0.3, " ms"),
            Target("breaker recovery probability", "at most", 0.1, " ms"),
        ),
        ("--rounds", "5"),
    ),
    Bench(
        "breaker",
        (
            Target("guarded call, closed, everything on", "at most", 1, " µs"),
            Target("guarded call / pybreaker", "at least", 1),
            Target("guarded call / interlock-cb", "at least", 3),
            Target("guarded call / circuitbreaker"),
            Target("guarded await / aiobreaker"),
            Target("the call that opens a breaker", unit=" µs"),
            Target("a transition", "at most", 10, " µs"),
            Target("memory of a breaker, of 10,000", "at most", 64, " KB"),
            Target("drift of memory over the calls", "at most", 1, " MB"),
        ),
        ("--rounds", "3", "--calls", "200000"),
    ),
    Bench(
        "faultproxy",
        (
            Target("idle fault proxy, added to a round trip", "at most", 100, " µs"),
            Target("idle fault proxy, 100 MB/s / direct", "at least", 0.9),
            Target("idle fault proxy, bulk / direct", "at least", 0.9),
            Target("idle fault proxy, bulk / a program in C that only forwards", "at least", 0.9),
        ),
        ("--rounds", "2", "--trips", "1000", "--megabytes", "100"),
    ),
    Bench(
        "loadtest",
        (
            Target("load generator, one process, highest rate / wrk", "at least", 0.85),
            Target("load generator, CPU of a request / wrk"),
            Target("load generator, lateness p99 at 10,000/s", "at most", 1, " ms"),
            Target("load generator, lateness p99 at 100,000/s", "at most", 150, " µs"),
            Target("load generator, lateness p99 at 100,000/s / a loop in C that never sleeps"),
            Target("load generator, lateness p99 at its highest rate"),
            Target("load generator, rate beside what was asked", "at most", 0.5, " %"),
            Target("load generator, memory of its processes", "at most", 512, " MB"),
            Target("load generator, memory that came in a run's second half", "at most", 5, " MB"),
        ),
        ("--seconds", "2", "--long-seconds", "4", "--rates", "1000", "10000", "20000"),
    ),
    Bench(
        "subscribers",
        (
            Target("WebSocket subscribers held to the end", "at least", 10_000, ""),
            Target("WebSocket subscribers lost", "at most", 0, ""),
            Target("deliveries after the first subscriber's, p50", unit=" ms"),
            Target("deliveries after the first subscriber's, p99", unit=" ms"),
        ),
        ("--connections", "500", "--seconds", "5"),
    ),
    Bench("memory", (Target("resident memory over a run", "at most", 5, " MB drift"),), ("--seconds", "5")),
    Bench(
        "monitor",
        (
            Target("monitor's service, 20 breakers", "at most", 2, " %"),
            Target("monitor's service, 1,000 breakers changed 200 times a second", "at most", 10, " %"),
            Target("monitor's service, memory with these 1,000", "at most", 128, " MB"),
            Target("monitor's service, a transition after the relay's own time, p99", "at most", 250, " ms"),
        ),
        ("--seconds", "3"),
    ),
    Bench(
        "monitor_page",
        (
            Target("monitor's page: a frame's work on the main thread, p95", "at most", 16.7, " ms"),
            Target("monitor's page: the longest frame's work", "at most", 50, " ms"),
            Target("monitor's page: frames with something new", "at least", 15, " /s"),
            Target("monitor's page: a key answered, p95", "at most", 100, " ms"),
        ),
        ("--seconds", "3"),
    ),
    Bench(
        "tui",
        (
            Target("terminal: drawings a second", "at least", 20, " /s"),
            Target("terminal: 99 % of keys answered within", "at most", 0.1, " s"),
            Target("terminal, 20 breakers", "at most", 2, " %"),
        ),
        ("--seconds", "3"),
    ),
    Bench(
        "optimize",
        (
            # The seeds' claim for turbo over nothing; what is found stands beside it.
            Target("gc-heavy relay, longest pause, basic / turbo", "at least", 5),
            Target("gc-heavy relay, event latency p99, basic / turbo", "at least", 5),
            Target("gc-heavy relay, event latency p99.9, basic / turbo", "at least", 5),
            Target("apply: pinning", "at most", 100, " ms"),
            Target("apply: memory lock", "at most", 50, " ms"),
            Target("apply: real time", "at most", 10, " ms"),
            Target("apply: NUMA", "at most", 200, " ms"),
            Target("apply: latency", "at most", 5, " ms"),
        ),
        ("--levels", "turbo", "--seconds", "2", "--rounds", "1", "--applies", "5"),
    ),
)  # fmt: skip
