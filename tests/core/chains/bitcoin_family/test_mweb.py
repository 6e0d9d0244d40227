"""Extension blocks: recorded ones pass, and each rule refuses a block that breaks only it."""

from __future__ import annotations

import msgspec
import pytest
from blake3 import blake3

from sprint.core.chains import Rejected, bitcoin
from sprint.core.chains.bitcoin_family import block as block_module
from sprint.core.chains.bitcoin_family import mweb
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.mweb_format import ExtensionBlock
from sprint.core.chains.bitcoin_family.transaction import Transaction, TransactionOutput
from sprint.core.errors import RuleError
from sprint.core.wire import compact_size, var_bytes
from tests.core.chains.bitcoin_family.building import at
from tests.core.chains.bitcoin_family.extension_blocks import (
    BY_HEIGHT,
    EMPTY,
    FIRST,
    LITECOIN,
    MIXED,
    WITHIN,
    Parts,
    accepted,
    built,
    extension_of,
    inputs_of,
    judged,
    outputs_of,
    parts_of,
    rebuilt_extension,
    recommitted,
    refusal,
    signed_kernel,
    varint,
    with_kernels,
)

REFUSED_BODY = ("mweb", True)
REFUSED_BLOCK = ("mweb", False)


@pytest.mark.parametrize("height", BY_HEIGHT)
def test_a_recorded_extension_block_passes_at_its_height_and_at_no_other(height: int) -> None:
    block = accepted(BY_HEIGHT[height])
    assert block.checks[-2:] == ("mweb", "mweb_signatures")
    assert LITECOIN.check_context(block, at(height), ()) is None
    assert refusal(BY_HEIGHT[height], height + 1) == REFUSED_BLOCK
    assert refusal(BY_HEIGHT[height], 431) == REFUSED_BODY


def test_what_was_recorded_has_something_of_everything() -> None:
    found = {height: extension_of(raw) for height, raw in BY_HEIGHT.items()}
    assert [len(e.inputs) for e in found.values()] == [2, 0, 4, 6]
    assert [len(e.outputs) for e in found.values()] == [6, 0, 4, 6]
    assert [len(e.kernels) for e in found.values()] == [3, 0, 2, 4]
    assert sum(kernel.pegin is not None for kernel in found[432].kernels) == 2
    assert sum(len(kernel.pegouts) for kernel in found[435].kernels) == 2


@pytest.mark.parametrize("raw", BY_HEIGHT.values(), ids=BY_HEIGHT)
def test_a_block_put_together_again_is_accepted(raw: bytes) -> None:
    accepted(built(parts_of(raw)))


# Whether there is an extension block.


def test_a_body_without_its_extension_block_is_not_the_true_one() -> None:
    parts = parts_of(WITHIN)
    unmarked = WITHIN[: -len(parts.extension) - 1]
    unmarked = unmarked.replace(parts.hogex.encode(), parts.hogex.encode(mark=False))
    assert LITECOIN.header_of(unmarked) == LITECOIN.header_of(WITHIN)
    assert accepted(unmarked).facts.extension is None
    assert refusal(unmarked, 434) == REFUSED_BODY
    assert judged(unmarked, 431) is None
    for said in (b"\x00", b"\x00" + parts.extension, b"\x02" + parts.extension):
        assert refusal(WITHIN[: -len(parts.extension) - 1] + said, 434) == REFUSED_BODY


def test_only_the_last_transaction_may_be_marked() -> None:
    parts = parts_of(FIRST)
    for number in range(len(parts.transactions) - 1):
        marked = list(parts.transactions)
        marked[number] = msgspec.structs.replace(marked[number], integrates=True)
        both = built(msgspec.structs.replace(parts, transactions=tuple(marked)))
        assert refusal(both, 432) == REFUSED_BODY


def test_a_marked_coinbase_alone_brings_no_extension_block() -> None:
    parts = parts_of(EMPTY)
    alone = msgspec.structs.replace(parts.transactions[0], integrates=True)
    raw = built(msgspec.structs.replace(parts, transactions=(alone,)))
    assert refusal(raw, 433) == ("parse", True)  # what stands behind it belongs to nothing
    assert refusal(raw[: -len(parts.extension) - 1], 433) == REFUSED_BODY


def test_a_network_without_extension_blocks_knows_no_mark() -> None:
    verdict = BitcoinFamilyProcessor(
        msgspec.structs.replace(LITECOIN.parameters, mweb_height=None)
    ).process_block(WITHIN)
    assert isinstance(verdict, Rejected)
    assert (verdict.check, verdict.mutated) == ("parse", True)
    assert bitcoin.MAIN.mweb_height is None


