"""Every parser of the Bitcoin family's blocks, and of what sources send: with raw bytes, and well framed.

Well framed: what a check early on would refuse is made right again around the spoilt part (merkle root, the
commitment to an extension block), so that the later checks are reached too.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains import Block, Header, Rejected, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.ancestry import begin_ancestry
from sprint.core.chains.bitcoin_family.auxpow import chain_id_of, check_auxpow, header_size, parse_auxpow
from sprint.core.chains.bitcoin_family.block import check_body
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.mweb_format import parse_extension
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import bits_of, target_of
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.chains.bitcoin_family.transaction import Transaction, parse_transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.protocols.bitcoin_p2p.messages import Headers, decode_message
from sprint.core.relay.block_file import Found, split_file
from sprint.core.relay.verify import verify_blocks
from sprint.core.wire import Reader, compact_size
from tests.fuzz.driver import Parser
from tests.fuzz.mutators import BYTES, JSON
from tests.fuzz.source_parsers import SOURCE_PARSERS

UNIX_TIME = 1_900_000_000.0
HEADERS_MAX = 64
REASON_LENGTH_MAX = 1_000
MIB = 1 << 20
NETWORKS: tuple[NetworkParameters, ...] = tuple(
    chain.networks[name]
    for chain in (bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN)
    for name in sorted(chain.networks)
)
PROCESSORS = [
    chain.processor(name)
    for chain in (bitcoin.CHAIN, litecoin.CHAIN, dogecoin.CHAIN)
    for name in sorted(chain.networks)
]


def network_of(data: bytes) -> int:
    """The first byte of an input chooses its network."""
    return data[0] % len(NETWORKS) if data else 0


def _verdict(verdict: Header | Block | Rejected) -> str:
    if not isinstance(verdict, Rejected):
        return "accepted"
    assert not verdict.internal, verdict
    assert 0 < len(verdict.reason) <= REASON_LENGTH_MAX
    return f"refused {verdict.check}"


def header(data: bytes) -> str:
    return _verdict(PROCESSORS[network_of(data)].process_header(data[1:]))


def headers_message(data: bytes) -> str:
    message = decode_message(Headers.command, data[1:], NETWORKS[network_of(data)])
    assert isinstance(message, Headers)
    assert message.encode() == data[1:]
    return "read"


def auxpow(data: bytes) -> str:
    """The proof alone, for the block of the corpus it was cut from: 80 bytes, then what stands behind."""
    rules = dogecoin.MAIN.auxpow
    assert rules is not None
    reader = Reader(data[80:])
    proof = parse_auxpow(reader)
    reader.finish()
    assert proof.encode() == data[80:]
    check_auxpow(proof, sha256d(data[:80]), chain_id_of(parse_header(data[:80]).version), rules)
    return "accepted"


def transaction(data: bytes) -> str:
    """The plain reader and the scan see the same transaction, or both see none."""
    parameters = NETWORKS[network_of(data)]
    mweb = parameters.mweb_height is not None
    plain, scanned = _read_plainly(data[1:], mweb=mweb), None
    try:
        scanned = scan_transaction(data[1:], 0, parameters.money_max, mweb=mweb)
    except WireError as error:
        assert plain is None, "read by the plain reader, refused by the scan"
        return f"WireError {error.kind}"
    assert plain is not None, "read by the scan, refused by the plain reader"
    assert (scanned.txid, scanned.wtxid) == (plain.txid, plain.wtxid)
    assert plain.encode() == data[1 : 1 + scanned.stop]
    return _verdict_of_transaction(PROCESSORS[network_of(data)].validate_transaction(data[1:]))


def _read_plainly(raw: bytes, *, mweb: bool) -> Transaction | None:
    try:
        return parse_transaction(Reader(raw), mweb=mweb)
    except WireError:
        return None


def _verdict_of_transaction(verdict: Rejected | None) -> str:
    return "accepted" if verdict is None else _verdict(verdict)


def block(data: bytes) -> str:
    return _verdict(PROCESSORS[network_of(data)].process_block(data[1:]))


def framed_body(data: bytes) -> str:
    """A body under a header whose merkle root is made right; its proof of work is nobody's question here."""
    parameters = NETWORKS[network_of(data)]
    raw = data[1:]
    start = header_size(raw, 0, parameters)
    txids = _txids(raw, start, parameters)
    root, _ = merkle_root(txids)
    check_body(raw[:36] + root + raw[68:], start, parameters)
    return "accepted"


