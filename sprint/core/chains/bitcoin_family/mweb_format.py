"""The bytes of an extension block (MWEB; LIP 2, LIP 3; Litecoin Core's `src/libmw`), read with their limits.

Behind the last transaction stand one byte 1, a header, then inputs, outputs and kernels. Ids are BLAKE3.
Keys and commitments are compressed points of secp256k1 and are not looked into here.
"""

from __future__ import annotations

import msgspec
from blake3 import blake3

from sprint.core.errors import WireError
from sprint.core.wire import Reader, compact_size

INPUTS_MAX = 50_000
OUTPUTS_MAX = 200_000 // 17  # the weight of a block over the least of an output
KERNELS_MAX = 200_000 // 2  # and of a kernel
PEGOUTS_MAX = 200_000  # of all kernels; with as many scripts, none of them empty, the weight is reached
EXTENSION_SIZE_MAX = 180 + 3 * 5 + INPUTS_MAX * 196 + 200_000 * 60  # Litecoin Core's `MAX_BLOCK_BYTES`
EXTRA_SIZE_MAX = 200_000 * 42
SCRIPT_SIZE_MAX = 200_000 * 42
HASH_SIZE = 32
POINT_SIZE = 33
SIGNATURE_SIZE = 64
RANGE_PROOF_SIZE = 675
STANDARD_FIELDS_SIZE = POINT_SIZE + 1 + 8 + 16  # key exchange key, view tag, masked value, masked nonce
INPUT_SIZE_MIN = 1 + HASH_SIZE + 2 * POINT_SIZE + SIGNATURE_SIZE
OUTPUT_SIZE_MIN = 3 * POINT_SIZE + 1 + RANGE_PROOF_SIZE + SIGNATURE_SIZE
KERNEL_SIZE_MIN = 1 + POINT_SIZE + SIGNATURE_SIZE
PEGOUT_SIZE_MIN = 1 + 1 + 1
INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1

INPUT_HAS_KEY = 1
INPUT_HAS_EXTRA = 2
OUTPUT_HAS_STANDARD_FIELDS = 1
OUTPUT_HAS_EXTRA = 2
KERNEL_HAS_FEE = 1
KERNEL_HAS_PEGIN = 2
KERNEL_HAS_PEGOUTS = 4
KERNEL_HAS_LOCK_HEIGHT = 8
KERNEL_HAS_STEALTH_EXCESS = 16
KERNEL_HAS_EXTRA = 32


class ExtensionHeader(msgspec.Struct, frozen=True, gc=False):
    """What the integrating transaction commits to, by its hash.

    `output_count` is of all outputs since the first extension block, spent or not; `kernel_count` of this
    block's kernels.
    """

    hash: bytes
    height: int
    output_root: bytes
    kernel_root: bytes
    leafset_root: bytes
    kernel_offset: bytes
    stealth_offset: bytes
    output_count: int
    kernel_count: int


class ExtensionInput(msgspec.Struct, frozen=True, gc=False):
    """Spends the output `output_id`. `input_key` is empty where the input has none."""

    features: int
    output_id: bytes
    commitment: bytes
    output_key: bytes
    input_key: bytes
    extra: bytes
    signature: bytes


class ExtensionOutput(msgspec.Struct, frozen=True, gc=False):
    """An output; of its message and range proof only the hashes that its id is made of."""

    id: bytes
    commitment: bytes
    sender_key: bytes
    receiver_key: bytes
    message_hash: bytes
    proof_hash: bytes
    signature: bytes
    has_standard_fields: bool
    extra_size: int


class Pegout(msgspec.Struct, frozen=True, gc=False):
    """Coins that leave for an output of the integrating transaction."""

    value: int
    script: bytes


class ExtensionKernel(msgspec.Struct, frozen=True):
    """A kernel. `raw` are the bytes its id is of, `signed` those that its signature is for.

    `pegin` is None where it takes nothing in; `stealth_excess` is empty where there is none, `lock_height` 0.
    """

    features: int
    id: bytes
    raw: bytes
    signed: bytes
    fee: int
    pegin: int | None
    pegouts: tuple[Pegout, ...]
    lock_height: int
    stealth_excess: bytes
    extra_size: int
    excess: bytes
    signature: bytes

    @property
    def lacks_pegouts(self) -> bool:
        """Whether it says that it has pegouts and lists none."""
        return bool(self.features & KERNEL_HAS_PEGOUTS) and not self.pegouts

    @property
    def lacks_extra(self) -> bool:
        """Whether it says that it has extra data and has none."""
        return bool(self.features & KERNEL_HAS_EXTRA) and not self.extra_size

    @property
    def supply_change(self) -> int:
        """By how much this kernel changes what the extension blocks hold."""
        return (self.pegin or 0) - self.fee - sum(pegout.value for pegout in self.pegouts)


class ExtensionBlock(msgspec.Struct, frozen=True):
    """A whole extension block."""

    header: ExtensionHeader
    inputs: tuple[ExtensionInput, ...]
    outputs: tuple[ExtensionOutput, ...]
    kernels: tuple[ExtensionKernel, ...]


