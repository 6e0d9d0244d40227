"""Recorded blocks and headers of the Bitcoin family; PROVENANCE.tsv beside them says where each is from."""

from __future__ import annotations

import bz2
import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def answer(path: str) -> dict[str, Any]:
    """Return a node's JSON answer; some carry the raw block as `block`."""
    found = json.loads((_HERE / path).read_text())
    assert isinstance(found, dict)
    return found


def json_block(path: str) -> bytes:
    """Return the raw block of such an answer."""
    return bytes.fromhex(answer(path)["block"])


def raw_block(path: str) -> bytes:
    return (_HERE / path).read_bytes()


def block_file(path: str) -> list[bytes]:
    """Return the blocks of a compressed file of [magic][length][block]."""
    data = bz2.decompress((_HERE / path).read_bytes())
    blocks = []
    while data:
        assert data[:4] == bytes.fromhex("f9beb4d9")
        end = 8 + int.from_bytes(data[4:8], "little")
        blocks.append(data[8:end])
        data = data[end:]
    return blocks


def headers(path: str) -> list[bytes]:
    """Return headers written in hex, one a line."""
    return [bytes.fromhex(line) for line in (_HERE / path).read_text().split()]
