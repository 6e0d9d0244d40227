"""Reads files that hold blocks, compressed or not, and has them judged."""

from __future__ import annotations

import bz2
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ConfigError
from sprint.core.relay.block_file import BLOCKS_MAX, Found, Unreadable, split_file
from sprint.core.relay.block_report import BlockReport
from sprint.core.relay.verify import verify_blocks
from sprint.tools.plugins import ChainCatalog
from sprint.tools.runtime import wall_clock

FILE_SIZE_MAX = 256 << 20  # bytes, unpacked; a node's blk files have 128 MiB
TOTAL_SIZE_MAX = 512 << 20  # bytes of all files together, unpacked: they are judged in memory
STDIN = "-"
FAMILY = "bitcoin"
# A file of one or more streams, or of an empty one; three letters alone may also begin a raw block.
_BZIP2_START = re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")
_READ_SIZE = 1 << 20


class Verified(NamedTuple):
    """The blocks found and judged, and the places of files that hold none."""

    reports: list[BlockReport]
    unreadable: list[Unreadable]


class _TooLarge(Exception):
    pass


def verify_files(chain: str, network: str | None, files: Sequence[Path]) -> Verified:
    """Judge all blocks of these files together; `-` is standard input. ConfigError for an unknown chain."""
    place = ChainCatalog.installed().find(chain, network)
    if place.chain.family != FAMILY:
        raise ConfigError(f"chain {chain!r} is of the {place.chain.family} family; verify knows {FAMILY}'s")
    parameters: NetworkParameters = place.parameters
    found: list[Found] = []
    unreadable: list[Unreadable] = []
    left = TOTAL_SIZE_MAX
    for file in files:
        data = _read(file, min(left, FILE_SIZE_MAX))
        if isinstance(data, Unreadable):
            unreadable.append(data)
            continue
        left -= len(data)
        for each in split_file(str(file), data, parameters):
            if isinstance(each, Unreadable):
                unreadable.append(each)
            elif len(found) < BLOCKS_MAX:
                found.append(each)
            else:
                unreadable.append(Unreadable(str(file), each.offset, f"more than {BLOCKS_MAX} blocks in all"))
                break
    others: list[Any] = [each for each in place.chain.networks.values() if each is not parameters]
    return Verified(verify_blocks(place.processor(), parameters, found, wall_clock(), others), unreadable)


def _read(file: Path, size_max: int) -> bytes | Unreadable:
    """Read a whole file and unpack it."""
    try:
        if str(file) == STDIN:
            if sys.stdin is None:  # Python's sign for a descriptor 0 that was closed at the start
                return Unreadable(STDIN, 0, "it cannot be read: standard input is closed")
            data = _bounded(sys.stdin.buffer, size_max)
        else:
            with file.open("rb") as opened:
                data = _bounded(opened, size_max)
        return _unpacked(data, size_max) if _BZIP2_START.match(data) else data
    except _TooLarge:
        return Unreadable(str(file), 0, f"more than {size_max} bytes, the limit")
    except EOFError:
        return Unreadable(str(file), 0, "bzip2 data that is cut off")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Unreadable(str(file), 0, f"it cannot be read: {reason}")


def _bounded(opened: BinaryIO, size_max: int) -> bytes:
    data = opened.read(size_max + 1)
    if len(data) > size_max:
        raise _TooLarge
    return data


def _unpacked(data: bytes, size_max: int) -> bytes:
    """Unpack bzip2 data of one stream or several. EOFError if it is cut off, OSError if it is corrupt."""
    parts: list[bytes] = []
    size = 0
    while data:
        stream = bz2.BZ2Decompressor()
        while not stream.eof:
            part = stream.decompress(data, _READ_SIZE)
            data = b""
            if not part and stream.needs_input and not stream.eof:
                raise EOFError
            parts.append(part)
            size += len(part)
            if size > size_max:
                raise _TooLarge
        data = stream.unused_data
    return b"".join(parts)
