"""The family's processor and the chain object that a chain's module fills with constants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sprint.core.chains import Block, Header, Rejected
from sprint.core.chains.bitcoin_family.ancestry import Ancestry, begin_ancestry, extend_ancestry
from sprint.core.chains.bitcoin_family.auxpow import (
    Auxpow,
    chain_id_of,
    check_auxpow,
    check_version,
    read_auxpow,
)
from sprint.core.chains.bitcoin_family.block import body_checks, check_body
from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.header_rules import ancestry_checks, check_ancestry
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.place import check_place, place_checks
from sprint.core.chains.bitcoin_family.proof_of_work import target_of, work_of
from sprint.core.chains.bitcoin_family.transaction import (
    check_transaction,
    check_transaction_weight,
    parse_transaction,
)
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import (
    HASH_SIZE,
    HEADER_LINK,
    REFERENCE,
    header_chain,
    in_use,
    scrypt_1024_1_1,
    scrypt_headers,
    sha256d,
)
from sprint.core.wire import Reader

HEADER_CHECKS = ("target", "proof_of_work", "parent")

# A retarget period of Bitcoin and Litecoin, the block before it, and eleven times below that.
ANCESTRY_BLOCKS = 2_016 + 1 + 11

# Measured on the plain twins, bodies as those of many small transactions are; they choose between the event
# loop and a thread, nothing else.
_HEADER_COST_MS = {"sha256d": 0.006, "scrypt": 0.22}
# Whatever comes behind a false one is proved for nothing: 2 ms of scrypt at most, or 20 µs of SHA-256.
_HEADERS_SCRYPTED_AT_ONCE = 64
_HEADERS_HASHED_AT_ONCE = 512
_AUXPOW_COST_MS_PER_BYTE = 2.0e-4
_BODY_COST_MS_PER_BYTE = 8.0e-5
# With compiled kernels a fortieth of that; but what they give up on is scanned plainly, and must not hold the
# loop up for long either.
_BODY_COST_COMPILED_MS_PER_BYTE = 1.0e-5
_EXTENSION_COST_MS_PER_BYTE = 3.0e-2  # its signatures; until it is read a body may be nothing else
_BODY_SIZE_WITH_EXTENSION_MIN = 520  # with anything in it that is signed


class BitcoinFamilyProcessor:
    """Judges headers, blocks and transactions of one network."""

    def __init__(self, parameters: NetworkParameters) -> None:
        self.parameters = parameters
        self._proof_hash = sha256d if parameters.proof_of_work == "sha256d" else scrypt_1024_1_1

    def __repr__(self) -> str:
        return f"BitcoinFamilyProcessor({self.parameters.chain_id})"

    @property
    def ancestry_blocks(self) -> int:
        return ANCESTRY_BLOCKS

    # What bytes alone decide.

    def process_header(self, raw: bytes) -> Header | Rejected:
        read = self._read(raw)
        return read if isinstance(read, Rejected) else self._judged(*read)

    def process_headers(self, headers: Sequence[bytes]) -> Iterator[Header | Rejected]:
        if in_use().tier == REFERENCE:
            yield from map(self.process_header, headers)
            return
        if self.parameters.proof_of_work == "scrypt":
            judged_together, size = self._scrypted_together, _HEADERS_SCRYPTED_AT_ONCE
        else:
            judged_together, size = self._hashed_together, _HEADERS_HASHED_AT_ONCE
        for first in range(0, len(headers), size):
            yield from judged_together(headers[first : first + size])

    def _scrypted_together(self, headers: Sequence[bytes]) -> Iterator[Header | Rejected]:
        """Judge headers whose proofs are made at once, also of the blocks that they were mined with."""
        read = [self._read(raw) for raw in headers]
        proving = [
            raw if auxpow is None else auxpow.parent
            for raw, auxpow in (each for each in read if not isinstance(each, Rejected))
        ]
        proofs = iter(scrypt_headers(proving))
        for each in read:
            yield each if isinstance(each, Rejected) else self._judged(*each, next(proofs))

    def _hashed_together(self, headers: Sequence[bytes]) -> Iterator[Header | Rejected]:
        """Judge headers whose hashes and targets are looked at at once; what is wrong is said one by one."""
        parameters = self.parameters
        if parameters.auxpow is not None or any(len(raw) != HEADER_SIZE for raw in headers):
            yield from map(self.process_header, headers)
            return
        hashes, faults = header_chain(b"".join(headers), parameters.target_limit)
        works: dict[int, int] = {}  # most headers of a row have the target of the one before
        for number, (raw, fault) in enumerate(zip(headers, faults, strict=True)):
            fields = parse_header(raw)
            bits = fields.bits
            if fault & ~HEADER_LINK or parameters.fixed_bits not in {None, bits}:
                yield self.process_header(raw)
                continue
            if bits not in works:
                works[bits] = work_of(target_of(bits, parameters.target_limit))
            own_hash = hashes[HASH_SIZE * number : HASH_SIZE * (number + 1)]
            yield _described(raw, fields, works[bits], own_hash)

    def _read(self, raw: bytes) -> tuple[bytes, Auxpow | None] | Rejected:
        """Part a header from what stands behind it; refuse one that is cut off or too long."""
        try:
            reader = Reader(raw)
            auxpow, size = read_auxpow(raw, 0, self.parameters)
            reader.take(size)
            reader.finish()
        except WireError as error:
            return self._unreadable(error)
        return raw[:HEADER_SIZE], auxpow

    def _judged(self, raw: bytes, auxpow: Auxpow | None, proof: bytes | None = None) -> Header | Rejected:
        """Check one header; `proof` is its proof hash where that was made already, with others' at once."""
        try:
            return self._checked_header(raw, auxpow, proof)
        except WireError as error:
            return self._unreadable(error)
        except RuleError as error:
            return _rejected(error)

    def read_header(self, raw: bytes) -> Header:
        fields = parse_header(raw)
        target = target_of(fields.bits, self.parameters.target_limit)
        return _described(raw, fields, work_of(target), sha256d(raw))

    def process_block(self, raw: bytes, header: Header | None = None) -> Block | Rejected:
        try:
            auxpow, body_start = read_auxpow(raw, 0, self.parameters)
            # Each body brings its own AuxPoW, and the hash does not say that it is the one checked before.
            if header is None or header.raw != raw[:HEADER_SIZE] or auxpow is not None:
                header = self._checked_header(raw[:HEADER_SIZE], auxpow)
        except WireError as error:
            return self._unreadable(error)
        except RuleError as error:
            return _rejected(error)
        try:
            witness_size = 0 if auxpow is None else auxpow.witness_size
            facts = check_body(raw, body_start, self.parameters, auxpow_witness_size=witness_size)
        except WireError as error:
            return Rejected("parse", str(error), mutated=True)
        except RuleError as error:
            return _rejected(error)
        return Block(
            header=header,
            tx_count=facts.tx_count,
            size=len(raw),
            checks=(*HEADER_CHECKS, *(() if auxpow is None else ("auxpow",)), *body_checks(facts)),
            identity=facts.coinbase_txid,
            facts=facts,
            tag=facts.coinbase_script,
        )

    def validate_transaction(self, raw: bytes) -> Rejected | None:
        try:
            reader = Reader(raw)
            transaction = parse_transaction(reader)
            reader.finish()
            check_transaction(transaction, self.parameters.money_max, coinbase=False)
            check_transaction_weight(transaction, self.parameters.weight_max)
        except WireError as error:
            return Rejected("parse", str(error))
        except RuleError as error:
            return _rejected(error)
        return None

    def header_of(self, raw: bytes) -> tuple[bytes, bytes]:
        if len(raw) < HEADER_SIZE:
            raise WireError(f"block of {len(raw)} bytes, a header alone has {HEADER_SIZE}", kind="truncated")
        return sha256d(raw[:HEADER_SIZE]), raw[4:36]

    def proof_cost_ms(self, headers: int, header_bytes: int, body_bytes: int) -> float:
        parameters = self.parameters
        auxpow_bytes = max(0, header_bytes - headers * HEADER_SIZE)
        if body_bytes and parameters.auxpow is not None:
            headers = max(headers, 1)  # each body's AuxPoW is checked, also where the header was before
        cost_ms = headers * _HEADER_COST_MS[parameters.proof_of_work]
        plain = in_use().tier == REFERENCE
        body_cost_ms_per_byte = _BODY_COST_MS_PER_BYTE if plain else _BODY_COST_COMPILED_MS_PER_BYTE
        cost_ms += auxpow_bytes * _AUXPOW_COST_MS_PER_BYTE + body_bytes * body_cost_ms_per_byte
        if parameters.mweb_height is not None:
            cost_ms += max(0, body_bytes - _BODY_SIZE_WITH_EXTENSION_MIN) * _EXTENSION_COST_MS_PER_BYTE
        return cost_ms

    # What the branch below decides.

    def begin_ancestry(self, header: Header, height: int) -> Ancestry:
        return begin_ancestry(self.parameters, header, height)

    def extend_ancestry(self, ancestry: Ancestry, header: Header) -> Ancestry:
        return extend_ancestry(self.parameters, ancestry, header)

    def check_header(self, header: Header, ancestry: Ancestry, unix_time: float) -> Rejected | None:
        try:
            check_ancestry(self.parameters, ancestry, header, unix_time)
        except RuleError as error:
            return _rejected(error)
        return None

    def check_context(
        self, block: Block, ancestry: Ancestry, identities_below: Iterable[bytes]
    ) -> Rejected | None:
        try:
            check_place(self.parameters, block, ancestry, identities_below)
        except RuleError as error:
            return _rejected(error)
        return None

    def context_checks(self, ancestry: Ancestry) -> tuple[str, ...]:
        return ancestry_checks(self.parameters, ancestry) + place_checks(self.parameters, ancestry)

    def _checked_header(self, raw: bytes, auxpow: Auxpow | None, proof_made: bytes | None = None) -> Header:
        """Check 80 bytes by their own proof of work, or by that of the block they were mined with."""
        parameters, rules = self.parameters, self.parameters.auxpow
        fields = parse_header(raw)
        if parameters.fixed_bits is not None and fields.bits != parameters.fixed_bits:
            wanted = f"{parameters.fixed_bits:#010x}"
            raise RuleError("target", f"compact target {fields.bits:#010x}, this network has only {wanted}")
        target = target_of(fields.bits, parameters.target_limit)
        described = _described(raw, fields, work_of(target), sha256d(raw))
        if rules is not None:
            check_version(fields, rules)
            if auxpow is not None:
                check_auxpow(auxpow, described.hash, chain_id_of(fields.version), rules)
        if proof_made is not None:
            proof = int.from_bytes(proof_made, "little")
        elif auxpow is None and parameters.proof_of_work == "sha256d":
            proof = int.from_bytes(described.hash, "little")
        else:
            proof = int.from_bytes(self._proof_hash(raw if auxpow is None else auxpow.parent), "little")
        if proof > target:
            # The same header may come with another parent that has done the work.
            raise RuleError(
                "proof_of_work",
                f"proof {proof:#066x} is above the target {target:#066x}",
                mutated=auxpow is not None,
            )
        return described

    def _unreadable(self, error: WireError) -> Rejected:
        """Refuse what does not parse; an AuxPoW that does not says nothing of the header before it."""
        return Rejected("header", str(error), mutated=self.parameters.auxpow is not None)


def _rejected(error: RuleError) -> Rejected:
    return Rejected(error.check, str(error), mutated=error.mutated, early=error.early)


def _described(raw: bytes, fields: BlockHeader, work: int, own_hash: bytes) -> Header:
    native = {
        "version": fields.version,
        "bits": f"{fields.bits:08x}",
        "nonce": fields.nonce,
        "merkle_root": fields.merkle_root[::-1].hex(),
    }
    return Header(own_hash, fields.parent, fields.timestamp, work, raw, native)


class BitcoinFamilyChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain of the family: its names and its networks."""

    name: str
    aliases: tuple[str, ...]
    networks: dict[str, NetworkParameters]
    family: str = "bitcoin"
    source_kinds: tuple[str, ...] = ("p2p",)

    def processor(self, network: str) -> BitcoinFamilyProcessor:
        return BitcoinFamilyProcessor(self.networks[network])
