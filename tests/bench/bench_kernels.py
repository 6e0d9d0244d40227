"""The hash kernels beside hashlib, OpenSSL called from C, and python-bitcoinlib.

    python -m tests.bench.bench_kernels [--rounds N]

Every tier that this processor can run is measured; on one with AVX-512 the 8 lanes of `avx2` use its
registers and rotations too. OpenSSL's rows are of a small C program (openssl_peer.c), built here where there
is a compiler; it parses a block and hashes ids and roots, and makes none of a full check's other checks.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sprint.core import kernels
from sprint.core.chains import bitcoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.kernels import reference
from sprint.core.kernels.binding import REFERENCE_KERNELS, Kernels
from tests.bench import c_programs
from tests.bench.c_programs import Absent
from tests.bench.figures import environment, median
from tests.bench.rows import skip, tell
from tests.bench.side_by_side import Run, Taken, lines, measure, shown_ns, tell_ratio, timed
from tests.core.kernels.forms import COMPILED, compiled
from tests.vectors import bitcoin_family as vectors

BLOCK = vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")
TX_COUNT = 3_315
ITEMS = 4_096
HEADERS = 2_000
SCRYPT_HEADERS = 256
CHAIN_HEADERS = 900_000
IN_C = "OpenSSL in C: ids and roots, no other check"
SOURCE = Path(__file__).with_name("openssl_peer.c")
DATA = hashlib.shake_256(b"bench").digest(80 * ITEMS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Hash kernels beside their peers")
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    print(environment())
    forms = {"reference": REFERENCE_KERNELS}
    forms |= {tier: found for tier in COMPILED if (found := compiled(tier)) is not None}
    with tempfile.TemporaryDirectory(prefix="sprint-bench-") as folder:
        openssl = build(Path(folder))
        pairs(forms, openssl, options.rounds)
        headers(forms, openssl, options.rounds)
        merkle(forms, openssl, options.rounds)
        full_check(forms, openssl, options.rounds)
    scrypt(forms, options.rounds // 5 + 1)
    chain(forms)
    print(environment())


def build(folder: Path) -> ctypes.CDLL | Absent:
    """Build the C program; what is said where there is no compiler or no OpenSSL to build against."""
    library = folder / "peer.so"
    absent = c_programs.build(SOURCE, library, "-shared", "-fPIC", "-lcrypto")
    if absent is None:
        return ctypes.CDLL(str(library))
    print(f"OpenSSL in C: skipped, {absent.reason}")
    return absent


def table(title: str, unit: str, runs: dict[str, Run], rounds: int) -> Taken:
    print(f"\n{title}; ns for {unit}")
    taken = measure(runs, rounds)
    print("\n".join(lines(taken)))
    return taken


def tell_chosen(target: str, taken: Taken, peer: str) -> None:
    """Tell a target how the form that a relay would choose here does beside a peer."""
    tell_ratio(target, taken, kernels.chosen()[0], peer)


def tell_beside_c(target: str, taken: Taken, peer: str, openssl: ctypes.CDLL | Absent) -> None:
    if isinstance(openssl, Absent):
        skip(target, openssl.reason)
    else:
        tell_chosen(target, taken, peer)


def run_of(work: Callable[[], object], operations: int) -> Run:
    return lambda _: timed(work, operations)


def pairs(forms: dict[str, Kernels], openssl: ctypes.CDLL | Absent, rounds: int) -> None:
    items, sha256 = DATA[: 64 * ITEMS], hashlib.sha256
    each = [items[at : at + 64] for at in range(0, len(items), 64)]
    runs = {"hashlib loop": run_of(lambda: [sha256(sha256(e).digest()).digest() for e in each], ITEMS)}
    if not isinstance(openssl, Absent):
        out = ctypes.create_string_buffer(32 * ITEMS)
        runs["OpenSSL in C"] = run_of(
            lambda: openssl.hash_each(items, ctypes.c_int64(ITEMS), ctypes.c_int64(64), out), ITEMS
        )
    for name, form in forms.items():
        runs[name] = run_of(partial(form.hash_pairs, items), ITEMS)
    table(f"Double SHA-256 of {ITEMS} items of 64 bytes", "one", runs, rounds)


def headers(forms: dict[str, Kernels], openssl: ctypes.CDLL | Absent, rounds: int) -> None:
    items, sha256 = DATA[: 80 * HEADERS], hashlib.sha256
    each = [items[at : at + 80] for at in range(0, len(items), 80)]
    runs = {"hashlib loop": run_of(lambda: [sha256(sha256(e).digest()).digest() for e in each], HEADERS)}
    if not isinstance(openssl, Absent):
        out = ctypes.create_string_buffer(32 * HEADERS)
        runs["OpenSSL in C"] = run_of(
            lambda: openssl.hash_each(items, ctypes.c_int64(HEADERS), ctypes.c_int64(80), out), HEADERS
        )
    for name, form in forms.items():
        runs[name] = run_of(partial(form.hash_headers, items), HEADERS)
    taken = table(f"Double SHA-256 of {HEADERS} headers", "one", runs, rounds)
    tell_chosen("2,000 headers of 80 B / hashlib", taken, "hashlib loop")


def merkle(forms: dict[str, Kernels], openssl: ctypes.CDLL | Absent, rounds: int) -> None:
    ids = DATA[: 32 * TX_COUNT]
    leaves = [ids[at : at + 32] for at in range(0, len(ids), 32)]
    runs = {"hashlib loop": run_of(lambda: reference.merkle_root(leaves), TX_COUNT)}
    if not isinstance(openssl, Absent):
        out = ctypes.create_string_buffer(32)
        runs["OpenSSL in C"] = run_of(
            lambda: openssl.merkle_root(ids, ctypes.c_int64(TX_COUNT), out), TX_COUNT
        )
    for name, form in forms.items():
        if form is not REFERENCE_KERNELS:
            runs[name] = run_of(partial(form.merkle_root_of, ids), TX_COUNT)
            runs[f"{name}, from a list"] = run_of(partial(form.merkle_root, leaves), TX_COUNT)
    taken = table(f"Merkle root of {TX_COUNT} ids", "one id", runs, rounds)
    tell_chosen("merkle root of 3,315 ids / hashlib", taken, "hashlib loop")
    tell_beside_c("merkle root of 3,315 ids / C over OpenSSL", taken, "OpenSSL in C", openssl)


def full_check(forms: dict[str, Kernels], openssl: ctypes.CDLL | Absent, rounds: int) -> None:
    processor = BitcoinFamilyProcessor(bitcoin.MAIN)
    wanted = processor.process_block(BLOCK)

    def checked(form: Kernels) -> None:
        before = kernels.use(form)
        try:
            verdict = processor.process_block(BLOCK)
            if verdict != wanted:
                raise AssertionError(f"the block is valid, the verdict was {verdict}")
        finally:
            kernels.use(before)

    runs: dict[str, Run] = {}
    if not isinstance(openssl, Absent):
        out = ctypes.create_string_buffer(32)
        if openssl.check_block(BLOCK, out) != 1:
            raise AssertionError("the peer finds another root")
        runs[IN_C] = run_of(lambda: openssl.check_block(BLOCK, out), 1)
    runs |= {name: run_of(partial(checked, form), 1) for name, form in forms.items()}
    runs["one SHA-256 pass over the bytes"] = run_of(lambda: hashlib.sha256(BLOCK).digest(), 1)
    title = f"Full check of a block of {len(BLOCK)} bytes, {TX_COUNT} transactions"
    taken = table(title, "one block", runs, rounds)
    tell_beside_c("full check of a 1.2 MB block / its hashes in C over OpenSSL", taken, IN_C, openssl)
    beside_bitcoinlib(runs, rounds // 5 + 1)


def beside_bitcoinlib(runs: dict[str, Run], rounds: int) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            core = importlib.import_module("bitcoin.core")
    except ImportError as error:
        skip("full check of a 1.2 MB block / python-bitcoinlib", str(error))
        return

    def parsed() -> None:
        block = core.CBlock.deserialize(BLOCK)
        if block.calc_merkle_root() != block.hashMerkleRoot:
            raise AssertionError("the peer finds another root")

    peer = "python-bitcoinlib: parse, merkle root"
    taken = table("The same beside python-bitcoinlib", "one block", {peer: run_of(parsed, 1), **runs}, rounds)
    tell_chosen("full check of a 1.2 MB block / python-bitcoinlib", taken, peer)


def scrypt(forms: dict[str, Kernels], rounds: int) -> None:
    each = [DATA[at : at + 80] for at in range(0, 80 * SCRYPT_HEADERS, 80)]
    runs = {
        f"hashlib loop ({name})" if form is REFERENCE_KERNELS else name: run_of(
            partial(form.scrypt_headers, each), SCRYPT_HEADERS
        )
        for name, form in forms.items()
    }
    taken = table(f"scrypt of {SCRYPT_HEADERS} headers, one thread", "one", runs, rounds)
    tell_chosen("scrypt of headers, one thread / hashlib", taken, next(iter(runs)))


def chain(forms: dict[str, Kernels]) -> None:
    """Headers by hash, target and link: real ones over and over, so that all but some links are good."""
    once = b"".join(vectors.headers("bitcoin/mainnet_headers_1_11.txt"))
    raw = (once * (80 * CHAIN_HEADERS // len(once) + 1))[: 80 * CHAIN_HEADERS]
    print(f"\n{CHAIN_HEADERS} headers by hash, target and link")
    for name, form in forms.items():
        if form is not REFERENCE_KERNELS:
            run = run_of(partial(form.header_chain, raw, 0xFFFF << 208), 1)
            taken_ns = median([run(number) for number in range(5)])
            print(f"{name:52} {taken_ns / 1e6:8.1f} ms")
            if name == kernels.chosen()[0]:
                tell("900,000 headers: hash, target, link", taken_ns / 1e9, ours=shown_ns(taken_ns))


if __name__ == "__main__":
    main()
