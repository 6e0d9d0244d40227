"""A compiled scan finds what the twin finds, and gives up on exactly the bytes that the twin refuses."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Block, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.auxpow import read_auxpow
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_block_plainly
from sprint.core.chains.bitcoin_family.transaction import Transaction, TransactionInput
from sprint.core.errors import WireError
from sprint.core.kernels import BlockScan, reference
from sprint.core.kernels.binding import REFERENCE_KERNELS, Kernels
from sprint.core.kernels.block_scan_compiled import COPY_SIZE, LONG_SIZE, QUADRATIC_INPUTS_MAX
from sprint.core.relay.prove import INLINE_COST_MS_MAX
from sprint.core.wire import Reader
from tests.core.chains.bitcoin_family.building import coinbase, payment
from tests.core.chains.bitcoin_family.test_transaction import transactions
from tests.core.kernels.forms import in_use
from tests.vectors import bitcoin_family as vectors

COUNT_MAX = 200
MONEY_MAX = bitcoin.MAIN.money_max

REAL: dict[str, tuple[NetworkParameters, bytes]] = {
    "1.2 MB": (bitcoin.MAIN, vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")),
    "segwit": (bitcoin.MAIN, vectors.json_block("bitcoin/mainnet_951658.json")),
    "litecoin": (litecoin.MAIN, vectors.json_block("litecoin/mainnet_900000.json")),
    "extension first": (litecoin.REGTEST, vectors.raw_block("litecoin/regtest_432_mweb_first.blk")),
    "extension mixed": (litecoin.REGTEST, vectors.raw_block("litecoin/regtest_435_mweb_mixed.blk")),
    "dogecoin": (
        dogecoin.MAIN,
        bytes.fromhex(vectors.raw_block("dogecoin/mainnet_371337.hex").decode()),
    ),
}


def plain(raw: bytes, start: int, count: int, *, mweb: bool = True) -> BlockScan | None:
    try:
        return scan_block_plainly(raw, start, count, MONEY_MAX, mweb=mweb)
    except WireError:
        return None


def scanned(form: Kernels, raw: bytes, start: int, count: int, *, mweb: bool = True) -> BlockScan | None:
    return form.scan_block(raw, start, count, MONEY_MAX, mweb=mweb)


def same(form: Kernels, block: list[Transaction]) -> BlockScan:
    raw = b"".join(transaction.encode() for transaction in block)
    found = scanned(form, raw, 0, len(block))
    assert found is not None
    assert found == plain(raw, 0, len(block))
    return found


@given(st.lists(transactions(), min_size=1, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_any_transactions_are_found_as_the_twin_finds_them(
    forms: tuple[Kernels, ...], block: list[Transaction], before: bytes, after: bytes
) -> None:
    raw = before + b"".join(transaction.encode() for transaction in block) + after
    wanted = plain(raw, len(before), len(block))
    assert wanted is not None
    for form in forms:
        assert scanned(form, raw, len(before), len(block)) == wanted, form.tier


@given(block=st.lists(transactions(), min_size=1, max_size=3), mweb=st.booleans(), data=st.data())
def test_on_changed_bytes_it_gives_up_where_the_twin_refuses_and_nowhere_else(
    forms: tuple[Kernels, ...], *, block: list[Transaction], mweb: bool, data: st.DataObject
) -> None:
    raw = bytearray(b"".join(transaction.encode() for transaction in block))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(raw) - 1)))
        change = data.draw(st.sampled_from(["flip", "set", "insert", "delete", "cut"]))
        if change == "flip" and raw:
            raw[at] ^= 1 << data.draw(st.integers(0, 7))
        elif change == "set" and raw:
            raw[at] = data.draw(st.sampled_from([0, 1, 2, 8, 9, 0xFC, 0xFD, 0xFE, 0xFF]))
        elif change == "insert":
            raw[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        elif change == "delete":
            del raw[at : at + data.draw(st.integers(1, 9))]
        else:
            del raw[at:]
    whole = bytes(raw)
    wanted = plain(whole, 0, len(block), mweb=mweb)
    for form in forms:
        assert scanned(form, whole, 0, len(block), mweb=mweb) == wanted, form.tier


@given(st.binary(max_size=200), st.integers(0, 210), st.integers(1, 3))
def test_any_bytes_are_read_as_the_twin_reads_them(
    forms: tuple[Kernels, ...], raw: bytes, start: int, count: int
) -> None:
    wanted = plain(raw, start, count)
    for form in forms:
        assert scanned(form, raw, start, count) == wanted, form.tier


@pytest.mark.parametrize("name", REAL)
def test_real_blocks_are_scanned_as_the_twin_does(form: Kernels, name: str) -> None:
    parameters, raw = REAL[name]
    _, start = read_auxpow(raw, 0, parameters)
    reader = Reader(raw, start)
    count = reader.compact_size(len(raw))
    mweb = parameters.mweb_height is not None
    found = form.scan_block(raw, reader.position, count, parameters.money_max, mweb=mweb)
    assert found is not None
    assert found == scan_block_plainly(raw, reader.position, count, parameters.money_max, mweb=mweb)


@pytest.mark.parametrize("name", REAL)
def test_a_block_is_judged_the_same_whichever_form_works(form: Kernels, name: str) -> None:
    parameters, raw = REAL[name]
    processor = BitcoinFamilyProcessor(parameters)
    changed = raw[:-40] + bytes((raw[-40] ^ 1,)) + raw[-39:]
    with in_use(REFERENCE_KERNELS):
        wanted = [processor.process_block(each) for each in (raw, changed, raw[:-1], raw + b"\0")]
    with in_use(form):
        found = [processor.process_block(each) for each in (raw, changed, raw[:-1], raw + b"\0")]
    assert found == wanted
    assert [isinstance(each, Block) for each in found] == [True, False, False, False]


def with_script(size: int, *, witness: bool, integrates: bool = False) -> Transaction:
    base = payment(1, witness=witness)
    script = random.Random(size).randbytes(size)
    stacks = ((script, b""),) if witness else ()
    outputs = (msgspec.structs.replace(base.outputs[0], script=script),)
    return msgspec.structs.replace(base, outputs=outputs, witnesses=stacks, integrates=integrates)


@pytest.mark.parametrize("witness", [False, True])
@pytest.mark.parametrize("integrates", [False, True])
def test_transactions_of_every_length_have_the_twins_ids(
    form: Kernels, *, witness: bool, integrates: bool
) -> None:
    same(form, [with_script(size, witness=witness, integrates=integrates) for size in range(201)])


@pytest.mark.parametrize("witness", [False, True])
@pytest.mark.parametrize("integrates", [False, True])
def test_lengths_around_the_limits_of_copies_and_lanes_have_the_twins_ids(
    form: Kernels, *, witness: bool, integrates: bool
) -> None:
    base = len(with_script(300, witness=False).encode()) - 300
    sizes = [limit - base + more for limit in (COPY_SIZE, LONG_SIZE) for more in range(-3, 4)]
    sizes += [(COPY_SIZE - base) // 2 + more for more in range(-6, 3)]
    sizes += [(LONG_SIZE - base) // 2 + more for more in range(-6, 3)] + [0x1_0000, 0x1_0001, 100_000]
    same(form, [with_script(size, witness=witness, integrates=integrates) for size in sizes])


def test_more_transactions_than_are_hashed_at_once_have_the_twins_ids(form: Kernels) -> None:
    found = same(form, [coinbase(), *(payment(n, witness=bool(n % 3)) for n in range(1, 1_500))])
    assert (found.tx_count, found.coinbases, found.begins_with_coinbase) == (1_500, 1, True)


def test_every_number_of_transactions_has_the_twins_ids_and_witness_root(form: Kernels) -> None:
    """The witness root is over the wtxids with zeros for the coinbase's (BIP 141), as `witness.py` has it."""
    block = [coinbase(), *(payment(number, witness=bool(number % 3)) for number in range(1, COUNT_MAX))]
    for count in range(1, COUNT_MAX + 1):
        found = same(form, block[:count])
        ids = bytes(32) + found.wtxids[32:]
        leaves = [bytes(32), *(transaction.wtxid for transaction in block[1:count])]
        assert form.merkle_root_of(ids) == reference.merkle_root(leaves)