# The integrating transaction.


def test_a_hogex_that_commits_to_another_header_is_refused() -> None:
    parts = parts_of(WITHIN)
    other = TransactionOutput(parts.hogex.outputs[0].value, b"\x58\x20" + bytes(32))
    assert refusal(built(parts.with_outputs(other)), 434) == REFUSED_BODY


@pytest.mark.parametrize("prefix", [b"\x57\x20", b"\x59\x20", b"\x58\x1f"])
def test_a_hogex_that_commits_to_nothing_makes_the_block_itself_invalid(prefix: bytes) -> None:
    parts = parts_of(WITHIN)
    other = TransactionOutput(parts.hogex.outputs[0].value, prefix + parts.hogex.outputs[0].script[2:])
    raw = built(parts.with_outputs(other))
    assert refusal(raw, 434) == REFUSED_BLOCK
    assert refusal(raw, 431) == REFUSED_BODY  # there it is only a mark that somebody set


def test_an_extension_block_of_another_height_makes_the_block_itself_invalid() -> None:
    parts = parts_of(EMPTY)
    assert parts.extension[:2] == b"\x82\x31"  # 433
    assert refusal(built(recommitted(parts, b"\x82\x32" + parts.extension[2:])), 433) == REFUSED_BLOCK


# Pegins and pegouts.


def test_the_hogex_takes_in_all_pegins_in_their_order_and_nothing_else() -> None:
    parts = parts_of(FIRST)
    one, two = parts.hogex.inputs
    other = parts_of(WITHIN).hogex.inputs[0]
    accepted(built(parts.with_inputs(one, two)))
    for inputs in ((two, one), (two,), (other, one, two), (one, other, two), (one, two, other)):
        assert refusal(built(parts.with_inputs(*inputs)), 432) == REFUSED_BLOCK


def test_all_but_the_first_hogex_have_one_input_of_no_pegin() -> None:
    parts = parts_of(WITHIN)
    (before,) = parts.hogex.inputs
    another = msgspec.structs.replace(before, previous_index=7)
    assert refusal(built(parts.with_inputs(before, another)), 434) == REFUSED_BLOCK


def test_a_pegin_of_another_value_or_for_no_kernel_is_refused() -> None:
    parts = parts_of(FIRST)
    for change in ({"value": 1}, {"script": b"\x59\x20" + bytes(32)}):
        paying = parts.transactions[1]
        outputs = [
            msgspec.structs.replace(o, **change) if o.script.startswith(b"\x59\x20") else o
            for o in paying.outputs
        ]
        changed = msgspec.structs.replace(paying, outputs=tuple(outputs))
        assert refusal(built(replaced(parts, changed)), 432) == REFUSED_BODY


def replaced(parts: Parts, second: Transaction) -> Parts:
    """Replace the second transaction, and let the HogEx spend it where it spent the one before."""
    old = parts.transactions[1].txid
    inputs = tuple(
        msgspec.structs.replace(i, previous_txid=second.txid) if i.previous_txid == old else i
        for i in parts.hogex.inputs
    )
    hogex = msgspec.structs.replace(parts.hogex, inputs=inputs)
    return msgspec.structs.replace(
        parts, transactions=(parts.transactions[0], second, *parts.transactions[2:-1], hogex)
    )


PAYING_IN = b"\x59\x20" + bytes(32)


def test_a_coinbase_may_not_pay_in() -> None:
    parts = parts_of(WITHIN)
    first = parts.transactions[0]
    paying = msgspec.structs.replace(first, outputs=(*first.outputs, TransactionOutput(0, PAYING_IN)))
    changed = msgspec.structs.replace(parts, transactions=(paying, *parts.transactions[1:]))
    assert refusal(built(changed), 434) == REFUSED_BLOCK


def test_a_hogex_may_not_pay_in_what_a_kernel_pays_out() -> None:
    parts = parts_of(EMPTY)
    for script, outcome in ((b"\x51" * 34, None), (PAYING_IN, REFUSED_BLOCK)):
        pays_out = signed_kernel(4, b"\x01" + varint(5) + var_bytes(script))
        paid = parts.with_outputs(*parts.hogex.outputs, TransactionOutput(5, script))
        raw = built(with_kernels(paid, pays_out))
        assert (refusal(raw, 433) if outcome else judged(raw, 433)) == outcome


