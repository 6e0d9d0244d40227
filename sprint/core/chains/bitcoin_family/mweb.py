"""An extension block (MWEB; LIP 2, LIP 3) against its block: the rules that need no other block.

The last transaction, the HogEx, commits to the extension block's header; that header commits to the kernels.
Inputs and outputs are bound by signatures and a sum of keys, see `mweb_signatures`. Litecoin Core's
`MWEB::Node::ContextualCheckBlock`, `BlockValidator` and `TxBody::Validate` are the reference.

What only the extension block's own bytes show to be wrong says nothing of the block: the body is refused as
`mutated`, another source may have the true one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from sprint.core.chains.bitcoin_family.mweb_format import (
    EXTENSION_SIZE_MAX,
    ExtensionBlock,
    ExtensionKernel,
    hash_of,
    parse_extension,
)
from sprint.core.chains.bitcoin_family.mweb_signatures import (
    SIGNATURES_MAX,
    check_signatures,
    signature_count,
)
from sprint.core.chains.bitcoin_family.parameters import ExtensionRules, NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import Transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.wire import Reader, u64, var_bytes

WEIGHT_MAX = 200_000
COMMITMENT_PREFIX = b"\x58\x20"  # OP_8, push 32: what the HogEx's first output commits with
PEGIN_PREFIX = b"\x59\x20"  # OP_9, push 32: an output for the kernel of that id to take in
_PROGRAM_SIZE = 34
_BYTES_PER_WEIGHT = 42  # of extra data and scripts
_KERNEL_WEIGHT = 2
_STEALTH_EXCESS_WEIGHT = 1
_OUTPUT_WEIGHT = 17
_STANDARD_FIELDS_WEIGHT = 1


class Pegin(msgspec.Struct, frozen=True):
    """An output of the block that pays into the extension block, for the kernel of this id."""

    txid: bytes
    index: int
    value: int
    kernel_id: bytes


class Integration(msgspec.Struct, frozen=True):
    """The transactions of a block that have to do with its extension block.

    `pegins` are of all but the coinbase and the HogEx, in the block's order.
    """

    coinbase: Transaction
    hogex: Transaction
    pegins: list[Pegin]


class ExtensionFacts(msgspec.Struct, frozen=True):
    """What was found of an extension block and its place decides on.

    `inputs_before` is how many inputs the HogEx has before those that take in the block's pegins.
    `held_before` is what the extension blocks held before this one, in the chain's smallest unit, by the
    HogEx's own account. `fault` is what is wrong with the transactions themselves, where the height makes
    it wrong; it comes with them in any body. `signatures_checked` is false where there were too many.
    `lacks_pegouts` and `lacks_extra`: a kernel says that it has such and has none. `lock_height` is the
    greatest of its kernels'.
    """

    height: int
    inputs_before: int
    held_before: int
    fault: str
    signatures_checked: bool
    lacks_pegouts: bool
    lacks_extra: bool
    lock_height: int


def check_extension(
    raw: bytes, start: int, parameters: NetworkParameters, integration: Integration
) -> ExtensionFacts:
    """Check the extension block at `start`, up to the end of a block's bytes, against its transactions.

    WireError where it does not parse; RuleError, always `mutated`, where a rule is broken.
    """
    if len(raw) - start > EXTENSION_SIZE_MAX:
        raise WireError(
            f"extension block of {len(raw) - start} bytes, limit {EXTENSION_SIZE_MAX}", kind="oversized"
        )
    reader = Reader(raw, start)
    if reader.u8() != 1:
        raise _refused("the extension block was stripped from the body")
    extension = parse_extension(reader)
    reader.finish()
    hogex, pegins = integration.hogex, integration.pegins
    fault = _fault(integration)
    if not fault:
        _check_commitment(hogex, extension)
    _check_kernels(extension)
    _check_weight(extension)
    _check_order(extension)
    _check_amounts(extension, parameters.money_max)
    _check_pegs(hogex, pegins, extension.kernels)
    signatures_checked = signature_count(extension) <= SIGNATURES_MAX
    if signatures_checked:
        check_signatures(extension)
    return ExtensionFacts(
        height=extension.header.height,
        inputs_before=len(hogex.inputs) - len(pegins),
        held_before=hogex.outputs[0].value - sum(kernel.supply_change for kernel in extension.kernels),
        fault=fault,
        signatures_checked=signatures_checked,
        lacks_pegouts=any(kernel.lacks_pegouts for kernel in extension.kernels),
        lacks_extra=any(kernel.lacks_extra for kernel in extension.kernels),
        lock_height=max((kernel.lock_height for kernel in extension.kernels), default=0),
    )


def check_extension_place(
    parameters: NetworkParameters, extension: ExtensionFacts | None, height: int
) -> None:
    """Check what a height decides: whether there is an extension block, and of what height. RuleError."""
    first = parameters.mweb_height
    if first is None or height < first:
        if extension is not None:
            raise _refused(f"an extension block at height {height}, the first is at {first}")
        return
    if extension is None:
        raise _refused(f"no extension block at height {height}, the first is at {first}")
    if extension.fault:
        raise RuleError("mweb", extension.fault)
    if extension.height != height:
        raise RuleError("mweb", f"an extension block of height {extension.height} at height {height}")
    if parameters.mweb_rules is not None:
        _check_later_rules(parameters.mweb_rules, extension, height)
    before = int(height > first)  # all but the first spend what the HogEx below left
    if extension.inputs_before != before:
        raise RuleError("mweb", f"the HogEx has {extension.inputs_before} inputs of no pegin, not {before}")
    held = extension.held_before
    if not 0 <= held <= parameters.money_max or (not before and held):
        raise RuleError("mweb", f"the extension blocks held {held} before this one")


def _check_later_rules(rules: ExtensionRules, extension: ExtensionFacts, height: int) -> None:
    """What a kernel lacks stands in none of its hashes, so another kernel may have the same: `mutated`."""
    if height >= rules.pegouts_height and extension.lacks_pegouts:
        raise _refused("a kernel that says it has pegouts lists none")
    if height >= rules.extra_data_height and extension.lacks_extra:
        raise _refused("a kernel that says it has extra data has none")
    if height >= rules.lock_height and extension.lock_height > height:
        raise _refused(f"a kernel locked up to height {extension.lock_height} at height {height}")


def pegins_of(transaction: Transaction) -> list[Pegin]:
    """Return the outputs of a transaction that pay into the extension block."""
    return [
        Pegin(transaction.txid, index, output.value, output.script[2:])
        for index, output in enumerate(transaction.outputs)
        if _is_program(output.script, PEGIN_PREFIX)
    ]


def _is_program(script: bytes, prefix: bytes) -> bool:
    return len(script) == _PROGRAM_SIZE and script.startswith(prefix)


def _fault(integration: Integration) -> str:
    """Say what is wrong with the transactions themselves, or nothing."""
    hogex, pegins = integration.hogex, integration.pegins
    if not _is_program(hogex.outputs[0].script, COMMITMENT_PREFIX):
        return "the HogEx's first output commits to no extension block"
    if pegins_of(integration.coinbase) or pegins_of(hogex):
        return "the coinbase or the HogEx pays into the extension block"
    wanted = [(pegin.txid, pegin.index) for pegin in pegins]
    spent = [(i.previous_txid, i.previous_index) for i in hogex.inputs]
    if wanted and spent[-len(wanted) :] != wanted:
        return f"the HogEx does not take in the block's {len(wanted)} pegins, in their order"
    return ""


def _check_commitment(hogex: Transaction, extension: ExtensionBlock) -> None:
    committed = hogex.outputs[0].script[len(COMMITMENT_PREFIX) :]
    if committed != extension.header.hash:
        raise _refused(f"extension header {extension.header.hash.hex()}, the HogEx says {committed.hex()}")


def _check_kernels(extension: ExtensionBlock) -> None:
    count = len(extension.kernels)
    if count != extension.header.kernel_count:
        raise _refused(f"{count} kernels, the extension header says {extension.header.kernel_count}")
    root = mountain_root([kernel.raw for kernel in extension.kernels])
    if root != extension.header.kernel_root:
        raise _refused(f"kernels give {root.hex()}, the header says {extension.header.kernel_root.hex()}")


def mountain_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a merkle mountain range (Litecoin Core's `MemMMR`); zeros of none.

    Nodes are numbered as they come to be; each hash begins with its node's number, and the peaks are
    joined from the right under the count of all nodes.
    """
    peaks: list[tuple[int, bytes]] = []
    nodes = 0
    for leaf in leaves:
        level, node = 0, hash_of(u64(nodes), var_bytes(leaf))
        nodes += 1
        while peaks and peaks[-1][0] == level:
            level, node = level + 1, hash_of(u64(nodes), peaks.pop()[1], node)
            nodes += 1
        peaks.append((level, node))
    if not peaks:
        return bytes(32)
    root = peaks.pop()[1]
    while peaks:
        root = hash_of(u64(nodes), peaks.pop()[1], root)
    return root


