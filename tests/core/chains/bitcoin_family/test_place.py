"""What a body's place decides: heights, lock times, repeated coinbases, and witness data by height."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from sprint.core.chains import Block, bitcoin
from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.place import _REPEATS_KNOWN
from sprint.core.chains.bitcoin_family.transaction import SEQUENCE_FINAL, Transaction
from tests.core.chains.bitcoin_family.building import (
    REGTEST,
    RESERVED,
    accepted,
    at,
    block,
    claiming,
    coinbase,
    commitment,
    payment,
)

HEIGHT = 100
BLOCK_TIME = 1_700_000_000  # of every block that `building` makes
MEDIAN_TIME = BLOCK_TIME - 3_600
UNKNOWN = Ancestry(HEIGHT - 1)
KNOWN = Ancestry(HEIGHT - 1, times=(MEDIAN_TIME,) * 11)


class Unread:
    """What must not be read."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("read")


def network(**changes: object) -> BitcoinFamilyProcessor:
    """Regtest, where by default neither BIP 34 nor BIP 113 nor BIP 141 binds at these heights."""
    plain: dict[str, object] = {"bip34_height": 10_000, "csv_height": None, "witness_height": 10_000}
    return BitcoinFamilyProcessor(msgspec.structs.replace(REGTEST.parameters, **(plain | changes)))


def check_of(processor: BitcoinFamilyProcessor, judged: Block, ancestry: Ancestry) -> str | None:
    verdict = processor.check_context(judged, ancestry, ())
    assert verdict is None or not verdict.mutated
    return verdict.check if verdict else None


# Lock times (Bitcoin Core's IsFinalTx, BIP 113).


def locked(lock_time: int, *sequences: int) -> Block:
    first, second = payment(1), payment(2)
    inputs = tuple(
        msgspec.structs.replace(source, sequence=sequence)
        for source, sequence in zip(first.inputs + second.inputs, sequences, strict=False)
    )
    return with_transaction(msgspec.structs.replace(first, inputs=inputs, lock_time=lock_time))


def with_transaction(transaction: Transaction) -> Block:
    return accepted(block([coinbase(), transaction, payment(3)]))


@pytest.mark.parametrize(
    ("lock_time", "outcome"),
    [(0, None), (HEIGHT - 1, None), (HEIGHT, "lock_time"), (499_999_999, "lock_time")],
)
def test_a_lock_must_lie_below_the_height(lock_time: int, outcome: str | None) -> None:
    assert check_of(network(), locked(lock_time, 0), KNOWN) == outcome


@pytest.mark.parametrize(
    ("lock_time", "outcome"),
    [(500_000_000, None), (BLOCK_TIME - 1, None), (BLOCK_TIME, "lock_time"), (2**32 - 1, "lock_time")],
)
def test_a_lock_must_lie_below_the_blocks_time_before_bip_113(lock_time: int, outcome: str | None) -> None:
    for processor in (network(), network(csv_height=HEIGHT + 1)):
        assert check_of(processor, locked(lock_time, 0), KNOWN) == outcome


@pytest.mark.parametrize(
    ("lock_time", "outcome"),
    [(MEDIAN_TIME - 1, None), (MEDIAN_TIME, "lock_time"), (BLOCK_TIME - 1, "lock_time")],
)
def test_a_lock_must_lie_below_the_parents_median_time_from_bip_113_on(
    lock_time: int, outcome: str | None
) -> None:
    assert check_of(network(csv_height=HEIGHT), locked(lock_time, 0), KNOWN) == outcome


def test_an_unknown_median_time_refuses_nothing_that_the_blocks_time_allows() -> None:
    processor = network(csv_height=HEIGHT)
    assert check_of(processor, locked(BLOCK_TIME - 1, 0), UNKNOWN) is None
    assert check_of(processor, locked(BLOCK_TIME, 0), UNKNOWN) == "lock_time"


def test_a_lock_binds_unless_every_sequence_is_final() -> None:
    for sequences, outcome in (
        ((SEQUENCE_FINAL, SEQUENCE_FINAL), None),
        ((SEQUENCE_FINAL, SEQUENCE_FINAL - 1), "lock_time"),
        ((0x00FF_FFFF, SEQUENCE_FINAL), "lock_time"),
        ((0xFF00_0000,), "lock_time"),
    ):
        assert check_of(network(), locked(HEIGHT, *sequences), KNOWN) == outcome


def test_the_coinbase_may_be_locked_like_any_other() -> None:
    first = coinbase()
    source = msgspec.structs.replace(first.inputs[0], sequence=0)
    judged = accepted(block([msgspec.structs.replace(first, inputs=(source,), lock_time=HEIGHT)]))
    assert check_of(network(), judged, KNOWN) == "lock_time"
    assert check_of(network(), judged, Ancestry(HEIGHT)) is None


# The height in the coinbase (BIP 34) and repeated coinbases (BIP 30).


