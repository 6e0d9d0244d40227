"""Recorded blocks with extension blocks, taken apart and put together again with something changed.

What is put together has a header of its own, mined anew, so that what is wrong with it is found by the rule
under test and not by the merkle root, the witness commitment or the proof of work.
"""

from __future__ import annotations

import hashlib

import msgspec
from blake3 import blake3

from sprint.core.chains import Block, Rejected, litecoin
from sprint.core.chains.bitcoin_family import mweb_format
from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.mweb import mountain_root
from sprint.core.chains.bitcoin_family.mweb_format import ExtensionBlock, parse_extension
from sprint.core.chains.bitcoin_family.transaction import (
    Transaction,
    TransactionInput,
    TransactionOutput,
    parse_transaction,
)
from sprint.core.chains.bitcoin_family.witness import COMMITMENT_PREFIX
from sprint.core.kernels import merkle_root, scrypt_1024_1_1, sha256d
from sprint.core.kernels.secp256k1 import GENERATOR, ORDER, square_y, sum_of_multiples
from sprint.core.wire import Reader, compact_size
from tests.vectors import bitcoin_family as vectors

LITECOIN = litecoin.CHAIN.processor("regtest")
FIRST = vectors.raw_block("litecoin/regtest_432_mweb_first.blk")
EMPTY = vectors.raw_block("litecoin/regtest_433_mweb_empty.blk")
WITHIN = vectors.raw_block("litecoin/regtest_434_mweb_within.blk")
MIXED = vectors.raw_block("litecoin/regtest_435_mweb_mixed.blk")
BY_HEIGHT = {432: FIRST, 433: EMPTY, 434: WITHIN, 435: MIXED}


class Parts(msgspec.Struct, frozen=True):
    """A block's header, its transactions, and the bytes of its extension block behind the leading byte."""

    header: BlockHeader
    transactions: tuple[Transaction, ...]
    extension: bytes

    @property
    def hogex(self) -> Transaction:
        return self.transactions[-1]

    def with_hogex(self, **changes: object) -> Parts:
        changed = msgspec.structs.replace(self.hogex, **changes)
        return msgspec.structs.replace(self, transactions=(*self.transactions[:-1], changed))

    def with_outputs(self, *outputs: TransactionOutput) -> Parts:
        return self.with_hogex(outputs=outputs)

    def with_inputs(self, *inputs: TransactionInput) -> Parts:
        return self.with_hogex(inputs=inputs)


def parts_of(raw: bytes) -> Parts:
    reader = Reader(raw, 80)
    count = reader.compact_size(1_000)
    transactions = tuple(parse_transaction(reader, mweb=True) for _ in range(count))
    return Parts(parse_header(raw[:80]), transactions, raw[reader.position + 1 :])


def extension_of(raw: bytes) -> ExtensionBlock:
    return parse_extension(Reader(parts_of(raw).extension))


def built(parts: Parts) -> bytes:
    """Build a block of these parts, with all that commits to its transactions made anew."""
    others = parts.transactions[1:]
    transactions = (_committing(parts.transactions[0], others), *others)
    root, _ = merkle_root([transaction.txid for transaction in transactions])
    header = _mined(msgspec.structs.replace(parts.header, merkle_root=root))
    body = b"".join(transaction.encode() for transaction in transactions)
    tail = b"\x01" + parts.extension if parts.hogex.integrates else b""
    return header + compact_size(len(transactions)) + body + tail


def judged(raw: bytes, height: int) -> Rejected | None:
    """Judge a block by its bytes and then by its height."""
    verdict = LITECOIN.process_block(raw)
    if isinstance(verdict, Rejected):
        return verdict
    return LITECOIN.check_context(verdict, Ancestry(height - 1), ())


def refusal(raw: bytes, height: int) -> tuple[str, bool]:
    """Judge a block that is refused: by which check, and whether its header may have another body."""
    verdict = judged(raw, height)
    assert verdict is not None
    return verdict.check, verdict.mutated


def accepted(raw: bytes) -> Block:
    verdict = LITECOIN.process_block(raw)
    assert isinstance(verdict, Block), verdict
    return verdict


