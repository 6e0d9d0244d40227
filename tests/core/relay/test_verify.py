"""Blocks given together are judged by what they stand on; what could not be checked is said."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import pytest

from sprint.core.chains import bitcoin
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.node_answer import Candidate, read_answer
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.kernels import sha256d
from sprint.core.relay.block_file import Found, of_bytes
from sprint.core.relay.block_report import BlockReport
from sprint.core.relay.verify import CHECK_ORDER, verify_blocks
from sprint.core.wire import Reader
from sprint.tools.devnet.genesis import genesis_body
from tests.core.chains.bitcoin_family import building
from tests.vectors import bitcoin_family as vectors

UNIX_TIME = 1_900_000_000.0
MAIN = bitcoin.MAIN
CHAIN = vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
REAL = vectors.json_block("bitcoin/mainnet_951658.json")
BIG = vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")
BIG_HEIGHT = 574_200
PLACE = {"parent", "difficulty", "median_time"}


def judged(
    candidates: Sequence[bytes | Candidate],
    parameters: NetworkParameters = MAIN,
    unix_time: float = UNIX_TIME,
) -> list[BlockReport]:
    found = [
        Found(str(number), 0, "raw", of_bytes(each, parameters) if isinstance(each, bytes) else each)
        for number, each in enumerate(candidates)
    ]
    return verify_blocks(bitcoin.CHAIN.processor(parameters.name), parameters, found, unix_time)


def names(report: BlockReport, outcome: str) -> set[str]:
    return {check.name for check in report.checks if check.outcome == outcome}


def why(report: BlockReport, name: str) -> str:
    return next(check.why for check in report.checks if check.name == name)


def child_of(parent: bytes, *, timestamp: int, root: bytes = bytes(32)) -> bytes:
    """Mine a header of regtest on another one."""
    for nonce in range(1_000):
        raw = bytes((0, 0, 0, 32)) + parent + root + timestamp.to_bytes(4, "little")
        raw += (0x207F_FFFF).to_bytes(4, "little") + nonce.to_bytes(4, "little")
        if sha256d(raw)[31] < 0x7F:
            return raw
    raise AssertionError("no nonce found")


def regtest_chain(times: Sequence[int]) -> list[bytes]:
    headers: list[bytes] = []
    parent = bitcoin.REGTEST.genesis_hash
    for timestamp in times:
        headers.append(child_of(parent, timestamp=timestamp))
        parent = sha256d(headers[-1])
    return headers


def test_the_order_in_which_blocks_are_given_changes_nothing(seed: int) -> None:
    in_order = judged(CHAIN)
    assert [report.height for report in in_order] == list(range(1, 256))
    assert all(report.passed and names(report, "ok") >= PLACE for report in in_order)
    places = list(range(len(CHAIN)))
    random.Random(seed).shuffle(places)
    for place, report in zip(places, judged([CHAIN[place] for place in places]), strict=True):
        assert msgspec.structs.replace(report, file=str(place)) == in_order[place]


def test_a_chain_is_followed_however_long_it_is() -> None:
    headers = regtest_chain([1_300_000_000 + number for number in range(2_000)])
    reports = judged(headers[::-1], bitcoin.REGTEST)
    assert [report.height for report in reports] == list(range(2_000, 0, -1))
    assert all(report.passed for report in reports)


def test_above_a_missing_block_nothing_is_claimed_of_the_branch_below() -> None:
    reports = judged([*CHAIN[:100], *CHAIN[101:]])
    first_above = reports[100]
    assert first_above.passed
    assert (first_above.height, first_above.height_by) == (None, "")
    assert names(first_above, "not checked") >= {*PLACE, "version", "future_time", "coinbase_height"}
    assert why(first_above, "parent") == "its parent is not among the blocks given"
    assert "parent" in names(reports[101], "ok")
    assert why(reports[101], "difficulty") == "the height of its parent is not known"


def test_every_check_stands_in_a_report_once_and_in_the_order_of_the_documentation() -> None:
    for report in judged([*CHAIN[:20], REAL, BIG, CHAIN[30][:80]]):
        listed = [check.name for check in report.checks]
        assert len(set(listed)) == len(listed)
        assert listed == sorted(listed, key=CHECK_ORDER.index)
        assert not names(report, "ok") & names(report, "not checked")


def test_a_block_alone_is_judged_at_the_height_that_its_coinbase_states() -> None:
    (report,) = judged([BIG])
    assert (report.passed, report.height, report.height_by) == (True, BIG_HEIGHT, "coinbase")
    assert names(report, "ok") >= {"version", "future_time"}
    assert why(report, "lock_time").startswith("the median time of the eleven below is not known")
    assert why(report, "coinbase_height") == "the height is the one its own coinbase states"


def test_what_an_old_coinbase_begins_with_is_no_height() -> None:
    (report,) = judged([CHAIN[100]])
    assert report.height is None


def test_a_block_alone_that_was_stripped_of_its_witness_data_is_refused() -> None:
    reader = Reader(BIG, 80)
    count = reader.compact_size(10_000)
    start = reader.position
    parts = [parse_transaction(reader).encode(witness=False) for _ in range(count)]
    (report,) = judged([BIG[:start] + b"".join(parts)])
    assert not report.passed
    assert report.reason.startswith("witness_commitment: ")


def test_a_height_that_the_answer_states_is_held_against_the_one_that_is_known() -> None:
    candidate = Candidate(raw=CHAIN[0], claims={"height": 2})
    (report,) = judged([candidate])
    assert report.reason == "height: the answer says 2, the block is at 1"
    (unknown,) = judged([Candidate(raw=CHAIN[100], claims={"height": 9})])
    assert (unknown.passed, unknown.height, unknown.height_by) == (True, 9, "answer")


def test_genesis_passes_and_is_not_judged_by_what_there_is_not_below_it() -> None:
    (genesis, *_) = vectors.block_file("bitcoin/mainnet_blk_0_to_4.dat.bz2")
    (report,) = judged([genesis])
    assert (report.passed, report.height, report.height_by) == (True, 0, "genesis")
    assert names(report, "not checked") >= PLACE


def test_headers_are_judged_by_their_branch() -> None:
    first = 1_300_000_000
    good = regtest_chain([first, first + 1, first + 2])
    assert all(report.passed and report.level == "header" for report in judged(good, bitcoin.REGTEST))
    stale = regtest_chain([first + 9, first + 9])
    reports = judged(stale, bitcoin.REGTEST)
    assert [report.reason.partition(":")[0] for report in reports] == ["", "median_time"]


def test_a_header_ahead_of_its_time_is_refused_and_passes_later() -> None:
    (header,) = regtest_chain([1_700_000_000])
    (early,) = judged([header], bitcoin.REGTEST, unix_time=1_700_000_000 - 7_201)
    assert early.reason.startswith("future_time: ")
    (later,) = judged([header], bitcoin.REGTEST, unix_time=1_700_000_000 - 7_200)
    assert later.passed


def test_what_stands_on_a_refused_header_is_refused_for_it() -> None:
    first = 1_300_000_000
    chain = regtest_chain([first, first, first + 1, first + 2])
    reports = judged(chain[::-1], bitcoin.REGTEST)[::-1]
    assert [report.reason.partition(":")[0] for report in reports] == ["", "median_time", "parent", "parent"]
    assert reports[1].hash is not None
    assert reports[1].hash in reports[2].reason
    assert "(median_time)" in reports[2].reason


def test_what_stands_on_a_header_without_work_is_refused_for_it() -> None:
    false = child_of(bitcoin.REGTEST.genesis_hash, timestamp=1_300_000_000)
    nonce = next(n for n in range(1_000) if sha256d(false[:76] + n.to_bytes(4, "little"))[31] >= 0x80)
    false = false[:76] + nonce.to_bytes(4, "little")
    child = child_of(sha256d(false), timestamp=1_300_000_001)
    reports = judged([child, false], bitcoin.REGTEST)
    assert [report.reason.partition(":")[0] for report in reports] == ["parent", "proof_of_work"]
    assert names(reports[1], "ok") == {"target"}, "the work was held against it"


def test_a_false_body_spoils_itself_and_not_what_stands_on_its_header() -> None:
    false = bytearray(CHAIN[0])
    false[-1] ^= 1
    spoilt, child = judged([bytes(false), CHAIN[1]])
    assert spoilt.reason.startswith("merkle_root: ")
    assert (child.passed, child.height) == (True, 2)
    assert {"parent", "median_time"} <= names(child, "ok")


def test_a_false_answer_spoils_itself_and_not_what_stands_on_its_header() -> None:
    lying = Candidate(raw=CHAIN[0], claims={"size": 1})
    spoilt, child = judged([lying, CHAIN[1]])
    assert spoilt.reason.startswith("size: ")
    assert child.passed


@pytest.mark.parametrize("first", ["false", "true"])
def test_the_same_block_given_twice_is_judged_twice_and_its_true_form_is_stood_on(first: str) -> None:
    false = bytearray(CHAIN[0])
    false[-1] ^= 1
    given = [bytes(false), CHAIN[0]] if first == "false" else [CHAIN[0], bytes(false)]
    reports = judged([*given, CHAIN[1]])
    assert sorted(report.passed for report in reports[:2]) == [False, True]
    assert reports[2].passed


@pytest.mark.parametrize("first", ["false", "true"])
def test_an_answer_that_lies_of_its_header_does_not_hide_the_true_block(first: str) -> None:
    lying: list[bytes | Candidate] = [Candidate(raw=CHAIN[0], claims={"nonce": 1})]
    given = [*lying, CHAIN[0]] if first == "false" else [CHAIN[0], *lying]
    child, *_ = judged([CHAIN[1], *given])
    assert (child.passed, child.height) == (True, 2)


def test_a_coinbase_that_a_block_below_has_is_refused_before_bip_34() -> None:
    """BIP 30: mined on regtest parameters with BIP 34 moved out of reach."""
    parameters = msgspec.structs.replace(bitcoin.REGTEST, bip34_height=1_000_000)
    one = building.coinbase()
    body = b"\x01" + one.encode()
    first = child_of(parameters.genesis_hash, timestamp=1_300_000_000, root=one.txid) + body
    second = child_of(sha256d(first[:80]), timestamp=1_300_000_001, root=one.txid) + body
    found = [Found(str(n), 0, "raw", of_bytes(raw, parameters)) for n, raw in enumerate((second, first))]
    processor = type(bitcoin.CHAIN.processor("regtest"))(parameters)
    reports = verify_blocks(processor, parameters, found, UNIX_TIME)
    assert reports[1].passed, reports[1].reason
    assert reports[0].reason.startswith("duplicate_coinbase: ")


def test_the_coinbase_of_genesis_is_not_to_be_repeated_also_where_genesis_is_not_given() -> None:
    parameters = msgspec.structs.replace(bitcoin.REGTEST, bip34_height=1_000_000)
    body = genesis_body(parameters)[80:]
    root = parse_header(parameters.genesis).merkle_root
    raw = child_of(parameters.genesis_hash, timestamp=1_300_000_000, root=root) + body
    found = [Found("first", 0, "raw", of_bytes(raw, parameters))]
    processor = type(bitcoin.CHAIN.processor("regtest"))(parameters)
    (report,) = verify_blocks(processor, parameters, found, UNIX_TIME)
    assert report.reason.startswith("duplicate_coinbase: ")


def test_a_coinbase_with_no_body_below_to_compare_is_not_said_to_be_new() -> None:
    alone = judged([CHAIN[0], CHAIN[1][:80], CHAIN[2]])
    assert "duplicate_coinbase" in names(alone[0], "ok")  # over genesis, whose coinbase is known
    assert why(alone[2], "duplicate_coinbase") == "the bodies below it are not among the blocks given"
    assert all("duplicate_coinbase" in names(report, "ok") for report in judged(CHAIN[:3]))


def test_an_answer_with_ids_alone_says_how_to_ask_for_the_body_and_a_header_does_not() -> None:
    answer = vectors.answer("bitcoin/mainnet_626472_getblock_v1.json")
    by_ids, by_header = judged([read_answer(answer, lambda raw: of_bytes(raw, MAIN), MAIN), REAL[:80]])
    assert "merkle_root" in names(by_ids, "ok")
    assert why(by_ids, "coinbase").endswith("ask with verbosity 0")
    assert why(by_header, "coinbase") == why(by_header, "merkle_root") == "only the header is given"


def test_bytes_too_short_for_a_header_are_refused_without_a_hash() -> None:
    (report,) = judged([Candidate(raw=bytes(79))])
    assert (report.hash, report.passed) == (None, False)
    assert report.reason.startswith("header: ")
    assert names(report, "refused") == {"header"}
