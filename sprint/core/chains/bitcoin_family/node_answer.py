"""A node's decoded `getblock` answer as bytes that can be judged, and its fields held against those bytes.

Nothing in an answer is believed. Where it carries a raw block, or all transactions in hex (verbosity 2), the
block's bytes are judged; where it lists ids only (verbosity 1), the header is rebuilt from its fields and the
ids must give its merkle root. What the answer says beside that and can be recomputed is compared.

Field names are those of Bitcoin Core's `blockToJSON` and of Dogecoin Core's `AuxpowToJSON`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sprint.core.chains import display_hash, internal_hash
from sprint.core.chains.bitcoin_family.block import BLOCK_SIZE_MAX
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, ZERO_HASH, NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import TRANSACTION_SIZE_MIN, parse_transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.wire import Reader, compact_size, u32

RAW_FIELDS = ("block", "hex", "raw")  # where an answer that was recorded with its bytes carries them
HEADER_FIELDS = ("version", "merkleroot", "time", "bits", "nonce")
TRANSACTIONS_MAX = BLOCK_SIZE_MAX // TRANSACTION_SIZE_MIN
BRANCH_LENGTH_MAX = 64  # of hashes that are taken over from an answer; the rule's own limit is lower
SHOWN_MAX = 80  # characters of a foreign value that a message repeats
KEYS_SHOWN_MAX = 8
_U32_MAX = 0xFFFF_FFFF
_I32_MIN, _I32_MAX = -0x8000_0000, 0x7FFF_FFFF


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes to be judged and what was said of them.

    `raw` is a block, or where `header_only` a header with what belongs to it on the wire. `txids` (wire
    order) stand in the place of transactions that are not there. `claims` are the fields of an answer.
    """

    raw: bytes
    header_only: bool = False
    txids: tuple[bytes, ...] | None = None
    claims: Mapping[str, Any] = {}


def read_answer(
    answer: object, of_bytes: Callable[[bytes], Candidate], parameters: NetworkParameters
) -> Candidate:
    """Return what a decoded answer gives to judge; `of_bytes` tells a block's bytes from a header's.

    Raises WireError where this is no answer that carries a block, and RuleError, named after the field,
    where a field is missing, malformed or contradicts another one.
    """
    answer = _without_envelope(answer)
    if isinstance(answer, str):
        return of_bytes(_hex(answer, "the answer"))
    if not isinstance(answer, dict):
        raise WireError(f"JSON {_kind(answer)}: want a block in hex, or an object as getblock answers")
    raw_field = next((name for name in RAW_FIELDS if isinstance(answer.get(name), str)), None)
    if raw_field is None and "hash" not in answer:
        raise WireError(
            f"JSON object with {_keys(answer)}: want an answer of getblock, or one with the raw block in "
            f"{', '.join(RAW_FIELDS[:-1])} or {RAW_FIELDS[-1]}"
        )
    if "hash" in answer:
        _check_parent_named(answer, parameters)
    if raw_field is not None:
        return msgspec.structs.replace(of_bytes(_hex(answer[raw_field], raw_field)), claims=answer)
    return _rebuilt(answer)


def check_header_claims(candidate: Candidate) -> None:
    """Hold the answer's fields against the header's bytes and its list of ids. RuleError if they differ."""
    claims = candidate.claims
    if not claims:
        return
    raw = candidate.raw[:HEADER_SIZE]
    fields = parse_header(raw)
    _compare(claims, "hash", display_hash(sha256d(raw)))
    _compare(claims, "version", fields.version)
    _compare(claims, "versionHex", f"{fields.version & _U32_MAX:08x}")
    if fields.parent != ZERO_HASH:
        _compare(claims, "previousblockhash", display_hash(fields.parent))
    _compare(claims, "merkleroot", display_hash(fields.merkle_root))
    _compare(claims, "time", fields.timestamp)
    _compare(claims, "bits", f"{fields.bits:08x}")
    _compare(claims, "nonce", fields.nonce)
    if candidate.txids is not None:
        _check_ids(claims, fields, candidate.txids)