def test_what_the_hogex_pays_out_is_what_kernels_give() -> None:
    parts = parts_of(MIXED)
    held, one, two = parts.hogex.outputs
    accepted(built(parts.with_outputs(held, two, one)))  # in any order
    dearer = msgspec.structs.replace(one, value=one.value + 1)
    elsewhere = msgspec.structs.replace(one, script=b"\x51")
    for outputs in ((held, one), (held, one, two, two), (held, dearer, two), (held, elsewhere, two)):
        assert refusal(built(parts.with_outputs(*outputs)), 435) == REFUSED_BODY


def test_the_first_extension_block_holds_what_was_paid_in_and_no_more() -> None:
    parts = parts_of(FIRST)
    held = parts.hogex.outputs[0]
    for value in (held.value - 1, held.value + 1):
        raw = built(parts.with_outputs(msgspec.structs.replace(held, value=value)))
        assert refusal(raw, 432) == REFUSED_BLOCK


def test_an_extension_block_cannot_have_held_less_than_nothing() -> None:
    parts = parts_of(MIXED)
    held, *rest = parts.hogex.outputs
    taken = -sum(kernel.supply_change for kernel in extension_of(MIXED).kernels)
    assert taken > 0
    for value, wanted in (
        (0, None),
        (litecoin_money() - taken, None),
        (litecoin_money() - taken + 1, "mweb"),
    ):
        raw = built(parts.with_outputs(msgspec.structs.replace(held, value=value), *rest))
        verdict = judged(raw, 435)
        assert (verdict.check if verdict else None) in {wanted, "transactions"}


def litecoin_money() -> int:
    return LITECOIN.parameters.money_max


# Kernels, order, weight.


def test_kernels_are_those_the_header_counts_and_commits_to() -> None:
    kernels = [kernel.raw for kernel in extension_of(WITHIN).kernels]
    joined = compact_size(2) + b"".join(kernels)
    assert parts_of(WITHIN).extension.endswith(joined)
    before = WITHIN[: -len(joined)]
    for wrong, said in (
        (compact_size(1) + kernels[0], "1 kernels, the extension header says 2"),
        (compact_size(3) + b"".join(kernels) + kernels[0], "3 kernels, the extension header says 2"),
        (compact_size(2) + kernels[1] + kernels[0], "kernels give"),
    ):
        verdict = judged(before + wrong, 434)
        assert verdict is not None
        assert (verdict.check, verdict.mutated) == REFUSED_BODY
        assert said in verdict.reason


def test_kernels_fall_by_what_they_bring_and_then_rise_by_id() -> None:
    parts = parts_of(EMPTY)
    dear, cheap = signed_kernel(1, varint(9)), signed_kernel(1, varint(5))
    one, other = sorted((signed_kernel(1, varint(7)), signed_kernel(1, varint(7), nonce=5)), key=blake3_of)
    accepted(built(with_kernels(parts, cheap, one, other, dear)))
    for wrong in ((dear, cheap), (other, one), (one, one)):
        verdict = judged(built(with_kernels(parts, *wrong)), 433)
        assert verdict is not None
        assert (verdict.check, verdict.mutated) == REFUSED_BODY
        assert "kernels are not sorted, or one comes twice" in verdict.reason


def blake3_of(kernel: bytes) -> bytes:
    return blake3(kernel).digest()


def test_a_signed_fee_of_more_than_all_the_money_is_refused() -> None:
    parts = parts_of(EMPTY)
    accepted(built(with_kernels(parts, signed_kernel(1, varint(litecoin_money())))))
    verdict = judged(built(with_kernels(parts, signed_kernel(1, varint(litecoin_money() + 1)))), 433)
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == REFUSED_BODY
    assert f"moves more than {litecoin_money()}" in verdict.reason


def test_a_block_over_the_weight_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = 18 * len(extension_of(WITHIN).outputs) + 3 * len(extension_of(WITHIN).kernels)
    monkeypatch.setattr(mweb, "WEIGHT_MAX", weight)
    accepted(WITHIN)
    monkeypatch.setattr(mweb, "WEIGHT_MAX", weight - 1)
    assert refusal(WITHIN, 434) == REFUSED_BODY


@pytest.mark.parametrize("raw", BY_HEIGHT.values(), ids=BY_HEIGHT)
def test_neither_extension_block_nor_mark_weighs_in_the_block(raw: bytes) -> None:
    body = block_module._scan(raw, 80, LITECOIN.parameters)
    parts = parts_of(raw)
    stripped = sum(len(t.encode(witness=False, mark=False)) for t in parts.transactions)
    assert block_module._stripped_size(body) == 81 + stripped
    assert body.scan.end == len(raw) - len(parts.extension) - 1


