"""Tells the forms apart in which people keep blocks, and gives the candidates that a file holds.

Without a NUL among its first bytes a file is text: JSON where it begins with `{`, `[` or `"`, else hex. Any
other file is binary: a row of [magic][length][block] as a node's blk files are where it begins with the
network's magic, else one raw block. (Each block has NULs early: its coinbase spends an all-zero hash.)
What is known to be neither, as gzip's data, text in UTF-16, such a row of another network or any other bytes,
is not judged as a block: it would be refused for a rule that has nothing to do with what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.block import BLOCK_SIZE_MAX
from sprint.core.chains.bitcoin_family.mweb_format import EXTENSION_SIZE_MAX
from sprint.core.chains.bitcoin_family.node_answer import Candidate, read_answer
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, ZERO_HASH, NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import target_of
from sprint.core.errors import RuleError, WireError

JSON_SIZE_MAX = 64 << 20  # decoded it takes several times as much
BLOCKS_MAX = 200_000  # of one file; a node's blk files hold 120,000 at most
NUL_WITHIN = 200
TARGET_AT = slice(72, 76)
TARGET_MIN = 1 << 128  # a harder one nobody has ever met; random bytes often have one
# Behind a header come the number of transactions (1 to 9 bytes), a version, perhaps BIP 144's two bytes
# and a count of inputs; behind one with an AuxPoW that of its parent block, which begins with the version.
COINBASE_HASH_WITHIN = (HEADER_SIZE, HEADER_SIZE + 9 + 4 + 2 + 1 + 32)
FRAME_HEADER_SIZE = 8
FRAME_SIZE_MAX = BLOCK_SIZE_MAX + EXTENSION_SIZE_MAX  # of any chain; the rules know the exact limit
_GZIP_START = b"\x1f\x8b\x08"  # RFC 1952; the byte behind it has its upper three bits clear
_GZIP_FLAGS_MAX = 0x1F
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_JSON_STARTS = (b"{", b"[", b'"')
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_WANTED = "want a block in hex, headers in hex one a line, or JSON as a node answers getblock"


class Found(msgspec.Struct, frozen=True):
    """What stands at `offset` of a file: something to judge, or why it is refused before any bytes are."""

    file: str
    offset: int
    form: str
    candidate: Candidate | RuleError


class Unreadable(msgspec.Struct, frozen=True):
    """A place of a file that holds nothing which could be judged, and what would be right there."""

    file: str
    offset: int
    reason: str


Split = Iterator[Found | Unreadable]


def split_file(file: str, data: bytes, parameters: NetworkParameters) -> Split:
    """Give what a file holds, in its order. Raises nothing: what is wrong comes as `Unreadable`."""
    for count, each in enumerate(_forms(file, data, parameters), 1):
        if count > BLOCKS_MAX:
            yield Unreadable(file, each.offset, f"more than {BLOCKS_MAX} blocks, the limit; split the file")
            return
        yield each


def _forms(file: str, data: bytes, parameters: NetworkParameters) -> Split:
    if not data.strip():
        yield Unreadable(file, 0, f"it is empty: {_WANTED}")
    elif data.startswith(_GZIP_START) and data[3:4] <= bytes((_GZIP_FLAGS_MAX,)):
        yield Unreadable(file, 0, "gzip data: unpack it first; only bzip2 is unpacked here")
    elif _is_wide_text(data):
        yield Unreadable(file, 0, f"text in UTF-16: save it in UTF-8; {_WANTED}")
    elif b"\0" not in data[:NUL_WITHIN]:
        yield from _split_text(file, data, parameters)
    elif data.startswith(parameters.magic):
        yield from _split_frames(file, data, parameters)
    elif len(data) < HEADER_SIZE:
        yield Unreadable(file, 0, f"{len(data)} bytes: a header alone has {HEADER_SIZE}")
    elif _is_framed(data):
        limits = f"{parameters.chain_id}'s begins with {parameters.magic.hex()}"
        yield Unreadable(file, 0, f"a blk file of another network, by its magic {data[:4].hex()}: {limits}")
    elif not _may_be_block(data, parameters):
        yield Unreadable(file, 0, f"{len(data)} bytes that are {_no_block(parameters)}")
    else:
        yield Found(file, 0, "raw", of_bytes(data, parameters))


def _is_wide_text(data: bytes) -> bool:
    """Tell whether every second byte of a start is NUL and no other one: ASCII in UTF-16, as no block is."""
    text = data[2:] if data.startswith(_WIDE_BYTE_ORDER_MARKS) else data
    start = text[: min(NUL_WITHIN, len(text) // 2 * 2)]
    halves = start[::2], start[1::2]
    return len(start) > 2 and any(not any(high) and b"\0" not in low for high, low in (halves, halves[::-1]))


def _may_be_block(data: bytes, parameters: NetworkParameters) -> bool:
    """Tell whether this is a header alone, or has a target that the network allows, or a coinbase in place.

    A block with one of them broken is to be refused by the rule that it breaks.
    """
    if len(data) == HEADER_SIZE or data.find(ZERO_HASH, *COINBASE_HASH_WITHIN) >= 0:
        return True
    try:
        target = target_of(int.from_bytes(data[TARGET_AT], "little"), parameters.target_limit)
    except RuleError:
        return False
    return target >= TARGET_MIN


def _no_block(parameters: NetworkParameters) -> str:
    return (
        f"no block of {parameters.chain_id}: no target that it allows at byte {TARGET_AT.start}, "
        "no coinbase behind the header"
    )


def _is_framed(data: bytes) -> bool:
    """Tell whether [4 bytes][length][as many bytes] is all there is, or the same 4 bytes or zeros follow."""
    end = FRAME_HEADER_SIZE + int.from_bytes(data[4:FRAME_HEADER_SIZE], "little")
    if not FRAME_HEADER_SIZE + HEADER_SIZE <= end <= len(data):
        return False
    return data.startswith(data[:4], end) or data.count(0, end) == len(data) - end


def of_bytes(raw: bytes, parameters: NetworkParameters) -> Candidate:
    """Tell a header that stands alone from a block: it ends where its header does."""
    try:
        header_only = header_size(raw, 0, parameters) == len(raw)
    except WireError:
        header_only = False
    return Candidate(raw=raw, header_only=header_only)


def _split_text(file: str, data: bytes, parameters: NetworkParameters) -> Split:
    text = data.removeprefix(_BYTE_ORDER_MARK).strip()
    if text.startswith(_JSON_STARTS):
        yield from _split_json(file, text, parameters)
        return
    odd = next((each for each in text.split() if not _HEX_DIGITS.issuperset(each)), None)
    if odd is not None and not _is_text(data):
        yield Unreadable(file, 0, f"{len(data)} bytes that are no text, and {_no_block(parameters)}")
        return
    if odd is not None:
        bad_digit = next(at for at, each in enumerate(odd) if each not in _HEX_DIGITS)
        yield Unreadable(file, data.find(odd) + bad_digit, f"text that is neither hex nor JSON: {_WANTED}")
        return
    lines = text.split()
    one_a_line = len(lines) > 1 and all(len(line) >= 2 * HEADER_SIZE for line in lines)
    offset = 0
    for piece in lines if one_a_line else [b"".join(lines)]:
        offset = data.find(piece, offset) if one_a_line else 0
        yield _of_hex(file, offset, piece, parameters)
        offset += len(piece)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _of_hex(file: str, offset: int, piece: bytes, parameters: NetworkParameters) -> Found | Unreadable:
    if len(piece) % 2:
        return Unreadable(file, offset, f"{len(piece)} hex digits: bytes have an even number")
    raw = bytes.fromhex(piece.decode("ascii"))
    if len(raw) < HEADER_SIZE:
        return Unreadable(file, offset, f"{len(raw)} bytes in hex: a header alone has {HEADER_SIZE}")
    return Found(file, offset, "hex", of_bytes(raw, parameters))


def _split_json(file: str, text: bytes, parameters: NetworkParameters) -> Split:
    if len(text) > JSON_SIZE_MAX:
        yield Unreadable(file, 0, f"{len(text)} bytes of JSON, limit {JSON_SIZE_MAX}")
        return
    try:
        decoded = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        yield Unreadable(file, 0, f"no valid JSON: {error}; {_WANTED}")
        return
    several = isinstance(decoded, list)
    for number, answer in enumerate(decoded if isinstance(decoded, list) else [decoded]):
        place = f"answer {number}: " if several else ""
        yield _of_answer(file, place, answer, parameters)
    if several and not decoded:
        yield Unreadable(file, 0, f"an empty list: {_WANTED}")


def _of_answer(file: str, place: str, answer: object, parameters: NetworkParameters) -> Found | Unreadable:
    try:
        candidate: Candidate | RuleError = read_answer(
            answer, partial(of_bytes, parameters=parameters), parameters
        )
    except WireError as error:
        return Unreadable(file, 0, f"{place}{error}")
    except RuleError as error:
        candidate = error
    return Found(file, 0, "json", candidate)


def _split_frames(file: str, data: bytes, parameters: NetworkParameters) -> Split:
    """[magic][length, 4 bytes][block], and zeros behind the last one, as a node allocates them in advance."""
    position, magic = 0, parameters.magic
    while position < len(data):
        if not data.startswith(magic, position):
            if data.count(0, position) < len(data) - position:
                got = data[position : position + 4].hex()
                yield Unreadable(file, position, f"{got}: want the magic {magic.hex()}, or zeros to the end")
            return
        start = position + FRAME_HEADER_SIZE
        length = int.from_bytes(data[position + 4 : start], "little")
        left = max(0, len(data) - start)
        if not HEADER_SIZE <= length <= min(left, FRAME_SIZE_MAX):
            limits = f"want {HEADER_SIZE} to {FRAME_SIZE_MAX}, {left} bytes are left"
            yield Unreadable(file, position, f"a block of {length} bytes: {limits}")
            return
        yield Found(file, position, "framed", of_bytes(data[start : start + length], parameters))
        position = start + length