def check_body_claims(candidate: Candidate, body_start: int, parameters: NetworkParameters) -> None:
    """Hold the answer's fields against a body that passed its checks. RuleError if they differ.

    Sizes without witness data are left out where a body may have an extension block, which nodes count in
    one of them and not in the other.
    """
    claims, raw = candidate.claims, candidate.raw
    if not claims:
        return
    txids, stripped_size = _parsed(raw, body_start, parameters)
    _check_listed(claims, txids)
    _compare(claims, "size", len(raw))
    if parameters.mweb_height is None:
        _compare(claims, "strippedsize", stripped_size)
        _compare(claims, "weight", 3 * stripped_size + len(raw))


def claimed_height(candidate: Candidate) -> int | None:
    """Return the height an answer states. RuleError if it is no height."""
    height = candidate.claims.get("height")
    if height is None:
        return None
    return _number(candidate.claims, "height", 0, _I32_MAX)


def _without_envelope(answer: object) -> object:
    """Take the result out of a JSON-RPC answer."""
    if not isinstance(answer, dict) or not {"result", "error"} & answer.keys() or "hash" in answer:
        return answer
    error = answer.get("error")
    if error is not None:
        said = error.get("message") if isinstance(error, dict) else error
        raise WireError(f"the node answered with an error: {_shown(said)}")
    return answer.get("result")


def _check_parent_named(answer: Mapping[str, Any], parameters: NetworkParameters) -> None:
    """Every answer names its block's parent, save that of genesis, which has none."""
    if answer.get("previousblockhash") is not None:
        return
    if answer["hash"] != display_hash(parameters.genesis_hash):
        raise RuleError("previousblockhash", "the answer names no parent, and this is not the genesis block")


def _rebuilt(answer: dict[str, Any]) -> Candidate:
    """Build a header from an answer's fields, and the whole block where the answer has all transactions."""
    missing = [name for name in HEADER_FIELDS if name not in answer]
    if missing:
        raise RuleError(
            "header", f"the answer lacks {', '.join(missing)}: no header can be rebuilt; ask with verbosity 0"
        )
    header = _header(answer).encode() + _auxpow(answer)
    listed = answer.get("tx")
    if listed is None:
        return Candidate(raw=header, header_only=True, claims=answer)
    if not isinstance(listed, list) or len(listed) > TRANSACTIONS_MAX:
        raise RuleError("tx", f"{_shown(listed)}: want a list of at most {TRANSACTIONS_MAX} transactions")
    _compare(answer, "nTx", len(listed))
    parts = _transactions(listed)
    if parts is not None and "mweb" not in answer:
        body = compact_size(len(parts)) + b"".join(parts)
        return Candidate(raw=header + body, claims=answer)
    txids = tuple(_hash({"tx": _txid(entry)}, "tx") for entry in listed)
    return Candidate(raw=header, header_only=True, txids=txids, claims=answer)


def _header(answer: Mapping[str, Any]) -> BlockHeader:
    parent = answer.get("previousblockhash")
    bits = answer["bits"]
    if not isinstance(bits, str) or len(bits) != 8:
        raise RuleError("bits", f"{_shown(bits)}: want a compact target of 8 hex digits")
    return BlockHeader(
        version=_number(answer, "version", _I32_MIN, _I32_MAX),
        parent=ZERO_HASH if parent is None else _hash(answer, "previousblockhash"),
        merkle_root=_hash(answer, "merkleroot"),
        timestamp=_number(answer, "time", 0, _U32_MAX),
        bits=int.from_bytes(_field_hex(bits, "bits"), "big"),
        nonce=_number(answer, "nonce", 0, _U32_MAX),
    )


def _auxpow(answer: Mapping[str, Any]) -> bytes:
    """Encode a proof by another chain's work, if there is one, as it stands behind a header on the wire."""
    proof = answer.get("auxpow")
    if proof is None:
        return b""
    if not isinstance(proof, dict):
        raise RuleError("auxpow", f"{_shown(proof)}: want an object")
    transaction = proof.get("tx")
    coinbase = transaction.get("hex") if isinstance(transaction, dict) else None
    parent = _field_hex(proof.get("parentblock"), "auxpow")
    return b"".join(
        (
            _field_hex(coinbase, "auxpow"),
            sha256d(parent),
            _branch(proof.get("merklebranch")),
            u32(_number(proof, "index", 0, _U32_MAX)),
            _branch(proof.get("chainmerklebranch")),
            u32(_number(proof, "chainindex", 0, _U32_MAX)),
            parent,
        )
    )