def _check_weight(extension: ExtensionBlock) -> None:
    weight = sum(_extra_weight(len(spent.extra)) for spent in extension.inputs)
    for output in extension.outputs:
        weight += _OUTPUT_WEIGHT + output.has_standard_fields * _STANDARD_FIELDS_WEIGHT
        weight += _extra_weight(output.extra_size)
    for kernel in extension.kernels:
        weight += _KERNEL_WEIGHT + bool(kernel.stealth_excess) * _STEALTH_EXCESS_WEIGHT
        weight += _extra_weight(kernel.extra_size)
        weight += sum(_extra_weight(len(pegout.script)) for pegout in kernel.pegouts)
    if weight > WEIGHT_MAX:
        raise _refused(f"extension block of weight {weight}, limit {WEIGHT_MAX}")


def _extra_weight(size: int) -> int:
    return -(-size // _BYTES_PER_WEIGHT)


def _check_order(extension: ExtensionBlock) -> None:
    """Inputs and outputs rise by their ids, kernels fall by supply change, then rise by id; none repeats."""
    _check_rising([(0, spent.output_id) for spent in extension.inputs], "inputs")
    _check_rising([(0, output.id) for output in extension.outputs], "outputs")
    _check_rising([(-kernel.supply_change, kernel.id) for kernel in extension.kernels], "kernels")


def _check_rising(keys: Sequence[tuple[int, bytes]], what: str) -> None:
    if any(lower >= higher for lower, higher in pairwise(keys)):
        raise _refused(f"an extension block's {what} are not sorted, or one comes twice")


def _check_amounts(extension: ExtensionBlock, money_max: int) -> None:
    for kernel in extension.kernels:
        out = sum(pegout.value for pegout in kernel.pegouts)
        if max(kernel.fee, kernel.pegin or 0, out) > money_max:
            raise _refused(f"a kernel moves more than {money_max}")


def _check_pegs(hogex: Transaction, pegins: Sequence[Pegin], kernels: Sequence[ExtensionKernel]) -> None:
    """What the transactions pay in is what the kernels take in, and the other way round for pay-outs."""
    paid_in = Counter((pegin.kernel_id, pegin.value) for pegin in pegins)
    taken_in = Counter((kernel.id, kernel.pegin) for kernel in kernels if kernel.pegin is not None)
    if paid_in != taken_in:
        raise _refused(f"{len(pegins)} pegins, the kernels take in {taken_in.total()}, or other ones")
    paid_out = Counter((output.value, output.script) for output in hogex.outputs[1:])
    left = Counter((pegout.value, pegout.script) for kernel in kernels for pegout in kernel.pegouts)
    if paid_out != left:
        raise _refused(f"the HogEx pays out {paid_out.total()}, the kernels {left.total()}, or other ones")


def _refused(message: str) -> RuleError:
    return RuleError("mweb", message, mutated=True)
