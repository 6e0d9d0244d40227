"""What a node's JSON says is held against its bytes: a field that lies is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import bitcoin, display_hash, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.auxpow import Auxpow, read_auxpow
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.node_answer import SHOWN_MAX, Candidate, read_answer
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import sha256d
from sprint.core.relay.block_file import Found, of_bytes
from sprint.core.relay.block_report import BlockReport
from sprint.core.relay.verify import verify_blocks
from sprint.core.wire import Reader
from tests.vectors import bitcoin_family as vectors

UNIX_TIME = 1_900_000_000.0
MESSAGE_LENGTH_MAX = 400
WITH_BYTES = vectors.answer("bitcoin/mainnet_951658.json")
WITH_IDS = vectors.answer("bitcoin/mainnet_626472_getblock_v1.json")
OTHER_HASH = "00" * 31 + "01"


def read(answer: object, parameters: NetworkParameters = bitcoin.MAIN) -> Candidate:
    return read_answer(answer, lambda raw: of_bytes(raw, parameters), parameters)


def judged(answer: object, parameters: NetworkParameters = bitcoin.MAIN) -> BlockReport:
    chain = {"bitcoin": bitcoin, "litecoin": litecoin, "dogecoin": dogecoin}[
        parameters.chain_id.partition("-")[0]
    ]
    try:
        candidate: Candidate | RuleError = read(answer, parameters)
    except RuleError as error:
        candidate = error
    found = [Found("answer", 0, "json", candidate)]
    (report,) = verify_blocks(chain.CHAIN.processor(parameters.name), parameters, found, UNIX_TIME)
    return report


def refused_by(answer: object, parameters: NetworkParameters = bitcoin.MAIN) -> str:
    report = judged(answer, parameters)
    assert not report.passed
    (row,) = [check for check in report.checks if check.outcome == "refused"]
    assert report.reason == f"{row.name}: {row.why}"
    return row.name


LIES: dict[str, Any] = {
    "hash": OTHER_HASH,
    "version": 1,
    "versionHex": "00000001",
    "previousblockhash": OTHER_HASH,
    "merkleroot": OTHER_HASH,
    "time": 1,
    "bits": "1d00ffff",
    "nonce": 1,
    "nTx": 1,
    "tx": [],
    "size": 1,
    "strippedsize": 1,
    "weight": 1,
    "height": 1,
}


@pytest.mark.parametrize("field", LIES)
def test_a_field_that_contradicts_the_bytes_refuses_the_answer_under_its_name(field: str) -> None:
    assert judged(WITH_BYTES).passed
    assert refused_by({**WITH_BYTES, field: LIES[field]}) == field


def test_one_false_id_among_the_listed_is_found() -> None:
    listed = list(WITH_BYTES["tx"])
    listed[200] = OTHER_HASH
    assert refused_by({**WITH_BYTES, "tx": listed}) == "tx"


@pytest.mark.parametrize("field", ["version", "time", "nonce", "bits", "previousblockhash", "merkleroot"])
def test_a_header_rebuilt_from_a_false_field_has_another_hash(field: str) -> None:
    assert judged(WITH_IDS).passed
    assert refused_by({**WITH_IDS, field: LIES[field]}) == "hash"


def test_a_rebuilt_header_whose_hash_is_adjusted_to_the_lie_has_no_work() -> None:
    false = {**WITH_IDS, "nonce": 1}
    false["hash"] = display_hash(sha256d(read(false).raw))
    assert refused_by(false) == "proof_of_work"


def test_ids_that_do_not_give_the_merkle_root_are_refused_under_its_name() -> None:
    listed = list(WITH_IDS["tx"])
    listed[3], listed[4] = listed[4], listed[3]
    assert refused_by({**WITH_IDS, "tx": listed}) == "merkleroot"


def test_ids_that_end_in_a_repeat_are_refused_though_they_give_the_root() -> None:
    """CVE-2012-2459: an odd level repeats its last node."""
    listed = WITH_IDS["tx"]
    assert len(listed) % 2
    assert refused_by({**WITH_IDS, "tx": [*listed, listed[-1]], "nTx": len(listed) + 1}) == "tx"


@pytest.mark.parametrize("answer", [WITH_BYTES, WITH_IDS], ids=["bytes", "ids"])
@pytest.mark.parametrize("value", ["absent", None])
def test_an_answer_that_names_no_parent_is_refused(answer: dict[str, Any], value: str | None) -> None:
    without = {name: field for name, field in answer.items() if name != "previousblockhash"}
    if value is None:
        without["previousblockhash"] = None
    assert refused_by(without) == "previousblockhash"


def test_the_genesis_block_needs_no_parent() -> None:
    fields = parse_header(bitcoin.MAIN.genesis)
    report = judged(
        {
            "hash": display_hash(bitcoin.MAIN.genesis_hash),
            "version": fields.version,
            "merkleroot": display_hash(fields.merkle_root),
            "time": fields.timestamp,
            "bits": f"{fields.bits:08x}",
            "nonce": fields.nonce,
            "height": 0,
            "tx": [display_hash(fields.merkle_root)],
        }
    )
    assert (report.passed, report.level, report.height, report.height_by) == (True, "header", 0, "genesis")


@pytest.mark.parametrize("field", ["version", "merkleroot", "time", "bits", "nonce", "height", "tx", "hash"])
@pytest.mark.parametrize(
    "value", [True, 1.5, -(1 << 40), 1 << 70, "x", "é" * 64, [[]], {"a": 1}, ""], ids=repr
)
def test_a_field_of_another_type_is_refused_under_its_name(field: str, value: object) -> None:
    name = refused_by({**WITH_IDS, field: value})
    assert name == ("nTx" if field == "tx" and value == [[]] else field)


@pytest.mark.parametrize("field", ["version", "merkleroot", "time", "bits", "nonce"])
def test_an_answer_without_a_field_of_the_header_says_which(field: str) -> None:
    lacking = {name: value for name, value in WITH_IDS.items() if name != field}
    report = judged(lacking)
    assert report.reason.startswith("header: ")
    assert f"lacks {field}:" in report.reason


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda answer: {"result": answer, "error": None, "id": 1},
        lambda answer: {"jsonrpc": "2.0", "result": answer, "id": "x"},
        lambda answer: {"result": answer["block"], "error": None, "id": 1},
        lambda answer: answer["block"],
        lambda answer: {"hex": answer["block"]},
        lambda answer: {"raw": answer["block"]},
    ],
)
def test_an_envelope_changes_nothing(wrapped: Callable[[dict[str, Any]], object]) -> None:
    report = judged(wrapped(WITH_BYTES))
    assert (report.passed, report.level, report.hash) == (True, "full", WITH_BYTES["hash"])


WRONG: list[tuple[object, str]] = [
    (None, "JSON null"),
    (5, "JSON number"),
    (True, "JSON boolean"),
    ([], "JSON list"),
    ({}, "JSON object with no fields"),
    ({"a": 1}, "JSON object with 'a'"),
    ("xyz", "the answer is not hex"),
    ({"hex": "0g"}, "hex is not hex"),
    ({"result": None, "error": None, "id": 1}, "JSON null"),
    ({"result": None, "error": {"code": -5, "message": "Block not found"}, "id": 1}, "Block not found"),
]


@pytest.mark.parametrize(("answer", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_no_answer_says_what_it_is(answer: object, said: str) -> None:
    with pytest.raises(WireError) as caught:
        read(answer)
    assert said in str(caught.value)


def with_transactions(raw: bytes, start: int, count: int) -> dict[str, Any]:
    """The answer of verbosity 2 to a block whose first transaction is at `start`."""
    reader = Reader(raw, start)
    listed = []
    for _ in range(count):
        transaction = parse_transaction(reader)
        listed.append({"txid": display_hash(transaction.txid), "hex": transaction.encode().hex()})
    answer = {name: field for name, field in WITH_BYTES.items() if name != "block"}
    return {**answer, "tx": listed}


def test_an_answer_with_each_transaction_in_hex_is_a_whole_block() -> None:
    answer = with_transactions(bytes.fromhex(WITH_BYTES["block"]), 83, 374)
    report = judged(answer)
    assert (report.passed, report.level, report.tx_count) == (True, "full", 374)
    answer["tx"][5]["txid"] = OTHER_HASH
    assert refused_by(answer) == "tx"
    answer["tx"][5] = {"txid": WITH_BYTES["tx"][5]}
    assert judged(answer).level == "header"
    assert judged(answer).passed


def auxpow_json(raw: bytes) -> dict[str, Any]:
    """Dogecoin Core's answer of verbosity 1, with the AuxPoW as `AuxpowToJSON` writes it."""
    auxpow, _ = read_auxpow(raw, 0, dogecoin.MAIN)
    assert isinstance(auxpow, Auxpow)
    fields = parse_header(raw[:80])
    recorded = vectors.answer("dogecoin/mainnet_371337_electrumx.json")
    return {
        **{name: field for name, field in recorded.items() if name != "block"},
        "version": fields.version,
        "auxpow": {
            "tx": {"hex": auxpow.coinbase.encode().hex()},
            "index": auxpow.coinbase_index,
            "chainindex": auxpow.chain_index,
            "merklebranch": [display_hash(each) for each in auxpow.coinbase_branch],
            "chainmerklebranch": [display_hash(each) for each in auxpow.chain_branch],
            "parentblock": auxpow.parent.hex(),
        },
    }