def rebuilt_extension(raw: bytes, outputs: list[bytes], inputs: list[bytes]) -> bytes:
    """Put the inputs and outputs of a recorded block in, which its header does not name."""
    extension = parts_of(raw).extension
    old = compact_size(len(inputs_of(raw))) + b"".join(inputs_of(raw))
    old += compact_size(len(outputs_of(raw))) + b"".join(outputs_of(raw))
    new = compact_size(len(inputs)) + b"".join(inputs) + compact_size(len(outputs)) + b"".join(outputs)
    assert extension.count(old) == 1
    return raw[: -len(extension)] + extension.replace(old, new)


def with_kernels(parts: Parts, *kernels: bytes, wired: tuple[bytes, ...] = ()) -> Parts:
    """Put kernels in instead of all there is; the extension header counts them and commits to them.

    `wired` are their bytes on the wire, where these have more than what the commitment is to.
    """
    old = parse_extension(Reader(parts.extension)).header
    head = varint(old.height) + old.output_root + mountain_root(kernels) + old.leafset_root
    head += old.kernel_offset + bytes(32) + varint(old.output_count) + varint(len(kernels))
    return recommitted(parts, head + b"\x00\x00" + compact_size(len(kernels)) + b"".join(wired or kernels))


def recommitted(parts: Parts, extension: bytes) -> Parts:
    """Change an extension block and let the HogEx commit to its header."""
    header = parse_extension(Reader(extension)).header
    committing = TransactionOutput(parts.hogex.outputs[0].value, b"\x58\x20" + header.hash)
    changed = parts.with_outputs(committing, *parts.hogex.outputs[1:])
    return msgspec.structs.replace(changed, extension=extension)


def signed_kernel(features: int, middle: bytes, *, secret: int = 2, nonce: int = 3) -> bytes:
    """Make a kernel and sign it: R = nonce G, its y a square; s = nonce + H(R, key, message) secret."""
    x, y = _multiple(secret)
    excess = (b"\x08" if y == square_y(x) else b"\x09") + x.to_bytes(32, "big")
    key = bytes((2 + y % 2,)) + x.to_bytes(32, "big")
    message = blake3(bytes((features,)) + excess + middle).digest()
    nonce_x, nonce_y = _multiple(nonce)
    point = nonce_x.to_bytes(32, "big")
    challenge = int.from_bytes(hashlib.sha256(point + key + message).digest(), "big")
    s = ((nonce if nonce_y == square_y(nonce_x) else -nonce) + challenge * secret) % ORDER
    return bytes((features,)) + middle + excess + point + s.to_bytes(32, "big")


def _multiple(scalar: int) -> tuple[int, int]:
    point = sum_of_multiples([(scalar, GENERATOR)])
    assert point is not None
    return point


def varint(value: int) -> bytes:
    """Write Bitcoin Core's VARINT, from its last byte back."""
    out = [value & 0x7F]
    while value > 0x7F:
        value = (value >> 7) - 1
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))


def inputs_of(raw: bytes) -> list[bytes]:
    return _pieces(raw)[0]


def outputs_of(raw: bytes) -> list[bytes]:
    return _pieces(raw)[1]


def _pieces(raw: bytes) -> tuple[list[bytes], list[bytes]]:
    reader = Reader(parts_of(raw).extension)
    mweb_format._parse_header(reader)
    found: list[list[bytes]] = []
    for parse in (mweb_format._parse_input, mweb_format._parse_output):
        pieces = []
        for _ in range(reader.compact_size(100)):
            start = reader.position
            parse(reader)
            pieces.append(reader.data[start : reader.position])
        found.append(pieces)
    return found[0], found[1]


def _committing(coinbase: Transaction, others: tuple[Transaction, ...]) -> Transaction:
    root, _ = merkle_root([bytes(32), *(transaction.wtxid for transaction in others)])
    script = COMMITMENT_PREFIX + sha256d(root + bytes(32))
    kept = [o for o in coinbase.outputs if not o.script.startswith(COMMITMENT_PREFIX)]
    return msgspec.structs.replace(
        coinbase, outputs=(*kept, TransactionOutput(0, script)), witnesses=((bytes(32),),)
    )


def _mined(header: BlockHeader) -> bytes:
    for nonce in range(1_000):
        raw = msgspec.structs.replace(header, nonce=nonce).encode()
        if scrypt_1024_1_1(raw)[31] < 0x7F:
            return raw
    raise AssertionError("no nonce found")
