"""Headers of a catch-up through the relay's own proof: Dogecoin's, which are merge-mined, and Litecoin's.

    python -m tests.bench.bench_catch_up [--rounds N] [--headers N]

A message of headers is what a node answers with when it is asked for those behind the last one that is known.
`HeadersProof.run` parts them, checks their merged mining, their proofs of work, targets and times, and makes
the objects that the chain keeps: all that a catch-up does with headers but the network and the disk. They are
mined here at the easiest target, under the main network's rules, and so far apart that those keep it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import msgspec

from sprint.core import kernels
from sprint.core.chains import dogecoin, litecoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.kernels.binding import REFERENCE_KERNELS, Kernels
from sprint.core.kernels.reference import HEADER_SIZE, sha256d
from sprint.core.protocols.announcements import HeadersAnnounced
from sprint.core.relay.prove import Ground, HeadersProof, HeadersRun
from tests.bench.figures import environment, median
from tests.bench.rows import tell
from tests.bench.side_by_side import Run, lines, measure, ratios, timed
from tests.core.chains.bitcoin_family import merging
from tests.core.kernels.forms import COMPILED, compiled

HEIGHT = 5_900_000  # above the last rule that has a height, and above all pinned hashes
TIME_S = 1_760_000_000
PLAIN_VERSION = 0x2000_0000
ROOT = b"\x33" * 32
# What stood in blocks of 2025: a dozen levels of Litecoin's transactions, a few chains mined at once.
WORK = merging.Work(chain_branch=(b"\x55" * 32,) * 4, coinbase_branch=(b"\x66" * 32,) * 11)
PLAIN = "plain Python and hashlib"


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of a catch-up's headers")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--headers", type=int, default=2_000)
    options = parser.parse_args()
    print(environment())
    forms = {PLAIN: REFERENCE_KERNELS}
    forms |= {tier: found for tier in COMPILED if (found := compiled(tier)) is not None}
    mined = chained(dogecoin.MAIN, options.headers + 1, merge_mined)
    scene("Dogecoin, merge-mined", dogecoin.MAIN, mined, forms, options.rounds)
    mined = chained(litecoin.MAIN, options.headers + 1, plainly_mined)
    scene("Litecoin", litecoin.MAIN, mined, forms, options.rounds)
    print(environment())


def scene(
    chain: str, main_network: NetworkParameters, headers: list[bytes], forms: dict[str, Kernels], rounds: int
) -> None:
    prove = proof_of(main_network, headers)
    count, size = len(headers) - 1, len(headers[-1])
    runs: dict[str, Run] = {name: run_of(form, prove, count) for name, form in forms.items()}
    print(f"\n{count} headers of {chain}, {size} bytes each, one thread; ns for one")
    taken = measure(runs, rounds)
    print(*lines(taken), sep="\n")
    for name, values in taken.items():
        print(f"{name:52} {1e9 / median(values):8,.0f} headers/s")
    chosen = kernels.chosen()[0]
    ours, plain = (f"{1e9 / median(taken[name]):,.0f} headers/s" for name in (chosen, PLAIN))
    tell(
        f"headers of a catch-up, {chain} / plain",
        median(ratios(taken, chosen, PLAIN)),
        ours=ours,
        peer=f"{plain}, {PLAIN}",
    )


def run_of(form: Kernels, prove: Callable[[], None], operations: int) -> Run:
    def run(_: int) -> float:
        before = kernels.use(form)
        try:
            return timed(prove, operations)
        finally:
            kernels.use(before)

    return run


def proof_of(main_network: NetworkParameters, headers: list[bytes]) -> Callable[[], None]:
    """Return what proves all headers but the first, which is known, as the relay does with a message."""
    parameters = msgspec.structs.replace(
        main_network, target_limit=(1 << 255) - 1, pinned={}, checkpoint=None
    )
    processor = BitcoinFamilyProcessor(parameters)
    first, *others = headers
    parent = processor.read_header(first[:HEADER_SIZE])
    now = TIME_S + main_network.block_interval_s * len(headers)
    ground = Ground(processor.begin_ancestry(parent, HEIGHT), now)
    hashes = tuple(sha256d(raw[:HEADER_SIZE]) for raw in others)
    announcement = HeadersAnnounced("bench", tuple(others), 0.0)

    def prove() -> None:
        run = HeadersRun(announcement.headers, hashes, ground)
        result = HeadersProof(processor, announcement, run, hashes[-1:]).run()
        if result.rejected is not None or len(result.headers) != len(others):
            raise AssertionError(f"the headers are good, after {len(result.headers)}: {result.rejected}")

    return prove


def chained(network: NetworkParameters, count: int, mined: Callable[[BlockHeader], bytes]) -> list[bytes]:
    """Return headers one on the other, with what `mined` puts behind them."""
    version = PLAIN_VERSION if network.auxpow is None else merging.VERSION
    headers, parent = [], bytes(32)
    for number in range(count):
        time_s = TIME_S + int(network.block_interval_s) * number
        raw = mined(BlockHeader(version, parent, ROOT, time_s, merging.REGTEST_BITS, 0))
        headers.append(raw)
        parent = sha256d(raw[:HEADER_SIZE])
    return headers


def merge_mined(fields: BlockHeader) -> bytes:
    return fields.encode() + merging.merged(fields.encode(), WORK).encode()


def plainly_mined(fields: BlockHeader) -> bytes:
    return merging.worked(fields, meets=True)


if __name__ == "__main__":
    main()