@pytest.mark.parametrize("offset", range(8))
def test_a_block_may_begin_at_any_address(form: Kernels, offset: int) -> None:
    for count in (1, 2, 5, 17, 33, 64):
        block = [payment(number, witness=bool(number % 3)) for number in range(count)]
        raw = bytes(offset) + b"".join(transaction.encode() for transaction in block)
        found = scanned(form, raw, offset, count)
        assert found is not None
        assert found == plain(raw, offset, count)


def spending(numbers: list[int]) -> Transaction:
    inputs = tuple(
        TransactionInput(random.Random(number).randbytes(32), number % 3, b"", number) for number in numbers
    )
    return msgspec.structs.replace(payment(1), inputs=inputs)


@pytest.mark.parametrize("count", [2, 3, QUADRATIC_INPUTS_MAX, QUADRATIC_INPUTS_MAX + 1, 40, 1_000, 5_000])
def test_an_output_spent_twice_is_doubted_however_many_inputs_there_are(form: Kernels, count: int) -> None:
    numbers = list(range(1, count + 1))
    assert same(form, [payment(9), spending(numbers)]).doubted == ()
    for first, second in ((0, count - 1), (count // 2, count // 2 - 1)):
        twice = [*numbers]
        twice[first] = twice[second]
        assert same(form, [payment(9), spending(twice)]).doubted == (1,)


def test_inputs_that_differ_in_one_bit_are_told_apart(form: Kernels) -> None:
    base = TransactionInput(bytes(range(32)), 7, b"", 0)
    others = [
        msgspec.structs.replace(
            base, previous_txid=(1 << bit ^ int.from_bytes(base.previous_txid)).to_bytes(32)
        )
        for bit in range(256)
    ]
    others += [msgspec.structs.replace(base, previous_index=7 ^ 1 << bit) for bit in range(32)]
    found = same(form, [msgspec.structs.replace(payment(1), inputs=(base, *others))])
    assert found.doubted == ()


def test_no_transactions_and_sums_beyond_64_bits_are_left_to_the_twin(form: Kernels) -> None:
    assert form.scan_block(payment(1).encode(), 0, 0, MONEY_MAX, mweb=False) is None
    assert form.scan_block(payment(1).encode(), 0, 1, 1 << 62, mweb=False) is None
    assert form.scan_block(payment(1).encode(), 0, 1, (1 << 62) - 1, mweb=False) is not None


def test_locks_are_told_as_heights_and_times(form: Kernels) -> None:
    locked = [
        msgspec.structs.replace(spending([each]), lock_time=each) for each in (7, 499_999_999, 500_000_000)
    ]
    found = same(form, [*locked, msgspec.structs.replace(spending([2**32 - 1]), lock_time=2**32 - 1)])
    assert (found.locked_until_height, found.locked_until_time) == (499_999_999, 500_000_000)


def test_a_body_is_judged_inline_up_to_a_larger_size_with_a_compiled_form(form: Kernels) -> None:
    processor = BitcoinFamilyProcessor(bitcoin.MAIN)
    with in_use(REFERENCE_KERNELS):
        plain_cost_ms = processor.proof_cost_ms(0, 0, 40_000)
    with in_use(form):
        cost_ms = processor.proof_cost_ms(0, 0, 40_000)
        assert processor.proof_cost_ms(0, 0, 60_000) > INLINE_COST_MS_MAX
    assert cost_ms <= INLINE_COST_MS_MAX < plain_cost_ms
