"""Ways to spoil an input: a few bytes of it, its length, its counts, its order, or its JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Mutator = Callable[[bytes, random.Random, Sequence[bytes]], bytes]

SPLICE_SIZE_MAX = 400
NUMBERS = (0, 1, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF, 0xFFFF, 0x10000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
COUNTS = (
    b"\x00", b"\x01", b"\xfc", b"\xfd\xfd\x00", b"\xfd\xff\xff", b"\xfe\x00\x00\x01\x00",
    b"\xfe\xff\xff\xff\xff", b"\xff" * 9, b"\xff\x00\x00\x00\x00\x01\x00\x00\x00", b"\xfd\x01\x00",
)  # fmt: skip
JSON_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**32, 2**63, 2**64, 10**40, 0.5, -0.0, 1e308, "", "0", "00",
    "zz", "é", "\x00", "0" * 64, "f" * 64, "1d00ffff", "ff" * 80, [], [[]], ["00"], {}, {"hex": "00"},
    {"result": {}}, {"tx": []},
)  # fmt: skip


def turn_a_bit(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def set_a_number(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    at = rng.randrange(len(data) + 1)
    number = rng.choice(NUMBERS) & ((1 << 8 * width) - 1)
    return data[:at] + number.to_bytes(width, rng.choice(("little", "big"))) + data[at + width :]


def put_a_count(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """An absurd count, in the place of a byte or before it."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(COUNTS) + data[at + rng.randrange(2) :]


def cut(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def cut_out(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.randrange(SPLICE_SIZE_MAX) :]


def repeat(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    piece = data[at : at + rng.randrange(SPLICE_SIZE_MAX)]
    return data[:at] + piece * rng.choice((2, 3, 30)) + data[at:]


def append(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    return data + rng.randbytes(rng.randrange(1, SPLICE_SIZE_MAX))


def splice(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Go on with another input of the corpus."""
    other = rng.choice(corpus)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def randomize(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Bytes without any order, now and then behind a true beginning."""
    return data[: rng.choice((0, 0, 4, 80, 84))] + rng.randbytes(rng.randrange(SPLICE_SIZE_MAX))


def exchange_in_json(data: bytes, rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """Put another value at a random place of a JSON text; leave alone what is none."""
    try:
        value = json.loads(data)
    except ValueError:
        return turn_a_bit(data, rng, corpus)
    other = rng.choice(JSON_VALUES)
    place = value
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = rng.choice(keys)
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.3:
            if rng.random() < 0.2:
                del place[key]
            else:
                place[key] = other
            return json.dumps(value).encode()
        place = inner
    return json.dumps(other).encode()


BYTES: tuple[Mutator, ...] = (
    turn_a_bit, turn_a_bit, set_a_number, set_a_number, put_a_count, put_a_count, cut, cut_out, repeat,
    append, splice, randomize,
)  # fmt: skip
JSON: tuple[Mutator, ...] = (
    exchange_in_json, exchange_in_json, exchange_in_json, turn_a_bit, cut, repeat, splice,
)  # fmt: skip


def mutate(corpus: Sequence[bytes], mutators: Sequence[Mutator], rng: random.Random, size_max: int) -> bytes:
    """Take an input of the corpus and spoil it once to four times; now and then it stays as it is."""
    data = rng.choice(corpus)
    for _ in range(rng.randrange(5)):
        data = rng.choice(mutators)(data, rng, corpus)[:size_max]
    return data