def _branch(hashes: object) -> bytes:
    if not isinstance(hashes, list) or len(hashes) > BRANCH_LENGTH_MAX:
        raise RuleError("auxpow", f"{_shown(hashes)}: want a list of at most {BRANCH_LENGTH_MAX} hashes")
    return compact_size(len(hashes)) + b"".join(_hash({"auxpow": each}, "auxpow") for each in hashes)


def _transactions(listed: Sequence[object]) -> list[bytes] | None:
    """Return each transaction's bytes, or None where the list does not have them all."""
    found = [entry.get("hex") for entry in listed if isinstance(entry, dict)]
    if not listed or len(found) != len(listed) or not all(isinstance(each, str) for each in found):
        return None
    return [_field_hex(each, "tx") for each in found]


def _txid(entry: object) -> object:
    return entry.get("txid") if isinstance(entry, dict) else entry


def _check_ids(claims: Mapping[str, Any], header: BlockHeader, txids: Sequence[bytes]) -> None:
    """The listed ids must give the header's merkle root, and not by a repeat (CVE-2012-2459)."""
    root, repeated = merkle_root(txids)
    if not txids or root != header.merkle_root:
        wanted = _shown(claims.get("merkleroot"))
        raise RuleError("merkleroot", f"{len(txids)} ids in tx give {display_hash(root)}, it says {wanted}")
    if repeated:
        raise RuleError("tx", "the list of transactions ends in a repeat (CVE-2012-2459)")


def _parsed(raw: bytes, body_start: int, parameters: NetworkParameters) -> tuple[list[str], int]:
    """Return the displayed ids of a valid body's transactions and the block's size without witness data."""
    reader = Reader(raw, body_start)
    count = reader.compact_size(TRANSACTIONS_MAX, "transactions")
    txids, stripped_size = [], reader.position
    for _ in range(count):
        transaction = parse_transaction(reader, mweb=parameters.mweb_height is not None)
        stripped = transaction.encode(witness=False, mark=False)
        txids.append(display_hash(sha256d(stripped)))
        stripped_size += len(stripped)
    return txids, stripped_size


def _check_listed(claims: Mapping[str, Any], txids: list[str]) -> None:
    _compare(claims, "nTx", len(txids))
    listed = claims.get("tx")
    if listed is None:
        return
    if not isinstance(listed, list) or len(listed) != len(txids):
        size = len(listed) if isinstance(listed, list) else "no"
        raise RuleError("tx", f"{size} transactions are listed, the block has {len(txids)}")
    for number, (entry, txid) in enumerate(zip(listed, txids, strict=True)):
        said = _txid(entry)
        if said is not None and said != txid:
            raise RuleError("tx", f"transaction {number} is {txid}, the answer says {_shown(said)}")


def _compare(claims: Mapping[str, Any], field: str, actual: str | int) -> None:
    """A field that is absent claims nothing."""
    said = claims.get(field)
    if said is not None and (type(said) is not type(actual) or said != actual):
        raise RuleError(field, f"the answer says {_shown(said)}, its bytes give {actual}")


def _number(answer: Mapping[str, Any], field: str, least: int, most: int) -> int:
    value = answer.get(field)
    if type(value) is not int or not least <= value <= most:
        raise RuleError(field, f"{_shown(value)}: want a number from {least} to {most}")
    return value


def _hash(answer: Mapping[str, Any], field: str) -> bytes:
    value = answer.get(field)
    try:
        return internal_hash(value if isinstance(value, str) else "")
    except ValueError:
        raise RuleError(field, f"{_shown(value)}: want a hash of 64 hex digits") from None


def _field_hex(value: object, field: str) -> bytes:
    try:
        return bytes.fromhex(value if isinstance(value, str) else "no string")
    except ValueError:
        raise RuleError(field, f"{_shown(value)}: want bytes in hex") from None


def _hex(value: str, what: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise WireError(f"{what} is not hex: {error}") from None


def _kind(value: object) -> str:
    kinds = {list: "list", dict: "object", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


def _keys(answer: Mapping[str, Any]) -> str:
    return _shown(", ".join(list(answer)[:KEYS_SHOWN_MAX])) if answer else "no fields"


def _shown(value: object) -> str:
    """A foreign value as a message repeats it: never more than a line of it."""
    if isinstance(value, list | dict):
        return f"a {_kind(value)} of {len(value)}"
    text = repr(value[: SHOWN_MAX + 1] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"