def test_a_coinbase_states_its_height_from_bip34_on_and_is_new_before() -> None:
    judged = claiming(accepted(block([coinbase()])), HEIGHT)
    assert check_of(network(bip34_height=HEIGHT), judged, KNOWN) is None
    assert check_of(network(bip34_height=HEIGHT), judged, Ancestry(HEIGHT)) == "coinbase_height"
    assert check_of(network(bip34_height=HEIGHT + 1), claiming(judged, None), KNOWN) is None
    assert network(bip34_height=HEIGHT).context_checks(KNOWN)[-2:] == ("lock_time", "coinbase_height")
    assert network().context_checks(KNOWN)[-2:] == ("lock_time", "duplicate_coinbase")


def test_lock_times_are_not_named_where_bip_113_binds_and_the_median_is_unknown() -> None:
    binding = network(csv_height=HEIGHT)
    assert "lock_time" in binding.context_checks(KNOWN)
    assert "lock_time" not in binding.context_checks(UNKNOWN)
    assert "lock_time" in network(csv_height=HEIGHT + 1).context_checks(UNKNOWN)


def test_a_coinbase_of_a_block_below_is_refused_below_bip34() -> None:
    judged = accepted(block([coinbase()]))
    verdict = network().check_context(judged, KNOWN, iter([bytes(32), judged.identity]))
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == ("duplicate_coinbase", False)
    assert network().check_context(judged, KNOWN, [bytes(32)]) is None


def test_the_coinbases_below_are_not_looked_at_where_heights_make_them_differ() -> None:
    judged = claiming(accepted(block([coinbase()])), HEIGHT)
    assert network(bip34_height=HEIGHT).check_context(judged, KNOWN, Unread()) is None


@pytest.mark.parametrize("height", _REPEATS_KNOWN)
def test_the_two_known_repeats_of_bitcoin_pass_at_their_own_height_and_hash_only(height: int) -> None:
    processor = BitcoinFamilyProcessor(msgspec.structs.replace(bitcoin.MAIN, csv_height=None))
    judged = accepted(block([coinbase()]))
    known = msgspec.structs.replace(
        judged, header=msgspec.structs.replace(judged.header, hash=_REPEATS_KNOWN[height])
    )
    below = [judged.identity]
    assert processor.check_context(known, at(height), below) is None
    for wrong, place in ((judged, height), (known, height + 1)):
        verdict = processor.check_context(wrong, at(place), below)
        assert verdict is not None
        assert verdict.check == "duplicate_coinbase"


# Witness data by height: the table of BIP 141, before the height where it binds and from there on.

WITNESSED = [payment(1, witness=True), payment(2)]
PLAIN = [payment(1), payment(2)]
RIGHT = commitment(WITNESSED)
OF_PLAIN = commitment(PLAIN)


@pytest.mark.parametrize(
    ("transactions", "before", "after"),
    [
        ([coinbase(), *PLAIN], True, True),  # neither commitment nor witness data
        ([coinbase()], True, True),
        ([coinbase(RIGHT, stack=(RESERVED,)), *WITNESSED], False, True),
        ([coinbase(OF_PLAIN, stack=(RESERVED,)), *PLAIN], False, True),  # the reserved value alone
        ([coinbase(commitment([]), stack=(RESERVED,))], False, True),
        ([coinbase(RIGHT), *PLAIN], True, False),  # stripped
        ([coinbase(OF_PLAIN), *PLAIN], True, False),
        ([coinbase(commitment([]))], True, False),
    ],
)
def test_a_body_with_or_without_witness_data_passes_where_it_may(
    transactions: list[Transaction], *, before: bool, after: bool
) -> None:
    judged = accepted(block(transactions))
    processor = network(witness_height=HEIGHT)
    for height, passes in ((HEIGHT - 1, before), (HEIGHT, after)):
        verdict = processor.check_context(judged, at(height), ())
        assert (verdict is None) == passes
        assert verdict is None or (verdict.check, verdict.mutated) == ("witness_commitment", True)


def test_a_network_without_witness_data_has_none_and_asks_for_none() -> None:
    def judge(transactions: list[Transaction], parameters: NetworkParameters) -> tuple[str, bool] | None:
        processor = BitcoinFamilyProcessor(parameters)
        verdict = processor.process_block(block(transactions))
        if isinstance(verdict, Block):
            return None if processor.check_context(verdict, KNOWN, ()) is None else ("", False)
        return verdict.check, verdict.mutated

    without = network(witness_height=None).parameters
    assert judge([coinbase(RIGHT, stack=(RESERVED,)), *WITNESSED], without) == ("witness_commitment", True)
    assert judge([coinbase(stack=(RESERVED,))], without) == ("witness_commitment", True)
    assert judge([coinbase(RIGHT), *PLAIN], without) is None
    assert judge([coinbase(), *PLAIN], without) is None