def parse_extension(reader: Reader) -> ExtensionBlock:
    """Read an extension block, from its header on. WireError if it does not parse."""
    header = _parse_header(reader)
    count = reader.compact_size(min(INPUTS_MAX, reader.remaining // INPUT_SIZE_MIN), "MWEB inputs")
    inputs = tuple(_parse_input(reader) for _ in range(count))
    count = reader.compact_size(min(OUTPUTS_MAX, reader.remaining // OUTPUT_SIZE_MIN), "MWEB outputs")
    outputs = tuple(_parse_output(reader) for _ in range(count))
    return ExtensionBlock(header, inputs, outputs, _parse_kernels(reader))


def hash_of(*parts: bytes) -> bytes:
    """BLAKE3 of the parts put together."""
    return blake3(b"".join(parts)).digest()


def _parse_header(reader: Reader) -> ExtensionHeader:
    start = reader.position
    height = _varint(reader, INT32_MAX, "height")
    roots = reader.hash(), reader.hash(), reader.hash()
    offsets = reader.hash(), reader.hash()
    counts = _varint(reader, INT64_MAX, "outputs"), _varint(reader, INT64_MAX, "kernels")
    return ExtensionHeader(hash_of(reader.data[start : reader.position]), height, *roots, *offsets, *counts)


def _parse_input(reader: Reader) -> ExtensionInput:
    features = reader.u8()
    return ExtensionInput(
        features,
        output_id=reader.hash(),
        commitment=reader.take(POINT_SIZE),
        output_key=reader.take(POINT_SIZE),
        input_key=reader.take(POINT_SIZE) if features & INPUT_HAS_KEY else b"",
        extra=reader.var_bytes(EXTRA_SIZE_MAX, "extra data") if features & INPUT_HAS_EXTRA else b"",
        signature=reader.take(SIGNATURE_SIZE),
    )


def _parse_output(reader: Reader) -> ExtensionOutput:
    commitment, sender, receiver = (reader.take(POINT_SIZE) for _ in range(3))
    start = reader.position
    features = reader.u8()
    if features & OUTPUT_HAS_STANDARD_FIELDS:
        reader.take(STANDARD_FIELDS_SIZE)
    extra = reader.var_bytes(EXTRA_SIZE_MAX, "extra data") if features & OUTPUT_HAS_EXTRA else b""
    message_hash = hash_of(reader.data[start : reader.position])
    proof_hash = hash_of(reader.take(RANGE_PROOF_SIZE))
    signature = reader.take(SIGNATURE_SIZE)
    return ExtensionOutput(
        hash_of(commitment, sender, receiver, message_hash, proof_hash, signature),
        commitment,
        sender,
        receiver,
        message_hash,
        proof_hash,
        signature,
        bool(features & OUTPUT_HAS_STANDARD_FIELDS),
        len(extra),
    )


def _parse_kernels(reader: Reader) -> tuple[ExtensionKernel, ...]:
    count = reader.compact_size(min(KERNELS_MAX, reader.remaining // KERNEL_SIZE_MIN), "MWEB kernels")
    kernels: list[ExtensionKernel] = []
    pegouts_left = PEGOUTS_MAX
    for _ in range(count):
        kernels.append(_parse_kernel(reader, pegouts_left))
        pegouts_left -= len(kernels[-1].pegouts)
    return tuple(kernels)


def _parse_kernel(reader: Reader, pegouts_max: int = PEGOUTS_MAX) -> ExtensionKernel:
    features = reader.u8()
    start = reader.position
    fee = _varint(reader, INT64_MAX, "fee") if features & KERNEL_HAS_FEE else 0
    pegin = _varint(reader, INT64_MAX, "pegin") if features & KERNEL_HAS_PEGIN else None
    amounts = reader.data[start : reader.position]
    start = reader.position
    pegouts = _parse_pegouts(reader, pegouts_max) if features & KERNEL_HAS_PEGOUTS else ()
    # An empty list is in no hash, though its count stands in the bytes; so is empty extra data.
    listed = reader.data[start : reader.position] if pegouts else b""
    start = reader.position
    lock_height = _varint(reader, INT32_MAX, "lock height") if features & KERNEL_HAS_LOCK_HEIGHT else 0
    lock = reader.data[start : reader.position]
    stealth_excess = reader.take(POINT_SIZE) if features & KERNEL_HAS_STEALTH_EXCESS else b""
    extra = reader.var_bytes(EXTRA_SIZE_MAX, "extra data") if features & KERNEL_HAS_EXTRA else b""
    excess, signature = reader.take(POINT_SIZE), reader.take(SIGNATURE_SIZE)
    first = bytes((features,))
    middle = amounts + listed + lock + stealth_excess + (compact_size(len(extra)) + extra if extra else b"")
    raw = first + middle + excess + signature
    return ExtensionKernel(
        features,
        hash_of(raw),
        raw,
        first + excess + middle,
        fee,
        pegin,
        pegouts,
        lock_height,
        stealth_excess,
        len(extra),
        excess,
        signature,
    )


def _parse_pegouts(reader: Reader, count_max: int) -> tuple[Pegout, ...]:
    count = reader.compact_size(min(count_max, reader.remaining // PEGOUT_SIZE_MIN), "pegouts")
    return tuple(_parse_pegout(reader) for _ in range(count))


def _parse_pegout(reader: Reader) -> Pegout:
    value = _varint(reader, INT64_MAX, "pegout")
    script = reader.var_bytes(SCRIPT_SIZE_MAX, "script")
    if not script:
        raise WireError("a pegout without a script", kind="malformed")
    return Pegout(value, script)


def _varint(reader: Reader, limit: int, what: str) -> int:
    """Read Bitcoin Core's `VARINT`: seven bits a byte, highest first, one added for each further byte."""
    value = 0
    while True:
        byte = reader.u8()
        value = value << 7 | byte & 0x7F
        if value > limit:
            raise WireError(f"{what} {value}, limit {limit}", kind="oversized")
        if not byte & 0x80:
            return value
        value += 1