def test_a_merge_mined_header_is_rebuilt_with_its_proof() -> None:
    answer = auxpow_json(vectors.json_block("dogecoin/mainnet_371337_electrumx.json"))
    report = judged(answer, dogecoin.MAIN)
    assert (report.passed, report.level) == (True, "header"), report.reason
    assert "auxpow" in {check.name for check in report.checks if check.outcome == "ok"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tx", {"hex": "00"}),
        ("tx", "00"),
        ("index", 1),
        ("index", -1),
        ("chainindex", 1 << 40),
        ("merklebranch", [OTHER_HASH]),
        ("merklebranch", ["no hash"]),
        ("chainmerklebranch", [OTHER_HASH] * 65),
        ("chainmerklebranch", None),
        ("parentblock", "00" * 80),
        ("parentblock", 5),
    ],
)
def test_a_false_field_of_the_merged_mining_is_refused(field: str, value: object) -> None:
    answer = auxpow_json(vectors.json_block("dogecoin/mainnet_371337_electrumx.json"))
    answer["auxpow"][field] = value
    assert refused_by(answer, dogecoin.MAIN) in {"auxpow", "header", field}


@pytest.mark.parametrize("value", [5, "00", [], {}, {"tx": {"hex": ""}}, False])
def test_a_proof_of_another_form_is_refused(value: object) -> None:
    answer = auxpow_json(vectors.json_block("dogecoin/mainnet_371337_electrumx.json"))
    assert refused_by({**answer, "auxpow": value}, dogecoin.MAIN) == "auxpow"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["00", "0" * 64, "1d00ffff", WITH_IDS["hash"]])
)
FIELDS = st.sampled_from(
    [*LIES, "block", "hex", "raw", "auxpow", "result", "error", "id", "mweb", "index", "merklebranch"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=8),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([bitcoin.MAIN, litecoin.REGTEST, dogecoin.MAIN]))
def test_any_json_gives_a_verdict_or_a_documented_error(value: object, parameters: NetworkParameters) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(value))
    try:
        said = judged(decoded, parameters).reason
    except WireError as error:
        said = str(error)
    assert len(said) < MESSAGE_LENGTH_MAX


@given(st.dictionaries(st.sampled_from(list(LIES)), VALUES, max_size=3))
def test_an_answer_with_any_fields_exchanged_never_passes_with_another_hash(changed: dict[str, Any]) -> None:
    report = judged(msgspec.json.decode(msgspec.json.encode({**WITH_IDS, **changed})))
    if report.passed:
        assert report.hash == WITH_IDS["hash"]


def test_a_message_repeats_no_more_than_a_line_of_a_foreign_value() -> None:
    report = judged({**WITH_IDS, "hash": "f" * 1_000_000})
    assert "f" * (SHOWN_MAX // 2) in report.reason
    assert len(report.reason) < MESSAGE_LENGTH_MAX
