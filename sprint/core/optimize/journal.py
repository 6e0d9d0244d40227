"""The journal's lines: who wrote it, then what each change undoes to. One JSON object a line.

A journal is read by whoever restores, maybe days later, and may have been torn by a crash or written by
anybody: what does not parse is told by its line, never raised, and never stands in the way of the rest.
"""

from __future__ import annotations

import msgspec

from sprint.core.optimize.setting import Entry, Process

LINE_BYTES_MAX = 64 * 1024
LINES_MAX = 20_000
BYTES_MAX = 4 * 1024 * 1024


class Header(
    msgspec.Struct, frozen=True, kw_only=True, tag="header", tag_field="line", forbid_unknown_fields=True
):
    """With whose end a run is over, and in which boot of the kernel.

    That is who tunes itself or a command; for another process it is that one: who set it ends at once.
    """

    version: int
    holder: Process
    boot_id: str


class Change(
    msgspec.Struct, frozen=True, kw_only=True, tag="change", tag_field="line", forbid_unknown_fields=True
):
    """One change, on the disk before it is made."""

    entry: Entry


class Journal(msgspec.Struct, frozen=True):
    """What a journal holds: its entries in the order they were made, and what of it could not be read.

    `header` is None where not even the first line was whole: then nothing had been changed. `torn` is true
    where the last line has no end, which a crash explains; `unreadable` are the lines it doesn't explain.
    """

    header: Header | None
    entries: tuple[Entry, ...]
    torn: bool = False
    unreadable: tuple[str, ...] = ()


VERSION = 1
_encoder = msgspec.json.Encoder()
_header = msgspec.json.Decoder(Header)
_change = msgspec.json.Decoder(Change)


def encode_header(holder: Process, boot_id: str) -> bytes:
    """Return a journal's first line."""
    return _encoder.encode(Header(version=VERSION, holder=holder, boot_id=boot_id)) + b"\n"


def encode_entry(entry: Entry) -> bytes:
    """Return the line of a change."""
    return _encoder.encode(Change(entry=entry)) + b"\n"


def read_journal(content: bytes) -> Journal:
    """Return what a journal holds; never raises, whatever the bytes are."""
    if len(content) > BYTES_MAX:
        return Journal(None, (), unreadable=(f"{len(content)} bytes; a journal has at most {BYTES_MAX}",))
    *lines, rest = content.split(b"\n", LINES_MAX)
    torn = rest != b""
    if len(lines) == LINES_MAX and torn:
        return Journal(None, (), unreadable=(f"more than {LINES_MAX} lines",))
    if not lines:
        return Journal(None, (), torn=torn)
    try:
        header = _header.decode(lines[0])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Journal(None, (), torn=torn, unreadable=(f"line 1: {error}",))
    if header.version != VERSION:
        said = f"line 1: version {header.version}; this program writes and reads version {VERSION}"
        return Journal(None, (), torn=torn, unreadable=(said,))
    return _with_entries(header, lines[1:], torn=torn)


def _with_entries(header: Header, lines: list[bytes], *, torn: bool) -> Journal:
    entries: list[Entry] = []
    unreadable: list[str] = []
    for number, line in enumerate(lines, 2):
        try:
            if len(line) > LINE_BYTES_MAX:
                unreadable.append(f"line {number}: {len(line)} bytes; at most {LINE_BYTES_MAX}")
                continue
            entries.append(_change.decode(line).entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            unreadable.append(f"line {number}: {error}")
    return Journal(header, tuple(entries), torn=torn, unreadable=tuple(unreadable))