def test_inputs_and_outputs_are_sorted_and_none_comes_twice() -> None:
    inputs, outputs = inputs_of(WITHIN), outputs_of(WITHIN)
    assert rebuilt_extension(WITHIN, outputs, inputs) == WITHIN
    for wrong in (outputs[::-1], [*outputs, outputs[-1]]):
        verdict = judged(rebuilt_extension(WITHIN, wrong, inputs), 434)
        assert verdict is not None
        assert "outputs are not sorted" in verdict.reason
    for wrong in (inputs[::-1], [*inputs, inputs[-1]]):
        verdict = judged(rebuilt_extension(WITHIN, outputs, wrong), 434)
        assert verdict is not None
        assert "inputs are not sorted" in verdict.reason


def test_an_output_or_input_less_is_told_by_the_sum_of_keys() -> None:
    inputs, outputs = inputs_of(WITHIN), outputs_of(WITHIN)
    for raw in (
        rebuilt_extension(WITHIN, outputs[1:], inputs),
        rebuilt_extension(WITHIN, outputs, inputs[1:]),
    ):
        verdict = judged(raw, 434)
        assert verdict is not None
        assert (verdict.check, verdict.mutated) == REFUSED_BODY
        assert "add up" in verdict.reason


def with_extra(size: int) -> ExtensionBlock:
    extension = extension_of(EMPTY)
    spent = extension_of(WITHIN).inputs[0]
    return msgspec.structs.replace(extension, inputs=(msgspec.structs.replace(spent, extra=bytes(size)),))


def test_extra_data_weighs_by_the_42_bytes_begun_up_to_the_limit() -> None:
    mweb._check_weight(with_extra(42 * mweb.WEIGHT_MAX))
    with pytest.raises(RuleError, match="weight 200001, limit 200000"):
        mweb._check_weight(with_extra(42 * mweb.WEIGHT_MAX + 1))


def test_what_each_part_weighs_is_litecoins() -> None:
    """Two standard outputs and a kernel with a stealth excess: 18 + 18 + 3."""
    extension = extension_of(FIRST)
    wanted = 18 * len(extension.outputs) + 3 * len(extension.kernels)
    room = msgspec.structs.replace(
        extension,
        inputs=(msgspec.structs.replace(extension.inputs[0], extra=bytes(42 * (mweb.WEIGHT_MAX - wanted))),),
    )
    mweb._check_weight(room)
    one_more = msgspec.structs.replace(room, outputs=(*room.outputs, room.outputs[0]))
    with pytest.raises(RuleError, match="weight 200018"):
        mweb._check_weight(one_more)


def test_a_kernel_moves_no_more_than_all_the_money() -> None:
    extension = extension_of(WITHIN)
    for name in ("fee", "pegin"):
        for value, fails in ((litecoin_money(), False), (litecoin_money() + 1, True)):
            kernel = msgspec.structs.replace(extension.kernels[0], **{name: value})
            changed = msgspec.structs.replace(extension, kernels=(kernel,))
            if fails:
                with pytest.raises(RuleError, match="moves more than"):
                    mweb._check_amounts(changed, litecoin_money())
            else:
                mweb._check_amounts(changed, litecoin_money())


def slow_mountain_root(leaves: list[bytes]) -> bytes:
    """Build every node of the range by its number, then join the peaks: written out apart from the code."""
    hashes: list[bytes] = []

    def grow(count: int) -> bytes:
        """Add a perfect tree over the next `count` leaves and return its peak."""
        if count == 1:
            leaf = leaves[leaf_number[0]]
            leaf_number[0] += 1
            node = blake3(len(hashes).to_bytes(8, "little") + compact_size(len(leaf)) + leaf).digest()
        else:
            left, right = grow(count // 2), grow(count // 2)
            node = blake3(len(hashes).to_bytes(8, "little") + left + right).digest()
        hashes.append(node)
        return node

    leaf_number = [0]
    peaks = [grow(1 << bit) for bit in reversed(range(10)) if len(leaves) >> bit & 1]
    root = peaks.pop() if peaks else bytes(32)
    for peak in reversed(peaks):
        root = blake3(len(hashes).to_bytes(8, "little") + peak + root).digest()
    return root


@pytest.mark.parametrize("count", range(34))
def test_a_mountain_root_is_the_slow_one(count: int) -> None:
    leaves = [bytes([number]) * (number * 9) for number in range(count)]
    assert mweb.mountain_root(leaves) == slow_mountain_root(leaves)