def _txids(raw: bytes, start: int, parameters: NetworkParameters) -> list[bytes]:
    reader = Reader(raw, start)
    count = reader.compact_size(len(raw), "transactions")
    position, txids = reader.position, []
    for _ in range(count):
        scanned = scan_transaction(
            raw, position, parameters.money_max, mweb=parameters.mweb_height is not None
        )
        position = scanned.stop
        txids.append(scanned.txid)
    return txids


def extension(data: bytes) -> str:
    """An extension block alone."""
    reader = Reader(data)
    parse_extension(reader)
    reader.finish()
    return "accepted"


def framed_extension(data: bytes) -> str:
    """A block whose HogEx commits to whatever stands in the extension block's place; its root is right."""
    parameters = litecoin.REGTEST
    reader = Reader(data, 80)
    count = reader.compact_size(len(data), "transactions")
    transactions = [parse_transaction(reader, mweb=True) for _ in range(count)]
    body = data[reader.position :]
    commitment = parse_extension(Reader(body, 1)).header.hash
    if transactions:
        transactions[-1] = _committing(transactions[-1], commitment)
    root, _ = merkle_root([each.txid for each in transactions])
    raw = (
        data[:36]
        + root
        + data[68:80]
        + compact_size(count)
        + b"".join(t.encode() for t in transactions)
        + body
    )
    check_body(raw, 80, parameters)
    return "accepted"


def _committing(hogex: Transaction, commitment: bytes) -> Transaction:
    first, *others = hogex.outputs
    committing = msgspec.structs.replace(first, script=first.script[:2] + commitment)
    return msgspec.structs.replace(hogex, outputs=(committing, *others))


def file(data: bytes) -> str:
    """Whatever a file holds: split, and judged as far as it goes."""
    number = network_of(data)
    outcomes = []
    found = []
    for each in split_file("f", data[1:], NETWORKS[number]):
        if isinstance(each, Found):
            found.append(each)
        else:
            outcomes.append("unreadable")
    assert found or outcomes
    for report in verify_blocks(PROCESSORS[number], NETWORKS[number], found, UNIX_TIME):
        assert report.passed is (report.reason == "")
        assert len(report.reason) <= REASON_LENGTH_MAX
        outcomes.append(report.reason.partition(":")[0] or f"passed {report.level}")
    return " + ".join(sorted(set(outcomes)))


def answer(data: bytes) -> str:
    """A node's JSON, on the main networks."""
    words = {word for number in MAIN_NETWORKS for word in file(bytes((number,)) + data).split(" + ")}
    return " + ".join(sorted(words))


MAIN_NETWORKS = [number for number, network in enumerate(NETWORKS) if network.name == "main"]


def ancestry(data: bytes) -> str:
    """A branch of random headers: network, height, then 80 bytes each; each is judged and stood on."""
    number = network_of(data)
    parameters, processor = NETWORKS[number], PROCESSORS[number]
    height = int.from_bytes(data[1:4], "little")
    raws = [data[at : at + 80] for at in range(4, min(len(data), HEADERS_MAX * 80) - 79, 80)]
    if not raws:
        raise WireError("no header", kind="truncated")
    branch = begin_ancestry(parameters, processor.read_header(raws[0]), height)
    outcomes = set()
    for raw in raws[1:]:
        bits = parse_header(raw).bits
        try:
            assert target_of(bits_of(target_of(bits, parameters.target_limit)), parameters.target_limit)
        except RuleError as error:
            outcomes.add(error.check)
            continue
        header = processor.read_header(raw)
        refused = processor.check_header(header, branch, UNIX_TIME)
        assert processor.context_checks(branch)
        outcomes.add("ok" if refused is None else refused.check)
        branch = processor.extend_ancestry(branch, header)
    return " ".join(sorted(outcomes))


# The bounds are some ten times what the slowest input of long runs took; a signature of an extension block
# costs about half a millisecond, whatever spoils it.
PARSERS = (
    Parser("header", header, BYTES, 10, MIB),
    Parser("headers_message", headers_message, BYTES, 10, MIB),
    Parser("auxpow", auxpow, BYTES, 10, MIB),
    Parser("transaction", transaction, BYTES, 10, MIB),
    Parser("block", block, BYTES, 20, MIB),
    Parser("framed_body", framed_body, BYTES, 20, MIB),
    Parser("extension", extension, BYTES, 10, MIB),
    Parser("framed_extension", framed_extension, BYTES, 500, 2 * MIB),
    Parser("answer", answer, JSON, 50, 2 * MIB),
    Parser("file", file, BYTES, 50, 2 * MIB),
    Parser("ancestry", ancestry, BYTES, 20, MIB),
    *SOURCE_PARSERS,
)
