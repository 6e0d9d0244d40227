"""Where the parts of a raw block lie, found by the plain readers, so that a test can change one of them."""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.auxpow import read_auxpow
from sprint.core.chains.bitcoin_family.mweb_format import parse_extension
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import Transaction, parse_transaction
from sprint.core.wire import Reader, compact_size

TRANSACTIONS_MAX = 100_000
HEADER_FIELDS = {
    "header version": range(4),
    "header parent": range(4, 36),
    "header merkle root": range(36, 68),
    "header time": range(68, 72),
    "header bits": range(72, 76),
    "header nonce": range(76, 80),
}


def regions_of(raw: bytes, parameters: NetworkParameters, *, header_only: bool) -> dict[str, list[range]]:
    """Name the parts of a block, or of a header with what belongs to it, and the byte ranges of each."""
    found = {name: [span] for name, span in HEADER_FIELDS.items()}
    found.update(_auxpow_regions(raw, parameters))
    if not header_only:
        _, body_start = read_auxpow(raw, 0, parameters)
        found.update(_body_regions(raw, body_start, parameters))
    return {name: spans for name, spans in found.items() if any(spans)}


def _auxpow_regions(raw: bytes, parameters: NetworkParameters) -> dict[str, list[range]]:
    auxpow, _ = read_auxpow(raw, 0, parameters)
    if auxpow is None:
        return {}
    sizes = {
        "parent coinbase": len(auxpow.coinbase.encode()),
        "parent hash": 32,
        "coinbase branch": len(compact_size(len(auxpow.coinbase_branch))) + 32 * len(auxpow.coinbase_branch),
        "coinbase index": 4,
        "chain branch": len(compact_size(len(auxpow.chain_branch))) + 32 * len(auxpow.chain_branch),
        "chain index": 4,
        "parent header": 80,
    }
    found, position = {}, 80
    for name, size in sizes.items():
        found[name] = [range(position, position + size)]
        position += size
    return found


def _body_regions(raw: bytes, body_start: int, parameters: NetworkParameters) -> dict[str, list[range]]:
    reader = Reader(raw, body_start)
    count = reader.compact_size(TRANSACTIONS_MAX)
    found: dict[str, list[range]] = {
        "transaction count": [range(body_start, reader.position)],
        "coinbase": [],
        "transaction": [],
        "witness": [],
    }
    for number in range(count):
        start = reader.position
        transaction = parse_transaction(reader, mweb=parameters.mweb_height is not None)
        witness = _witness_size(transaction)
        lock_time = reader.position - 4 - (1 if transaction.integrates else 0)
        where = found["coinbase" if number == 0 else "transaction"]
        where += [range(start, lock_time - witness), range(lock_time, reader.position)]
        found["witness"].append(range(lock_time - witness, lock_time))
    found.update(_extension_regions(raw, reader.position))
    return found


def _extension_regions(raw: bytes, start: int) -> dict[str, list[range]]:
    """Tell the commitments of an extension block's inputs from the rest of it."""
    if start == len(raw):
        return {}
    spent, rest, position = [], [], start
    for each in parse_extension(Reader(raw, start + 1)).inputs:  # behind the byte that says it is there
        at = raw.index(each.commitment, position)
        rest.append(range(position, at))
        position = at + len(each.commitment)
        spent.append(range(at, position))
    return {"extension block": [*rest, range(position, len(raw))], "extension input's commitment": spent}


def _witness_size(transaction: Transaction) -> int:
    return sum(
        len(compact_size(len(stack))) + sum(len(compact_size(len(item))) + len(item) for item in stack)
        for stack in transaction.witnesses
    )


def bit_count(spans: list[range]) -> int:
    return 8 * sum(len(span) for span in spans)


def flipped(raw: bytes, spans: list[range], bit: int) -> bytes:
    """Return the bytes with one bit turned, the `bit`-th of these spans."""
    for span in spans:
        if bit < 8 * len(span):
            changed = bytearray(raw)
            changed[span.start + bit // 8] ^= 1 << bit % 8
            return bytes(changed)
        bit -= 8 * len(span)
    raise IndexError(bit)
